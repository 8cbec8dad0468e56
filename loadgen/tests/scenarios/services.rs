//! A run waits for the services of its topology.

use std::net::TcpListener;

use async_nats::service::ServiceExt as _;
use loadgen::scenario_command::run;

use crate::own::{plan, play};

const SCENARIO: &str = r#"
title = "Services"
thresholds = ["requests.failed == 0"]
[[topology.cluster]]
name = "lon"
servers = 1
[topology.services]
echo = 1
[[clients]]
name = "geo"
kind = "nats-geo"
per_region = 1
[[workload]]
kind = "request"
rate = 20
[[phase]]
name = "quiet"
for = "1s"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_its_services_ends_and_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("scenario.toml"), SCENARIO).unwrap();
    let args = [&path("scenario.toml"), "--out", &path("out"), "--stabilise-timeout", "1"];
    let error = run(plan(&args)).await.unwrap_err().to_string();
    let expected =
        "the services of the topology are not ready after 1 s: service echo: 0 of 1 instances answer;";
    assert!(error.contains(expected), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_begins_when_its_services_are_there() {
    // Any port that is free now.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let service = tokio::spawn(async move {
        let options = async_nats::ConnectOptions::new().retry_on_initial_connect();
        let client = options.connect(format!("nats://127.0.0.1:{port}")).await.unwrap();
        let service = client.service_builder().start("echo", "1.0.0").await.unwrap();
        std::future::pending::<()>().await;
        drop(service);
    });
    let with_port =
        format!("[[topology.cluster.server]]\nports = {{ client = {port} }}\n[topology.services]");
    let played = play(&SCENARIO.replace("servers = 1\n[topology.services]", &with_port), &[]).await;
    service.abort();
    played.holds();
}
