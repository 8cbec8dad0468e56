//! Tests that no process and no namespace remains, no matter how loadgen ends.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Command;
use tokio::time::timeout;

use crate::{LIMIT, TURN, allowed, until};

/// The namespace of each process that may be looked into.
fn namespaces() -> Vec<(u32, PathBuf)> {
    let processes =
        std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let processes = processes.filter_map(|name| name.parse::<u32>().ok());
    let namespace = |pid: u32| Some((pid, std::fs::read_link(format!("/proc/{pid}/ns/net")).ok()?));
    processes.filter_map(namespace).collect()
}

/// The servers whose configuration is below `folder`.
fn servers(folder: &Path) -> Vec<u32> {
    let folder = folder.display().to_string();
    let is_server = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        line.contains("--config") && line.contains(&folder)
    };
    namespaces().into_iter().map(|(pid, _)| pid).filter(is_server).collect()
}

#[tokio::test]
async fn no_process_and_no_namespace_outlives_loadgen() {
    let _turn = TURN.lock().await;
    if !allowed() {
        return;
    }
    let own = std::fs::read_link("/proc/self/ns/net").unwrap();
    let named = || std::fs::read_dir("/run/netns").map_or(0, Iterator::count);
    let named_before = named();
    for signal in [Signal::SIGKILL, Signal::SIGINT] {
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        command.args(["up", "--regions=lon,ams", "--servers-per-region=1", "--wan=netns"]);
        // The control socket is not what this is about.
        let control = tempfile::tempdir().unwrap();
        command
            .env("TMPDIR", folder.path())
            .env("XDG_RUNTIME_DIR", control.path())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut running = command.spawn().unwrap();
        let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
        timeout(LIMIT, lines.next_line()).await.expect("no address").unwrap().expect("it ended");
        let servers = servers(folder.path());
        let of_run: BTreeSet<_> =
            namespaces().into_iter().filter(|(pid, _)| servers.contains(pid)).map(|(_, it)| it).collect();
        assert_eq!((servers.len(), of_run.len()), (2, 2), "each region has a namespace");
        assert!(!of_run.contains(&own));

        kill(Pid::from_raw(running.id().unwrap().cast_signed()), signal).unwrap();
        timeout(LIMIT, running.wait()).await.expect("it does not end").unwrap();
        until("all processes are gone", async || {
            namespaces().iter().all(|(pid, namespace)| !servers.contains(pid) && !of_run.contains(namespace))
        })
        .await;
        until("the folder is gone", async || std::fs::read_dir(folder.path()).unwrap().next().is_none())
            .await;
        assert_eq!(named(), named_before, "a namespace has a name, so it stays");
    }
}
