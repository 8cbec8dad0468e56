//! Tests that scenarios show the same failover with namespaces and with proxies, and that losses move no client.

use clap::Parser as _;
use loadgen::cli::{Command, Opts};
use loadgen::scenario_command::{Plan, run};
use serde_json::Value;

use crate::{TURN, allowed};

const SILENT_REGION: &str = r#"
title = "A silent region"
topology = { cluster = [{ name = "lon", servers = 1 }, { name = "ams", servers = 1 }] }
thresholds = ["failover.missed == 0"]
faults = ["silence:lon@2s/5s"]
clients = [{ name = "geo", kind = "nats-geo", regions = { lon = 12 } }]
workload = [{ kind = "request", rate = 10 }]
phase = [{ name = "all", for = "7s" }]
"#;

async fn play(scenario: &str, more: &[&str]) -> Value {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let args = ["loadgen", "run", scenario, "--out", out].into_iter().chain(more.iter().copied());
    let Some(Command::Run(opts)) = Opts::try_parse_from(args).unwrap().command else { panic!("not `run`") };
    let (text, _) = run(Plan::new(*opts).unwrap()).await.unwrap_or_else(|error| panic!("{error}"));
    println!("{text}");
    serde_json::from_slice(&std::fs::read(folder.path().join("report.json")).unwrap()).unwrap()
}

/// Times from the fault to the first answer, of all clients.
fn failovers(report: &Value) -> Vec<f64> {
    let rows = report["runs"][0]["failovers"].as_array().unwrap();
    rows.iter().map(|row| row["total_ms"].as_f64().expect("a client found no other region")).collect()
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}

/// On a busy machine one play of each may differ by chance; more clients of more plays may not.
#[tokio::test(flavor = "multi_thread")]
async fn namespaces_and_proxies_agree_about_a_silent_region() {
    let _turn = TURN.lock().await;
    if !allowed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("silent.toml");
    std::fs::write(&file, SILENT_REGION).unwrap();
    let (mut netns, mut proxy) = (Vec::new(), Vec::new());
    for seed in ["1", "2", "3", "4"] {
        for (wan, times) in [("netns", &mut netns), ("proxy", &mut proxy)] {
            let report = play(file.to_str().unwrap(), &["--wan", wan, "--seed", seed]).await;
            assert_eq!(report["environment"]["wan"], wan);
            assert_eq!(failovers(&report).len(), 12);
            times.extend(failovers(&report));
        }
        let (of_netns, of_proxy) = (median(&mut netns), median(&mut proxy));
        println!("median failover: netns {of_netns:.1} ms, proxy {of_proxy:.1} ms");
        if (of_netns - of_proxy).abs() <= (of_proxy * 0.1).max(15.0) {
            return;
        }
    }
    panic!(
        "medians differ by more than 10 % and 15 ms: netns {:?}, proxy {:?}",
        median(&mut netns),
        median(&mut proxy)
    );
}

/// `make scenarios` plays the same for ten minutes.
#[tokio::test(flavor = "multi_thread")]
async fn one_percent_loss_moves_no_client() {
    let _turn = TURN.lock().await;
    if !allowed() {
        return;
    }
    let report = play("lossy-network", &["--seed", "7"]).await;
    assert_eq!(report["environment"]["wan"], "netns");
    for row in report["thresholds"].as_array().unwrap() {
        assert_eq!(row["holds"], true, "{row}");
    }
}
