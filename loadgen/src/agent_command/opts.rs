//! Options of `loadgen control`, `loadgen agent`, `loadgen agents` and `loadgen push`. Doc comments are the help text.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;

use crate::clients::BrowserOpts;
use crate::ops::{ListenAddress, OpsUrl};

/// Options of `loadgen control`.
#[derive(Args, Clone, Debug)]
pub struct ControlOpts {
    /// Listen at this port, and serve monitoring on 127.0.0.1 at the next port [default: free ports]
    #[arg(long, value_name = "PORT")]
    pub port: Option<u16>,

    /// Listen, without encryption, at this IPv4 address of this machine, for agents of other machines
    #[arg(long, default_value_t, value_name = "IP")]
    pub listen: ListenAddress,

    /// Run this nats-server [default: the one on PATH, else loadgen fetches it with pip]
    #[arg(long, value_name = "PATH")]
    pub nats_server: Option<PathBuf>,
}

/// Options of `loadgen agent`.
#[derive(Args, Clone, Debug)]
pub struct AgentOpts {
    /// Take orders over this NATS server: the back channel, which is not under test
    #[arg(long, env = "LOADGEN_OPS", hide_env_values = true, value_name = "URL")]
    pub ops: OpsUrl,

    /// Log in to the back channel with this credentials file
    #[arg(long, value_name = "FILE")]
    pub ops_creds: Option<PathBuf>,

    /// Play clients of this region
    #[arg(long, value_name = "NAME")]
    pub region: String,

    /// Use this name in reports and errors [default: REGION-HOST-PROCESS]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,

    /// Store the files that `loadgen push` sends in this folder [default: refuse files]
    #[arg(long, value_name = "DIR")]
    pub files: Option<PathBuf>,

    /// Serve metrics of the clients for Prometheus at this address, path /metrics, without a password
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub metrics: Option<SocketAddr>,

    /// The browser for clients that run in one.
    #[command(flatten)]
    pub browsers: BrowserOpts,
}

/// Options of `loadgen push`.
#[derive(Args, Clone, Debug)]
pub struct PushOpts {
    /// Send this file
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// Send the file to the agents of this region, or to this agent; repeatable [default: all agents]
    #[arg(long, value_name = "REGION|AGENT")]
    pub to: Vec<String>,

    /// Let agents store the file under this name [default: the name of the file]
    #[arg(long = "as", value_name = "NAME")]
    pub name: Option<String>,

    /// Wait at most this long until all agents have stored the file
    #[arg(long, default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=86_400), value_name = "SECONDS")]
    pub timeout: u32,

    /// Find the agents over this NATS server, the back channel
    #[arg(long, env = "LOADGEN_OPS", hide_env_values = true, value_name = "URL")]
    pub ops: OpsUrl,

    /// Log in to the back channel with this credentials file
    #[arg(long, value_name = "FILE")]
    pub ops_creds: Option<PathBuf>,
}

/// Options of `loadgen agents`.
#[derive(Args, Clone, Debug)]
pub struct AgentsOpts {
    /// List the agents that are connected to this NATS server, the back channel
    #[arg(long, env = "LOADGEN_OPS", hide_env_values = true, value_name = "URL")]
    pub ops: OpsUrl,

    /// Log in to the back channel with this credentials file
    #[arg(long, value_name = "FILE")]
    pub ops_creds: Option<PathBuf>,

    /// Print the rows as JSON instead of a table
    #[arg(long)]
    pub json: bool,

    /// Print the health of every agent as JSON, one line each, at this interval
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=86_400), value_name = "SECONDS", conflicts_with = "json")]
    pub health_report: Option<u32>,
}
