//! Tests of every fault of links and processes, seen from outside: by plain sockets, by the servers' monitoring, and by
//! the operating system.
//!
//! The machine may be busy. So a time has a lower limit, which the fault guarantees, but an upper limit only in
//! comparison with another time.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod configurations;
#[path = "../support/dns_packet.rs"]
mod dns_packet;
mod gateways;
mod links;
mod orders;
mod processes;
mod raw;
mod resolvers;
mod shaping;
mod taken_back;

use std::time::Duration;

use loadgen::clock;
use loadgen::cluster::faults::{LinkFault, LinkFaultId, LinkKind, LinkScope, Links};
use loadgen::cluster::{Endpoint, StartOptions, SuperCluster};
use loadgen::topology::Topology;
use loadgen::wan::LinkEffect;
use tokio::sync::{Mutex, MutexGuard};

use raw::RawClient;

/// One super-cluster at a time: two would compete for the machine.
static TURN: Mutex<()> = Mutex::const_new(());
/// Longer than anything that is expected to happen takes, an unlucky election of 9 s included.
const LIMIT: Duration = Duration::from_secs(30);
/// How long silence must last to count as silence: many round trips of 9 ms.
const SILENCE: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread")]
async fn link_faults_are_seen_from_outside_and_undone() {
    let mut world = World::start(1).await;
    links::check(&mut world).await;
    shaping::check(&mut world).await;
    gateways::check(&mut world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn process_faults_are_seen_from_outside_and_undone() {
    let mut world = World::start(2).await;
    orders::check(&mut world).await;
    processes::check(&mut world).await;
}

/// A super-cluster of `lon` and `ams`, 9 ms apart.
struct World {
    cluster: SuperCluster,
    _turn: MutexGuard<'static, ()>,
}

impl World {
    async fn start(servers_per_region: u16) -> Self {
        Self::of(Topology::new(["lon", "ams"], servers_per_region).unwrap()).await
    }

    async fn of(topology: Topology) -> Self {
        let turn = TURN.lock().await;
        Self { cluster: SuperCluster::start(StartOptions::new(topology)).await.unwrap(), _turn: turn }
    }

    fn endpoint(&self, from: &str, server: &str) -> Endpoint {
        let mut endpoints = self.cluster.endpoints(from).unwrap().into_iter();
        endpoints.find(|endpoint| endpoint.server.to_string() == server).unwrap()
    }

    /// Where a client in `from` dials `server` over TCP.
    fn tcp(&self, from: &str, server: &str) -> String {
        self.endpoint(from, server).tcp_url.trim_start_matches("nats://").to_owned()
    }

    /// A client in `from` that is connected to `server`.
    async fn connect(&self, from: &str, server: &str) -> RawClient {
        RawClient::connect(&self.tcp(from, server)).await
    }

    /// Breaks links of clients.
    fn break_clients(&mut self, scope: LinkScope, effect: LinkEffect) -> LinkFaultId {
        let links = Links::of(scope).only(LinkKind::CLIENTS);
        self.cluster.break_links(LinkFault { links, effect }).unwrap().0
    }

    /// Mends, and proves that nothing is left of the fault: a new connection works, and the servers are linked.
    async fn mend(&mut self, fault: LinkFaultId) {
        self.cluster.mend_links(fault).unwrap();
        self.assert_whole().await;
    }

    async fn assert_whole(&self) {
        self.cluster.wait_recovered().await.unwrap();
        assert_eq!(self.cluster.missing().await, Vec::<String>::new());
        let servers = self.cluster.topology().servers().collect::<Vec<_>>();
        for (region, server) in
            ["lon", "ams"].into_iter().flat_map(|from| servers.iter().map(move |it| (from, it)))
        {
            until("a new connection works", async || {
                RawClient::works(&self.tcp(region, server.as_str())).await
            })
            .await;
        }
    }

    /// The process id of a server that runs.
    fn pid(&self, server: &str) -> u32 {
        self.cluster.pid(server).unwrap().unwrap()
    }
}

fn region(name: &str) -> LinkScope {
    LinkScope::Region(name.to_owned())
}

/// The links by which clients in `ams` reach `lon`.
fn ams_to_lon() -> LinkScope {
    LinkScope::Dials { from: "ams".to_owned(), to: "lon".to_owned() }
}

/// Waits until `is_so`: faults are in force a moment after the call. Panics with `what` when that takes too long.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = clock::now() + LIMIT;
    while !is_so().await {
        assert!(clock::now() < deadline, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
