//! From what somebody wrote to what can be played.

use std::collections::BTreeMap;
use std::time::Duration;

use super::fault::{FaultKind, META, TargetKind};
use super::file::targets_in_words;
use super::problem::{Problem, ProblemKind};
use super::spec::{
    ClientKind, ClientsSpec, FaultSpec, Payload, PayloadKind, PolicyName, ScenarioSpec, WorkloadKind,
    WorkloadSpec,
};
use super::{OwnStreams, Phase, Population, Scenario, Stage, Threshold, TimedFault, Workload, seconds};
use crate::topology::Topology;

/// Checks a file, and fills in what it leaves out.
pub(super) fn run(
    spec: ScenarioSpec,
    topology: Topology,
    file: &str,
    more_thresholds: &[Threshold],
) -> Result<Scenario, Vec<Problem>> {
    let mut found = Found::default();
    if !(1..=100).contains(&spec.repeat) {
        found.push("repeat", range(spec.repeat, "1 to 100"));
    }
    let phases = phases(&spec, &mut found);
    let populations: Vec<_> = spec
        .clients
        .iter()
        .enumerate()
        .map(|(index, clients)| {
            let joins_later = joins_later(&spec, clients);
            population(index, clients, joins_later, &topology, &mut found)
        })
        .collect();
    if populations.is_empty() {
        found.push("clients", ProblemKind::NoClients);
    }
    once("clients", "population", populations.iter().map(|it| it.name.as_str()), &mut found);
    let workloads: Vec<_> = spec
        .workload
        .iter()
        .enumerate()
        .map(|(index, it)| workload(index, it, &populations, &topology, &mut found))
        .collect();
    once("workload", "workload", workloads.iter().map(|it| it.name.as_str()), &mut found);
    let context = Context { topology: &topology, phases: &phases, populations: &populations };
    let mut faults: Vec<_> = spec
        .fault
        .iter()
        .enumerate()
        .filter_map(|(index, fault)| context.fault(&format!("fault[{index}]"), fault, &mut found))
        .collect();
    for (index, text) in spec.faults.iter().enumerate() {
        let key = format!("faults[{index}]");
        match text.parse::<FaultSpec>() {
            Ok(fault) => faults.extend(context.fault(&key, &fault, &mut found)),
            Err(error) => found.push(&key, error.into()),
        }
    }
    faults.sort_by_key(|fault| fault.at);
    let mut thresholds = Vec::new();
    for (index, text) in spec.thresholds.iter().enumerate() {
        let key = format!("thresholds[{index}]");
        match text.parse::<Threshold>() {
            Ok(threshold) => {
                context.labels(&key, &threshold, &workloads, &mut found);
                thresholds.push(threshold);
            }
            Err(error) => found.push(&key, error.into()),
        }
    }
    for threshold in more_thresholds {
        context.labels("", threshold, &workloads, &mut found);
        thresholds.push(threshold.clone());
    }
    if !found.0.is_empty() {
        return Err(found.0);
    }
    Ok(Scenario {
        name: name_of(file),
        title: spec.title,
        description: spec.description,
        topology,
        seed: spec.seed,
        repeat: spec.repeat,
        populations,
        workloads,
        phases,
        faults,
        thresholds,
    })
}

/// Everything that is wrong.
#[derive(Debug, Default)]
struct Found(Vec<Problem>);

impl Found {
    fn push(&mut self, key: &str, kind: ProblemKind) {
        self.0.push(Problem { key: key.to_owned(), kind });
    }
}

fn name_of(file: &str) -> String {
    let stem = file.rsplit(['/', '\\']).next().unwrap_or(file);
    stem.trim_end_matches(".toml").to_owned()
}

fn range(given: impl std::fmt::Display, range: &'static str) -> ProblemKind {
    ProblemKind::Range { given: given.to_string(), range }
}

fn phases(spec: &ScenarioSpec, found: &mut Found) -> Vec<Phase> {
    let mut at = Duration::ZERO;
    let mut phases: Vec<Phase> = Vec::new();
    for (index, phase) in spec.phase.iter().enumerate() {
        let lasts = phase.lasts.duration();
        if lasts.is_zero() || lasts > LONGEST {
            found.push(&format!("phase[{index}].for"), range(seconds(lasts), "1ms to 7d"));
        }
        phases.push(Phase { name: phase.name.clone(), from: at, to: at + lasts });
        at += lasts;
    }
    if phases.is_empty() {
        found.push("phase", ProblemKind::NoPhase);
    }
    once("phase", "phase", phases.iter().map(|phase| phase.name.as_str()), found);
    phases
}

/// A soak test takes days.
const LONGEST: Duration = Duration::from_secs(7 * 86_400);

