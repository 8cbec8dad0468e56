//! Tests on a machine that allows no namespaces: `netns` fails with the reason and the remedy, and `auto` uses proxies
//! and reports this.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tokio::process::Command;

use crate::{TURN, allowed};

const SCENARIO: &str = r#"
title = "Nothing happens"
topology = { cluster = [{ name = "lon", servers = 1 }, { name = "ams", servers = 1 }] }
thresholds = ["requests.failed == 0"]
clients = [{ name = "geo", kind = "nats-geo", per_region = 1 }]
workload = [{ kind = "request", rate = 10 }]
phase = [{ name = "all", for = "1s" }]
"#;

/// Plays the scenario by a command that changes the rights of loadgen.
async fn run(folder: &Path, rights: &[&str], wan: &str) -> Output {
    std::fs::write(folder.join("quiet.toml"), SCENARIO).unwrap();
    let mut command = Command::new(rights[0]);
    command.args(&rights[1..]).arg(env!("CARGO_BIN_EXE_loadgen"));
    command.args(["run", "quiet.toml", "--wan", wan]).current_dir(folder).kill_on_drop(true);
    tokio::time::timeout(crate::LIMIT * 4, command.output()).await.expect("it does not end").unwrap()
}

fn environment(folder: &Path, done: &Output) -> Value {
    let report = std::fs::read(folder.join("loadgen-out/report.json"));
    let report = report.unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&done.stderr)));
    serde_json::from_slice::<Value>(&report).unwrap()["environment"].clone()
}

/// Root without the right to create namespaces.
const POWERLESS: [&str; 3] = ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"];

#[tokio::test]
async fn without_permission_the_reason_and_the_remedy_are_named() {
    let _turn = TURN.lock().await;
    if !allowed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let refused = run(folder.path(), &POWERLESS, "netns").await;
    let error = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success());
    assert!(error.contains("cannot create a network namespace"), "{error}");
    assert!(error.contains("run loadgen as root") && error.contains("unshare --map-root-user"), "{error}");

    let other = run(folder.path(), &POWERLESS, "auto").await;
    let environment = environment(folder.path(), &other);
    assert_eq!(environment["wan"], "proxy");
    let limits = environment["wan_limits"].to_string();
    assert!(
        limits.contains("`--wan auto` did not choose `netns`: cannot create a network namespace"),
        "{limits}"
    );
}

#[tokio::test]
async fn the_remedy_of_a_user_namespace_works() {
    let _turn = TURN.lock().await;
    if !allowed() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let done = run(folder.path(), &["unshare", "--map-root-user"], "auto").await;
    let environment = environment(folder.path(), &done);
    assert_eq!(environment["wan"], "netns", "{environment}");
}
