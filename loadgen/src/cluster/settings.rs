//! Settings that all servers of a run share, in addition to their topology.

use std::path::PathBuf;
use std::time::Duration;

use crate::secret::Secret;

/// What every server of the super-cluster has in common, apart from its place.
#[derive(Clone, Debug)]
pub struct ServerSettings {
    /// Method by which clients log in.
    pub auth: Auth,
    /// Certificates in place of those that loadgen makes; `None`: TLS as the topology says.
    pub tls: Option<ServerTls>,
    /// How often servers ping clients, routes and gateways; two pings without an answer end a connection. The stock
    /// values (2 min to clients, 15 s over gateways) would measure the far side: a silent region would keep receiving
    /// requests for up to 45 s, whatever the client does.
    pub ping_interval: Duration,
    /// How long a lame duck waits before it closes its first client.
    pub lame_duck_grace: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            auth: Auth::Topology,
            tls: None,
            ping_interval: Duration::from_secs(1),
            // The stock value of nats-server.
            lame_duck_grace: Duration::from_secs(10),
        }
    }
}

/// Method by which clients log in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Auth {
    /// As the topology says.
    Topology,
    /// As this says, in nats-server's syntax: auth callout, or anything else that a topology cannot say. loadgen knows no
    /// system user then, so [`move_meta_leader`](super::SuperCluster::move_meta_leader) fails.
    Custom(Secret),
}

/// What servers show to clients, and ask of them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerTls {
    /// Their certificate, a PEM file.
    pub cert_file: PathBuf,
    /// Its key, a PEM file.
    pub key_file: PathBuf,
    /// Clients must show a certificate of this authority, a PEM file; `None`: they need none.
    pub client_ca_file: Option<PathBuf>,
    /// Over TCP, nothing is said before the handshake. WebSocket is always so.
    pub handshake_first: bool,
}
