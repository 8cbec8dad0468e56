//! Tests that several agents together play the same as one process.

use serde_json::Value;

use crate::place::{Ops, Play, loadgen};
use crate::process::Process;
use crate::{SCENARIO, TURN};

#[tokio::test]
async fn four_agents_play_what_one_process_plays() {
    let _turn = TURN.lock().await;
    let here = Play::of(SCENARIO);
    let mut process = Process::start(&mut loadgen(&strs(&here.args(&["--seed", "7"]))));
    process.end().await;
    let ops = Ops::start().await;
    let mut agents = ops.agents().await;
    agents.push(ops.agent("lon", "second-lon").await);
    let there = Play::of(SCENARIO);
    let mut process = ops.loadgen(&strs(&there.args(&["--seed", "7", "--agents=4"])));
    process.end().await;
    let printed = process.printed();
    for agent in ["agent-ams plays ams", "agent-dal plays dal", "agent-lon plays lon", "second-lon plays lon"]
    {
        assert!(printed.contains(agent), "no `{agent}` in {printed}");
    }
    let (here, there) = (here.report(), there.report());
    for report in [&here, &there] {
        for row in report["thresholds"].as_array().unwrap() {
            assert_eq!(row["holds"], true, "{row}");
        }
    }
    assert_eq!(clients(&here), clients(&there), "region and number of each client");
    for (what, rows, count) in [
        ("requests", "requests", "sent"),
        ("messages", "ledger", "attempted"),
        ("acknowledged", "ledger", "acknowledged"),
        ("found", "ledger", "delivered"),
        ("puts", "stores", "puts"),
        ("deliveries", "deliveries", "n"),
    ] {
        let (here, there) = (per_second(&here, rows, count), per_second(&there, rows, count));
        assert!(
            here > 0.0 && (there / here - 1.0).abs() < 0.15,
            "{what}: {here}/s here, {there}/s with agents"
        );
    }
    let faults = |report: &Value| report["runs"][0]["failovers"].as_array().unwrap().len();
    assert!(faults(&there) >= 2, "both clients of lon fail over: {}", there["sentences"]);
    assert_eq!(there["environment"]["agents"].as_array().map(Vec::len), Some(4));
    for agent in &mut agents {
        agent.wait_for("the run has ended").await;
        assert!(agent.printed().contains("plays clients of"), "{}", agent.printed());
    }
}

#[tokio::test]
async fn a_run_without_agents_says_which_are_missing() {
    let _turn = TURN.lock().await;
    let ops = Ops::start().await;
    let _lon = ops.agent("lon", "only").await;
    let play = Play::of(SCENARIO);
    let mut process = ops.loadgen(&strs(&play.args(&["--agents", "--agents-wait", "2"])));
    assert_eq!(process.end().await, 1);
    let printed = process.printed();
    let expected = "1 agents are connected, and none of them plays clients of ams, dal: start `loadgen agent --region REGION`";
    assert!(printed.contains(expected), "{printed}");
}

fn clients(report: &Value) -> Vec<(String, u64)> {
    let clients = report["runs"][0]["clients"].as_array().unwrap().iter();
    let client = |row: &Value| (row["region"].as_str().unwrap().to_owned(), row["number"].as_u64().unwrap());
    let mut clients: Vec<_> = clients.map(client).collect();
    clients.sort();
    clients
}

/// A busy machine starts the killed servers more slowly, and a play goes on until they are there.
fn per_second(report: &Value, rows: &str, count: &str) -> f64 {
    let run = &report["runs"][0];
    let rows = run[rows].as_array().unwrap_or_else(|| panic!("no {rows}"));
    let sum: f64 =
        rows.iter().map(|row| row[count].as_f64().unwrap_or_else(|| panic!("no {count} in {row}"))).sum();
    sum / run["duration_s"].as_f64().unwrap()
}

pub(crate) fn strs(args: &[String]) -> Vec<&str> {
    args.iter().map(String::as_str).collect()
}
