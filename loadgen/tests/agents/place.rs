//! Processes of loadgen: controllers, agents and the server between them.

use std::io::{BufRead as _, BufReader, Read};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use loadgen::clock;
use serde_json::Value;
use tempfile::TempDir;

/// A process of which everything that it prints is kept. Dropping it kills it.
pub(crate) struct Process {
    child: Child,
    printed: Arc<Mutex<String>>,
}

impl Process {
    pub(crate) fn start(command: &mut Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let printed = Arc::new(Mutex::new(String::new()));
        keep(child.stdout.take().unwrap(), Arc::clone(&printed));
        keep(child.stderr.take().unwrap(), Arc::clone(&printed));
        Self { child, printed }
    }

    pub(crate) fn printed(&self) -> String {
        self.printed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Waits until it has printed a text.
    pub(crate) async fn wait_for(&mut self, text: &str) {
        self.wait_until(&format!("`{text}`"), |printed| printed.contains(text)).await;
    }

    pub(crate) async fn wait_until(&mut self, what: &str, is_so: impl Fn(&str) -> bool) {
        let deadline = clock::now() + LIMIT;
        while !is_so(&self.printed()) {
            assert!(
                clock::now() < deadline,
                "{what} was not printed within {LIMIT:?}, but {}",
                self.printed()
            );
            let ended = self.child.try_wait().unwrap();
            tokio::time::sleep(LOOK_AGAIN).await;
            assert!(ended.is_none() || is_so(&self.printed()), "it ended without {what}: {}", self.printed());
        }
    }

    /// Waits for its end, and returns the exit code.
    pub(crate) async fn end(&mut self) -> i32 {
        let deadline = clock::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code().unwrap();
            }
            assert!(clock::now() < deadline, "it did not end within {LIMIT:?}: {}", self.printed());
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// `kill -9`.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended before.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn keep(output: impl Read + Send + 'static, printed: Arc<Mutex<String>>) {
    thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let mut printed = printed.lock().unwrap_or_else(PoisonError::into_inner);
            printed.push_str(&line);
            printed.push('\n');
        }
    });
}

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

/// Longer than a run of a short scenario takes on a busy machine.
const LIMIT: Duration = Duration::from_secs(120);

const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub(crate) const PASSWORD: &str = "s3cr3t-of-the-back-channel";
