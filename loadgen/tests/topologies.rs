//! Every preset on real servers: it comes up, is stable, does what its file says, and goes without a trace.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::time::Duration;

use loadgen::clock;
use loadgen::cluster::{StartOptions, SuperCluster};
use loadgen::topology::Preset;

/// Longer than nine servers need on two cores, an unlucky election of 9 s included.
const STABLE: Duration = Duration::from_secs(15);

async fn start(preset: &str) -> SuperCluster {
    let topology = Preset::named(preset).unwrap().topology().unwrap();
    let before = clock::now();
    let cluster =
        SuperCluster::start(StartOptions::new(topology)).await.unwrap_or_else(|error| panic!("{error}"));
    let took = before.elapsed();
    eprintln!("{preset}: {took:?}");
    assert!(took < 2 * STABLE, "{preset}: {took:?}");
    cluster
}

/// Ends a super-cluster; nothing of it may be left.
async fn ends_without_a_trace(cluster: SuperCluster) {
    let folder = cluster.folder().to_owned();
    let servers: Vec<_> = cluster.topology().servers().map(|name| name.to_string()).collect();
    let pids: Vec<_> = servers.iter().filter_map(|server| cluster.pid(server).unwrap()).collect();
    assert_eq!(pids.len(), servers.len());
    cluster.shutdown().await;
    assert!(!folder.exists(), "{}", folder.display());
    for pid in pids {
        assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists(), "{pid} lives");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn presets_come_up() {
    for preset in [
        "super-cluster",
        "single-region",
        "two-regions",
        "uneven",
        "tls",
        "operator",
        "accounts",
        "virtual-stream",
        "hub-spoke",
    ] {
        let cluster = start(preset).await;
        ends_without_a_trace(cluster).await;
    }
}
