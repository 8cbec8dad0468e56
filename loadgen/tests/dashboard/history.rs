//! The runs of a store: the list, one run, and its files.

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use loadgen::outcome::to_html;
use loadgen::store::{Host, Manifest, Origin, RunId, Store, StoreUrl, write_bundle};
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::io::AsyncReadExt as _;
use tokio::time::timeout;

use crate::bundles::{fill, report};
use crate::served::{Dashboard, LIMIT};

const RUNS: usize = 1_000;

/// Keeps a run with its reports in the store of a folder.
pub(crate) async fn keep(folder: &Path, second: u64) -> Manifest {
    let (out, report) = (tempdir().unwrap(), report());
    let scenario = "title = \"A region dies\"\n".to_owned();
    let files = [
        ("scenario.toml", scenario.clone()),
        ("report.json", serde_json::to_string(&report).unwrap()),
        ("report.html", to_html(&report)),
        ("logs/0/lon-1.log", "ready\n".repeat(20_000)),
        ("empty.csv", String::new()),
        ("requests.hlog", "#[Histogram log]\n".to_owned()),
    ];
    std::fs::create_dir_all(out.path().join("logs/0")).unwrap();
    for (name, text) in &files {
        std::fs::write(out.path().join(name), text).unwrap();
    }
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_796_014_985 + second);
    let run = RunId::new(start, 0x1a2b_3c4d);
    let origin = Origin { run, scenario, changes: Vec::new(), host: Host::this(2) };
    let names = files.map(|(name, _)| name.to_owned());
    write_bundle(out.path(), &report, &origin, &names, &[Duration::ZERO]).unwrap();
    let store = Store::open(&StoreUrl::Folder(folder.join("loadgen-runs"))).unwrap();
    store.push(out.path()).await.unwrap().0
}

#[expect(clippy::disallowed_methods, reason = "a test measures how long an answer takes")]
fn now() -> Instant {
    Instant::now()
}

