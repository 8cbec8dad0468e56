//! The built command, and nats-server processes with configurations written by hand.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use loadgen::clock;
use loadgen::cluster::NatsServer;
use serde_json::Value;

/// Longer than anything that is expected to happen takes on a busy machine.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);
/// Between two looks at a condition.
const PAUSE: Duration = Duration::from_millis(50);
/// One set of servers at a time: two would compete for the machine.
pub(crate) static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// Calls `loadgen` with nothing of the tester's own NATS settings.
pub(crate) fn loadgen(args: &[&str], env: &[(&str, &str)]) -> Output {
    command(args, env).output().unwrap()
}

/// The call of [`loadgen`], to be started.
pub(crate) fn command(args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    for name in ["NATS_URL", "NATS_USER", "NATS_PASSWORD", "NATS_SYSTEM_PASSWORD", "RUST_LOG"] {
        command.env_remove(name);
    }
    command.env("XDG_CONFIG_HOME", "/nowhere").envs(env.iter().copied());
    command.args(args).stdin(Stdio::null());
    command
}

/// The output of a call that succeeds.
pub(crate) fn shown(args: &[&str], env: &[(&str, &str)]) -> String {
    let output = loadgen(args, env);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "loadgen {args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The JSON of a call that succeeds.
pub(crate) fn json(args: &[&str], env: &[(&str, &str)]) -> Value {
    serde_json::from_str(&shown(&[args, &["--json"]].concat(), env)).unwrap()
}

/// The error of a call that fails with this exit code.
pub(crate) fn refused(code: i32, args: &[&str], env: &[(&str, &str)]) -> String {
    let output = loadgen(args, env);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "loadgen {args:?}: {errors}");
    errors
}

/// Waits until `check` finds nothing to complain about.
pub(crate) async fn wait_until(mut check: impl AsyncFnMut() -> Result<(), String>) {
    let deadline = clock::now() + LIMIT;
    while let Err(complaint) = check().await {
        assert!(clock::now() < deadline, "after {LIMIT:?}: {complaint}");
        tokio::time::sleep(PAUSE).await;
    }
}

/// nats-server processes. They end when this is dropped.
pub(crate) struct Servers {
    folder: tempfile::TempDir,
    children: Vec<Child>,
}

/// The accounts of servers that are configured by hand.
pub(crate) const ACCOUNTS: &str = r#"
system_account: SYS
accounts {
  SYS { users: [{ user: system, password: hunter2 }] }
  ACC { jetstream: enabled, users: [{ user: acc, password: hunter3 }] }
}
"#;

impl Servers {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), children: Vec::new() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Starts a server and waits for its port.
    pub(crate) async fn start(&mut self, server: &NatsServer, name: &str, port: u16, more: &str) {
        let store = self.path().join(name);
        let config = format!("server_name: \"{name}\"\nlisten: \"127.0.0.1:{port}\"\n{ACCOUNTS}{more}\n");
        let config = config.replace("STORE", &store.display().to_string());
        let file = self.path().join(format!("{name}.conf"));
        std::fs::write(&file, config).unwrap();
        let log = std::fs::File::create(self.path().join(format!("{name}.log"))).unwrap();
        let child = Command::new(&server.path).arg("-c").arg(&file).stdin(Stdio::null()).stderr(log).spawn();
        self.children.push(child.unwrap());
        let log = self.path().join(format!("{name}.log"));
        wait_until(async || {
            let connected = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
            let log = std::fs::read_to_string(&log).unwrap();
            connected.map(drop).map_err(|error| format!("{name}: {error}: {log}"))
        })
        .await;
    }
}

impl Servers {
    /// Ends all servers.
    pub(crate) fn stop(&mut self) {
        for mut child in self.children.drain(..) {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Ports that were free a moment ago.
pub(crate) fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
