//! The keys of populations.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A population of clients.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientsSpec {
    /// Name of the population in workloads, thresholds and reports. Default: its kind.
    pub name: Option<String>,
    /// Library of the clients: `nats-geo`, `async-nats`, or `browser` (nats-geo in the service worker of a real browser).
    pub kind: ClientKind,
    /// Policy of nats-geo clients: `interactive` (one client, as fast as possible) or `fleet` (many clients, which spread their
    /// first dials over time). Default `interactive`.
    #[serde(default)]
    pub preset: PolicyName,
    /// Single fields of the policy of nats-geo clients, by section: `{ watch = { ping_interval = "1s" } }`. The page "All constants" lists
    /// the fields. Default: the values of the preset.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, BTreeMap<String, serde_json::Value>>")]
    pub config: toml::Table,
    /// Keeps a second connection of nats-geo clients open to the next region. Default `false`.
    #[serde(default)]
    pub warm_standby: bool,
    /// Transport of the clients: `tcp`, or `ws` (WebSocket). Both use TLS if the topology's servers do. Default `ws` for `browser`, else
    /// `tcp`.
    pub transport: Option<Transport>,
    /// Method by which nats-geo clients find the servers: by a `list`, or by `dns` (SRV and A records). Default `list`.
    #[serde(default)]
    pub discovery: Discovery,
    /// The resolver of clients with `discovery = "dns"`. Default: the first of `resolvers`.
    pub resolver: Option<String>,
    /// Number of clients in each region.
    pub per_region: Option<u32>,
    /// Number of clients in some regions: `{ lon = 6, ams = 2 }`.
    #[serde(default)]
    pub regions: BTreeMap<String, u32>,
    /// Changes of the number of clients: `["lon: 0..20 over 10s", "lon: 20..5 over 10s at 30s"]`.
    #[serde(default)]
    pub stages: Vec<String>,
}

/// Kinds of clients.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientKind {
    /// nats-geo.
    NatsGeo,
    /// nats-geo in the service worker of a real browser.
    Browser,
    /// async-nats with its defaults and the same server list.
    AsyncNats,
}

/// The name in files and reports.
impl std::fmt::Display for ClientKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::NatsGeo => "nats-geo",
            Self::Browser => "browser",
            Self::AsyncNats => "async-nats",
        })
    }
}

/// Presets of nats-geo.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyName {
    /// For few clients: after a fault, each client moves as fast as possible.
    #[default]
    Interactive,
    /// For many clients of one kind: after a fault, their dials are spread over time.
    Fleet,
}

/// Transport of clients.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// NATS over TCP.
    #[default]
    Tcp,
    /// NATS over WebSocket.
    Ws,
}

/// Method by which clients find the servers.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Discovery {
    /// loadgen gives the clients the addresses of all servers.
    #[default]
    List,
    /// Clients look up the records of a name at a resolver.
    Dns,
}
