//! `report.json` of a scenario. A change that breaks readers raises the version.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The version of the format.
pub const VERSION: u32 = 3;

/// The outcome of a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Deserialize, schemars::JsonSchema, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// Every bound holds.
    Pass,
    /// One does not.
    Fail,
    /// The generator or the emulation was the problem.
    Inconclusive,
}

impl Verdict {
    /// As people and scripts read it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Inconclusive => "INCONCLUSIVE",
        }
    }

    /// The exit code (99 as k6 does).
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Fail => 99,
            Self::Inconclusive => 98,
        }
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A scenario that was played. Times are seconds since the start of a run, unless the name says otherwise; `null` means that
/// it was not measured.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct Report {
    /// The version of this format.
    pub version: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// Its title.
    pub title: String,
    /// Its purpose.
    pub description: Option<String>,
    /// The outcome.
    pub verdict: Verdict,
    /// Reasons why the verdict is not PASS.
    pub reasons: Vec<String>,
    /// Seed that repeats the random choices.
    pub seed: u64,
    /// Time of the start, as RFC 3339 says.
    pub started_at: String,
    /// Duration of the whole run, in seconds.
    pub wall_s: f64,
    /// Machine and versions.
    pub environment: EnvironmentRow,
    /// Regions, in the topology's order.
    pub regions: Vec<String>,
    /// Servers of the super-cluster.
    pub servers: Vec<ServerRow>,
    /// Round-trip times between regions.
    pub rtt_ms: Vec<RttRow>,
    /// Summary: one sentence for each fault and population.
    pub sentences: Vec<String>,
    /// Conditions that must hold.
    pub thresholds: Vec<ThresholdRow>,
    /// Remarks that explain the figures.
    pub notes: Vec<String>,
    /// Plays: one for each strategy and repetition.
    pub runs: Vec<RunRow>,
}

/// Machine and versions of a run.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct EnvironmentRow {
    /// Version of loadgen.
    pub loadgen: String,
    /// Versions of nats-server.
    pub nats_servers: Vec<NatsServerRow>,
    /// Operating system.
    pub os: String,
    /// Number of processors.
    pub cores: usize,
    /// The emulation of the WAN.
    pub wan: String,
    /// Effects that this emulation cannot show.
    pub wan_limits: Vec<String>,
    /// A line about each agent that played clients; none, if loadgen itself did.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub agents: Vec<String>,
}

/// A version of nats-server.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct NatsServerRow {
    /// The version.
    pub version: String,
    /// Number of servers that ran it at the start.
    pub servers: usize,
}

/// A server.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ServerRow {
    /// Its name.
    pub name: String,
    /// Its region.
    pub region: String,
}

/// A distance.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct RttRow {
    /// A region.
    pub a: String,
    /// The other region.
    pub b: String,
    /// Round-trip time.
    pub ms: f64,
}

/// A threshold.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ThresholdRow {
    /// As it was written, after the name of the strategy.
    pub text: String,
    /// Measured value with its unit.
    pub measured: Option<String>,
    /// Whether it holds; `None`: nothing was measured.
    pub holds: Option<bool>,
}

/// One play.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct RunRow {
    /// Name of the strategy; empty, if there is none.
    pub strategy: String,
    /// Number of the repetition, from 0.
    pub repetition: u16,
    /// Time from the first phase until the last fault is undone.
    pub duration_s: f64,
    /// Parts of the timeline.
    pub phases: Vec<PhaseRow>,
    /// Faults of the run.
    pub faults: Vec<FaultRow>,
    /// Width of a slot of the series.
    pub step_s: f64,
    /// Requests over time.
    pub series: Vec<SeriesRow>,
    /// Region of each client over time.
    pub clients: Vec<ClientRow>,
    /// Clients that were hit.
    pub failovers: Vec<FailoverRow>,
    /// Requests of each population in each region, by phase.
    pub requests: Vec<RequestsRow>,
    /// Response times from region to region.
    pub matrix: Vec<MatrixRow>,
    /// Numbered messages.
    pub ledger: Vec<LedgerRow>,
    /// Times that messages took to their receivers.
    #[serde(default)]
    pub deliveries: Vec<DeliveryRow>,
    /// Puts and gets.
    #[serde(default)]
    pub stores: Vec<StoreRow>,
    /// Figures of other systems, from `--collect`.
    #[serde(default)]
    pub collected: Vec<CollectedRow>,
    /// 99th percentile of the delay between the planned and the real start of a request.
    pub schedule_lag_p99_ms: Option<f64>,
}

/// A figure of another system over time.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct CollectedRow {
    /// Name of the source.
    pub source: String,
    /// Name of the figure.
    pub figure: String,
    /// Time since the first phase, in seconds, and value.
    pub values: Vec<(f64, f64)>,
}

/// A part of the timeline.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct PhaseRow {
    /// Its name.
    pub name: String,
    /// Its beginning.
    pub from_s: f64,
    /// Its end.
    pub to_s: f64,
}

