//! `report.json` of a scenario. A change that breaks readers raises the version.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::report::model::Verdict;

/// The version of the format.
pub const VERSION: u32 = 3;

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
    /// What it shows.
    pub description: Option<String>,
    /// The outcome.
    pub verdict: Verdict,
    /// Why it is not PASS.
    pub reasons: Vec<String>,
    /// Repeats the random choices.
    pub seed: u64,
    /// RFC 3339.
    pub started_at: String,
    /// Of everything.
    pub wall_s: f64,
    /// Where it ran.
    pub environment: EnvironmentRow,
    /// Regions, in the topology's order.
    pub regions: Vec<String>,
    /// Servers.
    pub servers: Vec<ServerRow>,
    /// Distances.
    pub rtt_ms: Vec<RttRow>,
    /// One for each fault and population.
    pub sentences: Vec<String>,
    /// What must hold.
    pub thresholds: Vec<ThresholdRow>,
    /// What the figures do not say.
    pub notes: Vec<String>,
    /// One for each strategy and repetition.
    pub runs: Vec<RunRow>,
}

/// Where a scenario ran.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct EnvironmentRow {
    /// Version of loadgen.
    pub loadgen: String,
    /// Versions of nats-server.
    pub nats_servers: Vec<NatsServerRow>,
    /// Operating system.
    pub os: String,
    /// Processors.
    pub cores: usize,
    /// The emulation of the WAN.
    pub wan: String,
    /// What it cannot show.
    pub wan_limits: Vec<String>,
}

/// A version of nats-server.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct NatsServerRow {
    /// The version.
    pub version: String,
    /// How many servers ran it at the start.
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
    /// Another one.
    pub b: String,
    /// Round-trip time.
    pub ms: f64,
}

/// A threshold.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct ThresholdRow {
    /// As it was written, after the name of the strategy.
    pub text: String,
    /// With its unit.
    pub measured: Option<String>,
    /// Whether it holds; `None`: nothing was measured.
    pub holds: Option<bool>,
}

/// One play.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct RunRow {
    /// Name of the strategy; empty, if there is none.
    pub strategy: String,
    /// Which repetition, from 0.
    pub repetition: u16,
    /// From the first phase to the last undo.
    pub duration_s: f64,
    /// Parts of the timeline.
    pub phases: Vec<PhaseRow>,
    /// What broke.
    pub faults: Vec<FaultRow>,
    /// Width of a slot of the series.
    pub step_s: f64,
    /// Requests over time.
    pub series: Vec<SeriesRow>,
    /// Where each client was.
    pub clients: Vec<ClientRow>,
    /// Clients that were hit.
    pub failovers: Vec<FailoverRow>,
    /// Response times from region to region.
    pub matrix: Vec<MatrixRow>,
    /// Numbered messages.
    pub ledger: Vec<LedgerRow>,
    /// How late requests were sent.
    pub schedule_lag_p99_ms: Option<f64>,
}

/// A part of the timeline.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct PhaseRow {
    /// Its name.
    pub name: String,
    /// Its begin.
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
    /// When it was in force.
    pub from_s: f64,
    /// When it was undone.
    pub to_s: Option<f64>,
}

/// Requests of a population in a region, by slots.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct SeriesRow {
    /// The population.
    pub population: String,
    /// Where the clients are.
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
    /// Where it is.
    pub region: String,
    /// Its number.
    pub number: u32,
    /// Since when it was connected to which region; `None`: offline.
    pub states: Vec<(f64, Option<String>)>,
}

/// A (fault, client) pair.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct FailoverRow {
    /// Number of the fault.
    pub fault: usize,
    /// The population.
    pub population: String,
    /// Where the client is.
    pub region: String,
    /// Its number.
    pub client: u32,
    /// Its server before.
    pub from: String,
    /// Its server at the end of the fault.
    pub to: Option<String>,
    /// From the fault to the first answer.
    pub total_ms: Option<f64>,
    /// Until the client suspected something.
    pub detection_ms: Option<f64>,
    /// Until it dialled.
    pub selection_ms: Option<f64>,
    /// Until the connection was open.
    pub reconnect_ms: Option<f64>,
    /// Until the first answer.
    pub resume_ms: Option<f64>,
    /// The round trips that nobody can save.
    pub limit_ms: Option<f64>,
}

/// Response times between two regions.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct MatrixRow {
    /// The phase.
    pub phase: String,
    /// Where the clients are.
    pub from: String,
    /// Where they were connected.
    pub to: String,
    /// How many requests.
    pub n: usize,
    /// Median.
    pub p50_ms: Option<f64>,
    /// 99th percentile.
    pub p99_ms: Option<f64>,
}

/// Numbered messages of a workload and a population.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
pub struct LedgerRow {
    /// The workload.
    pub workload: String,
    /// The population.
    pub population: String,
    /// The stream that was read in the end.
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
    /// Found after a later one.
    pub reordered: u64,
    /// Never published.
    pub unexpected: u64,
    /// Acknowledged while nobody could look.
    pub unverified: u64,
}
