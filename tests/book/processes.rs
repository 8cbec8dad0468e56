//! Shell commands: run to their end, or started and ended by Ctrl-C.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

/// Runs a script to its end. Returns whether every command succeeded, and what they printed.
pub(crate) fn run(script: &str, folder: &Path) -> (bool, String) {
    let output = shell(script, folder).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&text).into_owned())
}

/// A script that goes on until it is dropped.
pub(crate) struct Started {
    child: Child,
    printed: Receiver<String>,
    lines: Vec<String>,
}

impl Started {
    pub(crate) fn new(script: &str, folder: &Path) -> Self {
        let mut child =
            shell(&format!("exec 2>&1\n{script}"), folder).stdout(Stdio::piped()).spawn().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let (send, printed) = channel();
        thread::spawn(move || {
            for line in output.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    break;
                }
            }
        });
        Self { child, printed, lines: Vec::new() }
    }

    /// Waits until a line with this text is printed.
    #[track_caller]
    #[expect(clippy::disallowed_methods, reason = "it waits for another process, in real time")]
    pub(crate) fn await_line(&mut self, page: &str, text: &str) {
        let end = Instant::now() + LIMIT;
        while !self.lines.iter().any(|line| line.contains(text)) {
            match self.printed.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => self.lines.push(line),
                Err(error) => {
                    panic!("{page}: waiting for {text:?}: {error}; printed:\n{}", self.lines.join("\n"))
                }
            }
        }
    }

    /// The printed lines, up to the last one that was waited for.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

impl Drop for Started {
    #[expect(clippy::disallowed_methods, reason = "it waits for another process, in real time")]
    fn drop(&mut self) {
        let group = Pid::from_raw(i32::try_from(self.child.id()).unwrap_or_default());
        if let Ok(None) = self.child.try_wait() {
            let _ = killpg(group, Signal::SIGINT);
            // Its output ends with it. A shell that works in the background makes its children ignore Ctrl-C.
            let end = Instant::now() + GRACE;
            let goes_on = loop {
                match self.printed.recv_timeout(end.saturating_duration_since(Instant::now())) {
                    Ok(_) => {}
                    Err(RecvTimeoutError::Disconnected) => break false,
                    Err(RecvTimeoutError::Timeout) => break true,
                }
            };
            if goes_on {
                let _ = killpg(group, Signal::SIGKILL);
            }
        }
        let _ = self.child.wait();
    }
}

fn shell(script: &str, folder: &Path) -> Command {
    let mut command = Command::new("bash");
    // A group of its own: Ctrl-C reaches all processes of a terminal's group.
    command.args(["-euo", "pipefail", "-c", script]).current_dir(folder).process_group(0);
    // A reader has none of what cargo tells a test.
    command.env_remove("CARGO_MANIFEST_DIR").env_remove("CARGO_TARGET_TMPDIR");
    // Another super-cluster of this machine is none of the reader's.
    command.env("XDG_RUNTIME_DIR", sockets());
    command
}

/// A folder for control sockets; what stays of it is empty.
fn sockets() -> &'static Path {
    static FOLDER: OnceLock<tempfile::TempDir> = OnceLock::new();
    FOLDER.get_or_init(|| tempfile::tempdir().expect("a temporary folder")).path()
}

/// A first build without any cache, on a busy machine.
const LIMIT: Duration = Duration::from_secs(600);

/// Longer than a super-cluster takes to end.
const GRACE: Duration = Duration::from_secs(10);

#[test]
fn a_command_that_ignores_ctrl_c_is_ended_all_the_same() {
    let mut started = Started::new(
        "trap '' INT; while true; do echo ready; read -r -t 0.1 <> <(:) || true; done",
        Path::new("/"),
    );
    started.await_line("a.md", "ready");
    drop(started);
}
