//! A topology as a file or flags describe it: names and numbers, nothing checked, nothing filled in.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::units::{ByteSize, Span};
use crate::secret::Secret;

/// A super-cluster as somebody wrote it. [`Topology::from_spec`](super::Topology::from_spec) checks it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Spec {
    /// Name of the deployment: it keeps two super-clusters on one machine apart. Default: the file's name, or `default`.
    pub name: Option<String>,
    /// Clusters, called regions elsewhere in loadgen.
    #[serde(rename = "cluster")]
    pub clusters: Vec<ClusterSpec>,
    /// Accounts; without any: `SYS` for operators and `APP` for applications.
    #[serde(rename = "account")]
    pub accounts: Vec<AccountSpec>,
    /// How users prove who they are.
    pub auth: AuthSpec,
    /// TLS for clients and leaf nodes; without it: none.
    pub tls: Option<TlsSpec>,
    /// JetStream of all servers.
    pub jetstream: JetStreamSpec,
    /// Whether servers take clients over WebSocket.
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
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClusterSpec {
    /// Any name that nats-server takes.
    pub name: String,
    /// Number of servers, 1 to 9. Default 3. Not together with `server`.
    pub servers: Option<u16>,
    /// The servers one by one, where they differ.
    #[serde(rename = "server")]
    pub server_list: Vec<ServerSpec>,
    /// Known city, for distances. Default: the cluster's name, if it is one.
    pub city: Option<String>,
    /// Joins the super-cluster through leaf nodes of this cluster, not through gateways.
    pub leaf_of: Option<String>,
    /// Accounts whose traffic the leaf nodes carry. Default: all.
    pub leaf_accounts: Option<Vec<String>>,
    /// Clusters that its gateways lead to. Default: all that are not leaf nodes.
    pub gateways: Option<Vec<String>>,
    /// JetStream domain.
    pub domain: Option<String>,
    /// Whether its servers run JetStream. Default: as `jetstream.enabled`.
    pub jetstream: Option<bool>,
    /// nats-server of all its servers: a version, or a path.
    pub version: Option<String>,
    /// Container image of all its servers.
    pub image: Option<String>,
    /// Server tags beside `region:NAME`.
    pub tags: Vec<String>,
}

/// One server of a cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ServerSpec {
    /// Default: the cluster's name and a number.
    pub name: Option<String>,
    /// Server tags beside those of the cluster.
    pub tags: Vec<String>,
    /// nats-server: a version such as `2.14.6`, or a path.
    pub version: Option<String>,
    /// Container image.
    pub image: Option<String>,
    /// Ports; those that are not given are free ones (locally), or counted from a base (rendered).
    pub ports: PortsSpec,
    /// Address that it listens at. Default `127.0.0.1` locally, `0.0.0.0` in containers.
    pub bind: Option<String>,
    /// `HOST:PORT` that it tells clients. Default: none, so that clients keep the addresses that they were given.
    pub announce: Option<String>,
}

/// Ports of one server.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct PortsSpec {
    /// NATS clients.
    pub client: Option<u16>,
    /// Clients over WebSocket.
    pub websocket: Option<u16>,
    /// HTTP monitoring.
    pub monitor: Option<u16>,
    /// Servers of the same cluster.
    pub route: Option<u16>,
    /// Servers of other clusters.
    pub gateway: Option<u16>,
    /// Leaf nodes.
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

/// One account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AccountSpec {
    /// Its name.
    pub name: String,
    /// Whether it is the system account.
    pub system: bool,
    /// Whether it may use JetStream.
    pub jetstream: bool,
    /// What it may use of JetStream. Default: no limit but that of the servers.
    pub limits: LimitsSpec,
    /// Its users.
    #[serde(rename = "user")]
    pub users: Vec<UserSpec>,
    /// What it offers to other accounts.
    #[serde(rename = "export")]
    pub exports: Vec<ExportSpec>,
    /// What it takes from other accounts.
    #[serde(rename = "import")]
    pub imports: Vec<ImportSpec>,
    /// Subject mappings.
    #[serde(rename = "mapping")]
    pub mappings: Vec<MappingSpec>,
}

