//! A publisher in lon, its stream with three replicas in ams: 1000 publishes per second while lon is killed, silent and
//! a lame duck in turn. What is acknowledged is in the stream, once.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use async_nats::jetstream::{self, consumer, stream};
use futures_util::StreamExt as _;
use loadgen::clock;
use nats_geo::GeoClient;
use nats_geo::jetstream::{Ack, PublishError};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config;
use crate::world::{World, region, seat, wait_for, with_config, within};

const PER_SECOND: u64 = 1_000;

/// How long a fault lasts, and how long there is peace before the next.
const PHASE: Duration = Duration::from_secs(5);

pub(crate) async fn run(at_least: Duration) {
    let mut world = World::of(3).await;
    let stream = create_stream(&world).await;
    let client = world.connect("lon", with_config(config())).await;
    let stop = watch::Sender::new(false);
    let publishing = tokio::spawn(publish(client.clone(), stop.subscribe()));
    let started = clock::now();
    let mut rounds = 0;
    while started.elapsed() < at_least {
        kill_and_restart(&mut world, &client).await;
        silence_and_heal(&mut world, &client).await;
        retire_and_restart(&mut world, &client).await;
        rounds += 1;
    }
    stop.send_replace(true);
    let published = within("the last acknowledgements", publishing).await.unwrap();
    let took = started.elapsed();
    let stored = read(stream).await;
    report(&published, &stored);
    println!(
        "{rounds} times killed, silent and lame duck in {:.0} s; {}",
        took.as_secs_f64(),
        latency(&published)
    );
}

async fn kill_and_restart(world: &mut World, client: &GeoClient) {
    world.cluster.kill_region("lon").unwrap();
    wait_for("the move to ams", async || (region(client) == "ams").then_some(())).await;
    tokio::time::sleep(PHASE).await;
    world.cluster.restart_region("lon").await.unwrap();
    at_home(client).await;
}

async fn silence_and_heal(world: &mut World, client: &GeoClient) {
    world.cluster.blackhole_region("lon").unwrap();
    wait_for("the move to ams", async || (region(client) == "ams").then_some(())).await;
    tokio::time::sleep(PHASE).await;
    world.cluster.heal_region("lon").await.unwrap();
    at_home(client).await;
}

async fn retire_and_restart(world: &mut World, client: &GeoClient) {
    let (_, duck) = seat(client).unwrap();
    world.cluster.lame_duck_server(&duck).unwrap();
    wait_for("the way to a sibling", async || seat(client).filter(|(_, server)| *server != duck)).await;
    assert_eq!(region(client), "lon");
    tokio::time::sleep(PHASE).await;
    world.cluster.restart_server(&duck).await.unwrap();
}

async fn at_home(client: &GeoClient) {
    wait_for("the way home", async || (region(client) == "lon").then_some(())).await;
    tokio::time::sleep(PHASE).await;
}

async fn create_stream(world: &World) -> stream::Stream {
    let context = jetstream::new(world.stock("ams-1").await);
    let config = stream::Config {
        name: "ORDERS".into(),
        subjects: vec!["orders.>".into()],
        num_replicas: 3,
        placement: Some(stream::Placement { cluster: Some("ams".into()), tags: Vec::new() }),
        ..stream::Config::default()
    };
    within("creating the stream", context.create_stream(config)).await.unwrap()
}

/// What became of one number.
struct Published {
    number: u64,
    ack: Result<Ack, PublishError>,
    took: Duration,
    at: Instant,
}

/// Open loop: a slow acknowledgement delays no publish.
async fn publish(client: GeoClient, stop: watch::Receiver<bool>) -> Vec<Published> {
    let jetstream = client.jetstream();
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / u32::try_from(PER_SECOND).unwrap());
    let mut publishing = JoinSet::new();
    for number in 0.. {
        ticks.tick().await;
        if *stop.borrow() {
            break;
        }
        let jetstream = jetstream.clone();
        publishing.spawn(async move {
            let start = clock::now();
            let ack = jetstream.publish("orders.new", u64::to_string(&number).into()).await;
            Published { number, ack, took: start.elapsed(), at: clock::now() }
        });
    }
    publishing.join_all().await
}

/// All numbers that are in the stream, with the sequences at which they are.
async fn read(mut stream: stream::Stream) -> BTreeMap<u64, Vec<u64>> {
    let last = within("the stream's state", stream.info()).await.unwrap().state.last_sequence;
    let consumer = consumer::pull::OrderedConfig::default();
    let consumer = within("a consumer", stream.create_consumer(consumer)).await.unwrap();
    let mut messages = within("its messages", consumer.messages()).await.unwrap();
    let mut sequences: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for _ in 0..last {
        let message = within("a message", messages.next()).await.unwrap().unwrap();
        let number = std::str::from_utf8(&message.payload).unwrap().parse().unwrap();
        sequences.entry(number).or_default().push(message.info().unwrap().stream_sequence);
    }
    sequences
}

fn report(published: &[Published], stored: &BTreeMap<u64, Vec<u64>>) {
    let (mut acknowledged, mut refused, mut lost, mut doubled, mut again) = (0, 0, 0, 0, 0);
    for entry in published {
        let sequences = stored.get(&entry.number).map_or(&[][..], Vec::as_slice);
        doubled += sequences.len().saturating_sub(1);
        match &entry.ack {
            Ok(ack) => {
                acknowledged += 1;
                again += usize::from(ack.tries > 1);
                lost += usize::from(!sequences.contains(&ack.sequence));
            }
            Err(error) => {
                refused += 1;
                println!("not acknowledged: {}: {error}", entry.number);
            }
        }
    }
    println!(
        "{} published, {acknowledged} acknowledged, {again} of them sent more than once; acknowledged and lost {lost}, \
         doubled {doubled}, not acknowledged {refused}",
        published.len()
    );
    assert_eq!((lost, doubled, refused), (0, 0, 0));
}

fn latency(published: &[Published]) -> String {
    let mut took: Vec<_> = published.iter().map(|entry| entry.took).collect();
    took.sort_unstable();
    let quantile = |per_mille: usize| took[(took.len() * per_mille / 1_000).min(took.len() - 1)];
    let mut ends: Vec<_> = published.iter().map(|entry| entry.at).collect();
    ends.sort_unstable();
    let gap = ends.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or_default();
    format!(
        "acknowledged after p50 {:.1?}, p99 {:.1?}, p99.9 {:.1?}, at most {:.1?}; longest time without an \
         acknowledgement {gap:.1?}",
        quantile(500),
        quantile(990),
        quantile(999),
        quantile(1_000),
    )
}
