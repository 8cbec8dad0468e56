//! The fields of servers' answers that loadgen uses. A field that an older server lacks has its default.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;

use super::go_duration::lenient;
use super::jetstream::JetStreamStat;
use crate::go_json::null_as_default;

/// An answer of the system account, with the server that sent it.
#[derive(Clone, Debug, Deserialize)]
pub struct Envelope<T> {
    /// The server.
    pub server: ServerInfo,
    /// The answer itself. STATSZ has a name of its own for it.
    #[serde(alias = "statsz", default = "none")]
    pub data: Option<T>,
    /// The reason why there is none.
    #[serde(default)]
    pub error: Option<ApiError>,
}

/// A derived default would ask for `T: Default`.
fn none<T>() -> Option<T> {
    None
}

/// A server, as it describes itself in each answer.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub struct ServerInfo {
    /// Its name; by default its id.
    pub name: String,
    /// Its address for clients, as it was configured: `0.0.0.0` means all of its addresses.
    pub host: String,
    /// Its public key.
    pub id: String,
    /// Its cluster. A server outside of a cluster has its own name or none.
    pub cluster: String,
    /// Its JetStream domain; empty without one.
    pub domain: String,
    /// Its version, such as `2.10.26`.
    #[serde(rename = "ver")]
    pub version: String,
    /// Whether JetStream runs there.
    pub jetstream: bool,
}

/// An error of a server's API.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub struct ApiError {
    /// As in HTTP.
    pub code: u16,
    /// JetStream's own number for the error; 0 elsewhere.
    pub err_code: u32,
    /// The text for people.
    pub description: String,
}

/// STATSZ: load and links in short. All servers have it since 2.0.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Statsz {
    /// Resident bytes.
    pub mem: u64,
    /// Percent of one core.
    pub cpu: f64,
    /// Clients that are connected.
    pub connections: u64,
    /// Subscriptions of all accounts, those of other servers included.
    pub subscriptions: u64,
    /// Clients that were closed because they read too slowly.
    pub slow_consumers: u64,
    /// One per connection to a server of the same cluster: since 2.10, several lead to each.
    #[serde(deserialize_with = "null_as_default")]
    pub routes: Vec<RouteStat>,
    /// One per cluster that this server has dialled.
    #[serde(deserialize_with = "null_as_default")]
    pub gateways: Vec<GatewayStat>,
    /// Servers that this one knows in the system account, itself included; 0 if it does not say.
    pub active_servers: usize,
    /// JetStream, if it runs there.
    pub jetstream: Option<JetStreamStat>,
}

/// A connection to a server of the same cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct RouteStat {
    /// The other server's name.
    pub name: String,
}

/// The links with one other cluster.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct GatewayStat {
    /// The other cluster.
    pub name: String,
    /// Connections that its servers have opened.
    pub inbound_connections: u64,
}

/// VARZ.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Varz {
    /// Connections to leaf nodes, and of leaf nodes to their hubs. One per account.
    pub leafnodes: u64,
    /// The time since the start.
    #[serde(deserialize_with = "lenient")]
    pub uptime: Option<Duration>,
}

/// GATEWAYZ.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Gatewayz {
    /// By cluster: the connection that this server has opened.
    #[serde(deserialize_with = "null_as_default")]
    pub outbound_gateways: BTreeMap<String, Gateway>,
}

/// One direction of a gateway.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Gateway {
    /// Its connection.
    #[serde(deserialize_with = "null_as_default")]
    pub connection: GatewayConnection,
}

/// The connection of a gateway.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct GatewayConnection {
    /// The round-trip time of its last PING; `None` before the first.
    #[serde(deserialize_with = "lenient")]
    pub rtt: Option<Duration>,
}

/// LEAFZ.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Leafz {
    /// One per connection. Servers without any say `null`.
    #[serde(deserialize_with = "null_as_default")]
    pub leafs: Vec<Leaf>,
}

/// A connection between a leaf node and its hub, seen from one of them.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Leaf {
    /// The other server's name; empty before 2.10.
    pub name: String,
    /// The account of this server that it joins.
    pub account: String,
    /// The other server's address.
    pub ip: String,
    /// The round-trip time of its last PING.
    #[serde(deserialize_with = "lenient")]
    pub rtt: Option<Duration>,
    /// Whether the server that answers is the leaf node: it has dialled the other one. Older servers do not say.
    pub is_spoke: Option<bool>,
}

/// A page of CONNZ.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Connz {
    /// Connections on all pages.
    pub total: usize,
    /// The connections of this page.
    #[serde(deserialize_with = "null_as_default")]
    pub connections: Vec<Connection>,
}

/// A connection of a client, seen from its server.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(default)]
pub struct Connection {
    /// Its number at this server. A server that restarts begins at 1 anew.
    pub cid: u64,
    /// `Client`, or a kind that is none, such as `Leafnode`.
    pub kind: String,
    /// The protocol of a client: `nats`, `websocket` or `mqtt`.
    #[serde(rename = "type")]
    pub protocol: String,
    /// The address of the other end.
    pub ip: String,
    /// The name that the client chose; empty without one.
    pub name: String,
    /// The language of the client library.
    pub lang: String,
    /// The version of the client library.
    pub version: String,
    /// The account, if the request asked for it by `auth`.
    pub account: String,
}

