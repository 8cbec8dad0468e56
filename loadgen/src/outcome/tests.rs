//! Tests of the figures of a recording that is written by hand: one region is silent from second 2 to second 6.

mod formats;

use std::time::{Duration, Instant};

use super::figures::value;
use super::{Environment, Played, Report, build, to_text};
use crate::clients::{Outcome, Seat, Sign};
use crate::clock;
use crate::load::requests::Op;
use crate::play::{ClientRecord, DeliveriesRecord, FaultRecord, MessagesRecord, Observer, Recording};
use crate::record::histograms::new_histogram;
use crate::record::ledger::Totals;
use crate::scenario::{Inputs, Strategy, Threshold, from_toml};
use crate::topology::Preset;

const SCENARIO: &str = r#"
title = "By hand"
thresholds = ["failover.missed == 1"]
faults = ["silence:lon@2s/4s"]
[[clients]]
name = "geo"
kind = "nats-geo"
regions = { lon = 2 }
[[workload]]
kind = "request"
[[workload]]
kind = "jetstream"
[[workload]]
kind = "service"
[[phase]]
name = "quiet"
for = "2s"
[[phase]]
name = "silent"
for = "4s"
[[phase]]
name = "after"
for = "4s"
"#;

fn strategy() -> Strategy {
    let topology = |_: crate::scenario::TopologySource<'_>| {
        Preset::named("super-cluster").unwrap().topology().map_err(|error| error.to_string())
    };
    from_toml(SCENARIO, "by-hand.toml", &Inputs::default(), topology).unwrap().remove(0)
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

fn seat(server: &str) -> Option<Seat> {
    let region = server.split('-').next().unwrap_or_default().to_owned();
    Some(Seat { region, server: server.to_owned() })
}

/// Requests every 100 ms. From `down` to `up` they fail after 500 ms; all others take 10 ms.
fn ops(start: Instant, down: u64, up: u64) -> Vec<Op> {
    let one = |at: u64| {
        let intended = start + ms(at);
        let fails = at >= down && at < up;
        let (took, outcome) = if fails { (500, Outcome::Failed) } else { (10, Outcome::Ok) };
        Op { intended, sent: intended, done: intended + ms(took), outcome }
    };
    (0..100).map(|number| one(number * 100)).collect()
}

/// Client 0 moves to ams within 310 ms; client 1 stays and hears nothing until second 6.
fn recording(start: Instant) -> Recording {
    let client = |number: u32, seats: Vec<(u64, Option<Seat>)>, up: u64| ClientRecord {
        connect_took: Duration::from_millis(40),
        population: 0,
        region: "lon".into(),
        number,
        joined: start,
        left: start + ms(10_000),
        ops: ops(start, 2_000, up),
        op_workloads: vec![(0, 60), (2, 40)],
        publishes: ops(start, 2_000, up),
        signs: vec![(start + ms(2_100), Sign::Trouble)],
        seats: seats.into_iter().map(|(at, seat)| (start + ms(at), seat)).collect(),
    };
    let totals =
        Totals { attempted: 100, acknowledged: 90, delivered: 89, lost_middle: 1, ..Totals::default() };
    Recording {
        agents: Vec::new(),
        clock_error: Duration::ZERO,
        start,
        end: start + ms(10_000),
        phases: vec![
            (start, start + ms(2_000)),
            (start + ms(2_000), start + ms(6_000)),
            (start + ms(6_000), start + ms(10_000)),
        ],
        faults: vec![FaultRecord {
            fault: 0,
            at: start + ms(2_000),
            until: Some(start + ms(6_000)),
            hit: ["lon-1", "lon-2", "lon-3"].map(str::to_owned).into(),
        }],
        notes: Vec::new(),
        clients: vec![
            client(0, vec![(0, seat("lon-1")), (2_300, seat("ams-1"))], 2_300),
            client(1, vec![(0, seat("lon-2")), (3_000, None), (6_000, seat("lon-2"))], 6_000),
        ],
        messages: vec![MessagesRecord {
            workload: 1,
            population: 0,
            observer: Observer::Stream,
            place: "S".into(),
            totals,
            unverified: None,
        }],
        deliveries: Vec::new(),
        stores: Vec::new(),
        leaks: Vec::new(),
        idle: None,
        nats_servers: vec![("2.15.1".into(), 9)],
        wan: crate::wan::Backend::Proxy,
        wan_fallback: None,
        logs: Vec::new(),
    }
}

