//! `env` and `shell`: the variables that the `nats` CLI reads.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::place::{Place, loadgen, text};

/// Runs the command; returns what it printed, or its error.
fn run(args: &[&str], folder: &str, place: &Place) -> Result<String, String> {
    let mut command = loadgen();
    command.arg("topology").args(args).arg("--folder").arg(place.folder(folder)).env("SHELL", shell(place));
    let output = command.output().unwrap();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// A shell that prints its variables.
fn shell(place: &Place) -> PathBuf {
    let path = place.folder("shell");
    std::fs::write(&path, "#!/bin/sh\nenv | grep -E '^NATS_(URL|USER|PASSWORD)=' | sort\n").unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[test]
fn variables_lead_to_the_chosen_server() {
    let place = Place::new();
    place.render("r", &["compose", "accounts", "--password", "it's"]);
    let printed = run(&["env", "accounts", "c2", "3", "--password", "it's"], "r", &place).unwrap();
    let expected =
        "export NATS_URL=nats://127.0.0.1:10005\nexport NATS_USER=one\nexport NATS_PASSWORD='it'\\''s'\n";
    assert_eq!(printed, expected);
    let error = run(&["env", "accounts", "c3"], "r", &place).unwrap_err();
    assert!(error.contains("`c3`") && error.contains("c1, c2"), "{error}");
    let error = run(&["env", "accounts", "c1", "4"], "r", &place).unwrap_err();
    assert!(error.contains("`c1` has no server `4`"), "{error}");
    let error = run(&["env", "accounts", "c1"], "elsewhere", &place).unwrap_err();
    assert!(error.contains(".seed") && error.contains("--folder"), "{error}");
}

#[test]
fn files_of_users_are_named_by_absolute_paths() {
    let place = Place::new();
    place.render("r", &["nats-server", "operator"]);
    let printed = run(&["env", "operator", "ams"], "r", &place).unwrap();
    let creds = place.folder("r").join("users/shop.creds");
    assert!(printed.contains(&format!("export NATS_CREDS={}\n", creds.display())), "{printed}");
    assert!(creds.exists());
}

#[test]
fn a_shell_opens_with_the_variables() {
    let place = Place::new();
    place.render("r", &["compose", "--password", "pw"]);
    let printed = run(&["shell", "2", "1", "--password", "pw"], "r", &place).unwrap();
    let expected = "NATS_PASSWORD=pw\nNATS_URL=nats://127.0.0.1:10003\nNATS_USER=one\n";
    assert!(printed.ends_with(expected), "{printed}");

    let shell = shell(&place);
    let settings = [("NATS", "1 2"), ("PASSWORD", "pw"), ("SHELL", shell.to_str().unwrap())];
    let output = place.try_render("seed", &["compose"], &settings);
    let printed = text(&output.stdout);
    assert!(printed.contains("...wrote docker-compose.yaml"), "{printed}");
    assert!(
        printed.ends_with("NATS_PASSWORD=pw\nNATS_URL=nats://127.0.0.1:10001\nNATS_USER=one\n"),
        "{printed}"
    );
    let refused = place.try_render("none", &["compose", "--nats", "3 1"], &[]);
    assert!(text(&refused.stderr).contains("no cluster `3`") && !place.folder("none").exists());
}
