//! Agents on their own machines: each machine has its own network and clock, and a cable to the network of the
//! controller.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;
use crate::{TURN, allowed};

/// A region dies while clients of all regions send requests and acknowledged messages.
const SCENARIO: &str = r#"
title = "Machines"
thresholds = ["requests.failed{phase=quiet} == 0", "js.lost == 0", "failover.missed == 0"]

[[clients]]
name = "geo"
kind = "nats-geo"
per_region = 4
discovery = "dns"

[[workload]]
kind = "request"
rate = 40

[[workload]]
kind = "jetstream"
rate = 10
region = "dal"

[[phase]]
name = "quiet"
for = "3s"

[[phase]]
name = "outage"
for = "3s"

[[fault]]
inject = "kill"
target = "lon"
phase = "outage"
"#;

/// A machine, as far as its network goes: a namespace that ends with this process.
struct Machine(Child);

impl Machine {
    fn start() -> Self {
        // It ends when its input does.
        let mut command = Command::new("unshare");
        command.args(["--net", "cat"]).stdin(Stdio::piped()).stdout(Stdio::null());
        let machine = Self(command.spawn().expect("unshare, of util-linux"));
        let own = std::fs::read_link("/proc/self/ns/net").unwrap();
        while std::fs::read_link(machine.namespace()).unwrap() == own {
            std::thread::yield_now();
        }
        machine.ip("link set lo up");
        machine
    }

    fn namespace(&self) -> PathBuf {
        PathBuf::from(format!("/proc/{}/ns/net", self.0.id()))
    }

    /// A command that runs there.
    fn command(&self, program: impl AsRef<Path>) -> Command {
        let mut command = Command::new("nsenter");
        command.arg(format!("--net={}", self.namespace().display())).arg(program.as_ref());
        command
    }

    fn ip(&self, args: &str) {
        let output = self.command("ip").args(args.split(' ')).output().expect("nsenter, of util-linux");
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "`ip {args}` (of the package iproute2): {error}");
    }

    /// Lays cable `number` to another machine, which reaches all addresses of this one by it.
    fn connect(&self, other: &Self, number: u8) {
        let (here, there) = (format!("10.77.{number}.1"), format!("10.77.{number}.2"));
        let peer = other.0.id();
        self.ip(&format!("link add cable{number} type veth peer name cable netns {peer}"));
        self.ip(&format!("address add {here}/30 dev cable{number}"));
        self.ip(&format!("link set cable{number} up"));
        other.ip(&format!("address add {there}/30 dev cable"));
        other.ip("link set cable up");
        other.ip(&format!("route add default via {here}"));
    }

    fn loadgen(&self, args: &[&str], ops: Option<&str>) -> Process {
        start(self.command(env!("CARGO_BIN_EXE_loadgen")).args(args), ops)
    }

    /// An agent whose clock is so many seconds ahead of the controller's.
    fn agent(&self, region: &str, ahead_s: u32, ops: &str) -> Process {
        let mut command = self.command("unshare");
        command.args(["--time", "--monotonic", &ahead_s.to_string(), "--fork", "--kill-child"]);
        command.arg(env!("CARGO_BIN_EXE_loadgen")).args(["agent", "--region", region, "--name", region]);
        start(&mut command, Some(ops))
    }
}

