//! The built command, called as an operator does.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use loadgen::clock;
use loadgen::cluster::SuperCluster;
use loadgen::topology::credentials::Login;

/// Longer than anything that is expected to happen takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(50);
/// One super-cluster at a time: two would compete for the machine.
pub(crate) static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Calls the command as a user of the system account: the exit code, the output and the errors.
pub(crate) async fn rebalance(cluster: &SuperCluster, args: &[&str]) -> (i32, String, String) {
    let Login::Password { user, password } = cluster.system_login().unwrap() else {
        panic!("the topology has passwords")
    };
    // Not the server that is full: the order finds each server.
    let url = cluster.server_urls()["lon-2"].clone();
    rebalance_as(&url, &user, password.expose(), args).await
}

/// The same with a URL and a login.
pub(crate) async fn rebalance_as(
    url: &str,
    user: &str,
    password: &str,
    args: &[&str],
) -> (i32, String, String) {
    let login = ["rebalance", "--server", url, "--user", user, "--password", password];
    let output = command(&[&login[..], args].concat()).await;
    let [text, errors] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(!text.contains(password) && !errors.contains(password), "a secret: {text}");
    println!("{args:?}:\n{text}{errors}");
    (output.status.code().unwrap(), text, errors)
}

/// Calls `loadgen` with nothing of the tester's own NATS settings.
pub(crate) async fn command(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    for name in ["NATS_URL", "NATS_USER", "NATS_PASSWORD", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.env("XDG_CONFIG_HOME", "/nowhere").args(args).stdin(Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

/// Waits until `check` finds nothing to complain about.
pub(crate) async fn wait_until(mut check: impl AsyncFnMut() -> Result<(), String>) {
    let deadline = clock::now() + LIMIT;
    while let Err(complaint) = check().await {
        assert!(clock::now() < deadline, "after {LIMIT:?}: {complaint}");
        tokio::time::sleep(PAUSE).await;
    }
}
