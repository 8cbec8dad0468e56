//! `report.json`. Its schema is `loadgen/report.schema.json`; a change that breaks readers raises the version.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::cli::{FaultKind, Preset};
use crate::clients::Population;
use crate::load::flow::Tally;

/// The version of the format.
pub const VERSION: u32 = 2;

/// A whole run.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    /// The version of this format.
    pub version: u32,
    /// The outcome.
    pub verdict: Verdict,
    /// Why it is not PASS.
    pub reasons: Vec<String>,
    /// Replays client choices and fault phases.
    pub seed: u64,
    /// What ran.
    pub nats_server: String,
    /// Regions, in the user's order.
    pub regions: Vec<String>,
    /// Servers per region.
    pub servers_per_region: u16,
    /// Clients in each region that is broken, of the population that is played.
    pub clients: u16,
    /// Clients in each other region.
    pub bystanders: u16,
    /// Rounds per fault; of async-nats half as many, and a quarter of lame ducks.
    pub rounds: u16,
    /// Requests per second and client in a region that is broken.
    pub rate_per_s: u16,
    /// Requests per second and client elsewhere.
    pub bystander_rate_per_s: u16,
    /// Policy of the nats-geo clients.
    pub preset: Preset,
    /// Whether they kept a warm standby.
    pub warm_standby: bool,
    /// Round-trip times, as `lon-ams`.
    pub rtt_ms: BTreeMap<String, f64>,
    /// The bounds that were checked.
    pub limits: Vec<Check>,
    /// Connecting.
    pub connect: Vec<Connect>,
    /// Failing over, of the clients that were hit.
    pub failover: Vec<Failover>,
    /// The clients that were not hit.
    pub control: Vec<Control>,
    /// Flows of numbered messages.
    pub flows: Vec<FlowRow>,
    /// What a client costs that does nothing.
    pub idle: Idle,
    /// The load generator itself.
    pub generator: Generator,
    /// What the figures do not say.
    pub notes: Vec<String>,
    /// Wall time of the run.
    pub wall_s: f64,
}

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
        f.write_str(match self {
            Self::Pass => "PASS",
            Self::Fail => "FAIL",
            Self::Inconclusive => "INCONCLUSIVE",
        })
    }
}

/// A bound and what was measured.
#[derive(Clone, Debug, Serialize)]
pub struct Check {
    /// What must hold.
    pub what: String,
    /// The bound, with its unit.
    pub bound: String,
    /// The measurement; `None` if there was none.
    pub measured: Option<String>,
    /// Whether it holds.
    pub holds: bool,
    /// Whether a disturbed generator may have caused it: times yes, losses and landings no.
    pub depends_on_timing: bool,
}

/// `connect()` to the first answered request.
#[derive(Clone, Debug, Serialize)]
pub struct Connect {
    /// Which clients.
    pub population: Population,
    /// Where they are.
    pub client_region: String,
    /// How many connects.
    pub n: usize,
    /// Median.
    pub p50_ms: Option<f64>,
    /// 90th percentile.
    pub p90_ms: Option<f64>,
    /// Slowest.
    pub max_ms: Option<f64>,
    /// How many chose which region.
    pub chosen: BTreeMap<String, usize>,
}

/// How the clients of one region lived through one kind of fault that hit their servers.
#[derive(Clone, Debug, Serialize)]
pub struct Failover {
    /// Which clients.
    pub population: Population,
    /// Their policy; `None` for stock clients.
    pub preset: Option<Preset>,
    /// What was broken.
    pub fault: FaultKind,
    /// Where.
    pub fault_region: String,
    /// Where the clients are.
    pub client_region: String,
    /// (fault, client) pairs.
    pub n: usize,
    /// Of those, not back within the fault; not in the percentiles.
    pub did_not_fail_over: usize,
    /// Median, from the fault to the first answered request; for a lame duck the longest wait of a request.
    pub p50_ms: Option<f64>,
    /// 90th percentile.
    pub p90_ms: Option<f64>,
    /// Slowest.
    pub max_ms: Option<f64>,
    /// The round trips that cannot be saved.
    pub limit_ms: Option<f64>,
    /// Medians of the parts; not for a lame duck.
    pub phases_ms: PhasesMs,
    /// Where they were at the end of the fault.
    pub landed: BTreeMap<String, usize>,
    /// Requests that failed or were never answered.
    pub failed_requests: u64,
    /// All requests.
    pub requests: u64,
    /// Messages of plain subscriptions that were lost.
    pub lost: u64,
    /// Deliveries of plain subscriptions beyond the first.
    pub doubled: u64,
}

/// Medians.
#[derive(Clone, Debug, Default, Serialize)]
pub struct PhasesMs {
    /// Until the client knew, or suspected.
    pub detection: Option<f64>,
    /// Until it dialled where it landed.
    pub selection: Option<f64>,
    /// Until that connection was open.
    pub reconnect: Option<f64>,
    /// Until the first answer.
    pub resume: Option<f64>,
}

/// The clients that a fault did not hit.
#[derive(Clone, Debug, Serialize)]
pub struct Control {
    /// Which clients.
    pub population: Population,
    /// What was broken.
    pub fault: FaultKind,
    /// Where the clients are.
    pub client_region: String,
    /// (fault, client) pairs.
    pub n: usize,
    /// Requests that failed.
    pub failed_requests: u64,
    /// Moves of traffic.
    pub moves: usize,
}

/// A flow of numbered messages, over all rounds of a fault.
#[derive(Clone, Debug, Serialize)]
pub struct FlowRow {
    /// Which clients subscribed.
    pub population: Population,
    /// What was broken.
    pub fault: FaultKind,
    /// `plain` or `queue`.
    pub subscription: &'static str,
    /// Messages per second.
    pub per_second: u16,
    /// The sums.
    #[serde(flatten)]
    pub tally: Tally,
}

/// What a nats-geo client costs that does nothing.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Idle {
    /// Bytes per second, both directions, for PINGs of the client and of the server.
    pub ping_bytes_per_s: f64,
    /// Bytes per probe, both directions.
    pub bytes_per_probe: f64,
    /// Bytes per second for probes of all endpoints at the shortest interval.
    pub probe_bytes_per_s_at_first: f64,
    /// The same once ranks have held for some time.
    pub probe_bytes_per_s_settled: f64,
}

/// The load generator itself.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Generator {
    /// Requests sent.
    pub requests: usize,
    /// 99th percentile of how late they were sent.
    pub schedule_lag_p99_ms: f64,
    /// Connections that bypassed the emulated WAN.
    pub leaks: usize,
    /// Share of the processor time that was idle before there was load; `None` where that was not measured.
    pub idle_share_before: Option<f64>,
    /// The same while the load of a round ran: the median of the rounds.
    pub idle_share_median: Option<f64>,
    /// And the least.
    pub idle_share_min: Option<f64>,
}
