//! Tests that kill `loadgen run` with SIGKILL during every kind of fault.

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::time::Duration;

use loadgen::clock;
use loadgen::scenario::{ALL_FAULTS, FaultKind};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::place::{LIMIT, Place, TURN};

/// Faults that end at once come first, because some wait for a healthy super-cluster. `rolling` comes last: it waits until its first
/// server has left lame duck mode, which takes ten seconds at least.
const SCENARIO: &str = r#"
title = "Everything breaks"
resolvers = ["one", "two", "three", "four"]
faults = [
  "step-down:meta@0s",
  "restart:lon-1@100ms",
  "mass-reconnect:old@200ms",
  "connection-limit:ams,connections=50@300ms",
  "expire-certificate:ams-2@300ms",
  "revoke:gone@300ms",
  "churn:churned,per_s=5@400ms",
  "replace:old,with=new@400ms",
  "slow-consumer:slow@400ms",
  "dns-fail:one@400ms",
  "dns-slow:two,latency_ms=300@400ms",
  "dns-silent:three@400ms",
  "dns-stale:four@400ms",
  "latency:lon-ams,rtt_ms=60@500ms",
  "jitter:lon-ams,jitter_ms=20@500ms",
  "bandwidth:lon-ams,bytes_per_s=1MB@500ms",
  "refuse:lon,links=clients@500ms",
  "close:lon,links=clients@500ms",
  "reset:ams,links=clients@500ms",
  "accept-silent:dal,links=clients@500ms",
  "silence:ams,links=gateways@500ms",
  "split:dal@500ms",
  "kill:lon-2@600ms",
  "terminate:ams-1@600ms",
  "lame-duck:lon-3@600ms",
  "pause:ams-2@600ms",
  "rolling:dal@700ms",
]
clients = [
  { name = "churned", kind = "nats-geo", regions = { lon = 2 } },
  { name = "old", kind = "async-nats", regions = { lon = 2 } },
  { name = "new", kind = "nats-geo" },
  { name = "gone", kind = "nats-geo", regions = { ams = 1 } },
  { name = "slow", kind = "nats-geo", regions = { dal = 1 } },
]
[[workload]]
kind = "publish"
clients = ["slow"]
[[workload]]
kind = "request"
[[phase]]
name = "all"
for = "60s"
[topology]
tls = {}
[[topology.cluster]]
name = "lon"
servers = 3
[[topology.cluster]]
name = "ams"
servers = 2
[[topology.cluster]]
name = "dal"
[[topology.cluster.server]]
"#;

/// Sockets that listen, with their addresses as the kernel writes them.
fn listening() -> BTreeMap<String, String> {
    let mut sockets = BTreeMap::new();
    for (table, listens) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        let text = std::fs::read_to_string(format!("/proc/net/{table}")).unwrap();
        for line in text.lines().skip(1) {
            let cells: Vec<_> = line.split_whitespace().collect();
            if cells[3] == listens {
                sockets.insert(format!("socket:[{}]", cells[9]), format!("{table} {}", cells[1]));
            }
        }
    }
    sockets
}

/// Those of a process.
fn listening_of(pid: &str) -> BTreeMap<String, String> {
    let all = listening();
    let held = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten();
    let held = held.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
    let held: BTreeSet<_> = held.map(|link| link.to_string_lossy().into_owned()).collect();
    all.into_iter().filter(|(socket, _)| held.contains(socket)).collect()
}

/// Waits until `is_so`.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = clock::now() + LIMIT;
    while !is_so().await {
        assert!(clock::now() < deadline, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_killed_run_leaves_nothing_whatever_is_broken() {
    let _turn = TURN.lock().await;
    let place = Place::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    std::fs::write(place.path("all.toml"), format!("{SCENARIO}ports = {{ client = {port} }}\n")).unwrap();
    let mut running = place.command(&["run", "all.toml", "--out", "out"]).spawn().unwrap();
    let mut lines = BufReader::new(running.stderr.take().unwrap()).lines();
    let mut injected = BTreeSet::new();
    let holding = async {
        while !injected.contains("rolling") {
            let line = lines.next_line().await.unwrap().expect("the run ends too early");
            let fault = line.split_once("  inject ").and_then(|(_, fault)| fault.split_once(':'));
            injected.extend(fault.map(|(kind, _)| kind.to_owned()));
        }
    };
    timeout(LIMIT, holding).await.expect("not all faults are injected");
    // Packets are lost in network namespaces only, which have a test of their own.
    let kinds = ALL_FAULTS.iter().filter(|kind| **kind != FaultKind::Loss);
    assert_eq!(
        injected,
        kinds.map(ToString::to_string).collect::<BTreeSet<_>>(),
        "a kind of fault is missing"
    );
    until("the server that is replaced is a lame duck", async || {
        TcpStream::connect(("127.0.0.1", port)).await.is_err()
    })
    .await;

    let processes = place.processes().await;
    let servers: Vec<_> = processes.iter().filter(|line| line.contains("nats-server")).collect();
    let has = |name: &str| servers.iter().find(|line| line.contains(&format!("/{name}.conf")));
    let is_stopped =
        |line: &&&String| line.split_whitespace().nth(1).is_some_and(|state| state.starts_with('T'));
    // lon-3 was a lame duck before, and may be gone by now.
    assert!(has("lon-1").is_some() && has("dal-1").is_some(), "{processes:?}");
    assert!(has("lon-2").is_none() && has("ams-2").filter(is_stopped).is_some(), "{processes:?}");
    let own = running.id().unwrap().to_string();
    let pids = processes.iter().filter_map(|line| line.split_whitespace().next());
    let sockets: BTreeMap<_, _> = pids.chain([own.as_str()]).flat_map(listening_of).collect();
    let udp = sockets.values().filter(|address| address.starts_with("udp")).count();
    assert!(sockets.len() > 50 && udp >= 4, "servers, proxies and resolvers listen: {sockets:?}");

    running.kill().await.unwrap();
    until("all processes are gone", async || place.processes().await.is_empty()).await;
    until("the folder is gone", async || std::fs::read_dir(place.path("tmp")).unwrap().next().is_none())
        .await;
    place.assert_nothing_is_left().await;
    let left: Vec<_> = listening().into_iter().filter(|(socket, _)| sockets.contains_key(socket)).collect();
    assert_eq!(left, Vec::new(), "ports are left open");
    assert!(!place.path("out/report.json").exists(), "half a run makes no report");
}
