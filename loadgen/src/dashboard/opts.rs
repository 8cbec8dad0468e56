//! Options of `loadgen dashboard`. Doc comments are the help text.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use super::origin::Origin;
use crate::look::opts::ConnectOpts;
use crate::ops::OpsUrl;
use crate::store::opts::StoreOpts;

/// Options of `loadgen dashboard`.
#[derive(Args, Clone, Debug)]
pub struct DashboardOpts {
    /// The store.
    #[command(flatten)]
    pub store: StoreOpts,

    /// Listen at this address, without TLS; other machines can reach it, unless it is a loopback address
    #[arg(long, default_value = "127.0.0.1:8090", value_name = "ADDRESS:PORT")]
    pub listen: SocketAddr,

    /// Admit readers with the token in this file [default: a random token, printed once in the URL]
    #[arg(long, value_name = "FILE")]
    pub token_file: Option<PathBuf>,

    /// Let operators give orders to the super-cluster that `loadgen up` keeps running on this machine
    #[arg(long)]
    pub operate: bool,

    /// Admit operators with the token in this file [default: a random token, printed once in a second URL]
    #[arg(long, requires = "operate", value_name = "FILE")]
    pub operator_token_file: Option<PathBuf>,

    /// Show the agents that are connected to this NATS server, the back channel, and the run that they play
    #[arg(long, env = "LOADGEN_OPS", hide_env_values = true, value_name = "URL")]
    pub ops: Option<OpsUrl>,

    /// Log in to the back channel with this credentials file
    #[arg(long, requires = "ops", value_name = "FILE")]
    pub ops_creds: Option<PathBuf>,

    /// Let pages of this origin, as in `https://grafana.example.net`, embed pages of `/frame/`; repeatable
    #[arg(long, value_name = "ORIGIN")]
    pub embed_in: Vec<Origin>,

    /// While a page shows the super-cluster, query the servers with pauses of this length
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u32).range(1..=3_600), value_name = "SECONDS")]
    pub every: u32,

    /// The super-cluster.
    #[command(flatten)]
    pub connect: ConnectOpts,
}
