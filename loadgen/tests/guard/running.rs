//! The super-cluster that `loadgen up` keeps running here: guard needs no options to find it.

use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::command::{LIMIT, Place, TURN};

const RULES: &str = "every = \"1s\"\n\
    [[rule]]\nname = \"lost\"\nwhen = \"region-silent\"\nfor = \"1s\"\ndo = \"warn\"\nat_most = \"9 per 1h\"\n\
    [[rule]]\nname = \"lag\"\nwhen = \"stream-lag\"\nmessages = 10\ndo = \"warn\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn guard_finds_what_is_up() {
    let _turn = TURN.lock().await;
    let place = Place::new();
    let args = ["up", "--regions=lon,ams", "--servers-per-region=1", "--deployment=staging"];
    let mut up = place.loadgen(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(up.stdout.take().unwrap()).lines();
    let first = timeout(LIMIT, lines.next_line()).await.expect("no address").unwrap().unwrap();
    assert!(first.starts_with("lon tcp "), "{first}");

    let options = ["--deployment", "staging", "--act", "--timeout", "500"].map(str::to_owned);
    let guard = place.guard(RULES, &options, &[]).await;
    let started = &guard.events("started")[0];
    assert_eq!((&started["guard"], &started["servers"]), (&"staging".into(), &2.into()), "{started}");
    assert_eq!(
        guard.events("cannot-see").len(),
        0,
        "streams are listed as an application: {}",
        guard.output()
    );

    let order = place.loadgen(&["ctl", "kill", "ams"]).output().await.unwrap();
    assert!(order.status.success(), "{}", String::from_utf8_lossy(&order.stderr));
    guard.wait_for("acts", |line| line["subject"] == "ams").await;
    let order = place.loadgen(&["ctl", "heal", "ams"]).output().await.unwrap();
    assert!(order.status.success(), "{}", String::from_utf8_lossy(&order.stderr));
    guard.wait_for("healed", |line| line["subject"] == "ams").await;

    let other = place.command(&["stop", "--name", "prod"].map(str::to_owned)).output().await.unwrap();
    let error = String::from_utf8(other.stderr).unwrap();
    assert!(error.contains("no guard named `prod` runs: choose one of staging"), "{error}");
    guard.stop().await;
    kill(Pid::from_raw(up.id().unwrap().cast_signed()), Signal::SIGINT).unwrap();
    assert!(timeout(LIMIT, up.wait()).await.expect("it does not end").unwrap().success());
}
