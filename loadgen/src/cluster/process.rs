//! One nats-server process: started, signalled, reaped.

use std::fs::File;
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

use super::guard::Guard;
use crate::clock;

/// A running nats-server. Dropping it kills and reaps it.
#[derive(Debug)]
pub(super) struct ServerProcess {
    child: Child,
}

impl ServerProcess {
    /// Starts nats-server inside the guard's group; what it prints is appended to `log`.
    pub(super) fn spawn(guard: &Guard, nats_server: &Path, config: &Path, log: &Path) -> io::Result<Self> {
        let log = File::options().create(true).append(true).open(log)?;
        let mut command = Command::new(nats_server);
        command.arg("--config").arg(config).stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        guard.adopt(&mut command)?;
        Ok(Self { child: command.spawn()? })
    }

    /// Its process id.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, unless the process has ended: its id may be somebody else's by now.
    pub(super) fn signal(&mut self, signal: Signal) -> io::Result<()> {
        if let Some(status) = self.child.try_wait()? {
            return Err(io::Error::other(format!("its process has ended ({status})")));
        }
        let pid = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        signal::kill(Pid::from_raw(pid), signal).map_err(io::Error::from)
    }

    /// Sends a signal that does not end the process. An ended one stays reserved until it is reaped, so its id is nobody else's.
    pub(super) fn notify(&self, signal: Signal) -> io::Result<()> {
        let pid = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        signal::kill(Pid::from_raw(pid), signal).map_err(io::Error::from)
    }

    /// `kill -9`, over when the process is gone.
    pub(super) fn kill(&mut self) -> io::Result<()> {
        self.child.kill()?;
        self.child.wait().map(drop)
    }

    /// How it ended, if it has.
    pub(super) fn exit_status(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for its end; `None` when `limit` passed first.
    pub(super) async fn wait(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = clock::now() + limit;
        loop {
            let status = self.child.try_wait()?;
            if status.is_some() || clock::now() >= deadline {
                return Ok(status);
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

/// How often a process is asked whether it has ended.
const ASK_AGAIN: Duration = Duration::from_millis(10);

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if let Err(error) = self.kill() {
            tracing::error!(%error, pid = self.child.id(), "cannot kill a nats-server: its guard will");
        }
    }
}

/// The last thing that a server logged which is more than routine, to explain its end.
pub(super) fn last_words(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    let last_line = || text.lines().last().map(str::to_owned);
    let fatal = text.lines().rev().find(|line| line.contains("[FTL]") || line.contains("nats-server:"));
    fatal.map(str::to_owned).or_else(last_line).unwrap_or_else(|| "it logged nothing".to_owned())
}
