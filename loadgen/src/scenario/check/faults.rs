//! Faults and labels of thresholds: they name what the scenario has.

use std::time::Duration;

use super::clients::streams_of;
use super::{Found, range, unknown};
use crate::scenario::fault::{FaultKind, META, TargetKind};
use crate::scenario::file::targets_in_words;
use crate::scenario::problem::ProblemKind;
use crate::scenario::spec::FaultSpec;
use crate::scenario::{ALL_FAULTS, Phase, Population, Threshold, TimedFault, Workload, seconds};
use crate::topology::Topology;

/// What faults and thresholds can name.
pub(super) struct Context<'a> {
    pub(super) topology: &'a Topology,
    pub(super) phases: &'a [Phase],
    pub(super) populations: &'a [Population],
}

impl Context<'_> {
    pub(super) fn fault(&self, key: &str, spec: &FaultSpec, found: &mut Found) -> Option<TimedFault> {
        let before = found.0.len();
        let sub = |name: &str| {
            if key.starts_with("faults[") || key.starts_with("--") {
                key.to_owned()
            } else {
                format!("{key}.{name}")
            }
        };
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
    pub(super) fn labels(&self, key: &str, threshold: &Threshold, workloads: &[Workload], found: &mut Found) {
        for (label, value) in &threshold.labels {
            let known: Vec<String> = match label.as_str() {
                "population" => self.populations.iter().map(|it| it.name.clone()).collect(),
                "region" => self.topology.regions().to_vec(),
                "phase" => self.phases.iter().map(|it| it.name.clone()).collect(),
                "workload" => workloads.iter().map(|it| it.name.clone()).collect(),
                // Faults are chosen by their kind.
                _ => ALL_FAULTS.map(|kind| kind.to_string()).to_vec(),
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
