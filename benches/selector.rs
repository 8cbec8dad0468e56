//! The selector: one event of each frequent kind, a timeout with nothing to do, and the ranking.

use std::hint::black_box;
use std::time::{Duration, Instant};

use criterion::{BatchSize, Criterion};
use nats_geo::core::{Action, Event};

use crate::fixture::{Client, report};

/// Three regions of three; more than anybody has; the order at which a quadratic step would show.
const SERVERS: [u64; 3] = [9, 100, 1_000];

/// Adds the benchmarks of this module.
pub(crate) fn define(criterion: &mut Criterion) {
    for servers in SERVERS {
        let client = Client::settled(servers);
        events(criterion, &client, servers);
        warm_pong(criterion, &client, servers);
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

/// The copies of [`events`] are new to the caches; here one selector goes on and on, as in a client that does nothing else.
/// Reading the clock twice is part of it.
#[expect(clippy::disallowed_methods, reason = "it measures real time")]
fn warm_pong(criterion: &mut Criterion, client: &Client, servers: u64) {
    criterion.bench_function(&format!("selector/event/pong_warm/{servers}"), |bencher| {
        let mut client = client.clone();
        bencher.iter_custom(|times| {
            let mut took = Duration::ZERO;
            for _ in 0..times {
                let pong = Event::Pong { ping: client.ping, rtt: Duration::from_millis(1) };
                let started = Instant::now();
                client.selector.handle_event(pong, client.now);
                took += started.elapsed();
                until_next_ping(&mut client);
            }
            took
        });
    });
}

/// Answers probes until a PING is unanswered again.
fn until_next_ping(client: &mut Client) {
    loop {
        while let Some(action) = client.selector.poll_action() {
            match action {
                Action::Ping { ping, .. } => {
                    client.ping = ping;
                    return;
                }
                Action::Probe { probe, endpoint, .. } => {
                    let result = Ok(report(endpoint));
                    client.selector.handle_event(Event::Probed { probe, result }, client.now);
                }
                _ => {}
            }
        }
        client.now = client.selector.poll_timeout().expect("a client always waits for something");
        client.selector.handle_timeout(client.now);
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
