//! Faults of one kind that overlap on one server: `/varz` shows which of them holds.

use super::{Watchers, ports, topology};
use crate::monitor::monitor;
use crate::own::play;

/// The last limit begins and ends while a lower one is active.
const SCENARIO: &str = r#"
title = "Limits that overlap"
faults = [
  "connection-limit:lon-1,connections=30@300ms/2300ms",
  "connection-limit:lon-1,connections=20@800ms/800ms",
  "connection-limit:lon-1,connections=40@1900ms/300ms",
]
clients = [{ name = "geo", kind = "nats-geo", per_region = 1 }]
[[phase]]
name = "all"
for = "3s"
[topology.jetstream]
enabled = false
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_server_keeps_the_lowest_of_its_limits_until_the_last_one_ends() {
    let [lon, ams] = ports();
    let mut watchers = Watchers::default();
    let limits = watchers.look(move || monitor(lon.1, "/varz")?["max_connections"].as_u64());
    play(&format!("{SCENARIO}{}", topology(&[("lon", &[lon]), ("ams", &[ams])])), &[]).await;
    drop(watchers);

    let mut seen: Vec<_> = limits.lock().unwrap().iter().map(|(_, most)| *most).collect();
    seen.dedup();
    let usual = seen[0];
    assert_eq!(seen, [usual, 30, 20, 30, usual]);
}
