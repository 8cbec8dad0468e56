//! `loadgen run --store`: real servers, a real S3.

use std::path::Path;
use std::process::Output;

use loadgen::scenario_command::{event_schema, manifest_schema};
use serde_json::Value;
use tempfile::tempdir;

use crate::bundles::{files_in, same};
use crate::fates::{Fate, Fates};
use crate::s3::{KEY_ID, S3, SECRET_KEY};

/// Two plays, so that events have repetitions. A threshold that cannot hold makes the verdict FAIL.
pub(crate) const SCENARIO: &str = r#"
title = "A short outage"
repeat = 2
thresholds = ["requests.sent < 1"]
topology = { cluster = [{ name = "lon", servers = 1 }, { name = "ams", servers = 1 }] }
faults = ["kill:lon@1s/1s"]
clients = [{ name = "geo", kind = "nats-geo", regions = { lon = 1, ams = 1 } }]
workload = [{ kind = "request", rate = 20 }]
[[phase]]
name = "calm"
for = "1s"
[[phase]]
name = "outage"
for = "2s"
"#;

/// Plays a scenario and keeps it in the S3.
pub(crate) async fn play(s3: &S3, place: &Path, scenario: &str, more: &[&str]) -> Output {
    std::fs::write(place.join("short.toml"), scenario).unwrap();
    let url = s3.url().to_string();
    let args = [&["run", "short.toml", "--store", &url], more].concat();
    s3.loadgen(&args).current_dir(place).output().await.unwrap()
}

fn complaints(schema: &str, value: &Value) -> Vec<String> {
    let validator = jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap();
    validator.iter_errors(value).map(|error| error.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_a_bundle_in_its_folder_and_in_s3() {
    let (place, s3) = (tempdir().unwrap(), S3::start(Fates::new(&[Fate::Unavailable], 10)).await);
    let output = play(&s3, place.path(), SCENARIO, &["--set", "workload.0.rate=30", "--seed", "5"]).await;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(99), "{output:?}");
    let out = place.path().join("loadgen-out");
    let manifest: Value = serde_json::from_slice(&std::fs::read(out.join("manifest.json")).unwrap()).unwrap();
    assert_eq!(complaints(&manifest_schema(), &manifest), Vec::<String>::new());
    assert!(text.contains(&format!(
        "the run is kept as {}/runs/{}",
        s3.url(),
        manifest["run"].as_str().unwrap()
    )));
    assert_eq!((&manifest["verdict"], &manifest["seed"]), (&Value::from("FAIL"), &Value::from(5)));
    assert_eq!(manifest["changes"], serde_json::json!(["--set workload.0.rate=30"]));
    assert_eq!(std::fs::read_to_string(out.join("scenario.toml")).unwrap(), SCENARIO);

    let made = serde_json::from_value(manifest).unwrap();
    same(&out, &s3.objects().join(format!("runs/{}", s3.store().entries().await.unwrap()[0].run)), &made);
    let named: Vec<_> = made.files.iter().map(|file| file.path.clone()).collect();
    let there: Vec<_> = files_in(&out).into_keys().filter(|name| name != "manifest.json").collect();
    assert_eq!(named, there);
    assert!(named.iter().any(|name| name.ends_with(".hlog")), "{named:?}");
    let logs: Vec<_> = named.iter().filter(|name| name.starts_with("logs/")).collect();
    assert_eq!(logs.len(), 4, "two servers, two plays: {logs:?}");
    assert!(std::fs::read_to_string(out.join(logs[0])).unwrap().contains("Server is ready"));
    let report: Value = serde_json::from_slice(&std::fs::read(out.join("report.json")).unwrap()).unwrap();
    events_are_right(&std::fs::read_to_string(out.join("events.jsonl")).unwrap(), &report);
}

fn events_are_right(text: &str, report: &Value) {
    let events: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &events {
        assert_eq!(complaints(&event_schema(), event), Vec::<String>::new(), "{event}");
    }
    let kinds: Vec<_> = events.iter().map(|event| event["event"].as_str().unwrap()).collect();
    let play = ["phase", "phase", "fault-injected", "fault-undone", "end"];
    let mut sorted = kinds[..5].to_vec();
    sorted.sort_unstable();
    let mut expected = play.to_vec();
    expected.sort_unstable();
    assert_eq!((sorted, kinds.len(), kinds[10]), (expected, 11, "verdict"), "{text}");
    let times: Vec<_> = events.iter().map(|event| event["at_ms"].as_u64().unwrap()).collect();
    assert!(times.is_sorted() && times[0] > 0, "{times:?}");
    assert_eq!((&events[0]["repetition"], &events[9]["repetition"]), (&Value::from(0), &Value::from(1)));
    for (run, first) in [(0, 0), (1, 5)] {
        // From the first phase to the end; both are rounded.
        let lasts = (times[first + 4] - times[first]) as f64;
        let from = report["runs"][run]["phases"][0]["from_s"].as_f64().unwrap();
        let expected = (report["runs"][run]["duration_s"].as_f64().unwrap() - from) * 1e3;
        assert!((lasts - expected).abs() <= 1.0, "{lasts} ms, but {expected} ms in the report");
    }
}

/// The S3 takes the announcement and the logs of the first play, and refuses everything after them.
#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_s3_does_not_take_has_its_verdict_and_can_be_pushed() {
    let (place, s3) = (tempdir().unwrap(), S3::start(Fates::after(TAKEN, Fate::Deny)).await);
    let passes = SCENARIO.replace("requests.sent < 1", "requests.sent > 1");
    let output = play(&s3, place.path(), &passes, &[]).await;
    let (text, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("A short outage"), "{output:?}");
    // Without its upload the run succeeds; a slow machine makes it INCONCLUSIVE.
    assert!(matches!(output.status.code(), Some(1 | 98)), "{output:?}");
    let remedy = format!("`loadgen runs push loadgen-out --store {}`", s3.url());
    assert!(
        error.contains("loadgen-out has the whole run, but the store does not") && error.contains(&remedy),
        "{error}"
    );
    assert!(!error.contains(SECRET_KEY) && !error.contains(KEY_ID), "{error}");

    let stored = files_in(&s3.objects()).into_keys().filter(|name| name.contains("/logs/0/")).count();
    assert_eq!(stored, 2, "the logs of the first play are there before the end");
    let s3 = s3.restart(Fates::kind()).await;
    let url = s3.url().to_string();
    let mut push = s3.loadgen(&["runs", "push", "loadgen-out", "--store", &url]);
    let pushed = push.current_dir(place.path()).output().await.unwrap();
    assert!(pushed.status.success(), "{pushed:?}");
    let text = String::from_utf8_lossy(&pushed.stdout);
    assert!(text.contains(", 2 were there already"), "{text}");
    let entries = s3.store().entries().await.unwrap();
    let manifest = s3.store().manifest(&entries[0].run).await.unwrap();
    same(&place.path().join("loadgen-out"), &s3.objects().join(format!("runs/{}", manifest.run)), &manifest);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_s3_that_takes_nothing_is_an_error_before_anything_starts() {
    let (place, s3) = (tempdir().unwrap(), S3::start(Fates::after(0, Fate::Deny)).await);
    let output = play(&s3, place.path(), SCENARIO, &[]).await;
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(error.contains("refuses to write `index/") && error.contains("check the credentials"), "{error}");
    assert!(!place.path().join("loadgen-out/report.json").exists());
}

/// The announcement; then two logs, each written, looked at, and read back.
const TAKEN: u64 = 1 + 2 * 3;
