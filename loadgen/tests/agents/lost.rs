//! Tests that a run continues, or ends safely, when one of its processes is killed.

use serde_json::Value;

use crate::place::{Ops, Play};
use crate::together::strs;
use crate::{SCENARIO, TURN};

#[tokio::test]
async fn an_agent_that_is_killed_makes_the_run_inconclusive_and_what_it_saw_is_there() {
    let _turn = TURN.lock().await;
    let ops = Ops::start().await;
    let mut agents = ops.agents().await;
    // Long enough to be missed: an agent is lost after 10 s of silence.
    let scenario = SCENARIO.replace("for = \"2s\"", "for = \"14s\"");
    let play = Play::of(&scenario);
    let mut process = ops.loadgen(&strs(&play.args(&["--agents"])));
    process.wait_for("phase recovered").await;
    agents[1].kill();
    assert_eq!(process.end().await, 98, "{}", process.printed());
    let printed = process.printed();
    let line = printed.lines().find(|line| line.contains("agent agent-ams: no answer and no message for"));
    assert!(line.is_some(), "{printed}");
    let report = play.report();
    let sent = |region: &str| {
        let rows = report["runs"][0]["requests"].as_array().unwrap().iter();
        let sent = rows.filter(|row| row["region"] == region).map(|row| row["sent"].as_u64().unwrap());
        sent.sum::<u64>()
    };
    // Six of twenty seconds, less the last one.
    assert!(sent("ams") >= 2 * 20 * 4, "{} of the agent that was killed", sent("ams"));
    assert!(sent("dal") >= 2 * 20 * 18, "{} of one that was not", sent("dal"));
}

#[tokio::test]
async fn agents_end_their_clients_when_the_controller_is_killed_and_play_the_next_run() {
    let _turn = TURN.lock().await;
    let ops = Ops::start().await;
    let mut agents = ops.agents().await;
    let play = Play::of(&SCENARIO.replace("for = \"2s\"", "for = \"60s\""));
    let mut process = ops.loadgen(&strs(&play.args(&["--agents"])));
    process.wait_for("phase outage").await;
    process.kill();
    for agent in &mut agents {
        agent.wait_for("the controller does not answer: the agent ends its clients").await;
    }
    let next = Play::of(SCENARIO);
    let mut process = ops.loadgen(&strs(&next.args(&["--agents"])));
    process.end().await;
    holds(&next.report());
}

#[tokio::test]
async fn the_back_channel_may_be_killed_and_started_again_during_a_run() {
    let _turn = TURN.lock().await;
    let mut ops = Ops::start().await;
    let _agents = ops.agents().await;
    let play = Play::of(SCENARIO);
    let mut process = ops.loadgen(&strs(&play.args(&["--agents"])));
    process.wait_for("phase quiet").await;
    ops.process.kill();
    // The timeline goes on as the clients do, and what is seen waits on the disks of the agents.
    process.wait_for("inject kill:lon").await;
    ops.start_again().await;
    let code = process.end().await;
    assert!(code == 0 || code == 98, "{}", process.printed());
    let report = play.report();
    holds(&report);
    let rows = report["runs"][0]["series"].as_array().unwrap();
    let step_s = report["runs"][0]["step_s"].as_f64().unwrap();
    for row in rows.iter().filter(|row| row["region"] == "dal") {
        // Nothing broke in dal, so each second of it has answers.
        let ok: Vec<_> = row["ok"].as_array().unwrap().iter().map(|count| count.as_u64().unwrap()).collect();
        for second in ok.chunks((1.0 / step_s) as usize).filter(|it| it.len() == (1.0 / step_s) as usize) {
            assert!(second.iter().sum::<u64>() > 0, "a second without answers: {ok:?}");
        }
    }
}

fn holds(report: &Value) {
    for row in report["thresholds"].as_array().unwrap() {
        assert_eq!(row["holds"], true, "{row} of {}", report["reasons"]);
    }
}

#[tokio::test]
async fn the_health_report_shows_agents_that_are_killed_and_started_again() {
    let ops = Ops::start().await;
    let (mut lon, _ams) = (ops.agent("lon", "agent-lon").await, ops.agent("ams", "agent-ams").await);
    let mut report = ops.loadgen(&["agents", "--health-report", "1"]);
    let last = |printed: &str, member: &str| {
        let mut records = printed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        records.rfind(|record| record["MEMBER_ID"] == member)
    };
    let shows = |printed: &str, member: &str, status: &str| {
        last(printed, member).is_some_and(|record| record["STATUS"] == status)
    };
    let are_stable =
        |printed: &str| ["agent-lon", "agent-ams"].iter().all(|member| shows(printed, member, "STABLE"));
    report.wait_until("two stable agents", are_stable).await;
    lon.kill();
    report.wait_until("an agent that does not answer", |text| shows(text, "agent-lon", "UNREACHABLE")).await;
    report.wait_until("its absence at the other", |text| shows(text, "agent-ams", "CONNECTING")).await;
    let gone = last(&report.printed(), "agent-ams").unwrap();
    assert_eq!(
        (gone["TOTAL_CLUSTER_MEMBERS"].as_u64(), gone["TOTAL_CLUSTER_PEERS"].as_u64()),
        (Some(1), Some(0))
    );
    let _again = ops.agent("lon", "agent-lon").await;
    report.wait_until("two stable agents again", are_stable).await;
}