fn once<'a>(list: &str, what: &'static str, names: impl Iterator<Item = &'a str>, found: &mut Found) {
    let mut known: Vec<&str> = Vec::new();
    for (index, name) in names.enumerate() {
        if known.contains(&name) {
            let kind = ProblemKind::Twice { what, name: name.to_owned() };
            found.push(&format!("{list}[{index}].name"), kind);
        }
        known.push(name);
    }
}

/// Whether a fault lets this population take the place of another one.
fn joins_later(spec: &ScenarioSpec, clients: &ClientsSpec) -> bool {
    let name = clients.name.clone().unwrap_or_else(|| clients.kind.to_string());
    let in_text = |text: &String| text.contains(&format!("with={name}"));
    spec.fault.iter().any(|fault| fault.options.with.as_ref() == Some(&name))
        || spec.faults.iter().any(in_text)
}

fn population(
    index: usize,
    spec: &ClientsSpec,
    joins_later: bool,
    topology: &Topology,
    found: &mut Found,
) -> Population {
    let key = |rest: &str| format!("clients[{index}].{rest}");
    let regions = topology.regions();
    let mut start: BTreeMap<&str, u32> = BTreeMap::new();
    if let Some(each) = spec.per_region {
        start.extend(regions.iter().map(|region| (region.as_str(), each)));
    }
    for (region, count) in &spec.regions {
        if !regions.contains(region) {
            found.push(&key(&format!("regions.{region}")), unknown("region", region, regions));
        }
        start.insert(region, *count);
    }
    let mut stages: Vec<Stage> = Vec::new();
    for (number, text) in spec.stages.iter().enumerate() {
        match text.parse::<Stage>() {
            Ok(stage) if !regions.contains(&stage.region) => {
                found.push(&key(&format!("stages[{number}]")), unknown("region", &stage.region, regions));
            }
            Ok(stage) => stages.push(stage),
            Err(error) => found.push(&key(&format!("stages[{number}]")), error.into()),
        }
    }
    stages.sort_by_key(|stage| stage.at);
    if start.values().all(|count| *count == 0) && spec.stages.is_empty() && !joins_later {
        found.push(&key("kind"), ProblemKind::NoNumbers);
    }
    let most = start.values().copied().chain(stages.iter().flat_map(|it| [it.from, it.to])).max();
    if most.is_some_and(|most| most > CLIENTS_MAX) {
        found.push(&key("kind"), range(most.unwrap_or_default(), "at most 10000 clients in each region"));
    }
    if spec.kind == ClientKind::AsyncNats && spec.warm_standby {
        let kind = ProblemKind::NoEffect { key: "warm_standby", on: spec.kind.to_string() };
        found.push(&key("warm_standby"), kind);
    }
    let mut policy = match spec.preset {
        PolicyName::Interactive => nats_geo::core::Config::interactive(),
        PolicyName::Fleet => nats_geo::core::Config::fleet(),
    };
    policy.warm_standby = spec.warm_standby;
    let start = start.into_iter().map(|(region, count)| (region.to_owned(), count)).collect();
    let name = spec.name.clone().unwrap_or_else(|| spec.kind.to_string());
    Population { name, kind: spec.kind, policy, start, stages }
}

/// Each client has a socket here and one at its server.
const CLIENTS_MAX: u32 = 10_000;

fn unknown(what: &'static str, name: &str, known: &[String]) -> ProblemKind {
    ProblemKind::Unknown { what, name: name.to_owned(), known: known.to_vec() }
}

fn workload(
    index: usize,
    spec: &WorkloadSpec,
    populations: &[Population],
    topology: &Topology,
    found: &mut Found,
) -> Workload {
    let key = |rest: &str| format!("workload[{index}].{rest}");
    let names: Vec<String> = populations.iter().map(|population| population.name.clone()).collect();
    let chosen = spec.clients.as_ref().map_or_else(|| names.clone(), Clone::clone);
    let mut indices = Vec::new();
    for (number, name) in chosen.iter().enumerate() {
        match names.iter().position(|known| known == name) {
            Some(position) => indices.push(position),
            None => found.push(&key(&format!("clients[{number}]")), unknown("population", name, &names)),
        }
    }
    let rate = spec.rate.unwrap_or(DEFAULT_RATE);
    if rate == 0 || rate > RATE_MAX {
        found.push(&key("rate"), range(rate, "1 to 10000 operations per second and client"));
    }
    let payload = spec.payload.unwrap_or(Payload::Kind(PayloadKind::Json)).bytes();
    if !(PAYLOAD_MIN..=PAYLOAD_MAX).contains(&payload) {
        found.push(&key("payload"), range(payload, "16 to 1000000 bytes"));
    }
    let regions = topology.regions();
    let own = own_streams(&key, spec, topology, found);
    if let Some(region) = &spec.region {
        if spec.kind != WorkloadKind::Jetstream {
            let kind = ProblemKind::NoEffect { key: "region", on: spec.kind.to_string() };
            found.push(&key("region"), kind);
        } else if own.is_some() {
            let kind = ProblemKind::NoEffect { key: "region", on: "streams of the topology".to_owned() };
            found.push(&key("region"), kind);
        } else if !regions.contains(region) {
            found.push(&key("region"), unknown("region", region, regions));
        }
    }
    let region = spec.region.as_ref().or(regions.last()).cloned().unwrap_or_default();
    let name = spec.name.clone().unwrap_or_else(|| spec.kind.to_string());
    let payload_bytes = usize::try_from(payload).unwrap_or_default();
    Workload { name, kind: spec.kind, populations: indices, rate, region, own, payload_bytes }
}