/// The goals are 200 ms for the list and 1 s for a run. A busy machine gets ten times as long here; the line shows the figures.
#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_runs_are_listed_and_one_is_opened() {
    let place = tempdir().unwrap();
    let made = keep(place.path(), 0).await;
    fill(&place.path().join("loadgen-runs"), RUNS);
    let dashboard = Dashboard::start(place.path(), &[], &[]).await;

    let before = now();
    let list = dashboard.get("/api/runs?limit=1000").await.json();
    let listed = before.elapsed();
    let before = now();
    assert_eq!(dashboard.get(&format!("/api/runs/{}", made.run)).await.json(), json!(made));
    let shown = dashboard.get(&format!("/api/runs/{}/files/report.json", made.run)).await.json();
    let opened = before.elapsed();
    println!("the list of {RUNS} runs took {listed:.1?}, a run {opened:.1?}");
    assert!(listed < Duration::from_secs(2) && opened < Duration::from_secs(10), "{listed:?}, {opened:?}");

    assert_eq!(shown, json!(report()));
    assert_eq!((&list["total"], &list["matching"]), (&json!(RUNS + 1), &json!(RUNS + 1)));
    assert_eq!((&list["store"], &list["scenarios"]), (&json!("loadgen-runs"), &json!(["region-outage"])));
    assert_eq!(list["runs"].as_array().unwrap().len(), 1_000);
    assert_eq!(list["runs"][0]["run"], json!(made.run), "the newest is first");
    let names: Vec<_> =
        list["runs"].as_array().unwrap().iter().map(|row| row["run"].as_str().unwrap()).collect();
    assert!(names.is_sorted_by(|newer, older| newer > older));
    assert_eq!(dashboard.get("/api/runs/latest").await.json()["run"], json!(made.run));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_chooses_by_verdict_scenario_and_text_and_pages_follow_each_other() {
    let place = tempdir().unwrap();
    let made = keep(place.path(), 0).await;
    fill(&place.path().join("loadgen-runs"), 30);
    let dashboard = Dashboard::start(place.path(), &[], &[]).await;
    let list = async |query: &str| dashboard.get(&format!("/api/runs?{query}")).await.json();
    let states = |list: &Value| {
        let rows = list["runs"].as_array().unwrap().clone();
        rows.iter().map(|row| row["state"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    let failed = list("verdict=fail").await;
    assert_eq!((failed["matching"].as_u64(), failed["total"].as_u64()), (Some(11), Some(31)));
    assert!(states(&failed).iter().all(|state| state == "FAIL"), "{failed}");
    assert_eq!(list("verdict=UNFINISHED").await["runs"], json!([]));
    assert_eq!(list("scenario=region-outage&text=1A2B3C4D").await["runs"][0]["run"], json!(made.run));
    assert_eq!(list("scenario=region").await["matching"], 0, "a scenario is given by its whole name");
    assert_eq!(list("text=OUTAGE&verdict=pass").await["matching"], 20);

    let (mut seen, mut before) = (Vec::new(), String::new());
    loop {
        let page = list(&format!("limit=7&before={before}")).await;
        assert_eq!(page["matching"], 31);
        let names =
            page["runs"].as_array().unwrap().iter().map(|row| row["run"].as_str().unwrap().to_owned());
        seen.extend(names);
        match page["runs"].as_array().unwrap().len() {
            7 => before = seen.last().unwrap().clone(),
            _ => break,
        }
    }
    assert_eq!(seen.len(), 31);
    assert!(seen.is_sorted_by(|newer, older| newer > older), "{seen:?}");

    for (query, words) in [
        ("verdict=maybe", "`verdict=maybe` is not known: give one of PASS"),
        ("limit=0", "`limit=0` is out of range: give 1 to 1000"),
        ("limit=1001", "give 1 to 1000"),
        ("limit=many", "limit"),
        ("verdcit=PASS", "unknown field `verdcit`"),
    ] {
        let answer = dashboard.get(&format!("/api/runs?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert!(answer.text().contains(words), "{query}: {}", answer.text());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_file_of_a_run_is_served_as_it_is_stored() {
    let place = tempdir().unwrap();
    let made = keep(place.path(), 0).await;
    let dashboard = Dashboard::start(place.path(), &[], &[]).await;
    let stored = place.path().join(format!("loadgen-runs/runs/{}", made.run));
    let base = format!("/api/runs/{}/files", made.run);
    for file in &made.files {
        let answer = dashboard.get(&format!("{base}/{}", file.path)).await;
        assert_eq!(answer.status, 200, "{}", file.path);
        assert!(answer.body == std::fs::read(stored.join(&file.path)).unwrap(), "{}", file.path);
    }
    let kind = async |name: &str| {
        let answer = dashboard.get(&format!("{base}/{name}")).await;
        let header = |name| answer.header(name).unwrap_or_default().to_owned();
        (header("content-type"), header("content-disposition"))
    };
    assert_eq!(kind("report.html").await, ("text/html; charset=utf-8".to_owned(), "inline".to_owned()));
    assert_eq!(kind("logs/0/lon-1.log").await.0, "text/plain; charset=utf-8");
    assert_eq!(kind("requests.hlog").await, ("application/octet-stream".to_owned(), "attachment".to_owned()));

    let missing = dashboard.get(&format!("{base}/other.json")).await;
    assert_eq!(missing.status, 404);
    assert!(missing.text().contains("has no file `other.json`"), "{}", missing.text());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_differs_from_its_manifest_is_not_taken_for_the_file() {
    let place = tempdir().unwrap();
    let made = keep(place.path(), 0).await;
    let dashboard = Dashboard::start(place.path(), &[], &[]).await;
    let stored = place.path().join(format!("loadgen-runs/runs/{}", made.run));
    for name in ["scenario.toml", "logs/0/lon-1.log"] {
        let mut bytes = std::fs::read(stored.join(name)).unwrap();
        let last = bytes.len() - 2;
        bytes[last] ^= 1;
        std::fs::write(stored.join(name), bytes).unwrap();
    }
    let small = dashboard.get(&format!("/api/runs/{}/files/scenario.toml", made.run)).await;
    assert_eq!(small.status, 502);
    assert!(small.text().contains("does not match the manifest"), "{}", small.text());
    // The status of a large file may be sent before its end is read: the answer breaks off, and even its head may be lost.
    let path = format!("/api/runs/{}/files/logs/0/lon-1.log", made.run);
    let mut stream = dashboard.open("GET", &path, &[dashboard.bearer()]).await;
    let mut received = Vec::new();
    // The connection ends, or it is reset.
    let _ = timeout(LIMIT, stream.read_to_end(&mut received)).await.expect("no end");
    let size = std::fs::metadata(stored.join("logs/0/lon-1.log")).unwrap().len();
    assert!((received.len() as u64) < size, "{} of {size} bytes", received.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_begins_later_is_found() {
    let place = tempdir().unwrap();
    let dashboard = Dashboard::start(place.path(), &[], &[]).await;
    let none = dashboard.get("/api/runs").await;
    assert_eq!(none.status, 404);
    assert!(none.text().contains("no folder `loadgen-runs`"), "{}", none.text());
    let made = keep(place.path(), 0).await;
    assert_eq!(dashboard.get("/api/runs").await.json()["runs"][0]["run"], json!(made.run));
    let store = Store::open(&StoreUrl::Folder(place.path().join("loadgen-runs"))).unwrap();
    let begun: RunId = "20271130T050305Z-00000000".parse().unwrap();
    store.announce(begun.clone(), "region-outage").await.unwrap();
    assert_eq!(dashboard.get("/api/runs").await.json()["runs"][0]["state"], "UNFINISHED");
    let unfinished = dashboard.get(&format!("/api/runs/{begun}")).await;
    assert_eq!(unfinished.status, 404);
    assert!(unfinished.text().contains("is not whole"), "{}", unfinished.text());
}
