//! Scenarios that come with loadgen, in their short form, with real servers: nats-geo passes, and async-nats does not.

use std::collections::BTreeMap;
use std::path::Path;

use loadgen::plan::{Task, task_from};
use loadgen::scenario_command::run;
use serde_json::Value;

use crate::TURN;
use crate::own::plan;

/// Plays a scenario with more options, and returns its report.
async fn play(name: &str, more: &[&str]) -> Value {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let args: Vec<_> = [name, "--out", out].into_iter().chain(more.iter().copied()).collect();
    let (text, verdict) = run(plan(&args)).await.unwrap_or_else(|error| panic!("{error}"));
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
    let is_chosen = |text: &str| of(text) && !measures_the_machine(text);
    let chosen: Vec<_> = thresholds.iter().filter(|row| is_chosen(row["text"].as_str().unwrap())).collect();
    assert!(!chosen.is_empty(), "{thresholds:?}");
    for row in chosen {
        let is_time = row["measured"].as_str().is_some_and(|text| text.ends_with("ms"));
        assert!(row["holds"] == true || (is_time && disturbed), "{row} of {:?}", report["reasons"]);
    }
}

/// Whether the bound is a time that the processors of this machine decide, too. Benchmarks judge those.
fn measures_the_machine(threshold: &str) -> bool {
    let bound = threshold.rsplit(' ').next().and_then(|bound| bound.strip_suffix("ms")?.parse::<f64>().ok());
    bound.is_some_and(|ms| ms < 200.0)
}

/// Plays a scenario with each threshold of nats-geo also for async-nats, which must miss one.
async fn nats_geo_passes_and_async_nats_does_not(name: &str) {
    with_the_thresholds_of_nats_geo_for_async_nats(name, ("=geo", "=stock"), &[]).await;
}

/// `names` are the two populations in thresholds.
async fn with_the_thresholds_of_nats_geo_for_async_nats(
    name: &str,
    (geo, stock): (&str, &str),
    options: &[&str],
) {
    let text = loadgen::scenario::Preset::named(name).unwrap().text;
    let thresholds = text.lines().filter_map(|line| line.trim().strip_prefix('"')?.strip_suffix("\","));
    let of_stock: Vec<String> =
        thresholds.filter(|it| it.contains(geo)).map(|it| it.replace(geo, stock)).collect();
    assert!(!of_stock.is_empty(), "{name} has no threshold with {geo}");
    let more = of_stock.iter().flat_map(|it| ["--threshold", it.as_str()]);
    let report = play(name, &more.chain(options.iter().copied()).collect::<Vec<_>>()).await;
    holds(&report, |text| !text.contains(stock));
    let missed = report["thresholds"].as_array().unwrap().iter();
    let missed = missed.filter(|row| row["text"].as_str().unwrap().contains(stock) && row["holds"] == false);
    assert!(missed.count() > 0, "async-nats passes {name}");
    assert_eq!(report["verdict"], "FAIL");
}

async fn passes(name: &str) -> Value {
    let report = play(name, &[]).await;
    holds(&report, |_| true);
    assert_ne!(report["verdict"], "FAIL", "{:?}", report["reasons"]);
    report
}

/// The default command plays it four times.
#[tokio::test(flavor = "multi_thread")]
async fn failover() {
    let names = ("=nats-geo", "=async-nats");
    with_the_thresholds_of_nats_geo_for_async_nats("failover", names, &["--repeat", "1"]).await;
}

#[test]
fn the_scenario_of_the_default_command_is_the_one_that_ships() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let args = ["loadgen", "--regions", "lon,ams,dal", "--dry-run", "--out", out];
    let Ok(Task::Run(plan)) = task_from(args.map(Into::into)) else { panic!("no run") };
    tokio::runtime::Runtime::new().unwrap().block_on(run(*plan)).unwrap();
    let written = std::fs::read_to_string(folder.path().join("scenario.toml")).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios/failover.toml");
    if std::env::var_os("SCHEMAS").is_some_and(|value| value == "write") {
        std::fs::write(&shipped, &written).unwrap();
    }
    let shipped = std::fs::read_to_string(shipped).unwrap();
    assert!(shipped == written, "scenarios/failover.toml is stale: run this test with SCHEMAS=write");
}

/// A client that is back shows it only with its next request: one every 50 ms instead of one every 10 ms.
#[test]
fn a_lower_rate_makes_the_bounds_of_failovers_longer() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let args = ["loadgen", "--regions", "lon,ams,dal", "--rate", "20", "--dry-run", "--out", out];
    let Ok(Task::Run(plan)) = task_from(args.map(Into::into)) else { panic!("no run") };
    tokio::runtime::Runtime::new().unwrap().block_on(run(*plan)).unwrap();
    let written = std::fs::read_to_string(folder.path().join("scenario.toml")).unwrap();
    assert!(written.contains("phase=server-kill} <= 65ms"), "{written}");
    assert!(written.contains("phase=region-kill} <= 94ms"), "{written}");
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
    nats_geo_passes_and_async_nats_does_not("scale").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn split_brain() {
    nats_geo_passes_and_async_nats_does_not("split-brain").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_regions_down() {
    nats_geo_passes_and_async_nats_does_not("two-regions-down").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn thundering_herd() {
    let report = passes("thundering-herd").await;
    // The clients of a region share its servers: the first server does not keep them all.
    let rows = report["runs"][0]["failovers"].as_array().unwrap().iter();
    let mut left: BTreeMap<&str, usize> = BTreeMap::new();
    for row in rows {
        *left.entry(row["from"].as_str().unwrap()).or_default() += 1;
    }
    let clients: usize = left.values().sum();
    assert!(left.len() == 3 && left.values().all(|of_server| *of_server * 2 < clients), "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn video_through_failover() {
    nats_geo_passes_and_async_nats_does_not("video-through-failover").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn virtual_stream() {
    passes("virtual-stream").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_revoked() {
    passes("credentials-revoked").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn full_region() {
    passes("full-region").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_expiry() {
    passes("certificate-expiry").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn leaf_cut() {
    passes("leaf-cut").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dns_outage() {
    passes("dns-outage").await;
}

/// An hour is for nightly runs; some seconds show that it works.
#[tokio::test(flavor = "multi_thread")]
async fn soak() {
    let short = ["--set", "phase.soak.for=10s"];
    with_the_thresholds_of_nats_geo_for_async_nats("soak", ("=geo", "=stock"), &short).await;
}
