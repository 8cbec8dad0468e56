//! Options of `loadgen rebalance`. Doc comments are the help text.

use std::time::Duration;

use clap::Args;

use crate::look::opts::ConnectOpts;
use crate::topology::parse_span;

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
    #[arg(long, default_value = "1s", value_parser = span, value_name = "DURATION")]
    pub pause: Duration,

    /// Stop when each server's client count is this close to the mean of its cluster, or one client away
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u8).range(0..=100), value_name = "PERCENT")]
    pub within: u8,

    /// Stop after loadgen asked this many clients to move [default: no limit]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub at_most: Option<u32>,

    /// Report a client as staying if it is still on its server this long after loadgen asked it to move
    #[arg(long, default_value = "15s", value_parser = span, value_name = "DURATION")]
    pub patience: Duration,

    /// Print how many clients loadgen would ask to move, and ask none
    #[arg(long)]
    pub dry_run: bool,

    /// Print the result as one JSON document at the end instead of tables
    #[arg(long)]
    pub json: bool,
}

/// Between looks, servers must have the time to answer; a day is longer than any rebalancing.
fn span(text: &str) -> Result<Duration, String> {
    let span = parse_span(text).ok_or("write a number and ms, s, m or h, as in `500ms`")?;
    let limits = Duration::from_millis(10)..=Duration::from_secs(86_400);
    if limits.contains(&span) { Ok(span) } else { Err("choose a duration from `10ms` to `24h`".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_has_a_unit_and_limits() {
        assert_eq!(span("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(span("24h"), Ok(Duration::from_secs(86_400)));
        for text in ["1", "-1s", "second"] {
            assert!(span(text).unwrap_err().contains("500ms"), "{text}");
        }
        for text in ["0s", "9ms", "25h"] {
            assert!(span(text).unwrap_err().contains("from `10ms` to `24h`"), "{text}");
        }
    }
}
