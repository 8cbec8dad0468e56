//! Populations and workloads.

use std::collections::BTreeMap;

use super::{Found, range, unknown};
use crate::scenario::problem::ProblemKind;
use crate::scenario::spec::{
    ClientKind, ClientsSpec, Payload, PayloadKind, PolicyName, ScenarioSpec, WorkloadKind, WorkloadSpec,
};
use crate::scenario::{OwnStreams, Population, Stage, Workload};
use crate::topology::Topology;

/// Whether a fault lets this population take the place of another one.
pub(super) fn joins_later(spec: &ScenarioSpec, clients: &ClientsSpec) -> bool {
    let name = clients.name.clone().unwrap_or_else(|| clients.kind.to_string());
    let in_text = |text: &String| text.contains(&format!("with={name}"));
    spec.fault.iter().any(|fault| fault.options.with.as_ref() == Some(&name))
        || spec.faults.iter().any(in_text)
}

pub(super) fn population(
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

pub(super) fn workload(
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
    let region = spec.region.as_ref().or_else(|| regions.last()).cloned().unwrap_or_default();
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
pub(super) fn streams_of(topology: &Topology) -> Vec<String> {
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