/// The streams of the topology that a workload publishes to.
fn own_streams(
    key: &impl Fn(&str) -> String,
    spec: &WorkloadSpec,
    topology: &Topology,
    found: &mut Found,
) -> Option<OwnStreams> {
    let given = if spec.subject.is_some() { "subject" } else { "streams" };
    if spec.kind != WorkloadKind::Jetstream && (spec.subject.is_some() || !spec.streams.is_empty()) {
        found.push(&key(given), ProblemKind::NoEffect { key: given, on: spec.kind.to_string() });
        return None;
    }
    if spec.subject.is_some() == spec.streams.is_empty() {
        found.push(&key(given), ProblemKind::SubjectAndStreams);
        return None;
    }
    let known = streams_of(topology);
    for (number, name) in spec.streams.iter().enumerate().filter(|(_, name)| !known.contains(name)) {
        found.push(&key(&format!("streams[{number}]")), unknown("stream", name, &known));
    }
    let subject = spec.subject.clone()?;
    Some(OwnStreams { subject, streams: spec.streams.clone() })
}

/// Names of the topology's streams, one for each cluster where they are in each.
fn streams_of(topology: &Topology) -> Vec<String> {
    let streams = topology.spec().streams.iter();
    let names = streams.flat_map(|stream| {
        let regions = topology.regions().iter();
        regions.map(move |region| stream.name.replace("{cluster}", region))
    });
    let mut names: Vec<_> = names.collect();
    names.dedup();
    names
}

/// A failover is then measured to 50 ms, at a fraction of what a client carries.
const DEFAULT_RATE: u16 = 20;

const RATE_MAX: u16 = 10_000;

/// Every message carries the number of its publisher and its own.
const PAYLOAD_MIN: u64 = 16;

/// Below nats-server's default of 1 MiB, with headers.
const PAYLOAD_MAX: u64 = 1_000_000;

struct Context<'a> {
    topology: &'a Topology,
    phases: &'a [Phase],
    populations: &'a [Population],
}

