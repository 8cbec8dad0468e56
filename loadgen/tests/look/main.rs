//! Tests of the commands that look at a super-cluster, with real ones: `loadgen servers`, `clusters`, `streams` and
//! `graph`.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod command;
mod logins;
mod old_servers;
mod presets;
mod streams;
mod super_cluster;
