//! Checks that make a scenario that can be played from the text of a file.
//!
//! This folder owns the checks: phases here, populations and workloads (`clients`, and `browsers` for those in a browser), faults and
//! labels of thresholds (`faults`). It must not read files, or know the source of a topology.

mod browsers;
mod clients;
mod faults;

use std::time::Duration;

use super::problem::{Problem, ProblemKind};
use super::spec::{FaultSpec, ScenarioSpec};
use super::{Phase, Scenario, Threshold, TimedFault, seconds};
use crate::topology::Topology;
use clients::{joins_later, population, resolvers, workload};
use faults::Context;

/// What the command line adds to a file.
pub(super) struct More<'a> {
    pub(super) faults: Vec<FaultSpec>,
    pub(super) thresholds: &'a [Threshold],
}

/// Checks a file, and fills in what it leaves out.
pub(super) fn run(
    spec: ScenarioSpec,
    topology: Topology,
    file: &str,
    more: &More<'_>,
) -> Result<Scenario, Vec<Problem>> {
    let mut found = Found::default();
    if !(1..=100).contains(&spec.repeat) {
        found.push("repeat", range(spec.repeat, "1 to 100"));
    }
    let phases = phases(&spec, &mut found);
    let resolvers = resolvers(&spec, &mut found);
    let populations: Vec<_> = spec
        .clients
        .iter()
        .enumerate()
        .map(|(index, clients)| {
            let joins_later = joins_later(&spec, clients);
            population(index, clients, joins_later, (&topology, &resolvers), &mut found)
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
    let context = Context {
        topology: &topology,
        phases: &phases,
        populations: &populations,
        workloads: &workloads,
        resolvers: &resolvers,
    };
    let faults = faults(&spec, &more.faults, &context, &mut found);
    let thresholds = thresholds(&spec, more.thresholds, &context, &mut found);
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
        fit: spec.fit,
        wan: spec.wan,
        resolvers,
        populations,
        workloads,
        phases,
        faults,
        thresholds,
    })
}

/// Checks a fault that begins at once, where there are servers and nothing else of a scenario.
pub(crate) fn fault_alone(spec: &FaultSpec, topology: &Topology) -> Result<TimedFault, Vec<Problem>> {
    let always = Phase { name: String::new(), from: Duration::ZERO, to: Duration::MAX, new_clients: false };
    let context = Context { topology, phases: &[always], populations: &[], workloads: &[], resolvers: &[] };
    let mut found = Found::default();
    context.fault("", spec, &mut found).ok_or(found.0)
}

/// In the order of time.
fn faults(
    spec: &ScenarioSpec,
    more: &[FaultSpec],
    context: &Context<'_>,
    found: &mut Found,
) -> Vec<TimedFault> {
    let mut faults: Vec<_> = spec
        .fault
        .iter()
        .enumerate()
        .filter_map(|(index, fault)| context.fault(&format!("fault[{index}]"), fault, found))
        .collect();
    for (index, text) in spec.faults.iter().enumerate() {
        let key = format!("faults[{index}]");
        match text.parse::<FaultSpec>() {
            Ok(fault) => faults.extend(context.fault(&key, &fault, found)),
            Err(error) => found.push(&key, error.into()),
        }
    }
    for fault in more {
        let key = format!("--fault {}:{}", fault.inject, fault.target.to_vec().join("+"));
        faults.extend(context.fault(&key, fault, found));
    }
    faults.sort_by_key(|fault| fault.at);
    faults
}

fn thresholds(
    spec: &ScenarioSpec,
    more: &[Threshold],
    context: &Context<'_>,
    found: &mut Found,
) -> Vec<Threshold> {
    let mut thresholds = Vec::new();
    for (index, text) in spec.thresholds.iter().enumerate() {
        let key = format!("thresholds[{index}]");
        match text.parse::<Threshold>() {
            Ok(threshold) => {
                context.labels(&key, &threshold, found);
                thresholds.push(threshold);
            }
            Err(error) => found.push(&key, error.into()),
        }
    }
    for threshold in more {
        context.labels("--threshold", threshold, found);
        thresholds.push(threshold.clone());
    }
    thresholds
}

/// Everything that is wrong.
#[derive(Debug, Default)]
struct Found(Vec<Problem>);

impl Found {
    pub(super) fn push(&mut self, key: &str, kind: ProblemKind) {
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
        let (name, new_clients) = (phase.name.clone(), phase.new_clients);
        phases.push(Phase { name, from: at, to: at + lasts, new_clients });
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

fn unknown(what: &'static str, name: &str, known: &[String]) -> ProblemKind {
    ProblemKind::Unknown { what, name: name.to_owned(), known: known.to_vec() }
}
