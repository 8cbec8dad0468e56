//! Processes of loadgen: controllers, agents and the server between them.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tempfile::TempDir;

use crate::process::Process;

/// A nats-server for the back channel, which the test kills and starts again.
pub(crate) struct Ops {
    pub(crate) process: Process,
    pub(crate) url: String,
    port: u16,
    folder: TempDir,
}

impl Ops {
    pub(crate) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_port();
        let process = serve(port, folder.path());
        let url = format!("nats://loadgen:{PASSWORD}@127.0.0.1:{port}");
        let mut ops = Self { process, url, port, folder };
        ops.process.wait_for("Server is ready").await;
        ops
    }

    pub(crate) async fn start_again(&mut self) {
        self.process = serve(self.port, self.folder.path());
        self.process.wait_for("Server is ready").await;
    }

    pub(crate) fn loadgen(&self, args: &[&str]) -> Process {
        Process::start(loadgen(args).env("LOADGEN_OPS", &self.url))
    }

    /// An agent that is there.
    pub(crate) async fn agent(&self, region: &str, name: &str) -> Process {
        let mut agent = self.loadgen(&["agent", "--region", region, "--name", name]);
        agent.wait_for("takes orders").await;
        agent
    }

    pub(crate) async fn agents(&self) -> Vec<Process> {
        let mut agents = Vec::new();
        for region in ["lon", "ams", "dal"] {
            agents.push(self.agent(region, &format!("agent-{region}")).await);
        }
        agents
    }
}

fn serve(port: u16, folder: &Path) -> Process {
    let server = std::env::var_os("NATS_SERVER").expect("set NATS_SERVER, as `make test` does");
    let mut command = Command::new(server);
    command.args([
        "--addr",
        "127.0.0.1",
        "--port",
        &port.to_string(),
        "--user",
        "loadgen",
        "--pass",
        PASSWORD,
    ]);
    Process::start(command.arg("--jetstream").arg("--store_dir").arg(folder))
}

pub(crate) fn loadgen(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(args).env_remove("LOADGEN_OPS");
    command
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// A scenario file, and where its report goes.
pub(crate) struct Play {
    folder: TempDir,
}

impl Play {
    pub(crate) fn of(scenario: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("scenario.toml"), scenario).unwrap();
        Self { folder }
    }

    /// The arguments of `loadgen run`.
    pub(crate) fn args<'a>(&'a self, more: &[&'a str]) -> Vec<String> {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let args = ["run".to_owned(), path("scenario.toml"), "--out".to_owned(), path("out")];
        args.into_iter().chain(more.iter().map(|arg| (*arg).to_owned())).collect()
    }

    pub(crate) fn report(&self) -> Value {
        let file: PathBuf = self.folder.path().join("out/report.json");
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
    }
}

pub(crate) const PASSWORD: &str = "s3cr3t-of-the-back-channel";
