//! The super-cluster that a test runs on, and how its clients get there.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt as _;
use loadgen::clock;
use loadgen::cluster::{ServerSettings, StartOptions, SuperCluster};
use loadgen::load::responder::Responders;
use loadgen::topology::spec::Spec;
use loadgen::topology::{RttTable, Topology};
use nats_geo::core::Config;
use nats_geo::{GeoClient, GeoOptions, Subscription};
use tokio::sync::{Mutex, MutexGuard};

/// Longer than anything that is expected to happen takes, on a busy machine too.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

/// What the tested clients are called in the servers' monitoring; responders and publishers have no name.
const NAME: &str = "tested";

/// One super-cluster at a time: two would compete for the machine.
static TURN: Mutex<()> = Mutex::const_new(());

/// A super-cluster of lon, ams (9 ms away) and dal (113 ms).
pub(crate) struct World {
    pub(crate) cluster: SuperCluster,
    responders: Responders,
    _turn: MutexGuard<'static, ()>,
}

impl World {
    /// Two servers per region, nobody asked for a password.
    pub(crate) async fn start() -> Self {
        Self::of(2).await
    }

    /// So many servers per region.
    pub(crate) async fn of(servers: u16) -> Self {
        Self::of_with(servers, |_| {}).await
    }

    /// Two servers per region, with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut ServerSettings)) -> Self {
        Self::of_with(2, change).await
    }

    /// Two servers per region, with a topology of its own.
    pub(crate) async fn of_spec(change: impl FnOnce(&mut Spec)) -> Self {
        let topology = Topology::new(["lon", "ams", "dal"], 2).unwrap();
        let mut spec = topology.spec().clone();
        change(&mut spec);
        Self::of_options(StartOptions::new(Topology::from_spec(spec, RttTable::default()).unwrap())).await
    }

    async fn of_with(servers: u16, change: impl FnOnce(&mut ServerSettings)) -> Self {
        let mut options = StartOptions::new(Topology::new(["lon", "ams", "dal"], servers).unwrap());
        change(&mut options.settings);
        Self::of_options(options).await
    }

    /// A super-cluster of any kind.
    pub(crate) async fn of_options(options: StartOptions) -> Self {
        let turn = TURN.lock().await;
        let cluster = SuperCluster::start(options).await.unwrap();
        Self { cluster, responders: Responders::default(), _turn: turn }
    }

    /// Answers requests at every server of these regions.
    pub(crate) async fn serve(&mut self, regions: &[&str]) {
        let mut urls = self.cluster.home_urls().unwrap();
        urls.retain(|server, _| regions.iter().any(|region| server.starts_with(region)));
        self.responders.complete(&urls).await.unwrap();
    }

    /// All servers, as clients in `region` reach them.
    pub(crate) fn urls(&self, region: &str) -> Vec<String> {
        self.cluster.endpoints(region).unwrap().into_iter().map(|endpoint| endpoint.tcp_url).collect()
    }

    /// The same by name, because certificates are for one, and by another protocol.
    pub(crate) fn urls_by(&self, scheme: &str, region: &str) -> Vec<String> {
        let urls = self.cluster.endpoints(region).unwrap().into_iter().map(|endpoint| match scheme {
            "ws" | "wss" => {
                endpoint.websocket_url.replace("ws://127.0.0.1", &format!("{scheme}://localhost"))
            }
            _ => endpoint.tcp_url.replace("nats://127.0.0.1", &format!("{scheme}://localhost")),
        });
        urls.collect()
    }

    /// A client in `region` that is at home.
    pub(crate) async fn connect(&self, region: &str, options: GeoOptions) -> GeoClient {
        self.connect_to(self.urls(region), region, options).await
    }

    /// The same, to these servers. A process that gets no processor while its first probes are out cannot tell near
    /// from far; then it tries again, because only [`home`](crate::home) is about that.
    pub(crate) async fn connect_to(&self, urls: Vec<String>, region: &str, options: GeoOptions) -> GeoClient {
        wait_for("a client at home", async || {
            let client = within("connecting", options.clone().connect(&urls)).await.unwrap();
            (self::region(&client) == region).then_some(client)
        })
        .await
    }

    /// A stock client at one server, without any delay: not what is tested.
    pub(crate) async fn stock(&self, server: &str) -> async_nats::Client {
        async_nats::connect(&self.cluster.home_urls().unwrap()[server]).await.unwrap()
    }

    /// How many connections tested clients have, by server. A dead server has none.
    pub(crate) async fn connections(&self) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        for server in self.cluster.topology().servers().map(|server| server.to_string()) {
            let connz = self.cluster.monitor(&server).unwrap().connz().await.unwrap_or_default();
            let count = connz.connections.iter().filter(|connection| connection.name == NAME).count();
            if count > 0 {
                counts.insert(server, count);
            }
        }
        counts
    }
}

/// Options of a client that acts at once.
pub(crate) fn options() -> GeoOptions {
    with_config(Config::interactive())
}

pub(crate) fn with_config(config: Config) -> GeoOptions {
    GeoOptions::new().config(config).name(NAME)
}

/// The policy of the presets, with minutes made seconds.
pub(crate) fn hurried() -> Config {
    let mut config = Config::interactive();
    config.probe.away_interval = Duration::from_millis(200);
    // Two or three servers, five times per second each, with room.
    config.probe.budget_per_minute = 6_000;
    config.rank.unhealthy_for = Duration::from_millis(500);
    config.fail_back.good_for = Duration::from_secs(1);
    config.fail_back.spread = Duration::from_secs(2);
    config
}

/// The region and the server that new traffic goes to.
pub(crate) fn seat(client: &GeoClient) -> Option<(String, String)> {
    let place = client.snapshot().active?;
    Some((place.region.to_string(), place.server.unwrap_or_default()))
}

pub(crate) fn region(client: &GeoClient) -> String {
    seat(client).map(|(region, _)| region).unwrap_or_default()
}

/// A plain subscription and a member of a queue group.
pub(crate) struct Ears {
    plain: Subscription,
    queue: Subscription,
}

impl Ears {
    pub(crate) async fn of(client: &GeoClient, subject: &'static str) -> Self {
        let plain = client.subscribe(subject).await.unwrap();
        let queue = client.queue_subscribe(subject, "workers").await.unwrap();
        Self { plain, queue }
    }

    /// Both hear what the client itself publishes from now on.
    pub(crate) async fn hear(&mut self, client: &GeoClient, subject: &'static str, word: &'static str) {
        within("publishing", client.publish(subject, word.into())).await.unwrap();
        for (kind, ear) in [("plain", &mut self.plain), ("queue", &mut self.queue)] {
            within(format_args!("`{word}` on the {kind} subscription"), hear(ear, word)).await;
        }
    }
}

/// Reads until `word` comes.
pub(crate) async fn hear(subscription: &mut Subscription, word: &str) {
    loop {
        let message = subscription.next().await.expect("the subscription ended");
        if message.payload == word {
            return;
        }
    }
}

/// Asks again and again until there is an answer; panics, naming `what`, when it takes too long.
pub(crate) async fn wait_for<T>(what: impl Display, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    within(what, asking).await
}

/// The output of `future`; panics, naming `what`, when it takes too long.
pub(crate) async fn within<T>(what: impl Display, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, future).await.unwrap_or_else(|_| panic!("{what} took longer than {LIMIT:?}"))
}

/// The output of `future`, and how long it took.
pub(crate) async fn timed<T>(future: impl Future<Output = T>) -> (T, Duration) {
    let start = clock::now();
    let output = future.await;
    (output, start.elapsed())
}
