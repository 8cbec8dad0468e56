//! Faults that are not possible: a wrong version ends the run before the play, and a leader that cannot move causes a
//! remark in the report.

use loadgen::scenario_command::run;

use crate::TURN;
use crate::own::{plan, play};

fn scenario(fault: &str) -> String {
    format!(
        "title = \"Impossible\"\nthresholds = [\"requests.failed == 0\"]\nfaults = [\"{fault}\"]\n\
         [[topology.cluster]]\nname = \"lon\"\nservers = 3\n\
         [[clients]]\nname = \"geo\"\nkind = \"nats-geo\"\nper_region = 1\n\
         [[workload]]\nkind = \"request\"\nrate = 20\n\
         [[phase]]\nname = \"quiet\"\nfor = \"2s\"\n"
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_does_not_exist_stops_no_server() {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    // The fault itself comes long after the test has ended.
    let text = scenario("restart:lon-1,version=/nowhere/nats-server@500s").replace("\"2s\"", "\"600s\"");
    std::fs::write(path("scenario.toml"), text).unwrap();
    let args = [&path("scenario.toml"), "--out", &path("out")];
    let running = tokio::time::timeout(std::time::Duration::from_secs(120), run(plan(&args)));
    let error = running.await.expect("it is refused before the play").unwrap_err().to_string();
    assert!(error.contains("/nowhere/nats-server"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_leader_that_cannot_move_is_a_remark() {
    let played = play(&scenario("step-down:meta@500ms"), &[]).await;
    played.holds();
    let reasons = played.report["reasons"].to_string();
    assert!(reasons.contains("`step-down:meta@500ms` was not injected everywhere"), "{reasons}");
}
