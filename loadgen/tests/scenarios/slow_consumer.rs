//! Tests of receivers that stop taking messages, as the server sees them.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::Value;

use crate::monitor::monitor;
use crate::own::play;

/// Between two looks at the server.
const LOOK: Duration = Duration::from_millis(50);

/// The receivers of `slow` take nothing for three seconds, and those of `other` go on.
const SLOW: &str = r#"
title = "Slow receivers"
thresholds = ["messages.lost == 0", "messages.p99{phase=slow,population=slow} > 500ms"]
faults = ["slow-consumer:slow@2s/3s"]
[[clients]]
name = "slow"
kind = "nats-geo"
regions = { lon = 2 }
[[clients]]
name = "other"
kind = "nats-geo"
regions = { lon = 2 }
[[workload]]
kind = "consume"
rate = 50
[[phase]]
name = "quiet"
for = "2s"
[[phase]]
name = "slow"
for = "3s"
[[phase]]
name = "after"
for = "2s"
[[topology.cluster]]
name = "ams"
servers = 1
[[topology.cluster]]
name = "lon"
[[topology.cluster.server]]
"#;

#[tokio::test(flavor = "multi_thread")]
async fn messages_wait_at_the_server_for_slow_receivers_only() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let scenario = format!("{SLOW}ports = {{ monitor = {port} }}\n");
    let most = Arc::new(Mutex::new(BTreeMap::new()));
    let watching = tokio::spawn(watch(port, Arc::clone(&most)));
    let played = play(&scenario, &[]).await;
    watching.abort();
    played.holds();
    let most = most.lock().unwrap();
    // Two publishers, 50 messages each per second, for three seconds.
    assert!(most["LOADGEN_0"] > 100, "{most:?}");
    assert!(most["LOADGEN_1"] < 50, "{most:?}");
}

/// Notes the most messages that waited for each consumer, or for its acknowledgement.
async fn watch(port: u16, most: Arc<Mutex<BTreeMap<String, u64>>>) {
    let mut looks = tokio::time::interval(LOOK);
    loop {
        looks.tick().await;
        let Some(answer) = monitor(port, "/jsz?consumers=1&accounts=1") else { continue };
        let list = |value: &Value, key: &str| value[key].as_array().cloned().unwrap_or_default();
        let accounts = list(&answer, "account_details").into_iter();
        let streams = accounts.flat_map(|account| list(&account, "stream_detail"));
        for consumer in streams.flat_map(|stream| list(&stream, "consumer_detail")) {
            let Some(name) = consumer["name"].as_str() else { continue };
            let count = |key: &str| consumer[key].as_u64().unwrap_or(0);
            let waiting = count("num_pending") + count("num_ack_pending");
            let mut most = most.lock().unwrap();
            let known = most.entry(name.to_owned()).or_default();
            *known = waiting.max(*known);
        }
    }
}
