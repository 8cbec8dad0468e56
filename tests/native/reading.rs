//! Readers of a stream and of a bucket, and ledgers of what they read.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use loadgen::clock;
use nats_geo::GeoClient;
use nats_geo::core::Config;
use nats_geo::jetstream::consumer::pull;
use nats_geo::jetstream::stream::{self, Placement};
use nats_geo::jetstream::{Context, OrderedOptions, PublishOptions, PullOptions, Stream, kv};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::world::{LIMIT, World, region, wait_for, with_config, within};

/// Read before a fault, and again after it.
pub(crate) const ENOUGH: u32 = 300;
/// Bound of what the durable reader is sent unasked.
pub(crate) const BATCH: usize = 50;
const KEYS: u32 = 10;

/// What a client reads while things happen to it.
pub(crate) struct Reading {
    pub(crate) publisher: Publisher,
    durable: JoinHandle<()>,
    ordered: JoinHandle<()>,
    watch: JoinHandle<()>,
    ledger: Arc<Mutex<Ledger>>,
    stream: Stream,
}

#[derive(Default)]
struct Ledger {
    /// How often each number came from the durable consumer.
    durable: BTreeMap<u32, u32>,
    /// What came in order.
    ordered: u32,
    /// The last value of each key.
    values: BTreeMap<String, u32>,
    durable_gap: Gap,
    ordered_gap: Gap,
}

/// The longest time without a message. For people: two busy cores say nothing that a bound could hold.
#[derive(Default)]
struct Gap {
    last: Option<Instant>,
    longest: Duration,
}

impl Gap {
    fn message(&mut self) {
        let now = clock::now();
        self.longest = self.longest.max(self.last.map_or(Duration::ZERO, |last| now - last));
        self.last = Some(now);
    }
}

/// What came of it.
pub(crate) struct Read {
    pub(crate) count: u32,
    pub(crate) again: usize,
    gaps: [Duration; 2],
}

impl std::fmt::Display for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { count, again, gaps: [durable, ordered] } = self;
        write!(f, "{count} messages, missing 0, out of order 0, {again} came again; ")?;
        write!(f, "longest gap {durable:.1?}, in order {ordered:.1?}")
    }
}

impl Reading {
    pub(crate) async fn start(world: &World, client: &GeoClient, place: &str) -> Self {
        let author = world.connect("ams", with_config(Config::interactive())).await;
        // Whatever happens to the stream, nothing is skipped.
        let patient = PublishOptions::new().total_timeout(2 * LIMIT).tries_max(u32::MAX);
        let publisher = Publisher::start(author.jetstream_with(patient), place).await;
        let ledger = Arc::new(Mutex::new(Ledger::default()));
        let jetstream = client.jetstream();
        let stream = within("the stream", jetstream.get_stream("ORDERS")).await.unwrap();
        let this = Self {
            durable: tokio::spawn(read_durable(stream.clone(), Arc::clone(&ledger))),
            ordered: tokio::spawn(read_ordered(stream.clone(), Arc::clone(&ledger))),
            watch: tokio::spawn(watch(jetstream, Arc::clone(&ledger))),
            publisher,
            ledger,
            stream,
        };
        this.wait_for("all readers to read", ENOUGH).await;
        this
    }

    /// Returns once the client is there, and all readers have read much of what was published since.
    pub(crate) async fn go_on_in(&self, client: &GeoClient, expected: &str) {
        wait_for(format_args!("the move to {expected}"), async || (region(client) == expected).then_some(()))
            .await;
        self.wait_for("all readers to go on", self.publisher.so_far() + ENOUGH).await;
    }

    pub(crate) async fn wait_for(&self, what: &str, number: u32) {
        wait_for(what, async || {
            let ledger = lock(&self.ledger);
            let last_value = ledger.values.values().max().copied().unwrap_or_default();
            let durable = ledger.durable.keys().next_back().copied().unwrap_or_default();
            (durable.min(ledger.ordered).min(last_value + KEYS) >= number).then_some(())
        })
        .await;
    }

    pub(crate) async fn finish(mut self) -> Read {
        let count = self.publisher.finish().await;
        wait_for("the last ones", async || {
            let ledger = lock(&self.ledger);
            (ledger.durable.len() as u32 == count && ledger.ordered == count).then_some(())
        })
        .await;
        self.acknowledged(count).await;
        let last =
            (0..KEYS).map(|key| (format!("key.{key}"), last_of(key, count))).collect::<BTreeMap<_, _>>();
        wait_for("the last values", async || (lock(&self.ledger).values == last).then_some(())).await;
        for task in [&self.durable, &self.ordered, &self.watch] {
            assert!(!task.is_finished(), "a reader has ended");
            task.abort();
        }
        let gaps = {
            let ledger = lock(&self.ledger);
            [ledger.durable_gap.longest, ledger.ordered_gap.longest]
        };
        Read { count, again: self.again(), gaps }
    }

