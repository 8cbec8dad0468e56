//! An emulated path to one address: its delays, and the functions that break and repair it.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::Shared;
use super::acceptor::Acceptor;
use super::effect::{Conditions, Dials, Direction, End};
use super::netns::Namespace;
use super::port::{ReservePortError, ReservedPort};

/// A listener in front of one upstream address, and the link between them. Dropping it resets what it carries.
#[derive(Debug)]
pub struct Path {
    state: Arc<PathState>,
    addr: SocketAddr,
}

/// What a [`Path`] is made of.
#[derive(Debug)]
pub struct PathOptions {
    /// For logs and reports, such as `lon->dal-2`.
    pub label: String,
    /// Where it listens.
    pub listen: ReservedPort,
    /// Where it leads.
    pub upstream: SocketAddr,
    /// The round-trip time that it adds; each direction gets half. Zero means none at all, not even a timer's.
    pub rtt: Duration,
    /// From where the upstream is dialled; `None`: from the machine's own network.
    pub dial_from: Option<Namespace>,
}

/// Why a path could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenPathError {
    /// No port for its listener.
    #[error(transparent)]
    Port(#[from] ReservePortError),
    /// The port is reserved, but listening failed.
    #[error("path {label} cannot listen on {addr}: {error}")]
    Listen {
        /// Which path.
        label: String,
        /// Where it should listen.
        addr: SocketAddr,
        /// Error of the operating system.
        error: io::Error,
    },
}

impl Path {
    pub(super) fn open(
        options: PathOptions,
        shared: Arc<Shared>,
        runtime: &Handle,
    ) -> Result<Self, OpenPathError> {
        let PathOptions { label, listen, upstream, rtt, dial_from } = options;
        let addr = listen.addr();
        let state = Arc::new(PathState {
            label,
            upstream,
            dial_from,
            rtt_ns: AtomicU64::new(0),
            gate: watch::Sender::new(Gate::default()),
            upstream_ports: Mutex::default(),
            bytes: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        });
        let path = Self { state: Arc::clone(&state), addr };
        path.set_rtt(rtt);
        let listener = {
            let _context = runtime.enter();
            listen.listen().and_then(TcpListener::from_std)
        };
        let listener =
            listener.map_err(|error| OpenPathError::Listen { label: state.label.clone(), addr, error })?;
        runtime.spawn(Acceptor::new(state, shared, listen, listener).run());
        Ok(path)
    }

    /// Where to dial.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its name in logs and reports.
    pub fn label(&self) -> &str {
        &self.state.label
    }

    /// Changes the path's own round-trip time, for all that is read from now on.
    pub fn set_rtt(&self, rtt: Duration) {
        let nanos = u64::try_from(rtt.as_nanos()).unwrap_or(u64::MAX);
        self.state.rtt_ns.store(nanos, Ordering::Relaxed);
    }

    /// Closes the listener: dials are refused from now on, connections live on.
    pub fn refuse(&self) {
        self.state.change_gate(|gate| Gate { refused: true, ..gate });
    }

    /// Ends [`Path::refuse`]. The listener opens as soon as the upstream answers.
    pub fn accept(&self) {
        self.state.change_gate(|gate| Gate { refused: false, upstream_down: true, ..gate });
    }

    /// Replaces the state that link faults give the path. Faults dominate [`Path::refuse`], because a region that is silent
    /// cannot even refuse. A connection that has been silent is reset as soon as the path is silent no longer.
    pub fn impose(&self, conditions: Conditions) {
        self.state.change_gate(|gate| Gate {
            epoch: gate.epoch.after(&gate.conditions, &conditions),
            conditions,
            ..gate
        });
    }

    /// Bytes that were read from either end so far.
    pub fn bytes(&self) -> u64 {
        self.state.bytes.load(Ordering::Relaxed)
    }

    /// Connections that reached the upstream so far.
    pub fn connections(&self) -> u64 {
        self.state.connections.load(Ordering::Relaxed)
    }

    /// The source ports under which the upstream sees the connections of this path right now.
    pub fn upstream_ports(&self) -> BTreeSet<u16> {
        self.state.ports().keys().copied().collect()
    }
}

impl Drop for Path {
    fn drop(&mut self) {
        self.state.change_gate(|gate| Gate { closed: true, ..gate });
    }
}

/// What a path's tasks share with its handle.
#[derive(Debug)]
pub(super) struct PathState {
    label: String,
    upstream: SocketAddr,
    dial_from: Option<Namespace>,
    rtt_ns: AtomicU64,
    gate: watch::Sender<Gate>,
    /// Of each port, the number of the connection that has it.
    upstream_ports: Mutex<BTreeMap<u16, u64>>,
    bytes: AtomicU64,
    connections: AtomicU64,
}

/// What new and open connections of a path must know.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Gate {
    conditions: Conditions,
    refused: bool,
    /// The upstream refused a dial; cleared by the acceptor once it answers again.
    pub(super) upstream_down: bool,
    pub(super) closed: bool,
    pub(super) epoch: Epoch,
}

impl Gate {
    /// The fate of new connections, if the upstream answers.
    pub(super) fn dials(&self) -> Dials {
        match self.conditions.dials() {
            Dials::Carried if self.refused => Dials::Refused,
            dials => dials,
        }
    }
}

