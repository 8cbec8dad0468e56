//! The shape of a scenario file. Doc comments are the reference.

mod clients;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::fault::FaultKind;
use super::fault_options::FaultOptions;
use crate::topology::{ByteSize, Span};
use crate::wan::WanChoice;

pub use clients::{ClientKind, ClientsSpec, Discovery, PolicyName, Transport};

/// A scenario file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ScenarioSpec {
    /// Title of the scenario, in one line.
    pub title: String,
    /// Purpose of the scenario, and the facts that it shows.
    pub description: Option<String>,
    /// A preset (`"super-cluster"`), a file relative to this one, or a table with the keys of a topology file. Default
    /// `super-cluster`.
    pub topology: Option<TopologyRef>,
    /// Seed of all random choices; `--seed` overrides it. Default: a random seed, which loadgen prints.
    pub seed: Option<u64>,
    /// Number of plays, each on a new super-cluster. Default 1.
    #[serde(default = "one")]
    pub repeat: u16,
    /// Plays two seconds without faults first, and starts fewer clients if this machine cannot serve all of them
    /// in time. Default `false`.
    #[serde(default)]
    pub fit: bool,
    /// The emulation of the WAN: `proxy`, `netns`, `auto` or `none`; `--wan` overrides it. Default `proxy`.
    pub wan: Option<WanChoice>,
    /// Names of emulated DNS resolvers, such as `google` and `cloudflare`. Default: one resolver, `dns`, if clients use DNS.
    pub resolvers: Option<Vec<String>>,
    /// Values of `${NAME}` in this file; an env file (`--env`) overrides them.
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
    /// Faults in one line each: `"silence:lon@10s/30s"`.
    #[serde(default)]
    pub faults: Vec<String>,
    /// Bounds that must hold: `"failover.p90{population=geo} < 500ms"`.
    #[serde(default)]
    pub thresholds: Vec<String>,
    /// Variants of the scenario with the same faults; the report compares them.
    #[serde(default)]
    pub strategy: Vec<StrategySpec>,
}

/// Source of the topology.
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

/// A workload.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WorkloadSpec {
    /// Name of the workload in reports. Default: its kind.
    pub name: Option<String>,
    /// The work of each client.
    pub kind: WorkloadKind,
    /// Populations that have this workload. Default: all.
    pub clients: Option<Vec<String>>,
    /// Regions whose clients have this workload. Default: all.
    pub regions: Option<Vec<String>>,
    /// Operations per second, for each client. Default 20; for `object` 1, because an object has many messages.
    pub rate: Option<u16>,
    /// Changes of the rate: `["10..200 over 30s", "200..10 over 5s at 60s"]`. Each begins after the one before it has ended.
    #[serde(default)]
    pub rates: Vec<String>,
    /// For `request`: subject of your own responders, such as `orders.get`; `{region}` is the region of the client. Default: loadgen
    /// starts responders. For `jetstream`: subject that clients publish to, such as `foo.loadgen`, so that your own streams store the
    /// messages. Default: loadgen creates a stream.
    pub subject: Option<String>,
    /// Content of the requests to your own responders; `{region}` is the region of the client. Default: as many bytes as `payload`
    /// says.
    pub body: Option<String>,
    /// Your own streams. At the end, loadgen looks in them for every acknowledged message. Set `subject`, too.
    #[serde(default)]
    pub streams: Vec<String>,
    /// Times at which operations begin: `uniform` (at even times) or `poisson` (at random times with the same average, like those of
    /// independent users; the same seed repeats them). Default `uniform`.
    pub arrival: Option<Arrival>,
    /// Instead of `rate`: number of operations that each client has at once. The client begins an operation when another ends. Such a
    /// closed loop waits during an outage, so the measured latency leaves out operations that never began.
    pub concurrency: Option<u16>,
    /// Share of gets among the operations of `kv` and `object`, 0 to 1; the others are puts. Default 0.5.
    pub gets: Option<f64>,
    /// Region of the stream, bucket or object store that loadgen creates. Default: the last region, because the first one usually breaks.
    pub region: Option<String>,
    /// Size of each message: `html` (30 KB), `json` (1 KB), `video` (128 KB), `mix`, or bytes as in `"4KB"`.
    /// `mix` chooses by the seed: of 12 messages, on average, ten `json`, one `html`, one `video`. Default `json`; for `object` 1 MB.
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
    /// Numbered messages on a subject of each client. A subscriber of each population in every region receives all of them. Core
    /// NATS delivers a message at most once, so a fault can lose some.
    Publish,
    /// The same messages to a queue group, which has a member of each population in every region. One member gets each message.
    Queue,
    /// Publishes to a stream, which a durable pull consumer of each population reads. In every region a client of the population pulls
    /// from this consumer and acknowledges each message. After `ack_wait` (5 s), JetStream redelivers messages of a lost client.
    Consume,
    /// Puts and gets of keys in a bucket. Each client has its own keys. At the end loadgen looks for every acknowledged put.
    Kv,
    /// Puts and gets of objects. Each client has eight names, which it replaces in turn. loadgen compares every byte of each get, and of
    /// all objects at the end.
    Object,
    /// Requests to a micro service (ADR-32), which has two instances in every region. The nearest instance answers.
    Service,
}