    /// Returns once so many are acknowledged.
    pub(crate) async fn acknowledged(&self, count: u32) {
        wait_for(format_args!("{count} to be acknowledged"), async || {
            let workers = self.stream.get_consumer("workers").await.unwrap();
            (workers.cached_info().ack_floor.stream_sequence >= u64::from(count)).then_some(())
        })
        .await;
    }

    /// How many deliveries of the durable consumer were not the first of their message.
    pub(crate) fn again(&self) -> usize {
        lock(&self.ledger).durable.values().map(|times| *times as usize - 1).sum()
    }
}

/// The last of `count` numbers whose last digit, so to speak, is this one.
fn last_of(key: u32, count: u32) -> u32 {
    (count - KEYS..count).find(|number| number % KEYS == key).unwrap()
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

fn number(payload: &[u8]) -> u32 {
    std::str::from_utf8(payload).unwrap().parse().unwrap()
}

async fn read_durable(stream: Stream, ledger: Arc<Mutex<Ledger>>) {
    // Soon, so that what was on its way comes again while the test looks.
    let ack_wait = Duration::from_secs(2);
    let config = pull::Config { durable_name: Some("workers".into()), ack_wait, ..Default::default() };
    let consumer = stream.create_consumer(config).await.unwrap();
    // A missed heartbeat would be noticed too late: the loss of a link has to be.
    let options = PullOptions::new().max_messages(BATCH).heartbeat(LIMIT / 2);
    let mut messages = consumer.messages_with(options).await.unwrap();
    while let Some(message) = messages.next().await {
        let message = message.unwrap();
        {
            let mut ledger = lock(&ledger);
            *ledger.durable.entry(number(&message.payload)).or_default() += 1;
            ledger.durable_gap.message();
        }
        message.ack().await.unwrap();
    }
}

async fn read_ordered(stream: Stream, ledger: Arc<Mutex<Ledger>>) {
    let mut messages = stream.ordered(OrderedOptions::new()).await.unwrap();
    while let Some(message) = messages.next().await {
        let number = number(&message.unwrap().payload);
        let mut ledger = lock(&ledger);
        assert_eq!(number, ledger.ordered, "in order, each once");
        ledger.ordered += 1;
        ledger.ordered_gap.message();
    }
}

async fn watch(jetstream: Context, ledger: Arc<Mutex<Ledger>>) {
    let bucket = jetstream.key_value("values").await.unwrap();
    let mut entries = bucket.watch("key.*").await.unwrap();
    while let Some(entry) = entries.next().await {
        let entry = entry.unwrap();
        let before = lock(&ledger).values.insert(entry.key.clone(), number(&entry.value));
        assert!(before.is_none_or(|before| before < number(&entry.value)), "{entry:?} after {before:?}");
    }
}

/// Publishes numbers from 0 on, and puts each to a key, until it is stopped.
pub(crate) struct Publisher {
    stop: watch::Sender<bool>,
    published: watch::Receiver<u32>,
    task: JoinHandle<()>,
}

impl Publisher {
    /// Makes the stream and the bucket first.
    async fn start(jetstream: Context, place: &str) -> Self {
        let placement = Some(Placement { cluster: Some(place.into()), tags: Vec::new() });
        let orders = stream::Config {
            name: "ORDERS".into(),
            subjects: vec!["orders.>".into()],
            placement: placement.clone(),
            ..Default::default()
        };
        let orders = within("the stream", jetstream.create_stream(orders)).await.unwrap();
        let values = kv::Config { bucket: "values".into(), placement, ..Default::default() };
        let values = within("the bucket", jetstream.create_key_value(values)).await.unwrap();
        assert_eq!((cluster(&orders), cluster(values.stream())), (place.into(), place.into()));
        let stop = watch::Sender::new(false);
        let (count, published) = watch::channel(0);
        let task = tokio::spawn(publish(jetstream, values, stop.subscribe(), count));
        Self { stop, published, task }
    }

    pub(crate) fn so_far(&self) -> u32 {
        *self.published.borrow()
    }

    /// How many there are.
    async fn finish(&mut self) -> u32 {
        self.stop.send_replace(true);
        within("the publisher", &mut self.task).await.unwrap();
        *self.published.borrow()
    }
}

async fn publish(
    jetstream: Context,
    values: kv::Store,
    stop: watch::Receiver<bool>,
    count: watch::Sender<u32>,
) {
    let mut ticks = tokio::time::interval(Duration::from_millis(5));
    let mut number = 0;
    while !*stop.borrow() {
        ticks.tick().await;
        let key = format!("key.{}", number % KEYS);
        let (published, put) = tokio::join!(
            jetstream.publish("orders.new", number.to_string().into()),
            values.put(&key, number.to_string().into())
        );
        published.unwrap();
        put.unwrap();
        number += 1;
        count.send_replace(number);
    }
}

pub(crate) fn cluster(stream: &Stream) -> String {
    stream.cached_info().info.cluster.as_ref().unwrap().name.clone().unwrap()
}