/// JetStream limits of an account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LimitsSpec {
    /// Bytes in memory.
    pub max_memory: Option<ByteSize>,
    /// Bytes on disk.
    pub max_file: Option<ByteSize>,
    /// Number of streams.
    pub max_streams: Option<u32>,
    /// Number of consumers.
    pub max_consumers: Option<u32>,
}

impl LimitsSpec {
    /// Whether nothing is limited.
    pub fn is_empty(&self) -> bool {
        let Self { max_memory, max_file, max_streams, max_consumers } = self;
        max_memory.is_none() && max_file.is_none() && max_streams.is_none() && max_consumers.is_none()
    }
}

/// One user.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct UserSpec {
    /// Its name, unique in the super-cluster.
    pub name: String,
    /// Its password. Default: a random one, or that of `--password`.
    pub password: Option<Secret>,
    /// Subjects that it may publish to. Default: all.
    pub publish: Option<Vec<String>>,
    /// Subjects that it may subscribe to. Default: all.
    pub subscribe: Option<Vec<String>>,
}

/// One export.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ExportSpec {
    /// Subject of a stream of messages.
    pub stream: Option<String>,
    /// Subject of a service.
    pub service: Option<String>,
    /// Accounts that may import it. Default: all.
    pub accounts: Option<Vec<String>>,
}

/// One import.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ImportSpec {
    /// Account that exports it.
    pub from: String,
    /// Subject of a stream of messages.
    pub stream: Option<String>,
    /// Subject of a service.
    pub service: Option<String>,
    /// Subject here. Default: the same.
    pub to: Option<String>,
}

/// Messages to one subject that go to another one.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MappingSpec {
    /// Subject that publishers use.
    pub from: String,
    /// Subject in each cluster: `{cluster}` stands for the cluster's name.
    pub to_each_cluster: Option<String>,
    /// Or subjects, with their shares.
    pub to: Vec<MappingTarget>,
}

impl MappingSpec {
    /// The targets, those of each cluster written out.
    pub fn targets(&self, clusters: &[String]) -> Vec<MappingTarget> {
        let Some(template) = &self.to_each_cluster else { return self.to.clone() };
        let target = |cluster: &String| MappingTarget {
            subject: in_cluster(template, cluster),
            weight: None,
            cluster: Some(cluster.clone()),
        };
        clusters.iter().map(target).collect()
    }
}

/// Puts a cluster's name where `{cluster}` stands.
pub(super) fn in_cluster(template: &str, cluster: &str) -> String {
    template.replace("{cluster}", cluster)
}

/// Where a mapped message goes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MappingTarget {
    /// Subject.
    pub subject: String,
    /// Percentage of the messages. Default 100.
    pub weight: Option<u8>,
    /// Only in this cluster.
    pub cluster: Option<String>,
}

/// How users prove who they are.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSpec {
    /// Which way.
    pub kind: AuthKind,
    /// With `kind = "password"`: whether configurations hold bcrypt hashes in place of passwords.
    pub bcrypt: bool,
    /// With `kind = "token"`: the token. Default: a random one.
    pub token: Option<Secret>,
    /// With `kind = "operator"`: where servers keep the accounts' JWTs.
    pub resolver: Resolver,
}

/// A way to prove who one is.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum AuthKind {
    /// Not at all: who gives no name is the first user of the first account.
    #[default]
    None,
    /// By name and password.
    Password,
    /// By a token that all share. There are no accounts then.
    Token,
    /// By a signature of a nonce.
    Nkey,
    /// By a JWT that an account signed, whose JWT an operator signed.
    Operator,
}

impl AuthKind {
    /// As a file says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Password => "password",
            Self::Token => "token",
            Self::Nkey => "nkey",
            Self::Operator => "operator",
        }
    }
}

/// Where servers in operator mode keep the accounts' JWTs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Resolver {
    /// In the configuration: a change needs a reload.
    #[default]
    Memory,
    /// In a folder that servers replicate: `nsc push` changes it.
    Full,
}

/// TLS for clients, leaf nodes and WebSockets, with a certificate authority of the topology's own.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TlsSpec {
    /// Whether clients must show a certificate.
    pub mutual: bool,
    /// Whether servers wait for the TLS handshake before they send INFO (nats-server 2.10 and newer).
    pub handshake_first: bool,
}