/// A page of STREAM.LIST.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct StreamPage {
    /// Streams on all pages.
    pub total: usize,
    /// The most that a page has.
    pub limit: usize,
    /// The streams.
    #[serde(deserialize_with = "null_as_default")]
    pub streams: Vec<StreamInfo>,
    /// Names of streams whose servers did not answer the server that lists them.
    #[serde(deserialize_with = "null_as_default")]
    pub missing: Vec<String>,
    /// Streams that need a newer server, with the reason.
    #[serde(deserialize_with = "null_as_default")]
    pub offline: BTreeMap<String, String>,
    /// The reason why there is no list.
    pub error: Option<ApiError>,
}

/// A stream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct StreamInfo {
    /// Its configuration.
    pub config: StreamConfig,
    /// Its contents.
    pub state: StreamState,
    /// The servers that hold it.
    pub cluster: Option<StreamCluster>,
    /// The stream that it mirrors.
    pub mirror: Option<StreamSource>,
    /// The streams that it collects from.
    #[serde(deserialize_with = "null_as_default")]
    pub sources: Vec<StreamSource>,
}

/// The configuration of a stream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct StreamConfig {
    /// Its name.
    pub name: String,
    /// `file` or `memory`.
    pub storage: String,
    /// The servers that may hold it.
    pub placement: Option<Placement>,
}

/// The servers that may hold a stream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Placement {
    /// Its name in this cluster.
    pub cluster: String,
    /// With all of these tags.
    #[serde(deserialize_with = "null_as_default")]
    pub tags: Vec<String>,
}

/// The contents of a stream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct StreamState {
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that were removed from between others.
    pub num_deleted: u64,
    /// Messages whose bytes on the disk are damaged.
    pub lost: Option<Lost>,
    /// Consumers.
    pub consumer_count: u64,
}

/// Damaged messages.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Lost {
    /// Their sequences.
    #[serde(deserialize_with = "null_as_default")]
    pub msgs: Vec<u64>,
    /// Their bytes.
    pub bytes: u64,
}

/// The servers that hold a stream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct StreamCluster {
    /// The server that takes writes; empty during an election.
    pub leader: String,
    /// The others.
    #[serde(deserialize_with = "null_as_default")]
    pub replicas: Vec<StreamReplica>,
}

/// A server that follows the leader of a stream.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct StreamReplica {
    /// Its name.
    pub name: String,
    /// Whether it has everything.
    pub current: bool,
    /// Whether the leader misses it.
    pub offline: bool,
}

/// The stream that another one is copied from.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct StreamSource {
    /// Its name.
    pub name: String,
    /// The API of its domain or account, if that is another one.
    pub external: Option<External>,
    /// Messages that are not copied yet, as far as the copy knows.
    pub lag: u64,
    /// Nanoseconds since the origin was heard; negative if it never was.
    pub active: i64,
    /// The reason why nothing is copied.
    pub error: Option<ApiError>,
}

/// The API of another domain or account.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct External {
    /// The prefix of its subjects, such as `$JS.hub.API`.
    pub api: String,
}

/// The account of a user, from USER.INFO. Servers answer since 2.10, and some older ones.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct UserInfo {
    /// The account's name, or its public key.
    pub account: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Left out, as in a stream outside of a cluster, and `null`, as in LEAFZ of 2.9.10.
    #[test]
    fn fields_may_be_left_out_or_null() {
        let leafz: Envelope<Leafz> =
            serde_json::from_str(r#"{"server": {"name": "a", "ver": "2.9.10"}, "data": {"leafs": null}}"#)
                .unwrap();
        assert!(leafz.data.unwrap().leafs.is_empty());
        let statsz: Envelope<Statsz> =
            serde_json::from_str(r#"{"server": {"name": "a"}, "statsz": {"mem": 7, "later": {}}}"#).unwrap();
        assert_eq!(statsz.data.map(|data| (data.mem, data.active_servers)), Some((7, 0)));
        let gatewayz: Gatewayz =
            serde_json::from_str(r#"{"outbound_gateways": {"b": {"connection": null}, "c": {}}}"#).unwrap();
        assert!(gatewayz.outbound_gateways.values().all(|gateway| gateway.connection.rtt.is_none()));
        let page: StreamPage = serde_json::from_str(r#"{"streams": [{"config": {"name": "s"}}]}"#).unwrap();
        assert!(page.streams[0].cluster.is_none());
    }

    #[test]
    fn an_error_stands_in_place_of_data() {
        let text = r#"{"server": {"name": "a"}, "error": {"code": 503, "description": "not ready"}}"#;
        let answer: Envelope<Varz> = serde_json::from_str(text).unwrap();
        assert_eq!(answer.error.map(|error| error.description).as_deref(), Some("not ready"));
        assert!(answer.data.is_none());
    }
}
