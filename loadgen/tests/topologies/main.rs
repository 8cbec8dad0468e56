//! Tests of topologies with real servers: every preset starts, does the work that its file describes, and leaves
//! nothing behind.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod accounts;
mod bad_files;
mod hub_spoke;
mod keys;
mod presets;
#[path = "../support/bad_files.rs"]
mod support;
mod virtual_stream;

use std::time::Duration;

use async_nats::ConnectOptions;
use loadgen::clock;
use loadgen::cluster::{StartOptions, SuperCluster};
use loadgen::secret::Secret;
use loadgen::topology::{Preset, Topology};

/// One super-cluster at a time: two would compete for the machine.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
/// Longer than anything that is expected to happen takes, an unlucky election of 9 s included.
const LIMIT: Duration = Duration::from_secs(30);
/// nats-server waits longer and longer, up to two minutes, before it tries a source again that it could not reach.
const IN_SYNC: Duration = Duration::from_secs(180);
/// A preset of at most nine servers is stable within this time on two cores, measured with nothing else running: 5 to 8 s.
const STABLE: Duration = Duration::from_secs(15);
/// Starts of a preset, of which one must be in time: other work on the machine slows down a start, but hardly three.
const STARTS: usize = 3;
/// Of all users, where a preset asks for passwords.
const PASSWORD: &str = "s3cr3t";

/// A preset that is up.
struct Up {
    cluster: SuperCluster,
    _turn: tokio::sync::MutexGuard<'static, ()>,
}

impl Up {
    async fn start(preset: &str) -> Self {
        Self::of(preset, Preset::named(preset).unwrap().topology().unwrap()).await
    }

    async fn of(name: &str, topology: Topology) -> Self {
        let turn = TURN.lock().await;
        let mut options = StartOptions::new(topology);
        options.password = Some(Secret::new(PASSWORD));
        options.ready_limit = IN_SYNC;
        let mut took = Vec::new();
        loop {
            let before = clock::now();
            let started = SuperCluster::start(options.clone()).await;
            let cluster = started.unwrap_or_else(|error| panic!("{name}: {error}"));
            took.push(before.elapsed());
            println!("{name}: stable after {:.1} s", before.elapsed().as_secs_f64());
            if before.elapsed() <= STABLE {
                return Self { cluster, _turn: turn };
            }
            cluster.shutdown().await;
            assert!(took.len() < STARTS, "{name}: no start was stable within {STABLE:?}: {took:?}");
        }
    }

    /// The servers of a region, as clients there reach them.
    fn home_urls(&self, region: &str) -> Vec<String> {
        let endpoints = self.cluster.endpoints(region).unwrap().into_iter();
        endpoints.filter(|it| it.server.region() == region).map(|it| it.tcp_url).collect()
    }

    /// All servers, as clients in a region reach them.
    fn urls(&self, region: &str) -> Vec<String> {
        self.cluster.endpoints(region).unwrap().into_iter().map(|it| it.tcp_url).collect()
    }

    /// A stock client at a server of a region.
    async fn client(&self, region: &str, user: &str) -> async_nats::Client {
        let options = ConnectOptions::with_user_and_password(user.to_owned(), PASSWORD.to_owned());
        options.connect(self.home_urls(region)).await.unwrap()
    }

    /// Ends it; nothing of it may be left.
    async fn ends_without_a_trace(self) {
        let folder = self.cluster.folder().to_owned();
        let servers: Vec<_> = self.cluster.topology().servers().map(|name| name.to_string()).collect();
        let pids: Vec<_> = servers.iter().filter_map(|server| self.cluster.pid(server).unwrap()).collect();
        self.cluster.shutdown().await;
        assert!(!folder.exists(), "{}", folder.display());
        for pid in pids {
            let is_gone =
                nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.cast_signed()), None).is_err();
            assert!(is_gone, "process {pid} lives");
        }
    }
}

/// Waits until `is_so`; panics with `what` when that takes too long.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = clock::now() + LIMIT;
    while !is_so().await {
        assert!(clock::now() < deadline, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
