//! Clients over TCP and over WebSocket, with and without TLS, by a list and by DNS, through a region that is killed.

use crate::own::play;

const TRANSPORTS: &str = r#"
title = "Every transport"
thresholds = [
  "requests.sent{population=geo} > 50",
  "requests.sent{population=geo-ws} > 50",
  "requests.sent{population=stock-ws} > 50",
  "requests.sent{population=dns} > 50",
  "requests.sent{population=dns-ws} > 50",
  "requests.failed{phase=before} == 0",
  "failover.hit{population=geo-ws} == 2",
  "failover.missed{population=geo-ws} == 0",
  "failover.missed{population=dns} == 0",
  "failover.missed{population=dns-ws} == 0",
]
faults = ["kill:lon@2s/3s"]
[[clients]]
name = "geo"
kind = "nats-geo"
regions = { lon = 2 }
[[clients]]
name = "geo-ws"
kind = "nats-geo"
transport = "ws"
regions = { lon = 2 }
[[clients]]
name = "dns"
kind = "nats-geo"
discovery = "dns"
regions = { lon = 1 }
[[clients]]
name = "dns-ws"
kind = "nats-geo"
discovery = "dns"
transport = "ws"
regions = { lon = 1 }
[[clients]]
name = "stock-ws"
kind = "async-nats"
transport = "ws"
regions = { lon = 2 }
[[workload]]
kind = "request"
[[phase]]
name = "before"
for = "2s"
[[phase]]
name = "killed"
for = "3s"
"#;

async fn every_transport_works(topology: &str) {
    let cluster = r#"cluster = [{ name = "lon", servers = 1 }, { name = "ams", servers = 2 }]"#;
    let scenario = format!("topology = {{ {cluster}{topology} }}\n{TRANSPORTS}");
    play(&scenario, &["--seed", "3"]).await.holds();
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_connect_over_websocket() {
    every_transport_works("").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_connect_over_websocket_with_tls() {
    every_transport_works(", tls = { mutual = true }").await;
}
