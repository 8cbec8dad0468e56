//! `loadgen simulate`.

use std::process::{Command, Output};

use serde_json::Value;

fn simulate(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_loadgen")).arg("simulate").args(args).output().unwrap()
}

#[test]
fn a_small_herd_is_played_and_its_results_are_written() {
    let out = tempfile::tempdir().unwrap();
    let folder = out.path().to_str().unwrap();
    let output = simulate(&[
        "--clients",
        "90",
        "--regions",
        "lon,ams,dal",
        "--lose",
        "ams",
        "--json",
        "--out",
        folder,
    ]);
    assert!(output.status.success(), "{output:?}");
    let results: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(results["lost"], "ams");
    let kinds: Vec<_> =
        results["rows"].as_array().unwrap().iter().map(|row| row["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["fleet", "fleet-hint", "interactive", "standby", "async-nats", "nats-go", "nats-js"]);
    let geo = &results["rows"][2];
    assert_eq!(
        (&geo["hit"], &geo["back"], &geo["home_share"]),
        (&30.into(), &30.into(), &1.0.into()),
        "{geo}"
    );
    let written: Value =
        serde_json::from_slice(&std::fs::read(out.path().join("simulate.json")).unwrap()).unwrap();
    assert_eq!(written, results);
    let plot = std::fs::read_to_string(out.path().join("simulate.svg")).unwrap();
    assert!(kinds.iter().all(|kind| plot.contains(&format!("{kind}: handshakes per second"))), "{plot}");
}

#[test]
fn bad_options_are_usage_errors_that_say_what_to_give() {
    let output = simulate(&["--regions", "lon,ams", "--lose", "mars"]);
    assert_eq!(output.status.code(), Some(2));
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("--lose names `mars`, which is not among the regions lon,ams"), "{error}");
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let output = simulate(&["--clients", "3", "--regions", "2", "--kinds", "nats-go", "--out", path]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains(path));
}