/// Counts the faults that end connections, so that a task that looks rarely misses none.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Epoch {
    /// How often the path has fallen silent.
    silences: u64,
    /// How often it has begun to end connections.
    ends: u64,
    /// How it ended them the last time.
    last_end: Option<End>,
}

impl Epoch {
    fn after(self, before: &Conditions, now: &Conditions) -> Self {
        let falls_silent = now.is_silent() && !before.is_silent();
        let begins_to_end = now.end().is_some() && now.end() != before.end();
        Self {
            silences: self.silences + u64::from(falls_silent),
            ends: self.ends + u64::from(begins_to_end),
            last_end: now.end().or(self.last_end),
        }
    }
}

impl PathState {
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    /// Dials the upstream.
    pub(super) async fn dial(&self) -> io::Result<TcpStream> {
        match &self.dial_from {
            None => TcpStream::connect(self.upstream).await,
            Some(namespace) => namespace.connect(self.upstream).await,
        }
    }

    pub(super) fn rtt(&self) -> Duration {
        self.conditions().rtt(Duration::from_nanos(self.rtt_ns.load(Ordering::Relaxed)))
    }

    pub(super) fn conditions(&self) -> Conditions {
        self.gate.borrow().conditions
    }

    pub(super) fn gate(&self) -> watch::Receiver<Gate> {
        self.gate.subscribe()
    }

    pub(super) fn one_way(&self) -> Duration {
        self.rtt() / 2
    }

    pub(super) fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub(super) fn upstream_refused(&self) {
        self.change_gate(|gate| Gate { upstream_down: true, ..gate });
    }

    pub(super) fn upstream_answers(&self) {
        self.change_gate(|gate| Gate { upstream_down: false, ..gate });
    }

    /// Waits until a connection that was accepted in `born` must end, and returns how. A real peer that lived through a
    /// silence is told so by the RST of a far side that gave up meanwhile; here by ours.
    pub(super) async fn fate(&self, born: Epoch) -> End {
        let must_end = |gate: &Gate| {
            let had_silence = gate.epoch.silences != born.silences && !gate.conditions.is_silent();
            gate.closed || had_silence || gate.epoch.ends != born.ends
        };
        let mut gate = self.gate();
        // The sender lives in `self`, so waiting cannot fail.
        let epoch = gate.wait_for(must_end).await.map_or(born, |gate| gate.epoch);
        epoch.last_end.filter(|_| epoch.ends != born.ends).unwrap_or(End::Reset)
    }

    /// Waits until a direction of open connections carries nothing.
    pub(super) async fn falls_silent(&self, direction: Direction) {
        self.gate_is(|gate| !gate.conditions.carries(direction)).await;
    }

    /// Waits until open connections are silent in no direction, or the path is closed.
    pub(super) async fn is_heard(&self) {
        self.gate_is(|gate| !gate.conditions.is_silent() || gate.closed).await;
    }

    /// Waits until the path is closed.
    pub(super) async fn is_closed(&self) {
        self.gate_is(|gate| gate.closed).await;
    }

    /// Counts `upstream` among the connections of this path until the guard is dropped.
    pub(super) fn carries(&self, upstream: &TcpStream) -> io::Result<CarriedPort<'_>> {
        Ok(self.carries_port(upstream.local_addr()?.port()))
    }

    fn carries_port(&self, port: u16) -> CarriedPort<'_> {
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        self.ports().insert(port, number);
        CarriedPort { path: self, port, number }
    }

    fn ports(&self) -> MutexGuard<'_, BTreeMap<u16, u64>> {
        self.upstream_ports.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the path's tasks, if anything changes.
    fn change_gate(&self, change: impl FnOnce(Gate) -> Gate) {
        self.gate.send_if_modified(|gate| {
            let before = *gate;
            *gate = change(before);
            *gate != before
        });
    }

    async fn gate_is(&self, condition: impl FnMut(&Gate) -> bool) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.gate().wait_for(condition).await;
    }
}

/// See [`PathState::carries`].
pub(super) struct CarriedPort<'a> {
    path: &'a PathState,
    port: u16,
    number: u64,
}

impl CarriedPort<'_> {
    /// The connection's number on its path, from 0.
    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Drop for CarriedPort<'_> {
    fn drop(&mut self) {
        let mut ports = self.path.ports();
        // The socket is closed already, so a new connection may have its port.
        if ports.get(&self.port) == Some(&self.number) {
            ports.remove(&self.port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> PathState {
        PathState {
            label: "test".to_owned(),
            upstream: SocketAddr::from(([127, 0, 0, 1], 1)),
            dial_from: None,
            rtt_ns: AtomicU64::new(0),
            gate: watch::Sender::new(Gate::default()),
            upstream_ports: Mutex::default(),
            bytes: AtomicU64::new(0),
            connections: AtomicU64::new(0),
        }
    }

    #[test]
    fn a_port_that_a_new_connection_has_taken_over_stays() {
        let state = state();
        let old = state.carries_port(7);
        let new = state.carries_port(7);
        drop(old);
        assert_eq!(state.ports().keys().copied().collect::<Vec<_>>(), [7]);
        drop(new);
        assert!(state.ports().is_empty());
    }
}
