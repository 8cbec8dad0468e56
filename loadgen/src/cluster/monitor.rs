//! A server's monitoring endpoint, and the parts of its answers that loadgen uses.

use std::collections::BTreeMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::go_json::null_as_default;

/// A server's monitoring endpoint.
#[derive(Clone, Copy, Debug)]
pub struct Monitor {
    addr: SocketAddr,
}

/// Why a server could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum MonitorError {
    /// No answer: it is dead, or paused.
    #[error("{path} does not answer: {error}")]
    Io {
        /// What was asked.
        path: &'static str,
        /// The error.
        error: io::Error,
    },
    /// An answer that is none.
    #[error("{path} sent an answer that loadgen cannot read: {reason}")]
    Answer {
        /// What was asked.
        path: &'static str,
        /// The problem.
        reason: String,
    },
}

impl Monitor {
    pub(super) fn new(addr: SocketAddr) -> Self {
        Self { addr }
    }

    /// The address of its HTTP server.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Load and totals.
    pub async fn varz(&self) -> Result<Varz, MonitorError> {
        self.get("/varz").await
    }

    /// Connections to the other servers of the region.
    pub async fn routez(&self) -> Result<Routez, MonitorError> {
        self.get("/routez").await
    }

    /// Connections to and from other regions.
    pub async fn gatewayz(&self) -> Result<Gatewayz, MonitorError> {
        self.get("/gatewayz").await
    }

    /// Connections to and from leaf nodes.
    pub async fn leafz(&self) -> Result<Leafz, MonitorError> {
        self.get("/leafz").await
    }

    /// Connections of clients.
    pub async fn connz(&self) -> Result<Connz, MonitorError> {
        // Above what one server of a run carries; the stock limit is 1024.
        self.get("/connz?limit=100000").await
    }

    /// JetStream's view of its own cluster.
    pub async fn jsz(&self) -> Result<Jsz, MonitorError> {
        self.get("/jsz").await
    }

    /// Returns whether the server calls itself healthy.
    pub async fn healthz(&self) -> Result<Healthz, MonitorError> {
        self.get("/healthz").await
    }

    async fn get<T: DeserializeOwned>(&self, path: &'static str) -> Result<T, MonitorError> {
        let answered = tokio::time::timeout(LIMIT, self.exchange(path)).await;
        let answer = answered.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()));
        let answer = answer.map_err(|error| MonitorError::Io { path, error })?;
        let wrong = |reason: String| MonitorError::Answer { path, reason };
        let separator = b"\r\n\r\n";
        let head = answer.windows(separator.len()).position(|window| window == separator);
        let body = head.map(|end| &answer[end + separator.len()..]);
        let body = body.ok_or_else(|| wrong("no HTTP head".to_owned()))?;
        serde_json::from_slice(body).map_err(|error| wrong(error.to_string()))
    }

    /// HTTP/1.0, because its answers are neither chunked nor kept alive: the body is what comes before the end.
    async fn exchange(&self, path: &str) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(self.addr).await?;
        stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

/// A healthy server on loopback answers within milliseconds; a paused one never does.
const LIMIT: Duration = Duration::from_secs(2);

/// `/varz`, as far as it is used.
#[derive(Clone, Debug, Deserialize)]
pub struct Varz {
    /// The server's id: another one after each start.
    pub server_id: String,
    /// Percent of one core.
    pub cpu: f64,
    /// Resident bytes.
    pub mem: u64,
    /// Clients connected now.
    pub connections: u64,
    /// Clients connected since the start.
    pub total_connections: u64,
    /// Clients closed because they read too slowly.
    pub slow_consumers: u64,
    /// When the server read its configuration last.
    #[serde(default)]
    pub config_load_time: String,
}

/// `/routez`, as far as it is used.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Routez {
    /// Of the server that answers.
    #[serde(default)]
    pub server_id: String,
    /// Several per peer: routes are pooled.
    #[serde(default, deserialize_with = "null_as_default")]
    pub routes: Vec<Route>,
}

/// One connection between servers of a region.
#[derive(Clone, Debug, Deserialize)]
pub struct Route {
    /// The other server. Empty from nats-server 2.9, which says its id alone.
    #[serde(default)]
    pub remote_name: String,
    /// The other server's id.
    #[serde(default)]
    pub remote_id: String,
}

/// `/gatewayz`, as far as it is used.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Gatewayz {
    /// By region: what this server dialled.
    #[serde(default, deserialize_with = "null_as_default")]
    pub outbound_gateways: BTreeMap<String, Gateway>,
    /// By region: what dialled this server.
    #[serde(default, deserialize_with = "null_as_default")]
    pub inbound_gateways: BTreeMap<String, Vec<Gateway>>,
}

/// One direction of a gateway.
#[derive(Clone, Debug, Deserialize)]
pub struct Gateway {
    /// Its connection.
    pub connection: Connection,
}

/// `/leafz`, as far as it is used.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Leafz {
    /// One per account of each leaf node.
    #[serde(default, deserialize_with = "null_as_default")]
    pub leafs: Vec<Leaf>,
}

/// One connection of a leaf node, seen from either end.
#[derive(Clone, Debug, Deserialize)]
pub struct Leaf {
    /// The account that it carries.
    #[serde(default)]
    pub account: String,
    /// The other end's address.
    pub ip: String,
    /// The other end's port.
    pub port: u16,
}

/// `/connz`, as far as it is used.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Connz {
    /// The clients.
    #[serde(default)]
    pub connections: Vec<Connection>,
}

/// One connection, seen from the server.
#[derive(Clone, Debug, Deserialize)]
pub struct Connection {
    /// Unique on its server.
    pub cid: u64,
    /// The other end's address.
    pub ip: String,
    /// The other end's port.
    pub port: u16,
    /// What the other end calls itself.
    #[serde(default)]
    pub name: String,
    /// `Client` or `Leafnode`.
    #[serde(default)]
    pub kind: String,
}

impl Connection {
    pub(super) fn is_from(&self, address: Ipv4Addr) -> bool {
        self.ip.parse() == Ok(address)
    }
}

/// `/jsz`, as far as it is used.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Jsz {
    /// The meta group; absent while JetStream starts.
    #[serde(default)]
    pub meta_cluster: Option<MetaCluster>,
}

/// The raft group that decides where streams live.
#[derive(Clone, Debug, Deserialize)]
pub struct MetaCluster {
    /// Its leader, empty during an election.
    #[serde(default)]
    pub leader: String,
    /// How many servers it counts.
    pub cluster_size: u32,
    /// The others; only the leader knows them.
    #[serde(default)]
    pub replicas: Vec<Replica>,
}

/// A member of the meta group other than its leader.
#[derive(Clone, Debug, Deserialize)]
pub struct Replica {
    /// The server.
    pub name: String,
    /// Whether it has all entries.
    pub current: bool,
    /// Whether the leader misses it.
    #[serde(default)]
    pub offline: bool,
}

/// `/healthz`.
#[derive(Clone, Debug, Deserialize)]
pub struct Healthz {
    /// `ok`, or not.
    pub status: String,
}
