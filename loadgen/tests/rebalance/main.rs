//! `loadgen rebalance` on real super-clusters.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod command;
mod many;
mod spread;
