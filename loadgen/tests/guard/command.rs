//! The built command as a guard that runs, and its audit file.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use loadgen::clock;
use loadgen::cluster::{StartOptions, SuperCluster};
use loadgen::topology::Topology;
use loadgen::topology::credentials::Login;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::process::{Child, Command};

use crate::files::is_a_line;

/// Longer than anything that is expected to happen takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(60);
/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(50);
/// One super-cluster at a time: two would compete for the machine.
pub(crate) static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A super-cluster of these regions, with so many servers each.
pub(crate) async fn start(regions: &[&str], servers: u16) -> SuperCluster {
    let topology = Topology::new(regions.iter().copied(), servers).unwrap();
    SuperCluster::start(StartOptions::new(topology)).await.unwrap()
}

/// Options that lead to all servers as a user of the system account.
pub(crate) fn login(cluster: &SuperCluster) -> Vec<String> {
    let urls: Vec<_> = cluster.server_urls().into_values().collect();
    login_at(cluster, &urls.join(","))
}

/// The same with other addresses.
pub(crate) fn login_at(cluster: &SuperCluster, urls: &str) -> Vec<String> {
    let Login::Password { user, password } = cluster.system_login().unwrap() else {
        panic!("the topology has passwords")
    };
    let options = ["--timeout", "500", "--server", urls, "--user", &user, "--password", password.expose()];
    options.map(str::to_owned).to_vec()
}

/// Waits until `check` finds nothing to complain about.
pub(crate) async fn wait_until(mut check: impl AsyncFnMut() -> Result<(), String>) {
    let deadline = clock::now() + LIMIT;
    while let Err(complaint) = check().await {
        assert!(clock::now() < deadline, "after {LIMIT:?}: {complaint}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// A folder with a rule file, an audit file and the files of hooks.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes an executable script. Returns its path.
    pub(crate) fn script(&self, name: &str, text: &str) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path(name);
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    /// A call of `loadgen guard`.
    pub(crate) fn command(&self, args: &[String]) -> Command {
        let mut command = self.loadgen(&["guard"]);
        command.args(args);
        command
    }

    /// A call of `loadgen` with nothing of the tester's own NATS settings. Its sockets are in this folder.
    pub(crate) fn loadgen(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        for name in ["NATS_URL", "NATS_USER", "NATS_PASSWORD", "RUST_LOG", "XDG_RUNTIME_DIR"] {
            command.env_remove(name);
        }
        command.args(args).env("XDG_CONFIG_HOME", "/nowhere").env("TMPDIR", self.0.path());
        command.current_dir(self.0.path()).stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Starts a guard by these rules, and waits until it watches.
    pub(crate) async fn guard(&self, rules: &str, login: &[String], env: &[(&str, &str)]) -> Guard<'_> {
        std::fs::write(self.path("rules.toml"), rules).unwrap();
        let args = ["--rules", "rules.toml", "--audit", "audit.jsonl"].map(str::to_owned);
        let output = std::fs::File::create(self.path("output")).unwrap();
        let mut command = self.command(&[&args[..], login].concat());
        command.envs(env.iter().copied()).stderr(output.try_clone().unwrap()).stdout(output);
        let guard = Guard { child: command.spawn().unwrap(), place: self };
        guard.wait_for("started", |_| true).await;
        guard
    }
}

/// A guard that runs.
pub(crate) struct Guard<'a> {
    child: Child,
    place: &'a Place,
}

impl Guard<'_> {
    /// The lines of the audit file, each checked by its schema.
    pub(crate) fn audit(&self) -> Vec<Value> {
        let text = std::fs::read_to_string(self.place.path("audit.jsonl")).unwrap_or_default();
        // The last line may be half written.
        let whole = text.rfind('\n').map_or("", |end| &text[..end]);
        let lines: Vec<Value> = whole.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        lines.iter().for_each(is_a_line);
        lines
    }

    /// The lines about one event.
    pub(crate) fn events(&self, event: &str) -> Vec<Value> {
        self.audit().into_iter().filter(|line| line["event"] == event).collect()
    }

    /// Its output in words, and the output of hooks.
    pub(crate) fn output(&self) -> String {
        std::fs::read_to_string(self.place.path("output")).unwrap()
    }

    /// Waits for a line of the audit file.
    pub(crate) async fn wait_for(&self, event: &str, is_right: impl Fn(&Value) -> bool) -> Value {
        let mut found = None;
        wait_until(async || {
            found = self.events(event).into_iter().find(|line| is_right(line));
            if found.is_some() {
                return Ok(());
            }
            Err(format!("no `{event}` in\n{:#?}\n{}", self.audit(), self.output()))
        })
        .await;
        found.unwrap()
    }

    /// Stops it by `loadgen guard stop`. Returns what that prints.
    pub(crate) async fn stop(mut self) -> String {
        let output = self.place.command(&["stop".to_owned()]).output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(self.ended().await, Some(0), "{}", self.output());
        text
    }

    /// Ends it by Ctrl-C. Returns its exit code.
    pub(crate) async fn interrupt(mut self) -> Option<i32> {
        let pid = Pid::from_raw(self.child.id().unwrap().cast_signed());
        kill(pid, Signal::SIGINT).unwrap();
        self.ended().await
    }

    async fn ended(&mut self) -> Option<i32> {
        tokio::time::timeout(LIMIT, self.child.wait()).await.expect("it does not end").unwrap().code()
    }
}
