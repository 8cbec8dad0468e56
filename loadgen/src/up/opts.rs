//! Options of `loadgen up`. Doc comments are the help text.

use std::path::PathBuf;

use clap::Args;

use crate::cli::ClusterOpts;
use crate::secret::Secret;

/// Options of `loadgen up`.
#[derive(Args, Clone, Debug)]
pub struct UpOpts {
    /// Name 1 to 16 regions; loadgen knows the distances between well-known cities
    #[arg(
        long,
        value_delimiter = ',',
        required_unless_present = "topology",
        conflicts_with = "topology",
        value_name = "NAMES"
    )]
    pub regions: Vec<String>,

    /// Start the super-cluster of this file, or of this preset (`loadgen topology list`)
    #[arg(long, conflicts_with = "servers_per_region", value_name = "FILE|PRESET")]
    pub topology: Option<String>,

    /// Name the deployment, for `loadgen ctl` [default: the topology's name, numbered if it is in use]
    #[arg(long, value_name = "NAME")]
    pub deployment: Option<String>,

    /// Give all users of the topology this password [default: a random password for each user]
    #[arg(long, env = "PASSWORD", hide_env_values = true, value_name = "PASSWORD")]
    pub password: Option<Secret>,

    /// The super-cluster.
    #[command(flatten)]
    pub cluster: ClusterOpts,

    /// End with an error if the servers and streams are not connected to each other after this time
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u32).range(1..=3600), value_name = "SECONDS")]
    pub stabilise_timeout: u32,

    /// Print the health of every server as JSON, one line each, at this interval
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=86_400), value_name = "SECONDS")]
    pub health_report: Option<u32>,

    /// Serve the browser demo, which breaks and heals regions; build it with `make web` first
    #[arg(long)]
    pub serve: bool,

    /// Serve the demo at this port [default: a free one]
    #[arg(long, value_name = "PORT", requires = "serve")]
    pub port: Option<u16>,

    /// Serve the demo from this folder, which `make web` writes
    #[arg(long, default_value = "web/dist", value_name = "DIR", requires = "serve")]
    pub web: PathBuf,
}
