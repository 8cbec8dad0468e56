//! Scenarios: a super-cluster, its clients and workloads, the times of its faults, and the conditions that must hold.
//!
//! This folder owns the files (`spec`, `file`, `overrides`), their checks (`check`, `problem`), the catalogue of faults
//! (`fault`, `fault_options`), faults that a seed draws (`chaos`), the thresholds (`threshold`, `metrics`) and the
//! timeline (`timeline`). It is pure: it must not start servers or read clocks; `play` does that.

mod chaos;
mod check;
mod client_plan;
mod fault;
mod fault_options;
mod file;
mod metrics;
mod overrides;
mod policy;
mod presets;
mod problem;
pub mod spec;
mod stages;
mod threshold;
mod timeline;

use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use chaos::chaos;
pub(crate) use check::fault_alone;
pub use client_plan::{ClientPlan, Share};
pub use fault::{ALL_FAULTS, ALL_RESOLVERS, FaultKind, META, ParseFaultError, TargetKind};
pub use fault_options::{Direction, DnsAnswer, FaultOptions, Links, Order, Pick, ReplaceBy};
pub use file::{Inputs, TopologySource, from_toml};
pub use metrics::{METRICS, Metric, Unit};
pub use overrides::{EnvFileError, Override, ParseOverrideError, parse_env};
pub use presets::{PRESETS, Preset};
pub use problem::{Problem, ProblemKind, ScenarioError};
pub use spec::{ClientKind, PolicyName, Transport, WorkloadKind};
pub use stages::{ParseRateStageError, ParseStageError, RateStage, Stage};
pub use threshold::{Comparison, ParseThresholdError, Threshold};
pub use timeline::{to_svg, to_text};

use crate::topology::Topology;
use crate::wan::WanChoice;

/// A scenario that can be played. Only [`from_toml`] makes one, so everything in it has been checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name: the file's, without `.toml`.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// Its purpose, in a few sentences.
    pub description: Option<String>,
    /// The super-cluster.
    pub topology: Topology,
    /// Seed of all random choices, if the file fixes it.
    pub seed: Option<u64>,
    /// Number of plays.
    pub repeat: u16,
    /// Whether loadgen takes fewer clients if the machine is too slow.
    pub fit: bool,
    /// The emulation of the WAN, unless `--wan` names another one.
    pub wan: Option<WanChoice>,
    /// Names of its emulated DNS resolvers.
    pub resolvers: Vec<String>,
    /// Its clients.
    pub populations: Vec<Population>,
    /// Work of the clients.
    pub workloads: Vec<Workload>,
    /// Named parts of the timeline, in order, without gaps.
    pub phases: Vec<Phase>,
    /// Faults, by the time of their beginning.
    pub faults: Vec<TimedFault>,
    /// Conditions that must hold.
    pub thresholds: Vec<Threshold>,
}

impl Scenario {
    /// From the first phase to the end of the last.
    pub fn duration(&self) -> Duration {
        self.phases.last().map_or(Duration::ZERO, |phase| phase.to)
    }

    /// Returns whether some clients run in a browser.
    pub fn has_browsers(&self) -> bool {
        self.populations.iter().any(|population| population.kind == ClientKind::Browser)
    }

    /// The most clients that a population has at once, over all regions.
    pub fn clients_of(&self, population: &Population) -> u32 {
        self.topology.regions().iter().map(|region| population.peak_in(region)).sum()
    }
}

/// One of the ways to meet the same faults, such as with a warm standby and without.
#[derive(Clone, Debug)]
pub struct Strategy {
    /// Its name; empty, if the scenario has no strategies.
    pub name: String,
    /// The scenario with the strategy's overrides.
    pub scenario: Scenario,
}

/// Clients of one kind.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
pub struct Population {
    /// Its name in workloads, thresholds and reports.
    pub name: String,
    /// Their library.
    pub kind: ClientKind,
    /// Transport of the clients.
    pub transport: Transport,
    /// The resolver that they ask for the servers; `None`: they have a list.
    pub resolver: Option<String>,
    /// Policy of nats-geo clients.
    #[schemars(with = "serde_json::Map<String, serde_json::Value>")]
    pub policy: nats_geo::core::Config,
    /// Number of clients at the start, by region.
    pub start: Vec<(String, u32)>,
    /// Changes of these numbers over time.
    pub stages: Vec<Stage>,
}

impl Population {
    /// The most clients in a region at once.
    pub fn peak_in(&self, region: &str) -> u32 {
        let start = self.start.iter().filter(|(name, _)| name == region).map(|(_, count)| *count);
        let stages = self.stages.iter().filter(|stage| stage.region == region);
        start.chain(stages.flat_map(|stage| [stage.from, stage.to])).max().unwrap_or(0)
    }