/// A fault as it happened.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct FaultRow {
    /// Its number.
    pub id: usize,
    /// As a one-liner.
    pub text: String,
    /// Time at which it took effect.
    pub from_s: f64,
    /// Time at which it was undone.
    pub to_s: Option<f64>,
}

/// Requests of a population in a region, by slots.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct SeriesRow {
    /// The population.
    pub population: String,
    /// Region of the clients.
    pub region: String,
    /// Answered requests.
    pub ok: Vec<u32>,
    /// Failed ones.
    pub failed: Vec<u32>,
    /// Median response time.
    pub p50_ms: Vec<Option<f64>>,
    /// 99th percentile.
    pub p99_ms: Vec<Option<f64>>,
    /// Slowest.
    pub max_ms: Vec<Option<f64>>,
}

/// A client.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ClientRow {
    /// Its population.
    pub population: String,
    /// Its region.
    pub region: String,
    /// Its number.
    pub number: u32,
    /// Since when it was connected to which region; `None`: offline.
    pub states: Vec<(f64, Option<String>)>,
}

/// A client that a fault hit.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct FailoverRow {
    /// Number of the fault.
    pub fault: usize,
    /// The population.
    pub population: String,
    /// Region of the client.
    pub region: String,
    /// Its number.
    pub client: u32,
    /// Its server before.
    pub from: String,
    /// Its server at the end of the fault.
    pub to: Option<String>,
    /// Time from the fault to the first answer.
    pub total_ms: Option<f64>,
    /// Time until the client suspected its connection.
    pub detection_ms: Option<f64>,
    /// Time from then until the client dialled another server.
    pub selection_ms: Option<f64>,
    /// Time from then until the connection was open.
    pub reconnect_ms: Option<f64>,
    /// Time from then until the first answer.
    pub resume_ms: Option<f64>,
    /// Time of the network round trips that no client can avoid.
    pub limit_ms: Option<f64>,
}

/// Requests of a population in a region during a phase. A request counts where it was due.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct RequestsRow {
    /// The phase.
    pub phase: String,
    /// The population.
    pub population: String,
    /// Region of the clients.
    pub region: String,
    /// Number of requests that were sent.
    pub sent: usize,
    /// Number of requests that failed or got no answer.
    pub failed: usize,
    /// Median response time of the answered requests.
    pub p50_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
}

/// Response times between two regions.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct MatrixRow {
    /// The phase.
    pub phase: String,
    /// Region of the clients.
    pub from: String,
    /// Region of the servers that they used.
    pub to: String,
    /// Number of requests.
    pub n: usize,
    /// Median.
    pub p50_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
}

/// Times that messages took to a receiver, from the time when they were due.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct DeliveryRow {
    /// The workload.
    pub workload: String,
    /// The population.
    pub population: String,
    /// Region of the receiver.
    pub region: String,
    /// First deliveries.
    pub n: u64,
    /// Median.
    pub p50_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
    /// The longest.
    pub max_ms: Option<f64>,
}

/// Puts and gets of clients in one region.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct StoreRow {
    /// The workload.
    pub workload: String,
    /// The population.
    pub population: String,
    /// Region of the clients.
    pub region: String,
    /// Puts that began.
    pub puts: u64,
    /// Gets that began.
    pub gets: u64,
    /// Puts and gets that failed.
    pub failed: u64,
    /// Gets of a value that is older than an acknowledged one.
    pub stale: u64,
    /// Gets of other bytes than were written.
    pub corrupt: u64,
    /// Median of puts.
    pub put_p50_ms: Option<f64>,
    /// 99th percentile of puts.
    pub put_p99_ms: Option<f64>,
    /// Median of gets.
    pub get_p50_ms: Option<f64>,
    /// 99th percentile of gets.
    pub get_p99_ms: Option<f64>,
}

/// Numbered messages of a workload and a population.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct LedgerRow {
    /// The workload.
    pub workload: String,
    /// The population.
    pub population: String,
    /// The stream that was read in the end, or the receiver, such as `subscriber lon`.
    pub stream: String,
    /// Published, or tried to.
    pub attempted: u64,
    /// Acknowledged.
    pub acknowledged: Option<u64>,
    /// Found in the end.
    pub delivered: Option<u64>,
    /// Acknowledged and not found: before the first that was.
    pub lost_prefix: u64,
    /// Between others.
    pub lost_middle: u64,
    /// After the last.
    pub lost_suffix: u64,
    /// Found more than once.
    pub duplicated: u64,
    /// Delivered more than once, with JetStream's mark of a redelivery. Not in `duplicated`.
    #[serde(default)]
    pub redelivered: u64,
    /// Found after a later one.
    pub reordered: u64,
    /// Never published.
    pub unexpected: u64,
    /// Acknowledged while nobody could look.
    pub unverified: u64,
}
