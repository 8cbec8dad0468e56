//! A server for the back channel, for operators who have none.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use crate::cluster::{StartError, StartOptions, SuperCluster};
use crate::ops::OpsUrl;
use crate::secret::Secret;
use crate::topology::{self, TopologyError};
use crate::wan::{OpenPathError, Path, PathOptions, ReservedPort, StartWanError, Wan, WanChoice};

/// A nats-server with JetStream and one user. Dropping it ends it.
#[derive(Debug)]
pub struct OpsServer {
    cluster: SuperCluster,
    url: OpsUrl,
    /// The way in from other machines.
    _door: Option<(Wan, Path)>,
}

/// Why the server did not start.
#[derive(Debug, thiserror::Error)]
pub enum OpsServerError {
    /// There is no random password.
    #[error("cannot make a password for the back channel: {0}")]
    Password(#[from] std::io::Error),
    /// It cannot be described.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// It did not start.
    #[error("the server of the back channel did not start: {0}")]
    Start(#[from] StartError),
    /// Other machines have no way in.
    #[error("the back channel cannot listen for other machines: {0}")]
    Wan(#[from] StartWanError),
    /// The same, because of its address or port.
    #[error(transparent)]
    Door(#[from] OpenPathError),
    /// It has no address.
    #[error("the server of the back channel has no valid address")]
    Url,
}

impl OpsServer {
    /// Starts it at this address of the machine, with a password that nobody can guess; at `port`, or at a free one.
    ///
    /// # Errors
    /// See [`OpsServerError`].
    pub async fn start(
        nats_server: Option<&std::path::Path>,
        port: Option<u16>,
        listen: Ipv4Addr,
    ) -> Result<Self, OpsServerError> {
        // Before the server, so that a wrong address is told at once.
        let door = (listen != Ipv4Addr::LOCALHOST).then(|| reserve(listen, port)).transpose()?;
        let password = Secret::random()?;
        let topology = topology::from_toml(TOPOLOGY, "back channel", |_| Err(String::new()))?;
        let mut options = StartOptions::new(topology);
        options.nats_server = nats_server.map(ToOwned::to_owned);
        options.base_port = port;
        options.password = Some(password.clone());
        options.wan = WanChoice::None;
        let cluster = SuperCluster::start(options).await?;
        let server = cluster.server_urls().into_values().next();
        let server = server.and_then(|url| url.strip_prefix("nats://")?.parse::<SocketAddr>().ok());
        let server = server.ok_or(OpsServerError::Url)?;
        let door = door.map(|port| open(port, server)).transpose()?;
        let address = door.as_ref().map_or(server, |(_, path)| path.addr());
        let url = format!("nats://{USER}:{}@{address}", password.expose());
        let url = url.parse().map_err(|_| OpsServerError::Url)?;
        Ok(Self { cluster, url, _door: door })
    }

    /// Its address, with the credentials.
    pub const fn url(&self) -> &OpsUrl {
        &self.url
    }

    /// Ends it.
    pub async fn shutdown(self) {
        self.cluster.shutdown().await;
    }
}

fn reserve(listen: Ipv4Addr, port: Option<u16>) -> Result<ReservedPort, OpenPathError> {
    let exactly = |port| ReservedPort::exactly_at(SocketAddrV4::new(listen, port));
    Ok(port.map_or_else(|| ReservedPort::any_at(listen), exactly)?)
}

/// The server itself stays on loopback, where its monitoring endpoints ask for no password.
fn open(listen: ReservedPort, upstream: SocketAddr) -> Result<(Wan, Path), OpsServerError> {
    let wan = Wan::start()?;
    let label = "back channel".to_owned();
    let path = wan.open(PathOptions { label, listen, upstream, rtt: Duration::ZERO, dial_from: None })?;
    Ok((wan, path))
}

const USER: &str = "loadgen";

/// One server, which takes only its user.
const TOPOLOGY: &str = r#"
[[cluster]]
name = "operations"
servers = 1

[auth]
kind = "password"

[[account]]
name = "operations"
jetstream = true
user = [{ name = "loadgen" }]
"#;