fn start(command: &mut Command, ops: Option<&str>) -> Process {
    match ops {
        Some(url) => command.env("LOADGEN_OPS", url),
        None => command.env_remove("LOADGEN_OPS"),
    };
    Process::start(command)
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The address of the controller's machine, whichever cable leads to it.
const CONTROLLER: &str = "10.77.9.1";

#[tokio::test]
async fn agents_of_other_machines_see_what_one_machine_sees() {
    let _turn = TURN.lock().await;
    if !allowed() {
        return;
    }
    let hub = Machine::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.toml").display().to_string();
    std::fs::write(&file, SCENARIO).unwrap();
    let out = |name: &str| folder.path().join(name).display().to_string();
    let mut alone = hub.loadgen(&["run", &file, "--seed", "7", "--out", &out("alone")], None);
    alone.end().await;

    hub.ip(&format!("address add {CONTROLLER}/32 dev lo"));
    let mut control = hub.loadgen(&["control", "--listen", CONTROLLER], None);
    control.wait_for("the back channel is up").await;
    let text = control.printed();
    let ops = text.lines().find_map(|line| line.strip_prefix("export LOADGEN_OPS=")).unwrap();
    assert!(ops.contains(&format!("@{CONTROLLER}:")), "another machine dials this address");
    let mut machines = Vec::new();
    for (number, region) in (0..).zip(["lon", "ams", "dal"]) {
        let machine = Machine::start();
        hub.connect(&machine, number);
        let mut agent = machine.agent(region, 500 * (1 + u32::from(number)), ops);
        agent.wait_for("takes orders").await;
        machines.push((machine, agent));
    }
    let args = ["run", &file, "--seed", "7", "--out", &out("apart"), "--agents", "--listen", CONTROLLER];
    let mut apart = hub.loadgen(&args, Some(ops));
    apart.end().await;
    for (_, agent) in &mut machines {
        agent.wait_for("the run has ended").await;
    }
    compare(&report(&folder, "alone"), &report(&folder, "apart"));
    let note = "their error is at most ± ";
    let text = std::fs::read_to_string(folder.path().join("apart/report.json")).unwrap();
    let error_ms: f64 = text.split_once(note).unwrap().1.split_once(" ms").unwrap().0.parse().unwrap();
    assert!(error_ms > 0.0 && error_ms < 10.0, "{error_ms} ms on one machine");
}

fn report(folder: &TempDir, run: &str) -> Value {
    let text = std::fs::read_to_string(folder.path().join(run).join("report.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

/// The clients of lon fail over, about as fast, and nothing is lost on the way to the controller.
fn compare(alone: &Value, apart: &Value) {
    for row in [alone, apart].iter().flat_map(|report| report["thresholds"].as_array().unwrap()) {
        assert_eq!(row["holds"], true, "{row}");
    }
    let failovers = |report: &Value| {
        let rows = report["runs"][0]["failovers"].as_array().unwrap().iter();
        let mut took: Vec<_> = rows.map(|row| row["total_ms"].as_f64().unwrap()).collect();
        took.sort_by(f64::total_cmp);
        took
    };
    let (here, there) = (failovers(alone), failovers(apart));
    assert!(here.len() >= 4 && there.len() >= 4, "{here:?}, {there:?}");
    let ratio = there[there.len() / 2] / here[here.len() / 2];
    assert!((0.25..4.0).contains(&ratio), "{here:?} ms alone, {there:?} ms apart");
    assert_eq!(apart["environment"]["agents"].as_array().map(Vec::len), Some(3));
}

#[tokio::test]
async fn an_address_that_agents_cannot_reach_is_refused() {
    let _turn = TURN.lock().await;
    if !allowed() {
        return;
    }
    let hub = Machine::start();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("scenario.toml").display().to_string();
    std::fs::write(&file, SCENARIO).unwrap();
    let out = folder.path().join("out").display().to_string();
    let ends = async |args: &[&str], code: i32, text: &str| {
        let mut process = hub.loadgen(args, None);
        let (ended, printed) = (process.end().await, process.printed());
        assert!(ended == code && printed.contains(text), "{args:?} ends with {ended}: {printed}");
    };
    let no_address = "10.9.9.9 is no address of this machine: choose";
    ends(&["control", "--listen", "10.9.9.9"], 1, no_address).await;
    let run = ["run", &file, "--out", &out, "--agents", "--listen"];
    ends(&[&run[..], &["10.9.9.9"]].concat(), 1, no_address).await;
    ends(&[&run[..], &["0.0.0.0"]].concat(), 2, "agents cannot dial `0.0.0.0`: give one IPv4 address").await;
    ends(&["run", &file, "--listen", "127.0.0.2"], 2, "--agents").await;
}
