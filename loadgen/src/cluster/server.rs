//! One server, which keeps its identity when its process ends and restarts.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use nix::sys::signal::Signal;

use super::guard::Guard;
use super::monitor::Monitor;
use super::ports::ServerPorts;
use super::process::{self, ServerProcess};
use crate::wan::netns::Namespace;

/// One server of the super-cluster: its place, which lasts, and its process, which comes and goes.
#[derive(Debug)]
pub(super) struct Server {
    ports: ServerPorts,
    config: PathBuf,
    log: PathBuf,
    /// Where it runs; `None`: in the machine's own network.
    namespace: Option<Namespace>,
    process: Option<ServerProcess>,
    state: State,
}

/// What was last done to a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum State {
    Up,
    Dead,
    Paused,
    LameDuck,
    /// It got SIGTERM.
    Ending,
}

impl State {
    /// Returns whether it may be started: it has no process, or one that ends by an order of ours.
    pub(super) fn can_restart(self) -> bool {
        matches!(self, Self::Dead | Self::LameDuck | Self::Ending)
    }

    /// For messages.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Dead => "dead",
            Self::Paused => "paused",
            Self::LameDuck => "a lame duck",
            Self::Ending => "ending",
        }
    }
}

impl Server {
    /// A server that does not run yet; its configuration stands in the file `config`.
    pub(super) fn new(
        ports: ServerPorts,
        config: PathBuf,
        log: PathBuf,
        namespace: Option<Namespace>,
    ) -> Self {
        Self { ports, config, log, namespace, process: None, state: State::Dead }
    }

    /// Starts its process.
    pub(super) fn spawn(&mut self, guard: &Guard, nats_server: &Path) -> io::Result<()> {
        let spawn = || ServerProcess::spawn(guard, nats_server, &self.config, &self.log);
        self.process = Some(match &self.namespace {
            // A process begins in the network of the thread that starts it.
            Some(namespace) => namespace.run(spawn)??,
            None => spawn()?,
        });
        self.state = State::Up;
        Ok(())
    }

    /// Its process, unless it was killed.
    pub(super) fn process(&mut self) -> Option<&mut ServerProcess> {
        self.process.as_mut()
    }

    /// What was last done to it.
    pub(super) fn state(&self) -> State {
        self.state
    }

    /// Notes that a lame duck, or a server that got SIGTERM, is dead, if its process has ended. Any other end is
    /// unexpected and must stay visible.
    pub(super) fn note_ordered_end(&mut self) {
        let ended = |process: &mut ServerProcess| matches!(process.exit_status(), Ok(Some(_)));
        if matches!(self.state, State::LameDuck | State::Ending) && self.process.as_mut().is_some_and(ended) {
            self.set_state(State::Dead);
        }
    }

    /// Notes what was done to it. A dead server's process is dropped.
    pub(super) fn set_state(&mut self, state: State) {
        self.state = state;
        if state == State::Dead {
            self.process = None;
        }
    }

    pub(super) fn is_up(&self) -> bool {
        self.state == State::Up
    }

    pub(super) fn is_paused(&self) -> bool {
        self.state == State::Paused
    }

    pub(super) fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(ServerProcess::pid)
    }

    pub(super) fn monitor(&self) -> Monitor {
        Monitor::new(self.ports.monitor.addr())
    }

    pub(super) fn client_addr(&self) -> SocketAddr {
        self.ports.client.addr()
    }

    pub(super) fn ports(&self) -> &ServerPorts {
        &self.ports
    }

    /// Sends a signal to its process, if it has one.
    pub(super) fn signal(&self, signal: Signal) -> io::Result<()> {
        let process = self.process.as_ref().ok_or_else(|| io::Error::other("it has no process"))?;
        process.notify(signal)
    }

    pub(super) fn log(&self) -> &Path {
        &self.log
    }

    /// Why it ended, if its process has ended by itself.
    pub(super) fn end(&mut self) -> Option<String> {
        let status = self.process.as_mut()?.exit_status().ok()??;
        Some(format!("{status}: {}", process::last_words(&self.log)))
    }
}
