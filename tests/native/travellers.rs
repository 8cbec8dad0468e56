//! A client in each region that publishes to a virtual stream and reads it, and ledgers of that.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_nats::jetstream;
use futures_util::StreamExt as _;
use nats_geo::GeoClient;
use nats_geo::core::Config;
use nats_geo::jetstream::consumer::pull;
use nats_geo::jetstream::virtual_stream::{self, Consumer, Position};
use nats_geo::jetstream::{PublishOptions, PullOptions, VirtualStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::world::{LIMIT, World, wait_for, with_config, within};

pub(crate) const REGIONS: [&str; 3] = ["lon", "ams", "dal"];
/// The longest pause after which a server tries a source again that it could not reach (10 s after the first failure,
/// 20 s after the second), and the time to catch up.
const CONVERGENCE: Duration = Duration::from_secs(150);
/// Of each client, before a fault and again after it.
const EACH: u32 = 50;

/// What may be stored in two regions: one message of each publisher at each of two moves.
const UNCONFIRMED: usize = 2 * REGIONS.len();
/// Bound of what a durable reader is sent unasked, and so of what it may not have acknowledged when it moves.
const IN_HAND: usize = 20;

pub(crate) fn config() -> virtual_stream::Config {
    // What was stored in two regions is recognised also when servers took their time.
    virtual_stream::Config::new("orders", REGIONS).replicas(2).duplicate_window(4 * CONVERGENCE)
}

/// By region.
pub(crate) struct Travellers(BTreeMap<&'static str, Traveller>);

struct Traveller {
    client: GeoClient,
    stop: watch::Sender<bool>,
    publisher: JoinHandle<()>,
    readers: [JoinHandle<()>; 2],
    ledger: Arc<Mutex<Ledger>>,
}

#[derive(Default)]
struct Ledger {
    /// How many are acknowledged.
    published: u32,
    /// How often each message came, in order and from the durable consumer.
    ordered: BTreeMap<String, u32>,
    durable: BTreeMap<String, u32>,
}

/// What came of it.
pub(crate) struct Outcome {
    acknowledged: usize,
    /// By region.
    ordered_twice: BTreeMap<&'static str, usize>,
    durable_twice: BTreeMap<&'static str, usize>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { acknowledged, ordered_twice, durable_twice } = self;
        write!(
            f,
            "{acknowledged} acknowledged, lost 0; all read streams hold the same; came again in order "
        )?;
        write!(f, "{ordered_twice:?}, from durable consumers {durable_twice:?}")
    }
}

impl Travellers {
    pub(crate) async fn start(world: &World, policy: Config) -> Self {
        let mut travellers = BTreeMap::new();
        for region in REGIONS {
            let client = world.connect(region, with_config(policy.clone())).await;
            // Whatever happens, nothing is skipped.
            let patient = PublishOptions::new().total_timeout(4 * LIMIT).tries_max(u32::MAX);
            let orders = client.jetstream_with(patient).create_virtual_stream(config()).await.unwrap();
            let ledger = Arc::<Mutex<Ledger>>::default();
            let name = format!("workers-{region}");
            let workers = pull::Config { durable_name: Some(name), ..Default::default() };
            let workers = within("the consumers", orders.create_consumer(workers)).await.unwrap();
            let stop = watch::Sender::new(false);
            let publishing = publish(orders.clone(), region, stop.subscribe(), Arc::clone(&ledger));
            let readers = [
                tokio::spawn(read_ordered(orders, Arc::clone(&ledger))),
                tokio::spawn(read_durable(workers, Arc::clone(&ledger))),
            ];
            let publisher = tokio::spawn(publishing);
            travellers.insert(region, Traveller { client, stop, publisher, readers, ledger });
        }
        let this = Self(travellers);
        this.go_on(&REGIONS).await;
        this
    }

    pub(crate) fn client(&self, region: &str) -> &GeoClient {
        &self.0[region].client
    }

    /// Returns once what these clients publish from now on is acknowledged, and each reads its own.
    pub(crate) async fn go_on(&self, regions: &[&str]) {
        self.until(regions, |ledger, region, number| {
            ledger.ordered.contains_key(&text(region, number))
                && ledger.durable.contains_key(&text(region, number))
        })
        .await;
    }

    /// The same by durable consumers alone.
    pub(crate) async fn go_on_durably(&self, regions: &[&str]) {
        self.until(regions, |ledger, region, number| ledger.durable.contains_key(&text(region, number)))
            .await;
    }

    async fn until(&self, regions: &[&str], is_read: impl Fn(&Ledger, &str, u32) -> bool) {
        let numbers: Vec<_> =
            regions.iter().map(|region| (*region, lock(&self.0[region].ledger).published + EACH)).collect();
        for (region, number) in numbers {
            wait_for(format_args!("the client of {region} to publish and read {number}"), async || {
                is_read(&lock(&self.0[region].ledger), region, number).then_some(())
            })
            .await;
        }
    }

    /// Stops publishing, and waits until everybody has everything.
    pub(crate) async fn finish(mut self, world: &World) -> Outcome {
        for traveller in self.0.values_mut() {
            traveller.stop.send_replace(true);
            within("the last acknowledgement", &mut traveller.publisher).await.unwrap();
        }
        let all: BTreeSet<_> = self
            .0
            .iter()
            .flat_map(|(region, it)| (0..lock(&it.ledger).published).map(move |number| text(region, number)))
            .collect();
        for region in REGIONS {
            let converged = tokio::time::timeout(CONVERGENCE, converged(world, region, &all));
            let held = converged.await.unwrap_or_else(|_| panic!("{region} did not get everything"));
            assert!(held.values().all(|times| *times == 1), "{region}: {held:?}");
        }
        let mut outcome = Outcome {
            acknowledged: all.len(),
            ordered_twice: BTreeMap::new(),
            durable_twice: BTreeMap::new(),
        };
        for (region, traveller) in self.0 {
            wait_for(format_args!("all to be read by the client of {region}"), async || {
                let ledger = lock(&traveller.ledger);
                (keys(&ledger.ordered) == all && keys(&ledger.durable) == all).then_some(())
            })
            .await;
            for reader in traveller.readers {
                assert!(!reader.is_finished(), "a reader of {region} has ended");
                reader.abort();
            }
            let ledger = lock(&traveller.ledger);
            let (ordered, durable) = (again(&ledger.ordered), again(&ledger.durable));
            assert!(ordered <= UNCONFIRMED, "{region}: {ordered} came again in order");
            assert!(durable <= IN_HAND, "{region}: {durable} came again from durable consumers");
            outcome.ordered_twice.insert(region, ordered);
            outcome.durable_twice.insert(region, durable);
        }
        outcome
    }
}

fn text(region: &str, number: u32) -> String {
    format!("{region} {number}")
}

fn keys(read: &BTreeMap<String, u32>) -> BTreeSet<String> {
    read.keys().cloned().collect()
}

fn again(read: &BTreeMap<String, u32>) -> usize {
    read.values().map(|times| *times as usize - 1).sum()
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn publish(
    orders: VirtualStream,
    region: &'static str,
    stop: watch::Receiver<bool>,
    ledger: Arc<Mutex<Ledger>>,
) {
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    for number in 0.. {
        if *stop.borrow() {
            break;
        }
        ticks.tick().await;
        orders.publish(format!("orders.{region}"), text(region, number).into()).await.unwrap();
        lock(&ledger).published += 1;
    }
}

async fn read_ordered(orders: VirtualStream, ledger: Arc<Mutex<Ledger>>) {
    let mut messages = orders.ordered(Position::first()).await.unwrap();
    let mut last = BTreeMap::new();
    while let Some(message) = messages.next().await {
        let message = message.unwrap();
        let origin = orders.origin(&message).unwrap();
        let before = last.insert(origin.region.clone(), origin.sequence).unwrap_or_default();
        assert!(origin.sequence > before, "{origin:?} after {before}");
        *lock(&ledger).ordered.entry(payload(&message)).or_default() += 1;
    }
}

async fn read_durable(workers: Consumer, ledger: Arc<Mutex<Ledger>>) {
    let options = PullOptions::new().max_messages(IN_HAND);
    let mut messages = workers.messages_with(options).await.unwrap();
    while let Some(message) = messages.next().await {
        let message = message.unwrap();
        *lock(&ledger).durable.entry(payload(&message)).or_default() += 1;
        message.ack().await.unwrap();
    }
}

fn payload(message: &async_nats::Message) -> String {
    String::from_utf8(message.payload.to_vec()).unwrap()
}

/// The first messages, from wherever the stream is read.
pub(crate) async fn read_some(orders: &VirtualStream, count: usize) -> Vec<String> {
    let mut messages = orders.ordered(Position::first()).await.unwrap().take(count);
    let mut read = Vec::new();
    while let Some(message) = within("a message", messages.next()).await {
        read.push(payload(&message.unwrap()));
    }
    read
}

/// How often the read stream of `region` holds each message, once it holds all: as a stock client next to it sees it.
async fn converged(world: &World, region: &str, all: &BTreeSet<String>) -> BTreeMap<String, u32> {
    let context = jetstream::new(world.stock(&format!("{region}-1")).await);
    // A region that is just back may have no leader yet.
    let mut stream =
        wait_for("the read stream", async || context.get_stream(format!("orders-read-{region}")).await.ok())
            .await;
    let mut held = BTreeMap::new();
    let mut next = 1;
    while keys(&held) != *all {
        let last = stream.info().await.unwrap().state.last_sequence;
        for sequence in next..=last {
            let message = stream.direct_get(sequence).await.unwrap();
            *held.entry(String::from_utf8(message.payload.to_vec()).unwrap()).or_default() += 1;
        }
        next = last + 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    held
}
