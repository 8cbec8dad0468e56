//! Checks that faults and labels of thresholds name only parts that the scenario has.

use std::time::Duration;

use super::clients::streams_of;
use super::{Found, range, unknown};
use crate::scenario::fault::{FaultKind, META, TargetKind};
use crate::scenario::file::targets_in_words;
use crate::scenario::problem::ProblemKind;
use crate::scenario::spec::FaultSpec;
use crate::scenario::{
    ALL_FAULTS, ALL_RESOLVERS, FaultOptions, Phase, Pick, Population, Threshold, TimedFault, Workload,
    seconds,
};
use crate::topology::Topology;
use crate::topology::spec::AuthKind;

/// What faults and thresholds can name.
pub(super) struct Context<'a> {
    pub(super) topology: &'a Topology,
    pub(super) phases: &'a [Phase],
    pub(super) populations: &'a [Population],
    pub(super) workloads: &'a [Workload],
    pub(super) resolvers: &'a [String],
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
        if kind == FaultKind::Revoke && self.topology.spec().auth.kind == AuthKind::Token {
            found.push(&sub("inject"), ProblemKind::NoUsers);
        }
        if kind == FaultKind::ExpireCertificate && self.topology.spec().tls.is_none() {
            found.push(&sub("inject"), ProblemKind::NoTls);
        }
        if kind == FaultKind::Split && self.topology.regions().iter().all(|region| targets.contains(region)) {
            found.push(&sub("target"), ProblemKind::NothingOutside);
        }
        if kind == FaultKind::SlowConsumer {
            self.receivers(&sub("target"), &targets, found);
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
        if kind.target() == TargetKind::Resolvers && self.resolvers.is_empty() {
            found.push(key, ProblemKind::NoResolvers);
            return targets;
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
                TargetKind::Resolvers => {
                    let all = std::iter::once(ALL_RESOLVERS.to_owned());
                    ("resolver", all.chain(self.resolvers.iter().cloned()).collect())
                }
            };
            if !known.contains(target) {
                found.push(key, unknown(what, target, &known));
            }
        }
        targets
    }

    /// Only workloads with receivers have anything to slow down.
    fn receivers(&self, key: &str, targets: &[String], found: &mut Found) {
        let receives = |population| {
            self.workloads.iter().any(|it| it.kind.has_receivers() && it.populations.contains(&population))
        };
        for target in targets {
            let population = self.populations.iter().position(|it| it.name == *target);
            if population.is_some_and(|population| !receives(population)) {
                found.push(key, ProblemKind::NoReceivers { population: target.clone() });
            }
        }
    }

    fn pairs(&self) -> Vec<String> {
        let regions = self.topology.regions();
        let pairs = regions.iter().flat_map(|a| regions.iter().filter(move |b| a != *b).map(move |b| (a, b)));
        pairs.map(|(a, b)| format!("{a}-{b}")).collect()
    }

    fn numbers(&self, sub: &dyn Fn(&str) -> String, spec: &FaultSpec, targets: &[String], found: &mut Found) {
        let options = &spec.options;
        flap(sub, options, found);
        for (name, value) in [("rtt_ms", options.rtt_ms), ("jitter_ms", options.jitter_ms)] {
            if let Some(value) = value.filter(|value| !(0.0..=crate::topology::MAX_RTT_MS).contains(value)) {
                found.push(&sub(name), range(value, "0 to 500 milliseconds"));
            }
        }
        if let Some(given) = options.latency_ms.filter(|given| !(1.0..=60_000.0).contains(given)) {
            found.push(&sub("latency_ms"), range(given, "1 to 60000 milliseconds"));
        }
        if let Some(given) = options.connections.filter(|given| *given == 0) {
            found.push(&sub("connections"), range(given, "1 or more connections"));
        }
        if options.pick.is_some() && options.servers.is_none() {
            let on = "all servers of a region".to_owned();
            found.push(&sub("pick"), ProblemKind::NoEffect { key: "pick", on });
        }
        if options.population.is_some() && options.pick != Some(Pick::Fullest) {
            let on = "a choice that does not count clients".to_owned();
            found.push(&sub("population"), ProblemKind::NoEffect { key: "population", on });
        }
        let (least, words) = match spec.inject {
            FaultKind::SlowConsumer => (0.0, "0 to 1000000 per second"),
            _ => (f64::MIN_POSITIVE, "more than 0 and at most 1000000 per second"),
        };
        if let Some(given) = options.per_s.filter(|given| !(least..=1e6).contains(given)) {
            found.push(&sub("per_s"), range(given, words));
        }
        loss(sub, options, found);
        if let Some(given) = options.servers {
            for region in targets.iter().filter(|target| self.topology.regions().contains(target)) {
                let there = self.topology.servers_of(region).count();
                if usize::from(given) > there || given == 0 {
                    let kind = ProblemKind::TooManyServers { given, region: region.clone(), there };
                    found.push(&sub("servers"), kind);
                }
            }
        }
        for (key, given) in [("with", &options.with), ("population", &options.population)] {
            if let Some(given) = given
                && !self.populations.iter().any(|population| population.name == *given)
            {
                let known: Vec<_> = self.populations.iter().map(|it| it.name.clone()).collect();
                found.push(&sub(key), unknown("population", given, &known));
            }
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
    pub(super) fn labels(&self, key: &str, threshold: &Threshold, found: &mut Found) {
        for (label, value) in &threshold.labels {
            let known: Vec<String> = match label.as_str() {
                "population" => self.populations.iter().map(|it| it.name.clone()).collect(),
                "region" => self.topology.regions().to_vec(),
                "phase" => self.phases.iter().map(|it| it.name.clone()).collect(),
                "workload" => self.workloads.iter().map(|it| it.name.clone()).collect(),
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

/// Checks the times of a fault that flaps.
fn flap(sub: &dyn Fn(&str) -> String, options: &FaultOptions, found: &mut Found) {
    if options.down.is_some() != options.up.is_some() {
        let given = if options.down.is_some() { "down" } else { "up" };
        found.push(&sub(given), ProblemKind::HalfFlap);
    }
    let Some(vary) = options.vary else { return };
    if !(0.0..=VARY_MAX).contains(&vary) {
        found.push(&sub("vary"), range(vary, "0 to 0.9"));
    }
    if options.down.is_none() && options.up.is_none() {
        let on = "a fault that does not flap".to_owned();
        found.push(&sub("vary"), ProblemKind::NoEffect { key: "vary", on });
    }
}

/// With more, a fault could end when it begins.
const VARY_MAX: f64 = 0.9;

/// Checks the numbers of a loss. After each burst at least one packet arrives, which limits the share.
fn loss(sub: &dyn Fn(&str) -> String, options: &FaultOptions, found: &mut Found) {
    let burst = f64::from(options.burst.unwrap_or(1));
    if burst < 1.0 {
        found.push(&sub("burst"), range(burst, "1 or more packets"));
        return;
    }
    let (most, remedy) = if burst > 1.0 {
        (100.0 * burst / (burst + 1.0), "a smaller percentage, or a longer `burst`")
    } else {
        (100.0, "0 to 100 percent")
    };
    if let Some(percent) = options.percent.filter(|percent| !(0.0..=most).contains(percent)) {
        found.push(&sub("percent"), range(percent, remedy));
    }
}
