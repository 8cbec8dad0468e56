//! The selector: one event of each frequent kind, a timeout with nothing to do, and the ranking.

use std::hint::black_box;
use std::time::Duration;

use criterion::{BatchSize, Criterion};
use nats_geo::core::Event;

use crate::fixture::{Client, report};

/// Three regions of three; more than anybody has; the order at which a quadratic step would show.
const SERVERS: [u64; 3] = [9, 100, 1_000];

/// Adds the benchmarks of this module.
pub(crate) fn define(criterion: &mut Criterion) {
    for servers in SERVERS {
        let client = Client::settled(servers);
        events(criterion, &client, servers);
        timeout(criterion, &client, servers);
        ranking(criterion, &client, servers);
        snapshot(criterion, &client, servers);
    }
}

fn events(criterion: &mut Criterion, client: &Client, servers: u64) {
    let probed = Event::Probed { probe: client.probe.0, result: Ok(report(client.probe.1)) };
    let pong = Event::Pong { ping: client.ping, rtt: Duration::from_millis(1) };
    let progress = Event::Progress { conn: client.conn };
    for (kind, event) in [("probed", probed), ("pong", pong), ("progress", progress)] {
        criterion.bench_function(&format!("selector/event/{kind}/{servers}"), |bencher| {
            // An id answers once, so each run gets a copy in which it is still pending. The copy is dropped
            // outside the measurement.
            bencher.iter_batched_ref(
                || (client.selector.clone(), Some(event.clone())),
                |(selector, event)| {
                    if let Some(event) = event.take() {
                        selector.handle_event(event, client.now);
                    }
                },
                BatchSize::SmallInput,
            );
        });
    }
}

fn timeout(criterion: &mut Criterion, client: &Client, servers: u64) {
    let mut selector = client.selector.clone();
    criterion.bench_function(&format!("selector/timeout/nothing_due/{servers}"), |bencher| {
        bencher.iter(|| black_box(&mut selector).handle_timeout(client.now));
    });
}

fn ranking(criterion: &mut Criterion, client: &Client, servers: u64) {
    criterion.bench_function(&format!("selector/rank/{servers}"), |bencher| {
        bencher.iter(|| black_box(&client.selector).ranked_endpoints(client.now));
    });
}

fn snapshot(criterion: &mut Criterion, client: &Client, servers: u64) {
    criterion.bench_function(&format!("selector/snapshot/{servers}"), |bencher| {
        bencher.iter(|| black_box(&client.selector).snapshot(client.now));
    });
}
