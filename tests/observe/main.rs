//! What a client tells of itself through a failover and the way home: report, counters, metrics, spans, events, and a
//! decision log that can be played again. A program of its own, because recorders and subscribers are for all of it.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]
#![allow(dead_code, reason = "it uses a part of what the tests of the native client use")]

#[path = "../native/journal.rs"]
mod journal;
#[path = "../native/world.rs"]
mod world;

mod shared;

use std::time::Duration;

use metrics_util::MetricKind;
use metrics_util::debugging::{DebugValue, DebuggingRecorder, Snapshotter};
use nats_geo::core::{Action, Config, Log, MoveCause, Notice, NoticeKind};
use nats_geo::observe::{DecisionLog, Report, Standing, Status};
use nats_geo::{GeoClient, GeoOptions, Stats};
use serde_json::Value;
use tracing_subscriber::layer::SubscriberExt as _;

use journal::Journal;
use shared::{Names, Shared};
use world::{Ears, World, region, wait_for, within};

const NAME: &str = "observed";
const SUBJECT: &str = "orders";

/// Home again after seconds, not minutes.
fn hurried() -> Config {
    let mut config = Config::interactive();
    config.probe.away_interval = Duration::from_millis(200);
    config.probe.budget_per_minute = 6_000;
    config.rank.unhealthy_for = Duration::from_millis(500);
    config.fail_back.good_for = Duration::from_secs(1);
    config.fail_back.spread = Duration::from_millis(100);
    config
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failover_shows_in_report_counters_metrics_traces_and_decision_log() {
    let names = Names::default();
    let subscriber = tracing_subscriber::registry().with(names.clone());
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let recorder = DebuggingRecorder::new();
    let metrics = Metrics(recorder.snapshotter());
    recorder.install().unwrap();

    let mut world = World::start().await;
    let (client, decisions) = at_home(&world).await;
    let journal = Journal::of(&client);
    let mut ears = Ears::of(&client, SUBJECT).await;
    ears.hear(&client, SUBJECT, "before").await;
    at_home_is_reported(&client).await;

    world.cluster.kill_region("lon").unwrap();
    journal.first_move().await;
    ears.hear(&client, SUBJECT, "after").await;
    failover_is_reported(&client).await;

    world.cluster.restart_region("lon").await.unwrap();
    wait_for("the way home", async || {
        let moves = client.report().moves;
        (moves.last()?.cause == MoveCause::FailBack).then_some(())
    })
    .await;
    let way_home = client.report().moves.pop().unwrap();
    assert_eq!(way_home.to.region.as_str(), "lon");
    let phases = way_home.phases;
    assert!(phases.detect.is_none() && phases.connect.is_some() && phases.resume.is_some(), "{phases:?}");

    within("closing", client.close()).await;
    assert_eq!(client.report().status, Status::Closed);
    let stats = client.stats();
    metrics.agree_with(&stats);
    names_are_emitted(&names);
    can_be_replayed(&decisions);
}

/// A client whose log is its own, in lon.
async fn at_home(world: &World) -> (GeoClient, Shared) {
    wait_for("a client at home", async || {
        let decisions = Shared::default();
        let options = GeoOptions::new().config(hurried()).name(NAME);
        let options = options.decision_log(DecisionLog::new(decisions.clone()));
        let client = within("connecting", options.connect(world.urls("lon"))).await.unwrap();
        (region(&client) == "lon").then_some((client, decisions))
    })
    .await
}

async fn at_home_is_reported(client: &GeoClient) {
    // The choice does not wait for the farthest.
    let report = wait_for("answers of all", async || {
        let report = client.report();
        (report.total_peers == 6).then_some(report)
    })
    .await;
    assert_eq!((report.status, report.client.as_deref()), (Status::Home, Some(NAME)));
    assert_eq!(report.total_members, 6, "{report:?}");
    let regions: Vec<_> = report.regions.iter().map(|region| region.region.as_str()).collect();
    assert_eq!(regions, ["lon", "ams", "dal"]);
    assert!(report.regions.iter().all(|region| region.peers == 2 && region.members.len() == 2));
    assert!(report.unhealthy.is_empty() && report.moves.is_empty(), "{report:?}");
    assert_eq!(report.here.unwrap().region.as_str(), "lon");
}

async fn failover_is_reported(client: &GeoClient) {
    // Its phases are known once the barrier is back, and that nobody listens in lon once somebody has asked.
    let report: Report = wait_for("the report", async || {
        let report = client.report();
        let is_complete = report.moves.first()?.phases.resume.is_some();
        let all_refused = report.unhealthy.len() == 2 && report.unhealthy.iter().all(|it| it.error.is_some());
        (is_complete && all_refused).then_some(report)
    })
    .await;
    let lon =
        |it: &nats_geo::observe::Unhealthy| it.region.as_str() == "lon" && it.standing == Standing::Unhealthy;
    assert!(report.unhealthy.iter().all(lon), "{report:?}");
    assert_eq!((report.total_members, report.total_peers), (6, 4));

    let json = serde_json::to_value(&report).unwrap();
    println!("{json:#}");
    let first = &json["moves"][0];
    assert_eq!((&first["from"]["region"], &first["to"]["region"]), (&"lon".into(), &"ams".into()));
    assert_eq!(first["cause"], "region_lost");
    let millis = |phase: &str| first[phase].as_f64().unwrap_or_else(|| panic!("{phase}: {first}"));
    let (detect, select, connect, resume) =
        (millis("detect_ms"), millis("select_ms"), millis("connect_ms"), millis("resume_ms"));
    // PINGs are 500 ms apart, ams is 9 ms away, and the machine may be busy.
    assert!(detect < 2_000.0 && select < 2_000.0, "{first}");
    assert!((9.0..2_000.0).contains(&connect) && (9.0..2_000.0).contains(&resume), "{first}");
    let counters = &json["counters"];
    assert_eq!(counters["moves_by_cause"], serde_json::json!({ "region_lost": 1 }));
    let time_in = |region: &str| counters["time_by_region_ms"][region].as_f64();
    assert!(time_in("lon") > Some(0.0) && time_in("ams") > Some(0.0) && time_in("dal").is_none(), "{json}");
    assert!(counters["pings"].as_u64() > Some(0), "{json}");
    // An INFO has hundreds of bytes.
    let (probes, bytes) = (counters["probes"].as_u64().unwrap(), counters["probe_bytes"].as_u64().unwrap());
    assert!(probes >= 6 && bytes > 6 * 200, "{probes} probes, {bytes} bytes");
    assert_eq!(json["status"], Value::from("home"), "ams is the best that there is now");
}

/// The recorder of this program, as dashboards would see it.
struct Metrics(Snapshotter);

impl Metrics {
    fn agree_with(&self, stats: &Stats) {
        let all = self.0.snapshot().into_vec();
        let find = |kind: MetricKind, name: &str, labels: &[(&str, &str)]| {
            let found = all.iter().find(|(key, ..)| {
                let has = |(key_, value): &(&str, &str)| {
                    key.key().labels().any(|label| (label.key(), label.value()) == (*key_, *value))
                };
                key.kind() == kind
                    && key.key().name() == name
                    && has(&("client", NAME))
                    && labels.iter().all(has)
            });
            found.map(|(.., value)| value)
        };
        let counter = |name: &str, labels: &[(&str, &str)]| match find(MetricKind::Counter, name, labels) {
            Some(DebugValue::Counter(count)) => *count,
            other => panic!("{name} {labels:?}: {other:?}"),
        };
        // Clients that did not get home at first count too.
        assert!(counter("nats_geo_probes_total", &[]) >= stats.probes);
        assert!(counter("nats_geo_probe_bytes_total", &[]) >= stats.probe_bytes);
        assert!(counter("nats_geo_pings_total", &[]) >= stats.pings);
        assert_eq!(counter("nats_geo_published_total", &[]), stats.published);
        assert_eq!(counter("nats_geo_delivered_total", &[]), stats.delivered);
        for (cause, count) in &stats.moves_by_cause {
            assert_eq!(counter("nats_geo_moves_total", &[("cause", cause.name())]), *count);
        }
        assert!(counter("nats_geo_region_seconds_total", &[("region", "ams")]) >= 1);
        for (cause, phase) in [("region_lost", "detect"), ("region_lost", "resume"), ("fail_back", "connect")]
        {
            let labels = [("cause", cause), ("phase", phase)];
            let value = find(MetricKind::Histogram, "nats_geo_move_seconds", &labels);
            let Some(DebugValue::Histogram(values)) = value else { panic!("{labels:?}: {value:?}") };
            assert_eq!(values.len(), 1, "{labels:?}");
        }
        for region in ["lon", "ams"] {
            let gauge = find(MetricKind::Gauge, "nats_geo_live_links", &[("region", region)]);
            let Some(DebugValue::Gauge(value)) = gauge else { panic!("{region}: {gauge:?}") };
            assert_eq!(value.into_inner(), 0.0, "everybody has left {region}");
        }
    }
}

fn names_are_emitted(names: &Names) {
    for name in [
        "nats_geo.client",
        "nats_geo.probe",
        "nats_geo.dial",
        "nats_geo.activate",
        "nats_geo.retire",
        "nats_geo.connected",
        "nats_geo.dialing",
        "nats_geo.opened",
        "nats_geo.open_failed",
        "nats_geo.lost",
        "nats_geo.moved",
        "nats_geo.move_completed",
        "nats_geo.decided",
    ] {
        assert!(names.has(name), "{name} was not emitted: {names:?}");
    }
}

fn can_be_replayed(decisions: &Shared) {
    let text = decisions.text();
    let last = text.lines().next_back().unwrap_or_default();
    assert_eq!(last, r#"{"ended":{"why":"the client was closed"}}"#);
    let log = Log::read(text.as_bytes()).unwrap();
    let replayed = log.replay().unwrap();
    for (index, (recorded, again)) in log.actions.iter().zip(&replayed).enumerate() {
        assert_eq!(recorded, again, "decision {index}");
    }
    assert_eq!(log.actions.len(), replayed.len());
    let moves = replayed.iter().filter_map(|(_, action)| match action {
        Action::Notify(Notice { kind: NoticeKind::Moved { cause, .. }, .. }) => Some(*cause),
        _ => None,
    });
    assert_eq!(moves.collect::<Vec<_>>(), [MoveCause::RegionLost, MoveCause::FailBack]);
    println!("{} facts and {} decisions in {} bytes", log.calls.len(), log.actions.len(), text.len());
}
