//! A super-cluster in network namespaces, and plain clients in its regions.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use loadgen::clock;
use loadgen::cluster::faults::{LinkFault, LinkFaultId, LinkKind, LinkScope, Links};
use loadgen::cluster::{StartOptions, SuperCluster};
use loadgen::topology::Topology;
use loadgen::wan::{LinkEffect, WanChoice};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::sync::MutexGuard;
use tokio::time::timeout;

use crate::{LIMIT, TURN, allowed};

pub(crate) struct World {
    pub(crate) cluster: SuperCluster,
    _turn: MutexGuard<'static, ()>,
}

impl World {
    /// Starts regions with one server each; `None` where this machine is spared.
    pub(crate) async fn start(regions: &[&str]) -> Option<Self> {
        let turn = TURN.lock().await;
        if !allowed() {
            return None;
        }
        let mut options = StartOptions::new(Topology::new(regions.to_vec(), 1).unwrap());
        options.wan = WanChoice::Netns;
        Some(Self { cluster: SuperCluster::start(options).await.unwrap(), _turn: turn })
    }

    /// Runs `task` in the network of the clients of a region.
    pub(crate) async fn within<T: Send + 'static>(
        &self,
        region: &str,
        task: impl Future<Output = T> + Send + 'static,
    ) -> T {
        let network = self.cluster.client_network(region).unwrap();
        network.runtime.unwrap().spawn(task).await.unwrap()
    }

    /// Where clients in `from` reach the server of `to`.
    pub(crate) fn addr(&self, from: &str, to: &str) -> SocketAddr {
        let mut endpoints = self.cluster.client_network(from).unwrap().endpoints.into_iter();
        let endpoint = endpoints.find(|endpoint| endpoint.server.region() == to).unwrap();
        endpoint.tcp_url.trim_start_matches("nats://").parse().unwrap()
    }

    /// Dials, and says how long it took.
    pub(crate) async fn dial(&self, from: &str, to: &str) -> (io::Result<TcpStream>, Duration) {
        let addr = self.addr(from, to);
        self.within(from, async move {
            let start: Instant = clock::now();
            let dialled = timeout(LIMIT, TcpStream::connect(addr)).await;
            (dialled.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())), start.elapsed())
        })
        .await
    }

    /// A client of NATS that is logged in.
    pub(crate) async fn connect(&self, from: &str, to: &str) -> Nats {
        let stream = self.dial(from, to).await.0.unwrap();
        let mut nats = Nats { stream: BufReader::new(stream) };
        assert!(nats.line(LIMIT).await.unwrap().starts_with("INFO"));
        nats.stream.write_all(b"CONNECT {\"verbose\":false,\"pedantic\":false}\r\n").await.unwrap();
        assert!(nats.pong(LIMIT).await);
        nats
    }

    /// Breaks all links of clients to and from a region.
    pub(crate) fn break_clients_of(&mut self, region: &str, effect: LinkEffect) -> LinkFaultId {
        let links = Links::of(LinkScope::Region(region.to_owned())).only(LinkKind::CLIENTS);
        self.cluster.break_links(LinkFault { links, effect }).unwrap().0
    }
}

/// A connection to a server.
pub(crate) struct Nats {
    pub(crate) stream: BufReader<TcpStream>,
}

impl Nats {
    /// The next line; `None` within `limit` if there is none, or an error if the connection ends.
    pub(crate) async fn line(&mut self, limit: Duration) -> io::Result<String> {
        let mut line = String::new();
        match timeout(limit, self.stream.read_line(&mut line)).await {
            Err(_elapsed) => Err(io::ErrorKind::TimedOut.into()),
            Ok(Ok(0)) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(read) => read.map(|_| line),
        }
    }

    /// Whether a PING is answered within `limit`.
    pub(crate) async fn pong(&mut self, limit: Duration) -> bool {
        if self.stream.write_all(b"PING\r\n").await.is_err() {
            return false;
        }
        self.hears_pong(limit).await
    }

    /// Whether the PONG to an earlier PING comes within `limit`. It answers the server's own PINGs.
    pub(crate) async fn hears_pong(&mut self, limit: Duration) -> bool {
        let deadline = clock::now() + limit;
        while let Ok(line) = self.line(deadline.saturating_duration_since(clock::now())).await {
            if line.starts_with("PONG") {
                return true;
            }
            if line.starts_with("PING") && self.stream.write_all(b"PONG\r\n").await.is_err() {
                return false;
            }
        }
        false
    }
}