    /// Returns the number of clients in a region at a time.
    pub fn count_at(&self, region: &str, at: Duration) -> u32 {
        let start = self.start.iter().filter(|(name, _)| name == region).map(|(_, count)| *count).sum();
        let mut begun = self.stages.iter().filter(|stage| stage.region == region && stage.at <= at);
        begun.next_back().map_or(start, |stage| stage.count_at(at))
    }
}

/// A workload of clients.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
pub struct Workload {
    /// Its name in the ledger.
    pub name: String,
    /// Its kind.
    pub kind: WorkloadKind,
    /// Indices of the populations that do it.
    pub populations: Vec<usize>,
    /// Regions whose clients do it.
    pub regions: Vec<String>,
    /// Times at which the operations of a client begin.
    pub pace: Pace,
    /// Share of gets among puts and gets, 0 to 1.
    pub gets: f64,
    /// Region of its stream or bucket, if loadgen creates it.
    pub region: String,
    /// Subject of the topology's streams, and those that must have every message in the end.
    pub own: Option<OwnStreams>,
    /// The requests to responders of the user.
    pub call: Option<Call>,
    /// Sizes of its messages.
    pub payload: MessageSizes,
}

/// Times at which the operations of a client begin.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, schemars::JsonSchema)]
pub enum Pace {
    /// So many per second, at even times.
    Uniform(u16),
    /// So many per second on average, as a Poisson process.
    Poisson(u16),
    /// A rate that changes.
    Changing {
        /// Operations per second before the first change; `None`: those at its beginning.
        start: Option<u16>,
        /// The changes, in the order of time. None begins before the one before it has ended.
        changes: Vec<RateStage>,
        /// Whether the operations are a Poisson process.
        is_random: bool,
    },
    /// So many at once, each after the one before it.
    Closed(u16),
}

/// Sizes of messages.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, schemars::JsonSchema)]
pub enum MessageSizes {
    /// All of them have so many bytes.
    Bytes(usize),
    /// They are those of page views: see [`spec::PAGE_VIEW`].
    Mix,
}

impl Workload {
    /// Returns whether clients of this population in this region have this workload.
    pub fn is_done_by(&self, population: usize, region: &str) -> bool {
        self.populations.contains(&population) && self.regions.iter().any(|name| name == region)
    }
}

/// Requests to responders that loadgen does not start.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Call {
    /// Their subject. `{region}` stands for the client's region.
    pub subject: String,
    /// Their content, with the same placeholder; `None`: so many bytes.
    pub body: Option<String>,
}

impl Call {
    /// Returns subject and content of the requests of clients in a region.
    pub fn of(&self, region: &str) -> (String, Option<String>) {
        let fill_in = |text: &str| text.replace("{region}", region);
        (fill_in(&self.subject), self.body.as_deref().map(fill_in))
    }
}

/// Streams of the topology.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize, schemars::JsonSchema)]
pub struct OwnStreams {
    /// Subject that the clients publish to.
    pub subject: String,
    /// Streams that must have every acknowledged message.
    pub streams: Vec<String>,
}

/// A named part of the timeline.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Time since the start.
    pub from: Duration,
    /// Time since the start.
    pub to: Duration,
    /// Whether new clients take the place of all before it begins.
    pub new_clients: bool,
}

/// A fault with its times.
#[derive(Clone, Debug, PartialEq)]
pub struct TimedFault {
    /// Its kind.
    pub kind: FaultKind,
    /// Regions, servers, pairs of regions, streams, populations or resolvers.
    pub targets: Vec<String>,
    /// Further keys of the fault.
    pub options: FaultOptions,
    /// Time since the start.
    pub at: Duration,
    /// Time at which loadgen undoes it; `None`: at the end, or at once if there is nothing to undo.
    pub until: Option<Duration>,
}

/// As a one-liner, such as `silence:lon@10s/30s`.
impl std::fmt::Display for TimedFault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{}:{}{}@{}", self.kind, self.targets.join("+"), self.options, seconds(self.at))?;
        match self.until {
            Some(until) => write!(formatter, "/{}", seconds(until.saturating_sub(self.at))),
            None => Ok(()),
        }
    }
}

/// As files write it: `10s`, `500ms`.
pub(crate) fn seconds(duration: Duration) -> String {
    let millis = duration.as_millis();
    if millis.is_multiple_of(1_000) { format!("{}s", millis / 1_000) } else { format!("{millis}ms") }
}
