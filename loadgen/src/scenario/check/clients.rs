//! Checks of populations and workloads.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Found, browsers, range, unknown};
use crate::scenario::policy::policy;
use crate::scenario::problem::ProblemKind;
use crate::scenario::spec::{
    Arrival, ClientKind, ClientsSpec, Discovery, Payload, PayloadKind, ScenarioSpec, Transport, WorkloadKind,
    WorkloadSpec,
};
use crate::scenario::{
    ALL_RESOLVERS, Call, MessageSizes, OwnStreams, Pace, Population, RateStage, Stage, Workload,
};
use crate::topology::{ByteSize, Topology};

/// Returns whether a fault lets this population take the place of another one.
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
    (topology, resolvers): (&Topology, &[String]),
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
    let (limit, limits) = match spec.kind {
        ClientKind::Browser => (browsers::CLIENTS_MAX, "at most 16 browser clients in each region"),
        ClientKind::NatsGeo | ClientKind::AsyncNats => (CLIENTS_MAX, "at most 10000 clients in each region"),
    };
    if let Some(most) = most.filter(|most| *most > limit) {
        found.push(&key("kind"), range(most, limits));
    }
    if spec.kind == ClientKind::AsyncNats && spec.warm_standby {
        let kind = ProblemKind::NoEffect { key: "warm_standby", on: spec.kind.to_string() };
        found.push(&key("warm_standby"), kind);
    }
    let transport = match spec.kind {
        ClientKind::Browser => browsers::transport(&key, spec, topology, found),
        ClientKind::NatsGeo | ClientKind::AsyncNats => spec.transport.unwrap_or_default(),
    };
    if spec.transport == Some(Transport::Ws) && !topology.spec().websocket.enabled {
        found.push(&key("transport"), ProblemKind::NoWebSocket);
    }
    let resolver = resolver(&key, spec, resolvers, found);
    if spec.kind != ClientKind::NatsGeo && !spec.config.is_empty() {
        found.push(&key("config"), ProblemKind::NoEffect { key: "config", on: spec.kind.to_string() });
    }
    let mut policy = policy(spec.preset, &spec.config).unwrap_or_else(|(path, problem)| {
        found.push(&key(&format!("config.{path}")), problem);
        nats_geo::core::Config::interactive()
    });
    policy.warm_standby = spec.warm_standby;
    let start = start.into_iter().map(|(region, count)| (region.to_owned(), count)).collect();
    let name = spec.name.clone().unwrap_or_else(|| spec.kind.to_string());
    Population { name, kind: spec.kind, transport, resolver, policy, start, stages }
}

/// The resolver that clients ask for the servers.
fn resolver(
    key: &impl Fn(&str) -> String,
    spec: &ClientsSpec,
    resolvers: &[String],
    found: &mut Found,
) -> Option<String> {
    if spec.discovery == Discovery::List {
        if spec.resolver.is_some() {
            let on = "clients with a list of servers".to_owned();
            found.push(&key("resolver"), ProblemKind::NoEffect { key: "resolver", on });
        }
        return None;
    }
    match spec.kind {
        ClientKind::NatsGeo => {}
        ClientKind::Browser => found.push(&key("discovery"), ProblemKind::NoDnsInBrowsers),
        ClientKind::AsyncNats => found.push(&key("discovery"), ProblemKind::OnlySystemResolver),
    }
    let Some(name) = &spec.resolver else { return resolvers.first().cloned() };
    if !resolvers.contains(name) {
        found.push(&key("resolver"), unknown("resolver", name, resolvers));
    }
    Some(name.clone())
}

/// The names of the emulated resolvers: those of the file, or one if clients use DNS.
pub(super) fn resolvers(spec: &ScenarioSpec, found: &mut Found) -> Vec<String> {
    let Some(names) = &spec.resolvers else {
        let is_asked = spec.clients.iter().any(|clients| clients.discovery == Discovery::Dns);
        return is_asked.then(|| DEFAULT_RESOLVER.to_owned()).into_iter().collect();
    };
    if !(1..=RESOLVERS_MAX).contains(&names.len()) {
        found.push("resolvers", range(names.len(), "1 to 16 resolvers"));
    }
    for (index, name) in names.iter().enumerate() {
        let is_taken = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
        let key = format!("resolvers[{index}]");
        if name.is_empty() || name == ALL_RESOLVERS || !name.chars().all(is_taken) {
            found.push(&key, ProblemKind::ResolverName(name.clone()));
        } else if names[..index].contains(name) {
            found.push(&key, ProblemKind::Twice { what: "resolver", name: name.clone() });
        }
    }
    names.clone()
}