impl WorkloadKind {
    /// Returns whether loadgen starts receivers for its messages, one in each region for each population.
    pub const fn has_receivers(self) -> bool {
        matches!(self, Self::Publish | Self::Queue | Self::Consume)
    }
}

/// The name in files and reports.
impl std::fmt::Display for WorkloadKind {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Request => "request",
            Self::Jetstream => "jetstream",
            Self::Publish => "publish",
            Self::Queue => "queue",
            Self::Consume => "consume",
            Self::Kv => "kv",
            Self::Object => "object",
            Self::Service => "service",
        })
    }
}

/// Times at which operations begin.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Arrival {
    /// At even times.
    #[default]
    Uniform,
    /// At the times of a Poisson process.
    Poisson,
}

/// Size of a message.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "write `html`, `json`, `video`, `mix`, or a size such as \"1KB\"")]
pub enum Payload {
    /// A size from practice.
    Kind(PayloadKind),
    /// An exact size.
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
    /// All three sizes, chosen by the seed.
    Mix,
}

impl Payload {
    /// Its bytes; `None` for the mix. The median HTML page of the HTTP Archive has 30 KB, API answers have about 1 KB, and a segment of
    /// video travels in chunks of 128 KB, which stay far below nats-server's limit of 1 MB.
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::Kind(PayloadKind::Html) => Some(HTML),
            Self::Kind(PayloadKind::Json) => Some(JSON),
            Self::Kind(PayloadKind::Video) => Some(VIDEO),
            Self::Kind(PayloadKind::Mix) => None,
            Self::Size(size) => Some(size.bytes()),
        }
    }
}

const HTML: u64 = 30 * 1024;
const JSON: u64 = 1024;
const VIDEO: u64 = 128 * 1024;

/// The messages of a page view: the page, ten answers of an API for what the page shows, and the first chunk of a video. This is an
/// assumption, as no public figures count the messages of NATS applications.
pub const PAGE_VIEW: [(u64, u32); 3] = [(HTML, 1), (JSON, 10), (VIDEO, 1)];

/// A part of the timeline.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct PhaseSpec {
    /// Name of the phase in thresholds and reports.
    pub name: String,
    /// Duration of the phase.
    #[serde(rename = "for")]
    pub lasts: Span,
    /// Replaces all clients by new ones before this phase, so that each is connected to its nearest region. The timeline waits for
    /// them, and up to a second more, so that faults do not always begin at the same time after a PING. Default `false`.
    #[serde(default)]
    pub new_clients: bool,
}

/// A fault.
#[derive(Clone, Debug, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct FaultSpec {
    /// Kind of the fault.
    pub inject: FaultKind,
    /// Regions, servers, pairs of regions, streams, `meta`, populations, or resolvers (`all` of them).
    #[schemars(default)]
    pub target: OneOrMany,
    /// Phase during which the fault lasts; instead of `at` and `for`.
    pub phase: Option<String>,
    /// Time from the start of the run to the beginning of the fault; instead of `phase`.
    pub at: Option<Span>,
    /// Duration of the fault. Default: to the end of the run.
    #[schemars(rename = "for")]
    pub lasts: Option<Span>,
    /// Further keys of the fault.
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
    /// Name of the strategy in the report.
    pub name: String,
    /// Values of the scenario that the strategy changes, by path: `{ "clients.geo.warm_standby" = true }`.
    #[serde(default)]
    #[schemars(with = "BTreeMap<String, serde_json::Value>")]
    pub set: BTreeMap<String, toml::Value>,
}

const fn one() -> u16 {
    1
}
