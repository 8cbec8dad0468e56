//! A publisher in lon and a stream in ams: what is acknowledged is there once, whatever happens to lon.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, stream};
use loadgen::clock;
use nats_geo::GeoClient;
use nats_geo::core::Config;
use nats_geo::jetstream::{Ack, PublishError};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

use crate::world::{World, options, region, wait_for, with_config, within};

const PER_SECOND: u32 = 200;
/// Acknowledged before the fault, and again after it.
const ENOUGH: usize = 300;

#[tokio::test(flavor = "multi_thread")]
async fn publishes_outlive_a_killed_region() {
    survive("killed", |world| world.cluster.kill_region("lon").unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_outlive_a_silent_region() {
    survive("silent", |world| world.cluster.blackhole_region("lon").unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn publishes_wait_for_a_silent_link_no_longer_than_traffic_does() {
    let mut world = World::start().await;
    let _stream = Stream::create_in_ams(&world).await;
    let mut config = Config::interactive();
    // Longer than the test takes: the link is suspected, but never given up.
    (config.watch.dead_min, config.watch.dead_max) = (Duration::from_secs(60), Duration::from_secs(60));
    let client = world.connect("lon", with_config(config)).await;
    let publishing = Publishing::start(&client);
    publishing.wait_for(ENOUGH).await;
    world.cluster.blackhole_region("lon").unwrap();
    wait_for("the move to ams", async || (region(&client) == "ams").then_some(())).await;
    publishing.wait_for(publishing.so_far() + ENOUGH).await;
    let published = publishing.finish().await;
    assert!(published.iter().any(|entry| entry.ack.as_ref().unwrap().tries > 1), "none was on its way");
    let slowest = published.iter().map(|entry| entry.took).max().unwrap();
    assert!(slowest < ONE_TRY, "{slowest:?}");
}

/// How long the acknowledgement of one try may take, by default.
const ONE_TRY: Duration = Duration::from_secs(5);

async fn survive(what: &str, break_lon: impl FnOnce(&mut World) -> Instant) {
    let mut world = World::start().await;
    let stream = Stream::create_in_ams(&world).await;
    let client = world.connect("lon", options()).await;
    let publishing = Publishing::start(&client);
    publishing.wait_for(ENOUGH).await;
    let broken = break_lon(&mut world);
    wait_for("the move to ams", async || (region(&client) == "ams").then_some(())).await;
    publishing.wait_for(publishing.so_far() + ENOUGH).await;
    let published = publishing.finish().await;

    let stored = stream.read().await;
    let mut again = 0;
    for entry in &published {
        let ack = entry.ack.as_ref().unwrap_or_else(|error| panic!("{}: {error}", entry.number));
        assert_eq!(stored.get(&entry.number), Some(&vec![ack.sequence]), "{}: {ack:?}", entry.number);
        again += usize::from(ack.tries > 1);
    }
    assert_eq!(stored.len(), published.len(), "nothing else is in the stream");
    assert!(again > 0, "what was on its way when lon was {what} needs another try");
    println!(
        "lon {what}: {} acknowledged, lost 0, doubled 0, {again} sent more than once; {}",
        published.len(),
        latency(&published, broken)
    );
}

/// The stream under test, as a stock client next to it sees it.
struct Stream(stream::Stream);

impl Stream {
    async fn create_in_ams(world: &World) -> Self {
        let context = jetstream::new(world.stock("ams-1").await);
        let config = stream::Config {
            name: "ORDERS".into(),
            subjects: vec!["orders.>".into()],
            placement: Some(stream::Placement { cluster: Some("ams".into()), tags: Vec::new() }),
            allow_direct: true,
            ..stream::Config::default()
        };
        Self(within("creating the stream", context.create_stream(config)).await.unwrap())
    }

    /// All numbers that are in the stream, with the sequences at which they are.
    async fn read(mut self) -> BTreeMap<u64, Vec<u64>> {
        let state = within("the stream's state", self.0.info()).await.unwrap().state.clone();
        assert_eq!((state.first_sequence, state.messages), (1, state.last_sequence), "nothing was deleted");
        let mut sequences: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for sequence in 1..=state.last_sequence {
            let message = within("a message", self.0.direct_get(sequence)).await.unwrap();
            let number = std::str::from_utf8(&message.payload).unwrap().parse().unwrap();
            sequences.entry(number).or_default().push(sequence);
        }
        sequences
    }
}

/// Numbered publishes at a steady rate, open loop: a slow acknowledgement delays none of them.
struct Publishing {
    stop: watch::Sender<bool>,
    acknowledged: watch::Receiver<usize>,
    task: JoinHandle<Vec<Published>>,
}

/// What became of one number.
struct Published {
    number: u64,
    ack: Result<Ack, PublishError>,
    took: Duration,
    at: Instant,
}

impl Publishing {
    fn start(client: &GeoClient) -> Self {
        let stop = watch::Sender::new(false);
        let (count, acknowledged) = watch::channel(0);
        let task = tokio::spawn(publish(client.jetstream(), stop.subscribe(), count));
        Self { stop, acknowledged, task }
    }

    fn so_far(&self) -> usize {
        *self.acknowledged.borrow()
    }

    /// Returns once so many are acknowledged.
    async fn wait_for(&self, acknowledged: usize) {
        let mut count = self.acknowledged.clone();
        let enough = count.wait_for(|count| *count >= acknowledged);
        within(format_args!("{acknowledged} acknowledgements"), enough).await.unwrap();
    }

    async fn finish(self) -> Vec<Published> {
        self.stop.send_replace(true);
        within("the last acknowledgements", self.task).await.unwrap()
    }
}

async fn publish(
    jetstream: nats_geo::jetstream::Context,
    mut stop: watch::Receiver<bool>,
    count: watch::Sender<usize>,
) -> Vec<Published> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    let mut publishing = JoinSet::new();
    for number in 0_u64.. {
        tokio::select! {
            _ = ticks.tick() => {}
            _ = stop.changed() => break,
        }
        let (jetstream, count) = (jetstream.clone(), count.clone());
        publishing.spawn(async move {
            let start = clock::now();
            let ack = jetstream.publish("orders.new", number.to_string().into()).await;
            count.send_modify(|count| *count += usize::from(ack.is_ok()));
            Published { number, ack, took: start.elapsed(), at: clock::now() }
        });
    }
    publishing.join_all().await
}

/// For people: two busy cores say nothing that a bound could hold.
fn latency(published: &[Published], broken: Instant) -> String {
    let mut took: Vec<_> = published.iter().map(|entry| entry.took).collect();
    took.sort_unstable();
    let quantile = |percent: usize| took[took.len() * percent / 100];
    let mut ends: Vec<_> = published.iter().map(|entry| entry.at).collect();
    ends.sort_unstable();
    let gap = ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    let after = |at: Instant| at.saturating_duration_since(broken);
    let last_retry = published
        .iter()
        .filter(|it| it.ack.as_ref().is_ok_and(|ack| ack.tries > 1))
        .map(|it| after(it.at))
        .max();
    format!(
        "acknowledged after p50 {:.1?}, p99 {:.1?}, at most {:.1?}; longest gap {gap:.1?}, the last of those sent again \
         {:.1?} after the fault",
        quantile(50),
        quantile(99),
        took.last().copied().unwrap_or_default(),
        last_retry.unwrap_or_default(),
    )
}
