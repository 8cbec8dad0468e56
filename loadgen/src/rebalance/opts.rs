//! Options of `loadgen rebalance`. Doc comments are the help text.

use std::time::Duration;

use clap::Args;

use crate::look::opts::ConnectOpts;
use crate::topology::span_of_option;

/// Options of `loadgen rebalance`.
#[derive(Args, Clone, Debug)]
pub struct RebalanceOpts {
    /// The super-cluster.
    #[command(flatten)]
    pub connect: ConnectOpts,

    /// Rebalance only the servers of this cluster [default: each cluster]
    #[arg(long, value_name = "NAME")]
    pub cluster: Option<String>,

    /// Ask at most this many clients of a cluster at once
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u16).range(1..=1_000), value_name = "N")]
    pub batch: u16,

    /// Wait this long after a batch, such as `500ms` or `2s`, and count the clients again
    #[arg(long, default_value = "1s", value_parser = span_of_option, value_name = "DURATION")]
    pub pause: Duration,

    /// Stop when each server's client count is this close to the mean of its cluster, or one client away
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=100), value_name = "PERCENT")]
    pub within: u8,

    /// Stop after loadgen asked this many clients to move [default: no limit]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub at_most: Option<u32>,

    /// Report a client as staying if it is still on its server this long after loadgen asked it to move
    #[arg(long, default_value = "15s", value_parser = span_of_option, value_name = "DURATION")]
    pub patience: Duration,

    /// Print how many clients loadgen would ask to move, and ask none
    #[arg(long)]
    pub dry_run: bool,

    /// Print the result as one JSON document at the end instead of tables
    #[arg(long)]
    pub json: bool,
}
