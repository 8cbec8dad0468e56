//! The agents of a back channel, and the run that they play.

use serde_json::Value;
use tempfile::tempdir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use tokio::time::timeout;

use crate::page::{Page, expect};
use crate::served::{Dashboard, LIMIT, loadgen};

/// A region dies.
const SCENARIO: &str = r#"
title = "Agents"
topology = "two-regions"

[[clients]]
name = "geo"
kind = "nats-geo"
per_region = 2

[[workload]]
kind = "request"
rate = 20

[[phase]]
name = "quiet"
for = "3s"

[[phase]]
name = "outage"
for = "4s"

[[fault]]
inject = "kill"
target = "lon"
phase = "outage"
"#;

/// A back channel that runs, and its URL.
async fn control(folder: &std::path::Path) -> (Child, String) {
    let mut control = loadgen(folder, &["control"], &[]).spawn().unwrap();
    let mut lines = BufReader::new(control.stdout.take().unwrap()).lines();
    let line = timeout(LIMIT, lines.next_line()).await.expect("no URL").unwrap().expect("it ended");
    let url = line.strip_prefix("export LOADGEN_OPS=").unwrap().to_owned();
    (control, url)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_follows_agents_and_their_run() {
    let place = tempdir().unwrap();
    let (_control, url) = control(place.path()).await;
    let ops = [("LOADGEN_OPS", url.as_str())];
    let dashboard = Dashboard::start(place.path(), &[], &ops).await;
    let mut page = Page::open(&dashboard, "agents").await;
    page.shows(|data| expect(data["agents"] == Value::Array(Vec::new()), "no agent", data)).await;

    let agent = |region: &str| {
        loadgen(place.path(), &["agent", "--region", region, "--name", region], &ops).spawn().unwrap()
    };
    let (mut lon, _ams) = (agent("lon"), agent("ams"));
    page.shows(|data| {
        let agents = data["agents"].as_array().unwrap();
        let names: Vec<_> = agents.iter().map(|agent| &agent["name"]).collect();
        expect(names == ["ams", "lon"] && agents.iter().all(|it| it["heard_s"].is_number()), "both", data)?;
        expect(data["run"].is_null() && data["status"].is_null(), "no run", data)
    })
    .await;

    std::fs::write(place.path().join("fails-over.toml"), SCENARIO).unwrap();
    let run = loadgen(place.path(), &["run", "fails-over.toml", "--agents"], &ops).spawn().unwrap();
    page.shows(|data| {
        expect(data["run"]["scenario"] == "fails-over" && data["run"]["phase"] == "outage", "a run", data)?;
        let status = &data["status"];
        let here = |region: &Value| {
            let is_ams = region["name"] == "ams";
            is_ams && region["connected"] == Value::from(vec![4]) && region["ok"].as_u64().unwrap() > 0
        };
        expect(status["regions"].as_array().is_some_and(|all| all.iter().any(here)), "all in ams", data)?;
        expect(!status["moves"].as_array().unwrap().is_empty(), "moves", data)
    })
    .await;
    let output = run.wait_with_output().await.unwrap();
    assert!(output.stdout.starts_with(b"PASS") || output.stdout.starts_with(b"INCONCLUSIVE"), "{output:?}");
    page.shows(|data| expect(data["run"].is_null() && data["status"].is_null(), "the run is over", data))
        .await;

    // One that is gone stays in sight for a while.
    lon.kill().await.unwrap();
    page.shows(|data| {
        let mut agents = data["agents"].as_array().unwrap().iter();
        let lon = agents.find(|agent| agent["name"] == "lon").unwrap();
        expect(lon["heard_s"].as_f64().unwrap() > 3.0, "silent", data)
    })
    .await;
}

#[tokio::test]
async fn a_page_says_how_agents_are_found() {
    let place = tempdir().unwrap();
    let dashboard = Dashboard::start(place.path(), &[], &[]).await;
    let (name, data) = Page::open(&dashboard, "agents").await.next().await;
    let reason = data["reason"].as_str().unwrap();
    assert!(name == "trouble" && reason.contains("loadgen dashboard --ops URL"), "{reason}");

    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("nats://loadgen:hunter2@127.0.0.1:{port}");
    let dashboard = Dashboard::start(place.path(), &["--ops", &url], &[]).await;
    let (name, data) = Page::open(&dashboard, "agents").await.next().await;
    let reason = data["reason"].as_str().unwrap();
    assert!(name == "trouble" && reason.contains("loadgen control"), "{reason}");
    assert!(!reason.contains("hunter2") && !dashboard.end().await.contains("hunter2"), "{reason}");
}