#[test]
fn every_figure_is_what_the_recording_says() {
    let strategy = strategy();
    let recording = recording(clock::now());
    let of = |metric: &str| {
        let threshold: Threshold = format!("{metric} >= {}", bound(metric)).parse().unwrap();
        value(&strategy.scenario, &[&recording], &threshold)
    };
    let close = |metric: &str, expected: f64| {
        let found = of(metric).unwrap_or_else(|| panic!("{metric} is not measured"));
        assert!((found - expected).abs() < 1e-3, "{metric}: {found} instead of {expected}");
    };
    close("failover.hit", 2.0);
    close("failover.missed", 1.0);
    close("failover.p50", 310.0);
    assert_eq!(of("failover.max"), None, "a client that never came back has no longest time");
    assert!(of("failover.p90").unwrap().is_infinite());
    close("requests.sent", 200.0);
    close("requests.sent{phase=quiet}", 40.0);
    close("requests.sent{workload=service}", 80.0);
    close("requests.sent{workload=service, phase=quiet}", 0.0);
    close("requests.failed{workload=service}", 0.0);
    // 3 of client 0 and 40 of client 1. Failures count where the client noticed them: the last 5 after the phase.
    close("requests.failed", 43.0);
    close("requests.failed{phase=quiet}", 0.0);
    close("requests.failed{phase=after}", 5.0);
    close("latency.p50{phase=quiet}", 10.0);
    close("latency.max", 10.0);
    close("moves.total", 1.0);
    close("moves.max{phase=silent}", 1.0);
    // Client 0: right until the end, but for 300 ms and after the heal. Client 1: right until 2 s and from 6 s on.
    close("nearest_share", (2.0 + 3.7 + 2.0 + 4.0) / 20.0);
    close("offline_share", 3.0 / 20.0);
    close("js.acknowledged", 90.0);
    close("js.failed", 10.0);
    close("js.lost", 1.0);
    close("js.duplicated", 0.0);
    close("js.p50{phase=quiet}", 10.0);
    // One client moved to one of three servers.
    close("herd.peak", 3.0);
    assert_eq!(of("requests.failed{workload=service, phase=quiet}"), None, "none was sent");
    assert_eq!(of("requests.sent{region=ams}"), None, "ams has no client");
    assert_eq!(of("failover.p50{fault=kill}"), None, "no such fault was injected");
}

fn bound(metric: &str) -> &'static str {
    let name = metric.split('{').next().unwrap_or_default();
    crate::scenario::METRICS.iter().find(|it| it.name == name).unwrap().unit.example()
}

#[test]
fn messages_count_for_each_receiver_and_times_for_each_phase() {
    let strategy = strategy();
    let mut recording = recording(clock::now());
    let seen_by = |place: &str, delivered: u64| MessagesRecord {
        observer: Observer::Receiver,
        place: place.into(),
        totals: Totals { delivered, lost_middle: 90 - delivered, ..recording.messages[0].totals },
        ..recording.messages[0].clone()
    };
    let seen = [seen_by("subscriber lon", 90), seen_by("subscriber ams", 81)];
    recording.messages.extend(seen);
    for (phase, millis) in [(0, 10), (1, 500)] {
        let mut latency = new_histogram();
        latency.record_n(millis * 1_000, 10).unwrap();
        let region = "lon".to_owned();
        recording.deliveries.push(DeliveriesRecord { workload: 1, population: 0, region, phase, latency });
    }
    let of = |metric: &str| {
        let threshold: Threshold = format!("{metric} >= {}", bound(metric)).parse().unwrap();
        value(&strategy.scenario, &[&recording], &threshold).map(|value| value.round())
    };
    assert_eq!(of("messages.published"), Some(90.0), "once, though two subscribers must have them");
    assert_eq!(of("messages.failed"), Some(10.0));
    assert_eq!(of("messages.lost"), Some(9.0));
    assert_eq!(of("js.lost"), Some(1.0), "the stream's own");
    assert_eq!(of("messages.p50{phase=quiet}"), Some(10.0));
    assert_eq!(of("messages.max"), Some(500.0));
    assert_eq!(of("messages.p50{region=ams}"), None);
    let share = "messages.delivered_share >= 95%".parse().unwrap();
    let share = value(&strategy.scenario, &[&recording], &share).unwrap();
    assert!((share - 0.95).abs() < 1e-9, "{share}");
}

/// The report of the recording.
fn report() -> Report {
    let strategy = strategy();
    let played = [Played { strategy: &strategy, recordings: vec![recording(clock::now())] }];
    let environment = Environment {
        seed: 7,
        started_at: String::new(),
        wall: ms(10_000),
        cores: 2,
        notes: Vec::new(),
        collected: Vec::new(),
    };
    build(&played, &environment).unwrap()
}

#[test]
fn the_report_says_it_in_sentences() {
    let report = report();
    let text = to_text(&report);
    assert!(text.starts_with("PASS: By hand\n"), "{text}");
    assert!(text.contains("lon silent: geo: 1 of 2 clients had an answer in ams after 310 ms\n"), "{text}");
    let run = &report.runs[0];
    assert_eq!((run.failovers[0].detection_ms, run.failovers[1].total_ms), (None, None));
    assert_eq!(run.clients[1].states.iter().filter(|(_, region)| region.is_none()).count(), 1);
    let failed: u32 = run.series.iter().flat_map(|series| &series.failed).sum();
    assert_eq!(failed, 43);
}

#[test]
fn a_stream_that_nobody_could_read_proves_nothing() {
    let strategy = strategy();
    let mut recording = recording(clock::now());
    recording.messages[0].unverified = Some("no answer".into());
    let lost = "js.lost == 0".parse().unwrap();
    assert_eq!(value(&strategy.scenario, &[&recording], &lost), None);
    let acknowledged = "js.acknowledged > 0".parse().unwrap();
    assert_eq!(value(&strategy.scenario, &[&recording], &acknowledged), Some(90.0));
}
