//! Tests of agents in their own processes, with real servers. They play the same as one process. Their records survive
//! the end of an agent, of the controller, and of the back channel.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod api;
mod files;
mod lost;
mod metrics;
mod orders;
mod place;
#[path = "../support/process.rs"]
mod process;
#[allow(dead_code, reason = "alerts are not its subject")]
#[path = "../../../tests/prometheus/server.rs"]
mod prometheus;
mod together;

/// One play at a time: two would compete for the machine.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A region dies while clients of all regions do everything that clients can do.
const SCENARIO: &str = r#"
title = "Agents"
thresholds = [
  "requests.failed{phase=quiet} == 0",
  "js.lost == 0",
  "kv.lost == 0",
  "object.corrupt == 0",
]

[[clients]]
name = "geo"
kind = "nats-geo"
per_region = 2

[[workload]]
kind = "request"
rate = 20

[[workload]]
kind = "jetstream"
rate = 10
region = "dal"

[[workload]]
kind = "publish"
rate = 10

[[workload]]
kind = "kv"
rate = 5
region = "dal"

[[workload]]
kind = "object"
rate = 2
region = "dal"

[[phase]]
name = "quiet"
for = "3s"

[[phase]]
name = "outage"
for = "3s"

[[phase]]
name = "recovered"
for = "2s"

[[fault]]
inject = "kill"
target = "lon"
phase = "outage"
"#;
