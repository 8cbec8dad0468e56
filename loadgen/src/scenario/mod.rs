//! Scenarios: a super-cluster, its clients and workloads, what breaks when, and what must hold.
//!
//! Owns the files (`spec`, `file`, `overrides`), their checks (`check`, `problem`), the catalogue of faults (`fault`,
//! `fault_options`), faults that a seed draws (`chaos`), the thresholds (`threshold`) and the timeline (`timeline`). Pure: it must
//! not start servers or read clocks; `play` does that.

mod chaos;
mod check;
mod fault;
mod fault_options;
mod file;
mod overrides;
mod presets;
mod problem;
pub mod spec;
mod stages;
mod threshold;
mod timeline;

use std::time::Duration;

pub use chaos::chaos;
pub use fault::{ALL_FAULTS, FaultKind, META, ParseFaultError, TargetKind};
pub use fault_options::{Direction, FaultOptions, Links, Order, ReplaceBy};
pub use file::{Inputs, TopologySource, from_toml};
pub use overrides::{EnvFileError, Override, ParseOverrideError, parse_env};
pub use presets::{PRESETS, Preset};
pub use problem::{Problem, ProblemKind, ScenarioError};
pub use spec::{ClientKind, PolicyName, WorkloadKind};
pub use stages::{ParseStageError, Stage};
pub use threshold::{Comparison, METRICS, Metric, ParseThresholdError, Threshold, Unit};
pub use timeline::{to_svg, to_text};

use crate::topology::Topology;

/// A scenario that can be played. Only [`from_toml`] makes one, so everything in it has been checked.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Its name: the file's, without `.toml`.
    pub name: String,
    /// One line for people.
    pub title: String,
    /// What it shows, and why.
    pub description: Option<String>,
    /// The super-cluster.
    pub topology: Topology,
    /// Seed of all random choices, if the file fixes it.
    pub seed: Option<u64>,
    /// How often it is played.
    pub repeat: u16,
    /// Its clients.
    pub populations: Vec<Population>,
    /// What they do.
    pub workloads: Vec<Workload>,
    /// Named parts of the timeline, in order, without gaps.
    pub phases: Vec<Phase>,
    /// What breaks, by the time of its beginning.
    pub faults: Vec<TimedFault>,
    /// What must hold.
    pub thresholds: Vec<Threshold>,
}

impl Scenario {
    /// From the first phase to the end of the last.
    pub fn duration(&self) -> Duration {
        self.phases.last().map_or(Duration::ZERO, |phase| phase.to)
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
#[derive(Clone, Debug)]
pub struct Population {
    /// Its name in workloads, thresholds and reports.
    pub name: String,
    /// Which client.
    pub kind: ClientKind,
    /// Policy of nats-geo clients.
    pub policy: nats_geo::core::Config,
    /// How many there are from the start, by region.
    pub start: Vec<(String, u32)>,
    /// How the numbers change.
    pub stages: Vec<Stage>,
}

impl Population {
    /// The most clients in a region at once.
    pub fn peak_in(&self, region: &str) -> u32 {
        let start = self.start.iter().filter(|(name, _)| name == region).map(|(_, count)| *count);
        let stages = self.stages.iter().filter(|stage| stage.region == region);
        start.chain(stages.flat_map(|stage| [stage.from, stage.to])).max().unwrap_or(0)
    }

    /// How many clients there are in a region at a time.
    pub fn count_at(&self, region: &str, at: Duration) -> u32 {
        let start = self.start.iter().filter(|(name, _)| name == region).map(|(_, count)| *count).sum();
        let mut begun = self.stages.iter().filter(|stage| stage.region == region && stage.at <= at);
        begun.next_back().map_or(start, |stage| stage.count_at(at))
    }
}

/// What clients do.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Its name in the ledger.
    pub name: String,
    /// Which.
    pub kind: WorkloadKind,
    /// Indices of the populations that do it.
    pub populations: Vec<usize>,
    /// Operations per second and client.
    pub rate: u16,
    /// Where its stream is, if loadgen creates it.
    pub region: String,
    /// Subject of the topology's streams, and those that must have every message in the end.
    pub own: Option<OwnStreams>,
    /// Bytes of each message.
    pub payload_bytes: usize,
}

/// Streams of the topology.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OwnStreams {
    /// What is published to.
    pub subject: String,
    /// Streams that must have every acknowledged message.
    pub streams: Vec<String>,
}

/// A named part of the timeline.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Phase {
    /// Its name.
    pub name: String,
    /// Since the start.
    pub from: Duration,
    /// Since the start.
    pub to: Duration,
}

/// A fault, and when.
#[derive(Clone, Debug, PartialEq)]
pub struct TimedFault {
    /// Which.
    pub kind: FaultKind,
    /// Regions, servers, pairs of regions, streams or populations.
    pub targets: Vec<String>,
    /// The rest.
    pub options: FaultOptions,
    /// Since the start.
    pub at: Duration,
    /// When it is undone; `None`: at the end, or at once where there is nothing to undo.
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
