//! `loadgen runs` on a folder, as an operator types it.

use std::path::Path;
use std::process::Output;

use serde_json::Value;
use tempfile::tempdir;
use tokio::process::Command;

use crate::bundles::{bundle, same};

/// Runs the command in a folder, without credentials of S3.
async fn loadgen(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    for name in ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_WEB_IDENTITY_TOKEN_FILE"] {
        command.env_remove(name);
    }
    command.args(args).current_dir(folder).kill_on_drop(true).output().await.unwrap()
}

async fn succeeds(folder: &Path, args: &[&str]) -> String {
    let output = loadgen(folder, args).await;
    assert!(output.status.success(), "{args:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn fails(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let output = loadgen(folder, args).await;
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_are_pushed_listed_shown_and_fetched() {
    let place = tempdir().unwrap();
    let mut made = Vec::new();
    for (second, name) in ["first", "second"].into_iter().enumerate() {
        std::fs::create_dir(place.path().join(name)).unwrap();
        made.push(bundle(&place.path().join(name), second as u64, &[("report.json", 1000)]));
        let text = succeeds(place.path(), &["runs", "push", name]).await;
        assert!(text.contains("3 files uploaded, 0 were there already"), "{text}");
        assert!(text.contains(&format!("loadgen-runs/runs/{}", made[second].run)), "{text}");
    }
    let (first, second) = (made[0].run.as_str(), made[1].run.as_str());
    let list = succeeds(place.path(), &["runs", "list"]).await;
    assert!(list.find(second).unwrap() < list.find(first).unwrap(), "the newest is first: {list}");
    assert!(list.contains("FAIL") && list.contains("region-outage") && list.contains("9.5 s"), "{list}");
    let list: Value =
        serde_json::from_str(&succeeds(place.path(), &["runs", "list", "--json"]).await).unwrap();
    assert_eq!((&list[0]["run"], &list[1]["state"]), (&Value::from(second), &Value::from("FAIL")));

    let latest = succeeds(place.path(), &["runs", "show", "latest"]).await;
    assert!(latest.contains(second) && latest.contains("--set clients.geo.per_region=12"), "{latest}");
    let by_beginning = succeeds(place.path(), &["runs", "show", &first[..16], "--json"]).await;
    assert_eq!(serde_json::from_str::<Value>(&by_beginning).unwrap()["run"], first);
    succeeds(place.path(), &["runs", "get", first]).await;
    same(&place.path().join("first"), &place.path().join(first), &made[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_name_the_input_and_the_remedy() {
    let place = tempdir().unwrap();
    let error = async |args: &[&str]| fails(place.path(), args).await;
    let (code, text) = error(&["runs", "list"]).await;
    assert_eq!(code, Some(1));
    assert!(text.contains("no folder `loadgen-runs`") && text.contains("loadgen run --store"), "{text}");
    let (code, text) = error(&["runs", "list", "--store", "gs://runs"]).await;
    assert!(code == Some(2) && text.contains("`gs://` is not a store"), "{text}");
    let (code, text) = error(&["runs", "list", "--store", "s3://my-runs"]).await;
    assert!(code == Some(1) && text.contains("set AWS_ACCESS_KEY_ID"), "{text}");
    let (_, text) = error(&["runs", "push", "nothing"]).await;
    assert!(text.contains("nothing/manifest.json") && text.contains("`loadgen run --out`"), "{text}");

    std::fs::create_dir(place.path().join("empty")).unwrap();
    let (code, text) = error(&["runs", "show", "latest", "--store", "empty"]).await;
    assert!(code == Some(1) && text.contains("has ended, so there is no `latest`"), "{text}");

    std::fs::create_dir(place.path().join("one")).unwrap();
    let made = bundle(&place.path().join("one"), 0, &[]);
    succeeds(place.path(), &["runs", "push", "one"]).await;
    for unknown in ["20200101T000000Z-00000000", "2019"] {
        let (code, text) = error(&["runs", "show", unknown]).await;
        assert!(code == Some(1) && text.contains(&format!("is named `{unknown}`")), "{text}");
    }
    std::fs::create_dir(place.path().join("mine")).unwrap();
    std::fs::write(place.path().join("mine/events.jsonl"), "mine").unwrap();
    let (_, text) = error(&["runs", "get", made.run.as_str(), "--out", "mine"]).await;
    assert!(text.contains("mine/events.jsonl differs from the file") && text.contains("--out"), "{text}");
    assert!(!place.path().join("mine/scenario.toml").exists());
    std::fs::remove_file(place.path().join("mine/events.jsonl")).unwrap();
    std::fs::copy(place.path().join("one/scenario.toml"), place.path().join("mine/scenario.toml")).unwrap();
    succeeds(place.path(), &["runs", "get", made.run.as_str(), "--out", "mine"]).await;
    same(&place.path().join("one"), &place.path().join("mine"), &made);
    let (code, _) = error(&["runs", "prune", "--keep", "0"]).await;
    assert_eq!(code, Some(2));
}
