//! The shape of a scenario file. Doc comments are the reference.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::fault::FaultKind;
use super::fault_options::FaultOptions;
use crate::topology::{ByteSize, Span};

/// A scenario file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioSpec {
    /// One line that says what happens.
    pub title: String,
    /// The reason to play it: facts that it shows.
    pub description: Option<String>,
    /// A preset (`"super-cluster"`), a file relative to this one, or a table with the keys of a topology file. Default
    /// `super-cluster`.
    pub topology: Option<TopologyRef>,
    /// Seed of all random choices; `--seed` wins. Default: random, and printed.
    pub seed: Option<u64>,
    /// How often the scenario is played, each time on a new super-cluster. Default 1.
    #[serde(default = "one")]
    pub repeat: u16,
    /// Values of `${NAME}` in this file; an env file changes them.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub variables: BTreeMap<String, toml::Value>,
    /// Populations of clients.
    #[serde(default)]
    pub clients: Vec<ClientsSpec>,
    /// The work of the clients.
    #[serde(default)]
    pub workload: Vec<WorkloadSpec>,
    /// Named parts of the timeline, one after the other.
    #[serde(default)]
    pub phase: Vec<PhaseSpec>,
    /// Faults.
    #[serde(default)]
    pub fault: Vec<FaultSpec>,
    /// The same as one-liners: `"silence:lon@10s/30s"`.
    #[serde(default)]
    pub faults: Vec<String>,
    /// Bounds that must hold: `"failover.p90{population=geo} < 500ms"`.
    #[serde(default)]
    pub thresholds: Vec<String>,
    /// Variants that meet the same faults; the report compares them.
    #[serde(default)]
    pub strategy: Vec<StrategySpec>,
}

/// Where the topology comes from.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "write the name of a preset, a path, or a table with the keys of a topology file"
)]
pub enum TopologyRef {
    /// A preset or a file.
    Name(String),
    /// The keys of a topology file.
    Inline(#[schemars(with = "BTreeMap<String, serde_json::Value>")] toml::Table),
}

/// A population of clients.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ClientsSpec {
    /// Its name in workloads, thresholds and reports. Default: its kind.
    pub name: Option<String>,
    /// Which client: `nats-geo` or `async-nats`.
    pub kind: ClientKind,
    /// Policy of nats-geo clients: `interactive` (one client, as fast as possible) or `fleet` (many clients, which spread their
    /// first attempts). Default `interactive`.
    #[serde(default)]
    pub preset: PolicyName,
    /// Whether nats-geo clients keep a second connection open to the next region. Default `false`.
    #[serde(default)]
    pub warm_standby: bool,
    /// Clients in each region.
    pub per_region: Option<u32>,
    /// Clients in some regions: `{ lon = 6, ams = 2 }`.
    #[serde(default)]
    pub regions: BTreeMap<String, u32>,
    /// How the numbers change: `["lon: 0..20 over 10s", "lon: 20..5 over 10s at 30s"]`.
    #[serde(default)]
    pub stages: Vec<String>,
}

/// Kinds of clients.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ClientKind {
    /// nats-geo.
    NatsGeo,
    /// async-nats with its defaults and the same server list.
    AsyncNats,
}

/// The name in files and reports.
impl std::fmt::Display for ClientKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::NatsGeo => "nats-geo",
            Self::AsyncNats => "async-nats",
        })
    }
}

/// Presets of nats-geo.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PolicyName {
    /// A single client: as fast as possible.
    #[default]
    Interactive,
    /// Many clients of one kind: first attempts are spread out.
    Fleet,
}

