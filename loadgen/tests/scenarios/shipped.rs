//! Scenarios that come with loadgen, in their short form, on real servers: nats-geo passes, and async-nats would not.

use std::path::Path;

use clap::Parser as _;
use loadgen::cli::{Command, Opts};
use loadgen::scenario_command::{Plan, run};
use serde_json::Value;

use crate::TURN;

/// Plays a scenario with more options, and returns its report.
async fn play(name: &str, more: &[&str]) -> Value {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let args = ["loadgen", "run", name, "--out", out].into_iter().chain(more.iter().copied());
    let Some(Command::Run(opts)) = Opts::try_parse_from(args).unwrap().command else { panic!("not `run`") };
    let (text, verdict) = run(Plan::new(*opts).unwrap()).await.unwrap_or_else(|error| panic!("{error}"));
    println!("{text}");
    assert!(text.starts_with(&verdict.to_string()), "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 100 || line.starts_with("the report is")),
        "{text}"
    );
    let report = std::fs::read_to_string(folder.path().join("report.json")).unwrap();
    for file in ["report.html", "report.md", "junit.xml", "report.txt"] {
        let length = std::fs::metadata(folder.path().join(file)).unwrap().len();
        assert!(length > 100, "{file} has {length} bytes");
    }
    again_makes_the_same(folder.path());
    let report = serde_json::from_str(&report).unwrap();
    crate::schemas::is_a_report(&report);
    report
}

/// `loadgen report` needs nothing but `report.json`.
fn again_makes_the_same(folder: &Path) {
    let read = || std::fs::read_to_string(folder.join("report.html")).unwrap();
    let before = read();
    std::fs::remove_file(folder.join("report.html")).unwrap();
    loadgen::scenario_command::again(folder, true).unwrap();
    assert!(read() == before, "the report differs when it is made again");
}

/// Every threshold holds, except times on a machine that was too busy to measure them, which the report says.
fn holds(report: &Value, of: impl Fn(&str) -> bool) {
    let disturbed = report["reasons"].to_string().contains("the machine is too busy");
    let thresholds = report["thresholds"].as_array().unwrap();
    let chosen: Vec<_> = thresholds.iter().filter(|row| of(row["text"].as_str().unwrap())).collect();
    assert!(!chosen.is_empty(), "{thresholds:?}");
    for row in chosen {
        let is_time = row["measured"].as_str().is_some_and(|text| text.ends_with("ms"));
        assert!(row["holds"] == true || (is_time && disturbed), "{row} of {:?}", report["reasons"]);
    }
}

/// Plays a scenario with each threshold of nats-geo also for async-nats, which must miss one.
async fn nats_geo_passes_and_async_nats_does_not(name: &str) {
    let text = loadgen::scenario::Preset::named(name).unwrap().text;
    let thresholds = text.lines().filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\","));
    let of_stock: Vec<String> =
        thresholds.filter(|it| it.contains("=geo")).map(|it| it.replace("=geo", "=stock")).collect();
    assert!(!of_stock.is_empty(), "{name} has no threshold of the population geo");
    let more: Vec<&str> = of_stock.iter().flat_map(|it| ["--threshold", it.as_str()]).collect();
    let report = play(name, &more).await;
    holds(&report, |text| !text.contains("=stock"));
    let missed = report["thresholds"].as_array().unwrap().iter();
    let missed =
        missed.filter(|row| row["text"].as_str().unwrap().contains("=stock") && row["holds"] == false);
    assert!(missed.count() > 0, "async-nats passes {name}");
    assert_eq!(report["verdict"], "FAIL");
}

async fn passes(name: &str) {
    let report = play(name, &[]).await;
    holds(&report, |_| true);
    assert_ne!(report["verdict"], "FAIL", "{:?}", report["reasons"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn region_outage() {
    nats_geo_passes_and_async_nats_does_not("region-outage").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silent_region() {
    nats_geo_passes_and_async_nats_does_not("silent-region").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn partial_outage() {
    nats_geo_passes_and_async_nats_does_not("partial-outage").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rolling_upgrade() {
    // Server by server it takes two minutes.
    let report = play("rolling-upgrade", &["--set", "fault.0.order=one-per-region"]).await;
    holds(&report, |_| true);
}

#[tokio::test(flavor = "multi_thread")]
async fn client_upgrade() {
    passes("client-upgrade").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scale() {
    passes("scale").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn split_brain() {
    passes("split-brain").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_regions_down() {
    nats_geo_passes_and_async_nats_does_not("two-regions-down").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thundering_herd() {
    passes("thundering-herd").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn video_through_failover() {
    passes("video-through-failover").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn virtual_stream() {
    passes("virtual-stream").await;
}

/// An hour is for nightly runs; some seconds show that it works.
#[tokio::test(flavor = "multi_thread")]
async fn soak() {
    let report = play("soak", &["--set", "phase.soak.for=10s"]).await;
    holds(&report, |_| true);
}
