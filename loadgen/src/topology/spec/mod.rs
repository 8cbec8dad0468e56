//! A topology in the form of a file or of flags: names and numbers, not checked, without defaults.

mod accounts;
mod streams;

use std::collections::BTreeMap;

use serde::Deserialize;

use super::units::{ByteSize, Span};

pub(super) use accounts::in_cluster;
pub use accounts::{
    AccountSpec, AuthKind, AuthSpec, ExportSpec, ImportSpec, LimitsSpec, MappingSpec, MappingTarget,
    Resolver, UserSpec,
};
pub use streams::{BucketSpec, Discard, Retention, SourceSpec, Storage, StreamSpec, TransformSpec};

/// The content of a topology file. [`Topology::from_spec`](super::Topology::from_spec) checks it.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Spec {
    /// Name of the deployment. Two super-clusters on one machine need different names. Default: the file's name, or `default`.
    pub name: Option<String>,
    /// Clusters, called regions elsewhere in loadgen.
    #[serde(rename = "cluster")]
    pub clusters: Vec<ClusterSpec>,
    /// Accounts. Default: `SYS` for operators and `APP` for applications.
    #[serde(rename = "account")]
    pub accounts: Vec<AccountSpec>,
    /// Method by which users log in.
    pub auth: AuthSpec,
    /// TLS for clients and leaf nodes. Default: no TLS.
    pub tls: Option<TlsSpec>,
    /// JetStream of all servers.
    pub jetstream: JetStreamSpec,
    /// WebSocket for clients.
    pub websocket: Enabled,
    /// Timers of the servers.
    pub timing: TimingSpec,
    /// Round-trip times between clusters.
    pub distances: DistancesSpec,
    /// Streams to create.
    #[serde(rename = "stream")]
    pub streams: Vec<StreamSpec>,
    /// Key-value buckets to create.
    #[serde(rename = "bucket")]
    pub buckets: Vec<BucketSpec>,
    /// The super-cluster counts as stable only when at least this many instances of each service answer.
    pub services: BTreeMap<String, u16>,
}

/// One cluster.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterSpec {
    /// Name of the cluster, as nats-server allows it.
    pub name: String,
    /// Number of servers, 1 to 9. Default 3. Leave it out if you give `server`.
    pub servers: Option<u16>,
    /// Number of servers that must be up so that the super-cluster counts as stable. Default: all servers of the cluster.
    pub minimum: Option<u16>,
    /// The servers of the cluster, if they need different keys.
    #[serde(rename = "server")]
    pub server_list: Vec<ServerSpec>,
    /// Well-known city, for distances. Default: the cluster's name, if it is such a city.
    pub city: Option<String>,
    /// Hub of this cluster. The cluster then joins the super-cluster through leaf nodes of the hub, not through gateways.
    pub leaf_of: Option<String>,
    /// Accounts whose traffic the leaf nodes carry. Default: all.
    pub leaf_accounts: Option<Vec<String>>,
    /// Clusters that this cluster has gateways to. Default: all clusters that are not leaf nodes.
    pub gateways: Option<Vec<String>>,
    /// JetStream domain of the cluster.
    pub domain: Option<String>,
    /// Whether the servers of this cluster have JetStream. Default: the value of `jetstream.enabled`.
    pub jetstream: Option<bool>,
    /// nats-server of the cluster: a version, `debian` for the version in Debian's package, or a path.
    pub version: Option<String>,
    /// Container image of the cluster's servers.
    pub image: Option<String>,
    /// Server tags of the cluster, in addition to `region:NAME`.
    pub tags: Vec<String>,
}

/// One server of a cluster.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSpec {
    /// Name of the server. Default: the cluster's name and a number.
    pub name: Option<String>,
    /// Server tags, in addition to the tags of the cluster.
    pub tags: Vec<String>,
    /// nats-server: a version such as `2.14.6`, `debian` for the version in Debian's package, or a path.
    pub version: Option<String>,
    /// Container image of the server.
    pub image: Option<String>,
    /// Ports of the server. Default: free ports on this machine. In rendered files, they are counted from a base port.
    pub ports: PortsSpec,
    /// Address that the server listens at. Default `127.0.0.1` on this machine, `0.0.0.0` in containers.
    pub bind: Option<String>,
    /// `HOST:PORT` that the server advertises to clients. Default: none, so that clients keep the addresses of their own lists.
    pub announce: Option<String>,
}

/// The version that means the one of Debian's package.
pub const DEBIAN: &str = "debian";

/// Ports of one server.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct PortsSpec {
    /// Port for NATS clients.
    pub client: Option<u16>,
    /// Port for clients over WebSocket.
    pub websocket: Option<u16>,
    /// Port for HTTP monitoring.
    pub monitor: Option<u16>,
    /// Port for servers of the same cluster.
    pub route: Option<u16>,
    /// Port for servers of other clusters.
    pub gateway: Option<u16>,
    /// Port for leaf nodes.
    pub leaf: Option<u16>,
}

impl PortsSpec {
    /// The ports that are given, each with its key.
    pub fn given(&self) -> impl Iterator<Item = (&'static str, u16)> {
        let all = [
            ("client", self.client),
            ("websocket", self.websocket),
            ("monitor", self.monitor),
            ("route", self.route),
            ("gateway", self.gateway),
            ("leaf", self.leaf),
        ];
        all.into_iter().filter_map(|(key, port)| Some((key, port?)))
    }
}

/// TLS for clients, leaf nodes and WebSockets. loadgen makes a certificate authority for the topology.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSpec {
    /// Requires a certificate of each client (mutual TLS).
    pub mutual: bool,
    /// Makes servers wait for the TLS handshake before they send INFO (nats-server 2.10 and newer).
    pub handshake_first: bool,
}

/// JetStream of each server.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct JetStreamSpec {
    /// Makes the servers run JetStream.
    pub enabled: bool,
    /// Memory for streams, in bytes.
    pub max_memory: ByteSize,
    /// Disk space for streams, in bytes.
    pub max_file: ByteSize,
}

impl Default for JetStreamSpec {
    /// On, with little room: nine servers share one machine, and a run keeps a few megabytes.
    fn default() -> Self {
        Self { enabled: true, max_memory: ByteSize::mebibytes(64), max_file: ByteSize::mebibytes(256) }
    }
}

/// WebSocket of the servers, for clients in browsers. The servers have it unless `enabled` is `false`.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Enabled {
    /// Makes the servers accept clients over WebSocket.
    pub enabled: bool,
}

impl Default for Enabled {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Timers of the servers.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct TimingSpec {
    /// Interval at which servers ping clients, routes and gateways. Default on this machine: 1 s.
    pub ping_interval: Option<Span>,
    /// Time that a server in lame duck mode waits before it closes its first client. Default 10 s.
    pub lame_duck_grace: Option<Span>,
}

/// Round-trip times between clusters.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct DistancesSpec {
    /// Round-trip time of each pair of clusters, in milliseconds: `"lon-dal" = 113`. With a second row `"dal-lon" = 120`, each row
    /// holds for the connections that its first cluster opens.
    pub rtt_ms: BTreeMap<String, f64>,
    /// A CSV file with rows `from,to,ms`, in place of `rtt_ms`.
    pub csv: Option<String>,
    /// Round-trip time in milliseconds between clusters for which no other key gives one.
    pub other_ms: Option<f64>,
}
