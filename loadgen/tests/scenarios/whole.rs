//! The commands around scenarios: the self-test, strategies, comparisons, and faults that a seed draws.

use loadgen::scenario_command::{compare, run};

use crate::TURN;
use crate::own::{plan, play};

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
    let folder = tempfile::tempdir().unwrap();
    let env = folder.path().join("mine.mk");
    std::fs::write(&env, "# mine\nREGION := ams\n").unwrap();
    let more = ["--env", env.to_str().unwrap(), "--set", "clients.geo.regions.ams=3", "--seed", "7"];
    let played = play(STRATEGIES, &more).await;
    let (text, details, report) = (&played.text, played.file("report.txt"), &played.report);
    for strategy in ["plain", "standby"] {
        assert!(
            text.contains(&format!("ams silent, {strategy}: geo: 3 of 3 clients had an answer in lon")),
            "{text}"
        );
        assert!(details.contains(&format!("{strategy}: failover.missed == 0")), "{details}");
    }
    assert_eq!((report["seed"].as_u64(), report["runs"].as_array().unwrap().len()), (Some(7), 2));
    let csv = played.file("failovers.csv");
    assert_eq!(csv.lines().count(), 1 + 2 * 3, "{csv}");
    let out = played.folder.path().join("out");
    let same = compare(&[out.clone(), out]).unwrap();
    assert!(same.contains("geo, standby") && same.contains("+0.0"), "{same}");
    let curves = same.split("by seconds since the fault").nth(1).unwrap();
    let percents = curves.lines().find(|line| line.contains("answered %")).unwrap().split_whitespace();
    // The run's name, two words, and a figure for each second.
    let percents: Vec<_> = percents.skip(3).collect();
    assert!(percents.len() == 12 && percents[..2] == ["100", "100"], "{same}");
}

#[test]
fn a_dry_run_shows_what_a_seed_draws() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let args = ["soak", "--set", "phase.soak.for=60s", "--chaos", "3", "--dry-run", "--out", out];
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (text, _) = runtime.block_on(run(plan(&args))).unwrap();
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
  "dns-fail:all,answer=refused@23s/1s",
  "jitter:lon-ams,jitter_ms=20@25s/1s",
  "dns-slow:dns,latency_ms=300@25s/1s",
  "bandwidth:lon-ams,bytes_per_s=1MB@27s/1s",
  "dns-silent:all,down=300ms,up=400ms@27s/1s",
  "step-down:meta@29s",
  "dns-stale:all@29s/1s",
  "step-down:HERE@31s",
  "churn:geo,per_s=2@33s/1s",
  "mass-reconnect:geo@35s",
  "lame-duck:lon-3@37s/1s",
  "revoke:geo@39s/1s",
  "connection-limit:lon,connections=3@41s/1s",
  "kill:ams-1@43s/2s",
  "kill:ams@44s/2s",
]
topology = { cluster = [{ name = "lon", servers = 3 }, { name = "ams", servers = 2 }], stream = [{ name = "HERE", cluster = "lon", subjects = ["here"], replicas = 3 }], distances = { rtt_ms = { "lon-ams" = 9 } } }
[[clients]]
name = "geo"
kind = "nats-geo"
discovery = "dns"
per_region = 2
[[workload]]
kind = "request"
[[workload]]
kind = "jetstream"
rate = 5
[[phase]]
name = "faults"
for = "47s"
[[phase]]
name = "after"
for = "3s"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_fault_is_injected_and_undone() {
    let played = play(EVERY_FAULT, &["--seed", "3"]).await;
    let report = &played.report;
    let faults = report["runs"][0]["faults"].as_array().unwrap();
    assert_eq!(faults.len(), 28, "{faults:?}");
    assert!(faults.iter().all(|fault| fault["to_s"].is_number()), "{faults:?}");
    // A fault that meets a server which is dead already hits the others, and the play goes on.
    let reasons = report["reasons"].to_string();
    assert!(reasons.contains("cannot kill ams-1: the server is dead"), "{reasons}");
    played.holds();
}

/// All servers come back at the end, and an election takes seconds: until then nobody answers for the stream.
const NO_LEADER: &str = r#"
title = "No leader at the end"
thresholds = ["js.lost == 0"]
faults = ["kill:lon@2s/2s"]
topology = { cluster = [{ name = "lon", servers = 3 }] }
[[clients]]
name = "geo"
kind = "nats-geo"
per_region = 1
[[workload]]
kind = "jetstream"
rate = 50
[[phase]]
name = "all"
for = "4s"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_read_once_it_has_a_leader() {
    let played = play(NO_LEADER, &[]).await;
    played.holds();
    let delivered = played.report["runs"][0]["ledger"][0]["delivered"].as_u64();
    assert!(delivered > Some(50), "{}", played.text);
}
