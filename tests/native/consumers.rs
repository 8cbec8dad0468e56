//! A stream and a bucket in ams, and a client in lon that reads them, whatever happens to lon.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::GeoClient;
use nats_geo::core::Config;
use nats_geo::jetstream::consumer::pull;
use nats_geo::jetstream::stream::{self, Placement};
use nats_geo::jetstream::{Context, OrderedOptions, PullOptions, Stream, kv, object};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::fail_back::hurried;
use crate::journal::Journal;
use crate::world::{World, region, seat, wait_for, with_config, within};

/// Read before a fault, and again after it.
const ENOUGH: u32 = 300;
/// Bound of what the durable reader is sent unasked.
const BATCH: usize = 50;
const KEYS: u32 = 10;

#[tokio::test(flavor = "multi_thread")]
async fn readers_outlive_a_killed_region_and_come_home() {
    let mut world = World::start().await;
    let client = world.connect("lon", with_config(hurried())).await;
    let reading = Reading::start(&world, &client).await;
    world.cluster.kill_region("lon").unwrap();
    reading.go_on_in(&client, "ams").await;
    world.cluster.restart_region("lon").await.unwrap();
    reading.go_on_in(&client, "lon").await;
    let read = reading.finish().await;
    assert!(read.again <= 2 * BATCH, "{} of {} came again", read.again, read.count);
    println!("lon killed, and home again: {read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_outlive_a_silent_region() {
    let mut world = World::start().await;
    let client = world.connect("lon", with_config(Config::interactive())).await;
    let reading = Reading::start(&world, &client).await;
    world.cluster.blackhole_region("lon").unwrap();
    reading.go_on_in(&client, "ams").await;
    let read = reading.finish().await;
    assert!(read.again <= 2 * BATCH, "{} of {} came again", read.again, read.count);
    println!("lon silent: {read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_do_not_notice_a_lame_duck() {
    let mut world = World::start().await;
    let mut config = Config::interactive();
    // The default of 5 s is for fleets; here it would only take time.
    config.spread.lame_duck = Duration::from_millis(200);
    let client = world.connect("lon", with_config(config)).await;
    let journal = Journal::of(&client);
    let reading = Reading::start(&world, &client).await;
    let (_, duck) = seat(&client).unwrap();
    world.cluster.lame_duck_server(&duck).unwrap();
    journal.first_move().await;
    reading.go_on_in(&client, "lon").await;
    wait_for("the old link to be gone", async || {
        (!world.connections().await.contains_key(&duck)).then_some(())
    })
    .await;
    let read = reading.finish().await;
    assert_eq!(read.again, 0, "of {} messages", read.count);
    // Three readers take every message once; most of what is more came on both links.
    let copies = client.stats().delivered - 3 * u64::from(read.count);
    assert!(copies > 20, "{copies} copies: the overlap was not put to the test");
    println!("lame duck: {read}; {copies} copies dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_and_the_nearest_mirror_are_read_on_when_their_way_is_lost() {
    let mut world = World::start().await;
    let author = world.connect("ams", with_config(Config::interactive())).await.jetstream();
    let films = object::Config { bucket: "films".into(), ..Default::default() };
    let films = within("the store", author.create_object_store(films)).await.unwrap();
    let bytes: Vec<u8> = (0..FILM_BYTES / 4).flat_map(u32::to_be_bytes).collect();
    within("writing", films.put("film", &mut bytes.as_slice())).await.unwrap();
    let orders = mirrored_orders(&author).await;

    let client = world.connect("lon", with_config(Config::interactive())).await;
    let jetstream = client.jetstream();
    let films = within("the store", jetstream.object_store("films")).await.unwrap();
    let mut film = within("the film", films.get("film")).await.unwrap();
    let mut read = within("its beginning", film.next()).await.unwrap().unwrap().to_vec();
    let orders = within("the stream", jetstream.get_stream(orders.name())).await.unwrap();
    let nearest = wait_for("the mirror to be near", async || {
        orders.nearest().await.ok().filter(|nearest| nearest.name() == "MIRROR")
    });
    assert_eq!(cluster(&nearest.await), "lon");
    let mut near = within("a reader", orders.ordered(OrderedOptions::new().nearest())).await.unwrap();
    for expected in 1..=ENOUGH {
        assert_eq!(within("an order", near.next()).await.unwrap().unwrap().payload, expected.to_string());
        if expected == ENOUGH / 2 {
            world.cluster.kill_region("lon").unwrap();
            wait_for("the move to ams", async || (region(&client) == "ams").then_some(())).await;
            for number in ENOUGH / 2 + 1..=ENOUGH {
                let published = author.publish("orders.new", number.to_string().into());
                within("an order", published).await.unwrap();
            }
        }
    }
    read.extend_from_slice(&within("the rest", film.read_all()).await.unwrap());
    assert!(read == bytes, "the digest was right");
}

/// Half of the orders, in ams, and their mirror in lon, which has caught up.
async fn mirrored_orders(author: &Context) -> Stream {
    let orders =
        stream::Config { name: "ORDERS".into(), subjects: vec!["orders.>".into()], ..Default::default() };
    let orders = within("the stream", author.create_stream(orders)).await.unwrap();
    for number in 1..=ENOUGH / 2 {
        within("an order", author.publish("orders.new", number.to_string().into())).await.unwrap();
    }
    let lon = Placement { cluster: Some("lon".into()), tags: Vec::new() };
    let source = stream::Source { name: "ORDERS".into(), ..Default::default() };
    let mirror = stream::Config {
        name: "MIRROR".into(),
        mirror: Some(source),
        placement: Some(lon),
        ..Default::default()
    };
    let mut mirror = within("the mirror", author.create_stream(mirror)).await.unwrap();
    within("the mirror to catch up", async {
        while mirror.info().await.unwrap().info.state.messages < u64::from(ENOUGH / 2) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    orders
}

/// More than is read ahead.
const FILM_BYTES: u32 = 12 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_is_at_home_also_from_elsewhere() {
    let mut world = World::start().await;
    let client = world.connect("lon", with_config(Config::interactive())).await;
    // A server that dies takes its client to the sibling, or away; either way lon stays home.
    let (_, home) = seat(&client).unwrap();
    let jetstream = client.jetstream();
    let here = stream::Config { name: "HERE".into(), ..Default::default() };
    let here = within("a stream", jetstream.create_stream(here)).await.unwrap();
    assert_eq!(cluster(&here), "lon");
    world.cluster.kill_region("lon").unwrap();
    wait_for("the move to ams", async || (region(&client) == "ams").then_some(())).await;
    let there = stream::Config { name: "THERE".into(), ..Default::default() };
    let told = stream::Config { placement: Some(Placement::default()), ..there.clone() };
    // JetStream itself may have to choose a leader first.
    let told = wait_for("ams to take a stream", async || jetstream.create_stream(told.clone()).await.ok());
    assert_eq!(cluster(&told.await), "ams", "left to the server");
    world.cluster.restart_server(&home).await.unwrap();
    let bucket = kv::Config { bucket: "config".into(), ..Default::default() };
    let bucket =
        wait_for("lon to take a bucket", async || jetstream.create_key_value(bucket.clone()).await.ok());
    assert_eq!(cluster(bucket.await.stream()), "lon");
    // Code that makes what it needs finds what is there, wherever that is.
    let found = within("the stream", jetstream.create_stream(there)).await.unwrap();
    assert_eq!(cluster(&found), "ams");
}

fn cluster(stream: &Stream) -> String {
    stream.cached_info().info.cluster.as_ref().unwrap().name.clone().unwrap()
}

/// What a client reads while things happen to it.
struct Reading {
    publisher: Publisher,
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
}

/// What came of it.
struct Read {
    count: u32,
    again: usize,
}

impl std::fmt::Display for Read {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { count, again } = self;
        write!(f, "{count} messages, missing 0, out of order 0, {again} came again")
    }
}

impl Reading {
    async fn start(world: &World, client: &GeoClient) -> Self {
        let author = world.connect("ams", with_config(Config::interactive())).await;
        let publisher = Publisher::start(author.jetstream()).await;
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
    async fn go_on_in(&self, client: &GeoClient, expected: &str) {
        wait_for(format_args!("the move to {expected}"), async || (region(client) == expected).then_some(()))
            .await;
        self.wait_for("all readers to go on", self.publisher.so_far() + ENOUGH).await;
    }

    async fn wait_for(&self, what: &str, number: u32) {
        wait_for(what, async || {
            let ledger = lock(&self.ledger);
            let last_value = ledger.values.values().max().copied().unwrap_or_default();
            let durable = ledger.durable.keys().next_back().copied().unwrap_or_default();
            (durable.min(ledger.ordered).min(last_value + KEYS) >= number).then_some(())
        })
        .await;
    }

    async fn finish(self) -> Read {
        let count = self.publisher.finish().await;
        wait_for("the last ones", async || {
            let ledger = lock(&self.ledger);
            (ledger.durable.len() as u32 == count && ledger.ordered == count).then_some(())
        })
        .await;
        wait_for("all to be acknowledged", async || {
            let workers = self.stream.get_consumer("workers").await.unwrap();
            let info = workers.cached_info();
            (info.ack_floor.stream_sequence == u64::from(count)).then_some(())
        })
        .await;
        let last =
            (0..KEYS).map(|key| (format!("key.{key}"), last_of(key, count))).collect::<BTreeMap<_, _>>();
        wait_for("the last values", async || (lock(&self.ledger).values == last).then_some(())).await;
        for task in [self.durable, self.ordered, self.watch] {
            assert!(!task.is_finished(), "a reader has ended");
            task.abort();
        }
        let again = lock(&self.ledger).durable.values().map(|times| *times as usize - 1).sum();
        Read { count, again }
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
    let mut messages = consumer.messages_with(PullOptions::new().max_messages(BATCH)).await.unwrap();
    while let Some(message) = messages.next().await {
        let message = message.unwrap();
        *lock(&ledger).durable.entry(number(&message.payload)).or_default() += 1;
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
struct Publisher {
    stop: watch::Sender<bool>,
    published: watch::Receiver<u32>,
    task: JoinHandle<()>,
}

impl Publisher {
    /// Makes the stream and the bucket in ams first: that is its author's home.
    async fn start(jetstream: Context) -> Self {
        let orders =
            stream::Config { name: "ORDERS".into(), subjects: vec!["orders.>".into()], ..Default::default() };
        let orders = within("the stream", jetstream.create_stream(orders)).await.unwrap();
        let values = kv::Config { bucket: "values".into(), ..Default::default() };
        let values = within("the bucket", jetstream.create_key_value(values)).await.unwrap();
        assert_eq!((cluster(&orders), cluster(values.stream())), ("ams".into(), "ams".into()));
        let stop = watch::Sender::new(false);
        let (count, published) = watch::channel(0);
        let task = tokio::spawn(publish(jetstream, values, stop.subscribe(), count));
        Self { stop, published, task }
    }

    fn so_far(&self) -> u32 {
        *self.published.borrow()
    }

    /// How many there are.
    async fn finish(self) -> u32 {
        self.stop.send_replace(true);
        within("the publisher", self.task).await.unwrap();
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