impl Context<'_> {
    fn fault(&self, key: &str, spec: &FaultSpec, found: &mut Found) -> Option<TimedFault> {
        let before = found.0.len();
        let sub =
            |name: &str| if key.starts_with("faults[") { key.to_owned() } else { format!("{key}.{name}") };
        let kind = spec.inject;
        let targets = self.targets(&sub("target"), spec, found);
        for option in spec.options.given() {
            if !kind.options().contains(&option) {
                found.push(&sub(option), ProblemKind::NoEffect { key: option, on: kind.to_string() });
            }
        }
        if let Some(option) = kind.needs().filter(|option| !spec.options.given().contains(option)) {
            found.push(&sub("inject"), ProblemKind::NeedsOption { kind, option });
        }
        self.numbers(&sub, spec, &targets, found);
        let (at, until) = self.when(&sub, spec, found)?;
        (found.0.len() == before).then(|| TimedFault {
            kind,
            targets,
            options: spec.options.clone(),
            at,
            until,
        })
    }

    fn targets(&self, key: &str, spec: &FaultSpec, found: &mut Found) -> Vec<String> {
        let kind = spec.inject;
        let mut targets = spec.target.to_vec();
        let regions = self.topology.regions();
        if targets.is_empty() && kind == FaultKind::Rolling {
            targets = regions.to_vec();
        }
        if targets.is_empty() && kind.target() == TargetKind::Leader {
            targets = vec![META.to_owned()];
        }
        if targets.is_empty() {
            found.push(key, ProblemKind::NeedsTarget { kind, what: targets_in_words(kind) });
        }
        let servers = || self.topology.servers().map(|server| server.to_string());
        for target in &targets {
            let (what, known): (_, Vec<String>) = match kind.target() {
                TargetKind::Servers => {
                    ("region or server", regions.iter().cloned().chain(servers()).collect())
                }
                TargetKind::Regions => ("region", regions.to_vec()),
                TargetKind::Pairs => ("pair of regions", self.pairs()),
                TargetKind::Leader => {
                    let streams = streams_of(self.topology);
                    ("leader", std::iter::once(META.to_owned()).chain(streams).collect())
                }
                TargetKind::Population => {
                    ("population", self.populations.iter().map(|it| it.name.clone()).collect())
                }
            };
            if !known.contains(target) {
                found.push(key, unknown(what, target, &known));
            }
        }
        targets
    }

    fn pairs(&self) -> Vec<String> {
        let regions = self.topology.regions();
        let pairs = regions.iter().flat_map(|a| regions.iter().filter(move |b| a != *b).map(move |b| (a, b)));
        pairs.map(|(a, b)| format!("{a}-{b}")).collect()
    }

    fn numbers(&self, sub: &dyn Fn(&str) -> String, spec: &FaultSpec, targets: &[String], found: &mut Found) {
        let options = &spec.options;
        if options.down.is_some() != options.up.is_some() {
            let given = if options.down.is_some() { "down" } else { "up" };
            found.push(&sub(given), ProblemKind::HalfFlap);
        }
        for (name, value) in [("rtt_ms", options.rtt_ms), ("jitter_ms", options.jitter_ms)] {
            if let Some(value) = value.filter(|value| !(0.0..=crate::topology::MAX_RTT_MS).contains(value)) {
                found.push(&sub(name), range(value, "0 to 500 milliseconds"));
            }
        }
        if let Some(given) = options.servers {
            for region in targets.iter().filter(|target| self.topology.regions().contains(target)) {
                let there = self.topology.servers_of(region).count();
                if usize::from(given) > there || given == 0 {
                    let kind = ProblemKind::TooManyServers { given, region: region.clone(), there };
                    found.push(&sub("servers"), kind);
                }
            }
        }
        if let Some(with) = &options.with
            && !self.populations.iter().any(|population| population.name == *with)
        {
            let known: Vec<_> = self.populations.iter().map(|it| it.name.clone()).collect();
            found.push(&sub("with"), unknown("population", with, &known));
        }
    }

    fn when(
        &self,
        sub: &dyn Fn(&str) -> String,
        spec: &FaultSpec,
        found: &mut Found,
    ) -> Option<(Duration, Option<Duration>)> {
        let momentary = spec.inject.is_momentary();
        if let Some(name) = &spec.phase {
            if spec.at.is_some() || spec.lasts.is_some() {
                found.push(&sub("phase"), ProblemKind::When);
            }
            let Some(phase) = self.phases.iter().find(|phase| phase.name == *name) else {
                let known: Vec<_> = self.phases.iter().map(|phase| phase.name.clone()).collect();
                found.push(&sub("phase"), unknown("phase", name, &known));
                return None;
            };
            return Some((phase.from, Some(phase.to).filter(|_| !momentary)));
        }
        let Some(at) = spec.at else {
            found.push(&sub("inject"), ProblemKind::When);
            return None;
        };
        let end = self.phases.last().map_or(Duration::ZERO, |phase| phase.to);
        if at.duration() >= end {
            let (at, duration) = (seconds(at.duration()), seconds(end));
            found.push(&sub("at"), ProblemKind::TooLate { at, duration });
        }
        if momentary && spec.lasts.is_some() {
            let kind = ProblemKind::NoEffect { key: "for", on: spec.inject.to_string() };
            found.push(&sub("for"), kind);
        }
        Some((at.duration(), spec.lasts.map(|lasts| at.duration() + lasts.duration())))
    }

    /// The values of labels are names of this scenario.
    fn labels(&self, key: &str, threshold: &Threshold, workloads: &[Workload], found: &mut Found) {
        for (label, value) in &threshold.labels {
            let known: Vec<String> = match label.as_str() {
                "population" => self.populations.iter().map(|it| it.name.clone()).collect(),
                "region" => self.topology.regions().to_vec(),
                "phase" => self.phases.iter().map(|it| it.name.clone()).collect(),
                "workload" => workloads.iter().map(|it| it.name.clone()).collect(),
                // Faults are chosen by their kind.
                _ => super::ALL_FAULTS.map(|kind| kind.to_string()).to_vec(),
            };
            if !known.contains(value) {
                let what = match label.as_str() {
                    "population" => "population",
                    "region" => "region",
                    "phase" => "phase",
                    "workload" => "workload",
                    _ => "fault",
                };
                found.push(key, unknown(what, value, &known));
            }
        }
    }
}
