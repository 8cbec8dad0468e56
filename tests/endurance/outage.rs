//! Every region is silent for ten minutes while publishers and requesters go on: memory stays flat, every call ends,
//! and all of them work again afterwards.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use loadgen::clock;
use loadgen::load::requests::ECHO;
use nats_geo::GeoClient;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::config;
use crate::world::{World, wait_for, with_config};

const REGIONS: [&str; 3] = ["lon", "ams", "dal"];
const CLIENTS: usize = 4;
const PER_SECOND: u32 = 200;
const PAYLOAD: usize = 1_024;

/// What is kept for a while, as the publishes that wait for a link, has reached its bounds by then.
const WARM_UP: Duration = Duration::from_secs(60);
const SAMPLE_EVERY: Duration = Duration::from_secs(15);

/// More than allocators and the servers' logs make of nothing; ten minutes of these publishes would be 480 MB.
const GROWTH_MAX: u64 = 8 << 20;

pub(crate) async fn run(lasts: Duration) {
    let mut world = World::of(2).await;
    world.serve(&["lon", "ams"]).await;
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(world.connect("lon", with_config(config())).await);
    }
    let counts = Arc::new(Counts::default());
    let stop = watch::Sender::new(false);
    let mut load = JoinSet::new();
    for client in &clients {
        load.spawn(work(client.clone(), Arc::clone(&counts), stop.subscribe()));
    }
    for region in REGIONS {
        world.cluster.blackhole_region(region).unwrap();
    }
    let samples = watch_memory(lasts).await;
    world.cluster.heal_regions(&REGIONS).await.unwrap();
    for client in &clients {
        wait_for("an answer after the outage", async || client.request(ECHO, "x".into()).await.ok()).await;
    }
    stop.send_replace(true);
    load.join_all().await;
    report(&samples, &counts);
}

#[derive(Default)]
struct Counts {
    begun: AtomicU64,
    failed: AtomicU64,
    ended: AtomicU64,
}

/// Publishes and asks at a steady rate, whatever becomes of it.
async fn work(client: GeoClient, counts: Arc<Counts>, stop: watch::Receiver<bool>) {
    let payload = bytes::Bytes::from(vec![b'x'; PAYLOAD]);
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    let mut calls = JoinSet::new();
    while !*stop.borrow() {
        ticks.tick().await;
        while calls.try_join_next().is_some() {}
        let (client, counts, payload) = (client.clone(), Arc::clone(&counts), payload.clone());
        let asks = counts.begun.fetch_add(1, Ordering::Relaxed).is_multiple_of(2);
        calls.spawn(async move {
            let failed = match asks {
                true => client.request(ECHO, payload).await.is_err(),
                false => client.publish("orders", payload).await.is_err(),
            };
            counts.failed.fetch_add(u64::from(failed), Ordering::Relaxed);
            counts.ended.fetch_add(1, Ordering::Relaxed);
        });
    }
    calls.join_all().await;
}

/// Resident bytes of this process over time: the clients, and loadgen's emulated links.
async fn watch_memory(lasts: Duration) -> Vec<u64> {
    let started = clock::now();
    let mut samples = Vec::new();
    while started.elapsed() < lasts {
        tokio::time::sleep(SAMPLE_EVERY).await;
        samples.push(resident_bytes());
    }
    samples
}

fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux shows the memory of a process");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("VmRSS in /proc/self/status");
    let kib: u64 = line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number of kB");
    kib * 1_024
}

fn report(samples: &[u64], counts: &Counts) {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let settled = &samples[(WARM_UP.as_secs() / SAMPLE_EVERY.as_secs()) as usize..];
    let (first, highest, last) = (settled[0], settled.iter().max().unwrap(), settled[settled.len() - 1]);
    let (begun, ended) = (counts.begun.load(Ordering::Relaxed), counts.ended.load(Ordering::Relaxed));
    println!(
        "resident {:.1} MiB after the first minute, {:.1} at the end, at most {:.1}; {begun} calls, {} of them failed",
        mib(first),
        mib(last),
        mib(*highest),
        counts.failed.load(Ordering::Relaxed),
    );
    assert_eq!(begun, ended, "every call ends");
    assert!(last <= first + GROWTH_MAX, "{samples:?}");
}
