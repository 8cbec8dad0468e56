//! An emulated way to one address: what it delays, and how it is broken and mended.

use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Handle;
use tokio::sync::watch;

use super::Shared;
use super::link::{self, Link};
use super::port::{ReservePortError, ReservedPort};
use crate::clock;

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
        /// What the operating system said.
        error: io::Error,
    },
}

impl Path {
    pub(super) fn open(
        options: PathOptions,
        shared: Arc<Shared>,
        runtime: &Handle,
    ) -> Result<Self, OpenPathError> {
        let PathOptions { label, listen, upstream, rtt } = options;
        let addr = listen.addr();
        let state = Arc::new(PathState {
            label,
            upstream,
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
        runtime.spawn(Acceptor { state, shared, port: listen, listener: Some(listener) }.run());
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

    /// Changes the delay of what is read from now on.
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

    /// Lets everything fall silent: nothing is carried, answered or closed. Dominates [`Path::refuse`], because a
    /// region that is cut off cannot even refuse.
    pub fn blackhole(&self) {
        self.state.change_gate(|gate| Gate { dark: true, ..gate });
    }

    /// Ends [`Path::blackhole`]: connections that lived through it are reset, dials that wait are answered.
    pub fn heal(&self) {
        self.state.change_gate(|gate| Gate { dark: false, ..gate });
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
        self.state.upstream_ports.lock().unwrap_or_else(PoisonError::into_inner).clone()
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
    rtt_ns: AtomicU64,
    gate: watch::Sender<Gate>,
    upstream_ports: Mutex<BTreeSet<u16>>,
    bytes: AtomicU64,
    connections: AtomicU64,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Gate {
    dark: bool,
    refused: bool,
    /// The upstream refused a dial; cleared by the acceptor once it answers again.
    upstream_down: bool,
    closed: bool,
}

impl PathState {
    pub(super) fn label(&self) -> &str {
        &self.label
    }

    pub(super) fn upstream(&self) -> SocketAddr {
        self.upstream
    }

    pub(super) fn rtt(&self) -> Duration {
        Duration::from_nanos(self.rtt_ns.load(Ordering::Relaxed))
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

    /// Ends when the path is dark or closed.
    pub(super) async fn went_dark(&self) {
        self.gate_is(|gate| gate.dark || gate.closed).await;
    }

    /// Ends when the path is no longer dark, or closed.
    pub(super) async fn is_lit(&self) {
        self.gate_is(|gate| !gate.dark || gate.closed).await;
    }

    /// Counts `upstream` among the connections of this path until the guard is dropped.
    pub(super) fn carries(&self, upstream: &TcpStream) -> io::Result<CarriedPort<'_>> {
        let port = upstream.local_addr()?.port();
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.upstream_ports.lock().unwrap_or_else(PoisonError::into_inner).insert(port);
        Ok(CarriedPort { path: self, port })
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
        let _ = self.gate.subscribe().wait_for(condition).await;
    }
}

/// See [`PathState::carries`].
pub(super) struct CarriedPort<'a> {
    path: &'a PathState,
    port: u16,
}

impl Drop for CarriedPort<'_> {
    fn drop(&mut self) {
        self.path.upstream_ports.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.port);
    }
}

/// The task that owns a path's listener.
struct Acceptor {
    state: Arc<PathState>,
    shared: Arc<Shared>,
    port: ReservedPort,
    listener: Option<TcpListener>,
}

/// How often an upstream that refused is asked again: often enough that a restarted server is back within the time
/// of its own start, rarely enough that asking costs nothing.
const ASK_AGAIN: Duration = Duration::from_millis(50);

impl Acceptor {
    async fn run(mut self) {
        let state = Arc::clone(&self.state);
        let mut gate = state.gate.subscribe();
        loop {
            let now = *gate.borrow_and_update();
            tokio::select! {
                changed = gate.changed() => if changed.is_err() { return },
                () = self.serve(now), if !now.closed => {}
            }
            if now.closed {
                return;
            }
        }
    }

    /// Does what `gate` asks for; cancelled when the gate changes.
    async fn serve(&mut self, gate: Gate) {
        if gate.dark {
            // The listener stays (or comes back) without anybody accepting: dials hang in its queue.
            self.listen().await;
            return std::future::pending().await;
        }
        if gate.refused {
            self.listener = None;
            return std::future::pending().await;
        }
        if gate.upstream_down {
            self.listener = None;
            while !link::answers(self.state.upstream).await {
                tokio::time::sleep(ASK_AGAIN).await;
            }
            self.state.change_gate(|gate| Gate { upstream_down: false, ..gate });
            return;
        }
        self.listen().await;
        let Some(listener) = &self.listener else { return };
        match listener.accept().await {
            Ok((dialler, _)) => self.spawn_link(dialler),
            Err(error) => {
                // Out of file descriptors, most likely: links that end free some.
                tracing::warn!(path = %self.state.label, %error, "cannot accept");
                tokio::time::sleep(ASK_AGAIN).await;
            }
        }
    }

    async fn listen(&mut self) {
        while self.listener.is_none() {
            match self.port.listen().and_then(TcpListener::from_std) {
                Ok(listener) => self.listener = Some(listener),
                Err(error) => {
                    tracing::warn!(path = %self.state.label, %error, "cannot listen again");
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            }
        }
    }

    fn spawn_link(&self, dialler: TcpStream) {
        let link = Link {
            path: Arc::clone(&self.state),
            shared: Arc::clone(&self.shared),
            dialler,
            accepted_at: clock::now(),
        };
        tokio::spawn(link.run());
    }
}
