//! A real Prometheus scrapes a run and an agent.

use std::path::Path;

use loadgen::clock;
use serde_json::Value;

use crate::place::{Ops, Play};
use crate::process::LIMIT;
use crate::prometheus::{Prometheus, free_port};
use crate::together::strs;
use crate::{SCENARIO, TURN};

#[tokio::test]
async fn prometheus_sees_a_run_with_its_agents_and_its_verdict() {
    let _turn = TURN.lock().await;
    let (of_run, of_agent) = (free_port(), free_port());
    let alerts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/prometheus/alerts.yml");
    let prometheus = Prometheus::start(&[of_run, of_agent], &alerts);
    let ops = Ops::start().await;
    let address = |port: u16| format!("127.0.0.1:{port}");
    let mut agents = Vec::new();
    for region in ["ams", "dal"] {
        agents.push(ops.agent(region, &format!("agent-{region}")).await);
    }
    let at = address(of_agent);
    let mut agent = ops.loadgen(&["agent", "--region", "lon", "--name", "agent-lon", "--metrics", &at]);
    agent.wait_for("takes orders").await;
    let play = Play::of(SCENARIO);
    // It ends as soon as the verdict was scraped, or the test does not.
    let run = ["--agents", "--metrics", &address(of_run), "--linger", "3600"];
    let mut process = ops.loadgen(&strs(&play.args(&run)));
    process.end().await;

    let verdict = play.report()["verdict"].as_str().unwrap().to_owned();
    let (run, agent) = (address(of_run), address(of_agent));
    for expression in [
        format!("last_over_time(loadgen_verdict{{verdict=\"{verdict}\"}}[10m]) == 1"),
        "max_over_time(loadgen_phase{phase=\"outage\"}[10m]) == 1".to_owned(),
        "last_over_time(loadgen_phase{phase=\"recovered\"}[10m]) == 1".to_owned(),
        "last_over_time(loadgen_run_info{scenario=\"scenario\"}[10m]) == 1".to_owned(),
        "last_over_time(loadgen_agent_info{agent=\"agent-lon\",region=\"lon\"}[10m]) == 1".to_owned(),
        // Two clients of each region.
        format!("sum(max_over_time(loadgen_clients{{instance=\"{run}\",population=\"geo\"}}[10m])) >= 6"),
        format!(
            "last_over_time(loadgen_operations_total{{instance=\"{run}\",region=\"dal\",result=\"ok\"}}[10m]) > 100"
        ),
        format!(
            "last_over_time(loadgen_operations_total{{instance=\"{agent}\",region=\"lon\",result=\"ok\"}}[10m]) > 100"
        ),
        "last_over_time(loadgen_timeline_planned_seconds[10m]) == 8".to_owned(),
        // The clients have ended, and the agent has not.
        format!("sum(loadgen_clients{{instance=\"{agent}\"}}) == 0"),
    ] {
        let samples = samples(&prometheus, &expression).await;
        assert!(!samples.is_empty(), "nothing for {expression}");
    }
    for expression in panels() {
        let during = format!("max_over_time(({expression})[10m:1s])");
        let samples = samples(&prometheus, &during).await;
        assert!(!samples.is_empty(), "the dashboard shows nothing for {expression}");
    }
}

/// Every expression of Grafana's dashboard, as it is for all runs.
fn panels() -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/grafana/loadgen.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().iter();
    let expressions = panels.flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions: Vec<_> = expressions
        .map(|target| {
            let expression = target["expr"].as_str().unwrap();
            expression.replace("$run", ".*").replace("$__rate_interval", "5s")
        })
        .collect();
    assert!(expressions.len() >= 6 && expressions.iter().all(|it| !it.contains('$')), "{expressions:?}");
    expressions
}

/// The samples of an expression, as soon as there are some.
async fn samples(prometheus: &Prometheus, expression: &str) -> Vec<Value> {
    let deadline = clock::now() + LIMIT;
    loop {
        let samples = prometheus.query(expression).await;
        if !samples.is_empty() || clock::now() > deadline {
            return samples;
        }
        tokio::time::sleep(crate::process::LOOK_AGAIN).await;
    }
}

#[tokio::test]
async fn an_address_that_is_taken_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let ops = Ops::start().await;
    let play = Play::of(SCENARIO);
    let run = play.args(&["--metrics", &address]);
    for args in [&strs(&run)[..], &["agent", "--region", "lon", "--metrics", &address]] {
        let mut process = ops.loadgen(args);
        let (code, printed) = (process.end().await, process.printed());
        let expected = format!("cannot serve metrics at {address}: ");
        assert!(
            code == 1 && printed.contains(&expected) && printed.contains("--metrics"),
            "{code}: {printed}"
        );
    }
    let mut process = ops.loadgen(&strs(&play.args(&["--linger", "5"])));
    assert!(process.end().await == 2 && process.printed().contains("--metrics"), "{}", process.printed());
}