/// A file with one resolver need not name it.
const DEFAULT_RESOLVER: &str = "dns";

/// Each has two sockets in every region.
const RESOLVERS_MAX: usize = 16;

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
    browsers::workload(&key, spec, indices.iter().filter_map(|index| populations.get(*index)), found);
    let pace = pace(&key, spec, found);
    let payload = payload(&key, spec, found);
    let regions = topology.regions();
    let does = spec.regions.as_deref().unwrap_or(regions).to_vec();
    for (number, name) in does.iter().enumerate().filter(|(_, name)| !regions.contains(name)) {
        found.push(&key(&format!("regions[{number}]")), unknown("region", name, regions));
    }
    let gets = gets(&key, spec, found);
    let own = own_streams(&key, spec, topology, found);
    if let Some(region) = &spec.region {
        if !has_region(spec.kind) {
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
    let (kind, populations, call) = (spec.kind, indices, call(&key, spec, found));
    Workload { name, kind, populations, regions: does, pace, gets, region, own, call, payload }
}

/// Requests to responders of the user.
fn call(key: &impl Fn(&str) -> String, spec: &WorkloadSpec, found: &mut Found) -> Option<Call> {
    let no_effect = |key, on: &str| ProblemKind::NoEffect { key, on: on.to_owned() };
    if spec.kind != WorkloadKind::Request {
        if spec.body.is_some() {
            found.push(&key("body"), no_effect("body", &spec.kind.to_string()));
        }
        return None;
    }
    let Some(subject) = &spec.subject else {
        if spec.body.is_some() {
            found.push(&key("body"), no_effect("body", "requests without a subject of your own"));
        }
        return None;
    };
    if subject.is_empty() || subject.contains(|letter: char| letter.is_whitespace() || "*>".contains(letter))
    {
        found.push(&key("subject"), ProblemKind::CallSubject(subject.clone()));
    }
    if spec.body.is_some() && spec.payload.is_some() {
        found.push(&key("payload"), no_effect("payload", "requests with a body"));
    }
    Some(Call { subject: subject.clone(), body: spec.body.clone() })
}

/// When operations begin.
fn pace(key: &impl Fn(&str) -> String, spec: &WorkloadSpec, found: &mut Found) -> Pace {
    let default = if spec.kind == WorkloadKind::Object { DEFAULT_OBJECT_RATE } else { DEFAULT_RATE };
    let rate = spec.rate.unwrap_or(default);
    if rate == 0 || rate > RATE_MAX {
        found.push(&key("rate"), range(rate, "1 to 10000 operations per second and client"));
    }
    let changes = rate_changes(key, spec, found);
    let Some(concurrency) = spec.concurrency else {
        let is_random = spec.arrival.unwrap_or_default() == Arrival::Poisson;
        return match (changes.is_empty(), is_random) {
            (true, false) => Pace::Uniform(rate),
            (true, true) => Pace::Poisson(rate),
            (false, _) => Pace::Changing { start: spec.rate, changes, is_random },
        };
    };
    if spec.rate.is_some() || !spec.rates.is_empty() {
        found.push(&key("concurrency"), ProblemKind::RateAndConcurrency);
    }
    if spec.arrival.is_some() {
        let kind = ProblemKind::NoEffect { key: "arrival", on: "a closed loop".to_owned() };
        found.push(&key("arrival"), kind);
    }
    if matches!(spec.kind, WorkloadKind::Publish | WorkloadKind::Queue) {
        found.push(&key("concurrency"), ProblemKind::NothingToWaitFor { kind: spec.kind });
    }
    if !(1..=CONCURRENCY_MAX).contains(&concurrency) {
        found.push(&key("concurrency"), range(concurrency, "1 to 1000 operations at once for each client"));
    }
    Pace::Closed(concurrency)
}

/// How the rate changes.
fn rate_changes(key: &impl Fn(&str) -> String, spec: &WorkloadSpec, found: &mut Found) -> Vec<RateStage> {
    let mut changes: Vec<RateStage> = Vec::new();
    for (number, text) in spec.rates.iter().enumerate() {
        let key = key(&format!("rates[{number}]"));
        let change = match text.parse::<RateStage>() {
            Ok(change) => change,
            Err(error) => {
                found.push(&key, error.into());
                continue;
            }
        };
        let fastest = change.from.max(change.to);
        if fastest > RATE_MAX {
            found.push(&key, range(fastest, "0 to 10000 operations per second and client"));
        }
        let end = changes.last().map_or(Duration::ZERO, |before| before.at + before.over);
        if change.at < end {
            found.push(&key, ProblemKind::RatesOverlap(end - change.at));
        }
        changes.push(change);
    }
    changes
}

/// Sizes of messages.
fn payload(key: &impl Fn(&str) -> String, spec: &WorkloadSpec, found: &mut Found) -> MessageSizes {
    let is_object = spec.kind == WorkloadKind::Object;
    let default = if is_object { Payload::Size(OBJECT_DEFAULT) } else { Payload::Kind(PayloadKind::Json) };
    let Some(bytes) = spec.payload.unwrap_or(default).bytes() else { return MessageSizes::Mix };
    let (most, limits) =
        if is_object { (OBJECT_MAX, "24 bytes to 64MB") } else { (PAYLOAD_MAX, "24 to 1000000 bytes") };
    if !(PAYLOAD_MIN..=most).contains(&bytes) {
        found.push(&key("payload"), range(bytes, limits));
    }
    MessageSizes::Bytes(usize::try_from(bytes).unwrap_or_default())
}

/// Returns whether loadgen creates something in a region for a workload.
const fn has_region(kind: WorkloadKind) -> bool {
    use WorkloadKind::{Consume, Jetstream, Kv, Object};
    matches!(kind, Jetstream | Consume | Kv | Object)
}

/// The share of gets.
fn gets(key: &impl Fn(&str) -> String, spec: &WorkloadSpec, found: &mut Found) -> f64 {
    let Some(gets) = spec.gets else { return DEFAULT_GETS };
    if !matches!(spec.kind, WorkloadKind::Kv | WorkloadKind::Object) {
        found.push(&key("gets"), ProblemKind::NoEffect { key: "gets", on: spec.kind.to_string() });
    } else if !(0.0..=1.0).contains(&gets) {
        found.push(&key("gets"), range(gets, "0 to 1, as in 0.8"));
    }
    gets
}

/// The streams of the topology that a workload publishes to.
fn own_streams(
    key: &impl Fn(&str) -> String,
    spec: &WorkloadSpec,
    topology: &Topology,
    found: &mut Found,
) -> Option<OwnStreams> {
    // The subject of requests is that of responders.
    let is_request = spec.kind == WorkloadKind::Request;
    if is_request && spec.streams.is_empty() {
        return None;
    }
    let given = if spec.subject.is_some() && !is_request { "subject" } else { "streams" };
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

/// An object of 1 MB is eight messages of 128 KB, each with a round trip.
const DEFAULT_OBJECT_RATE: u16 = 1;

/// One get for each put shows both equally well.
const DEFAULT_GETS: f64 = 0.5;

/// A small picture, or some seconds of video: many messages, but not for long.
const OBJECT_DEFAULT: ByteSize = ByteSize::mebibytes(1);

/// The client holds an object in memory while it writes or compares it.
const OBJECT_MAX: u64 = 64 << 20;

/// Each of them is a task here.
const CONCURRENCY_MAX: u16 = 1_000;

const RATE_MAX: u16 = 10_000;

/// Every message carries the number of its publisher, its own, and the time when it was due.
const PAYLOAD_MIN: u64 = 24;

/// Below nats-server's default of 1 MiB, with headers.
const PAYLOAD_MAX: u64 = 1_000_000;
