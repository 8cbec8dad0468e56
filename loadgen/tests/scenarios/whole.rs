//! The commands around scenarios: the self-test, strategies, comparisons, and faults that a seed draws.

use clap::Parser as _;
use loadgen::cli::{Command, Opts};
use loadgen::scenario_command::{Plan, compare, run};
use serde_json::Value;

use crate::TURN;

#[tokio::test(flavor = "multi_thread")]
async fn the_measurement_sees_what_is_injected_and_nothing_else() {
    let _turn = TURN.lock().await;
    let (text, all_seen) = loadgen::selftest::run().await.unwrap_or_else(|error| panic!("{error}"));
    assert!(all_seen, "{text}");
    assert_eq!(text.lines().filter(|line| line.starts_with("seen ")).count(), 5, "{text}");
}

const STRATEGIES: &str = r#"
title = "A silent region, with and without a standby"
topology = { cluster = [{ name = "lon", servers = 1 }, { name = "ams", servers = 1 }] }
thresholds = ["failover.missed == 0"]
variables = { REGION = "ams" }
faults = ["silence:${REGION}@2s/4s"]
[[clients]]
name = "geo"
kind = "nats-geo"
regions = { lon = 1, ams = 4 }
[[workload]]
kind = "request"
rate = 20
[[phase]]
name = "all"
for = "7s"
[[strategy]]
name = "plain"
[[strategy]]
name = "standby"
set = { "clients.geo.warm_standby" = true }
"#;

/// Also shows an env file, an override on the command line, and two runs side by side.
#[tokio::test(flavor = "multi_thread")]
async fn strategies_meet_the_same_fault_and_runs_are_compared() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("mine.toml"), STRATEGIES).unwrap();
    std::fs::write(path("mine.mk"), "# mine\nREGION := ams\n").unwrap();
    let (file, env, out) = (path("mine.toml"), path("mine.mk"), path("out"));
    let args = [
        "loadgen",
        "run",
        &file,
        "--env",
        &env,
        "--set",
        "clients.geo.regions.ams=3",
        "--seed",
        "7",
        "--out",
        &out,
    ];
    let Some(Command::Run(opts)) = Opts::try_parse_from(args).unwrap().command else { panic!("not `run`") };
    let (text, _) = run(Plan::new(*opts).unwrap()).await.unwrap_or_else(|error| panic!("{error}"));
    println!("{text}");
    for strategy in ["plain", "standby"] {
        assert!(
            text.contains(&format!("ams silent, {strategy}: geo: 3 of 3 clients had an answer in lon")),
            "{text}"
        );
        assert!(text.contains(&format!("{strategy}: failover.missed == 0")), "{text}");
    }
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(path("out/report.json")).unwrap()).unwrap();
    assert_eq!((report["seed"].as_u64(), report["runs"].as_array().unwrap().len()), (Some(7), 2));
    let csv = std::fs::read_to_string(path("out/failovers.csv")).unwrap();
    assert_eq!(csv.lines().count(), 1 + 2 * 3, "{csv}");
    let same = compare(&[path("out").into(), path("out").into()]).unwrap();
    assert!(same.contains("geo, standby") && same.contains("+0.0"), "{same}");
}

#[test]
fn a_dry_run_shows_what_a_seed_draws() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let args =
        ["loadgen", "run", "soak", "--set", "phase.soak.for=60s", "--chaos", "3", "--dry-run", "--out", out];
    let Some(Command::Run(opts)) = Opts::try_parse_from(args).unwrap().command else { panic!("not `run`") };
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (text, _) = runtime.block_on(run(Plan::new(*opts).unwrap())).unwrap();
    let injected = text.lines().filter(|line| line.contains("  inject ")).count();
    let undone = text.lines().filter(|line| line.contains("  undo ")).count();
    assert!(injected >= 2 && injected == undone, "{text}");
    let svg = std::fs::read_to_string(folder.path().join("timeline.svg")).unwrap();
    assert!(svg.starts_with("<svg") && svg.trim_end().ends_with("</svg>"));
}

#[test]
fn a_folder_without_a_report_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let error = compare(&[folder.path().to_owned()]).unwrap_err().to_string();
    assert!(error.contains("report.json") && error.contains("`loadgen run --out`"), "{error}");
    std::fs::write(folder.path().join("report.json"), r#"{"version": 2}"#).unwrap();
    let error = compare(&[folder.path().to_owned()]).unwrap_err().to_string();
    assert!(error.contains("is not the report of a scenario"), "{error}");
}

/// Every kind of fault, one after the other; `rolling` and `replace` have scenarios of their own.
const EVERY_FAULT: &str = r#"
title = "Every fault"
thresholds = ["requests.failed{phase=after} == 0", "js.lost == 0"]
faults = [
  "kill:lon,servers=1@1s/1s",
  "terminate:lon-1@3s/1s",
  "pause:lon@5s/1s",
  "restart:lon-2@7s",
  "silence:lon,direction=in@9s/1s",
  "silence:lon,links=gateways@11s/1s",
  "refuse:lon,links=clients@13s/1s",
  "reset:lon,links=clients@15s/1s",
  "close:lon,links=clients@17s/1s",
  "accept-silent:lon,links=clients@19s/1s",
  "split:lon@21s/1s",
  "latency:lon-ams,rtt_ms=60@23s/1s",
  "jitter:lon-ams,jitter_ms=20@25s/1s",
  "bandwidth:lon-ams,bytes_per_s=1MB@27s/1s",
  "step-down:meta@29s",
  "step-down:HERE@31s",
  "churn:geo,per_s=2@33s/1s",
  "mass-reconnect:geo@35s",
  "lame-duck:lon-3@37s/1s",
]
topology = { cluster = [{ name = "lon", servers = 3 }, { name = "ams", servers = 2 }], stream = [{ name = "HERE", cluster = "lon", subjects = ["here"], replicas = 3 }], distances = { rtt_ms = { "lon-ams" = 9 } } }
[[clients]]
name = "geo"
kind = "nats-geo"
per_region = 2
[[workload]]
kind = "request"
[[workload]]
kind = "jetstream"
rate = 5
[[phase]]
name = "faults"
for = "39s"
[[phase]]
name = "after"
for = "3s"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_fault_is_injected_and_undone() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("every.toml"), EVERY_FAULT).unwrap();
    let (file, out) = (path("every.toml"), path("out"));
    let args = ["loadgen", "run", &file, "--seed", "3", "--out", &out];
    let Some(Command::Run(opts)) = Opts::try_parse_from(args).unwrap().command else { panic!("not `run`") };
    let (text, _) = run(Plan::new(*opts).unwrap()).await.unwrap_or_else(|error| panic!("{error}"));
    println!("{text}");
    let report: Value =
        serde_json::from_str(&std::fs::read_to_string(path("out/report.json")).unwrap()).unwrap();
    let faults = report["runs"][0]["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 19, "{faults:?}");
    assert!(faults.iter().all(|fault| fault["to_s"].is_number()), "{faults:?}");
    for row in report["thresholds"].as_array().unwrap() {
        assert_eq!(row["holds"], true, "{row}");
    }
}