/// JetStream of each server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct JetStreamSpec {
    /// Whether servers run it.
    pub enabled: bool,
    /// Bytes in memory.
    pub max_memory: ByteSize,
    /// Bytes on disk.
    pub max_file: ByteSize,
}

impl Default for JetStreamSpec {
    /// On, with little room: nine servers share one machine, and a run keeps a few megabytes.
    fn default() -> Self {
        Self { enabled: true, max_memory: ByteSize::mebibytes(64), max_file: ByteSize::mebibytes(256) }
    }
}

/// Something that is on, unless it is switched off.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct Enabled {
    /// Whether it is on.
    pub enabled: bool,
}

impl Default for Enabled {
    fn default() -> Self {
        Self { enabled: true }
    }
}

/// Timers of the servers.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TimingSpec {
    /// How often servers ping clients, routes and gateways. Default 1 s locally.
    pub ping_interval: Option<Span>,
    /// How long a lame duck waits before it closes its first client. Default 10 s.
    pub lame_duck_grace: Option<Span>,
}

/// Round-trip times.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DistancesSpec {
    /// Milliseconds, both ways together, by pair: `"lon-dal" = 113`.
    pub rtt_ms: BTreeMap<String, f64>,
    /// Rows `from,to,ms`; such a table comes from `from,to,ms` measurements.
    pub csv: Option<String>,
    /// Milliseconds between clusters of which nothing else is known.
    pub other_ms: Option<f64>,
}

/// A stream to create.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct StreamSpec {
    /// Its name; `{cluster}` with `each_cluster`.
    pub name: String,
    /// Whether there is one in each cluster: `{cluster}` stands for the cluster's name, and each is placed there.
    pub each_cluster: bool,
    /// Account. Default: the first one with JetStream.
    pub account: Option<String>,
    /// Cluster that holds it. Default: the server that leads JetStream chooses.
    pub cluster: Option<String>,
    /// Subjects that it stores.
    pub subjects: Vec<String>,
    /// Copies. Default 1.
    pub replicas: Option<u8>,
    /// `limits` (default), `interest` or `workqueue`.
    pub retention: Option<Retention>,
    /// `old` (default) or `new`.
    pub discard: Option<Discard>,
    /// `file` (default) or `memory`.
    pub storage: Option<Storage>,
    /// Age at which messages go. Default: never.
    pub max_age: Option<Span>,
    /// Bytes that it may hold.
    pub max_bytes: Option<ByteSize>,
    /// Time in which a message id counts as a duplicate. Default 2 m.
    pub duplicate_window: Option<Span>,
    /// Whether any replica answers direct gets.
    pub allow_direct: bool,
    /// Stream that it copies.
    pub mirror: Option<SourceSpec>,
    /// Streams that it collects.
    pub sources: Vec<SourceSpec>,
}

/// What a mirror or a collecting stream copies.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SourceSpec {
    /// The other stream.
    pub stream: String,
    /// Whether there is one in each cluster: `{cluster}` stands for the cluster's name.
    pub each_cluster: bool,
    /// Its JetStream domain, if another one.
    pub domain: Option<String>,
    /// Only these subjects.
    pub filter: Option<String>,
    /// Changes of subjects.
    #[serde(rename = "transform")]
    pub transforms: Vec<TransformSpec>,
}

/// A change of subjects.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransformSpec {
    /// Subjects of the other stream.
    pub from: String,
    /// Subjects here.
    pub to: String,
}

/// When messages go.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Retention {
    /// When a limit is reached.
    Limits,
    /// When every consumer has acknowledged them.
    Interest,
    /// When one consumer has acknowledged them.
    Workqueue,
}

/// What a full stream does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Discard {
    /// Drops the oldest message.
    Old,
    /// Refuses the newest one.
    New,
}

/// Where messages are stored.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// On disk.
    File,
    /// In memory.
    Memory,
}

/// A key-value bucket to create.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct BucketSpec {
    /// Its name.
    pub name: String,
    /// Account. Default: the first one with JetStream.
    pub account: Option<String>,
    /// Cluster that holds it.
    pub cluster: Option<String>,
    /// Copies. Default 1.
    pub replicas: Option<u8>,
    /// Values kept per key, 1 to 64. Default 1.
    pub history: Option<u8>,
    /// Age at which values go. Default: never.
    pub ttl: Option<Span>,
}