/// A workload.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkloadSpec {
    /// Its name in the ledger. Default: its kind.
    pub name: Option<String>,
    /// The work: requests, or publishes to a stream.
    pub kind: WorkloadKind,
    /// Populations that do it. Default: all.
    pub clients: Option<Vec<String>>,
    /// Operations per second, for each client. Default 20.
    pub rate: Option<u16>,
    /// Subject that clients of `jetstream` publish to, such as `foo.loadgen`, so that your own streams store the messages. Default:
    /// loadgen creates a stream.
    pub subject: Option<String>,
    /// Your own streams, in which loadgen looks for every acknowledged message at the end. Set `subject`, too.
    #[serde(default)]
    pub streams: Vec<String>,
    /// Region of the stream of `jetstream`. Default: the last region of the topology, because the first one usually breaks.
    pub region: Option<String>,
    /// Size of each message: `html` (30 KB), `json` (1 KB), `video` (128 KB), or bytes as in `"4KB"`. Default `json`.
    pub payload: Option<Payload>,
}

/// Kinds of workloads.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum WorkloadKind {
    /// Requests to responders in every region, which answer at once.
    Request,
    /// Publishes to a stream with an acknowledgement; the stream is read at the end.
    Jetstream,
}

/// The name in files and reports.
impl std::fmt::Display for WorkloadKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Request => "request",
            Self::Jetstream => "jetstream",
        })
    }
}

/// Size of a message.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "write `html`, `json`, `video`, or a size such as \"1KB\"")]
pub enum Payload {
    /// As in practice.
    Kind(PayloadKind),
    /// Exactly.
    Size(ByteSize),
}

/// Messages as a web application sends them.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PayloadKind {
    /// A page.
    Html,
    /// The answer of an API.
    Json,
    /// A part of a segment of a player.
    Video,
}

impl Payload {
    /// Its bytes. The median HTML page of the HTTP Archive has 30 KB, API answers have about 1 KB, and a segment of video
    /// travels in chunks of 128 KB, which stay far below nats-server's limit of 1 MB.
    pub fn bytes(self) -> u64 {
        match self {
            Self::Kind(PayloadKind::Html) => 30 * 1024,
            Self::Kind(PayloadKind::Json) => 1024,
            Self::Kind(PayloadKind::Video) => 128 * 1024,
            Self::Size(size) => size.bytes(),
        }
    }
}

/// A part of the timeline.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseSpec {
    /// Its name in thresholds and reports.
    pub name: String,
    /// How long it lasts.
    #[serde(rename = "for")]
    pub lasts: Span,
}

/// A fault.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FaultSpec {
    /// The fault.
    pub inject: FaultKind,
    /// Regions, servers, pairs of regions, streams, `meta` or populations.
    #[schemars(default)]
    pub target: OneOrMany,
    /// The phase that it begins and ends with; instead of `at` and `for`.
    pub phase: Option<String>,
    /// When it begins, since the start of the run; instead of `phase`.
    pub at: Option<Span>,
    /// How long it lasts. Default: to the end.
    #[schemars(rename = "for")]
    pub lasts: Option<Span>,
    /// The rest.
    #[schemars(flatten)]
    pub options: FaultOptions,
}

impl<'de> Deserialize<'de> for FaultSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // serde refuses unknown keys only where nothing is flattened.
        #[derive(Deserialize)]
        struct Raw {
            inject: FaultKind,
            #[serde(default)]
            target: OneOrMany,
            phase: Option<String>,
            at: Option<Span>,
            #[serde(rename = "for")]
            lasts: Option<Span>,
            #[serde(flatten)]
            rest: toml::Table,
        }
        let Raw { inject, target, phase, at, lasts, rest } = Raw::deserialize(deserializer)?;
        let options = rest.try_into().map_err(|error: toml::de::Error| de::Error::custom(error.message()))?;
        Ok(Self { inject, target, phase, at, lasts, options })
    }
}

/// A name, or a list of names.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "write a name, or a list of names")]
pub enum OneOrMany {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

impl Default for OneOrMany {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl OneOrMany {
    /// All of them.
    pub fn to_vec(&self) -> Vec<String> {
        match self {
            Self::One(name) => vec![name.clone()],
            Self::Many(names) => names.clone(),
        }
    }
}

/// A strategy.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StrategySpec {
    /// Its name in the report.
    pub name: String,
    /// Values that it changes, by path: `{ "clients.geo.warm_standby" = true }`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub set: BTreeMap<String, toml::Value>,
}

const fn one() -> u16 {
    1
}
