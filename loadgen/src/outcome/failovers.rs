//! The effects of faults on the clients that they hit.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::clients::Seat;
use crate::load::requests::Op;
use crate::play::{ClientRecord, FaultRecord, Recording};
use crate::record::failover::{Phases, Trace};
use crate::scenario::{FaultKind, ReplaceBy, Scenario};

/// One (fault, client) pair.
#[derive(Clone, Debug)]
pub(super) struct Failover {
    /// Which of the recorded faults.
    pub(super) record: usize,
    /// Which of the scenario's faults.
    pub(super) fault: usize,
    /// The phase that it began in.
    pub(super) phase: Option<usize>,
    /// Whether the client was in the nearest healthy region at the end of the fault.
    pub(super) landed_nearest: bool,
    /// Index of the client's population.
    pub(super) population: usize,
    /// Region of the client.
    pub(super) region: String,
    /// Its number.
    pub(super) client: u32,
    /// Region of its server.
    pub(super) from: Seat,
    /// Region of its server at the end of the fault.
    pub(super) to: Option<Seat>,
    /// From the fault to the first answer; `None`: no answer while the fault lasted.
    pub(super) total: Option<Duration>,
    /// The parts of it.
    pub(super) phases: Option<Phases>,
    /// The round trips that nobody can save.
    pub(super) limit: Option<Duration>,
}

/// All pairs of a recording, of clients that send requests.
pub(super) fn failovers(scenario: &Scenario, recording: &Recording) -> Vec<Failover> {
    let mut found = Vec::new();
    for (record, fault) in recording.faults.iter().enumerate().filter(|(_, fault)| !fault.hit.is_empty()) {
        for client in recording.clients.iter().filter(|client| !client.ops.is_empty()) {
            let there = client.joined <= fault.at && client.left > fault.at;
            let seat = client.seat_at(fault.at).filter(|_| there);
            let Some(from) = seat.filter(|seat| fault.hit.contains(&seat.server)) else { continue };
            found.push(one(scenario, recording, record, fault, client, from.clone()));
        }
    }
    found
}

fn one(
    scenario: &Scenario,
    recording: &Recording,
    record: usize,
    fault: &FaultRecord,
    client: &ClientRecord,
    from: Seat,
) -> Failover {
    let until = window_end(scenario, recording, fault).min(client.left);
    let trace = Trace { fault_at: fault.at, ops: &client.ops, signs: &client.signs };
    let announced = is_announced(scenario, fault.fault);
    let total = if announced { longest_wait(&client.ops, fault.at, until) } else { trace.failover() };
    let total = total.filter(|total| fault.at + *total <= until);
    let to = client.seat_at(until).cloned();
    let limit = to.as_ref().filter(|_| !announced && total.is_some()).and_then(|to| {
        let rtt = scenario.topology.rtt(&client.region, &to.region).ok()?;
        Some(rtt * round_trips(scenario, client))
    });
    let healthy = healthy(scenario, recording, fault.at);
    let nearest = nearest(scenario, &client.region, &healthy);
    Failover {
        record,
        fault: fault.fault,
        phase: recording.phase_at(fault.at),
        landed_nearest: to.as_ref().is_some_and(|to| nearest == Some(to.region.as_str())),
        population: client.population,
        region: client.region.clone(),
        client: client.number,
        from,
        to,
        total,
        phases: total.filter(|_| !announced).and_then(|total| trace.phases(total)),
        limit,
    }
}

/// Regions with a server that no fault has taken away.
pub(super) fn healthy<'a>(scenario: &'a Scenario, recording: &Recording, at: Instant) -> Vec<&'a str> {
    let active = recording.faults.iter().filter(|it| it.at <= at && it.until.is_none_or(|until| until > at));
    let hit: BTreeSet<&String> = active.flat_map(|fault| &fault.hit).collect();
    let regions = scenario.topology.regions().iter();
    let is_up = |region: &&String| {
        scenario.topology.servers_of(region).any(|server| !hit.contains(&server.to_string()))
    };
    regions.filter(is_up).map(String::as_str).collect()
}

/// The one of these regions that is nearest to a client.
pub(super) fn nearest<'a>(scenario: &Scenario, from: &str, regions: &[&'a str]) -> Option<&'a str> {
    let rtt = |region: &&str| scenario.topology.rtt(from, region).unwrap_or(Duration::MAX);
    regions.iter().copied().min_by_key(rtt)
}

/// A fault that is over at once leaves clients the rest of the play.
fn window_end(scenario: &Scenario, recording: &Recording, fault: &FaultRecord) -> Instant {
    let momentary = scenario.faults[fault.fault].kind.is_momentary();
    fault.until.filter(|_| !momentary).unwrap_or(recording.end)
}

/// Returns whether servers announce their end: then nothing is taken away, and the longest wait tells what clients felt.
pub(super) fn is_announced(scenario: &Scenario, fault: usize) -> bool {
    let fault = &scenario.faults[fault];
    let rolls_gently = fault.options.by.unwrap_or_default() == ReplaceBy::LameDuck;
    fault.kind == FaultKind::LameDuck || (fault.kind == FaultKind::Rolling && rolls_gently)
}

fn longest_wait(ops: &[Op], from: Instant, until: Instant) -> Option<Duration> {
    let within = ops.iter().filter(|op| op.intended >= from && op.intended < until);
    within.map(|op| op.done - op.intended).max()
}

/// SYN, INFO, CONNECT and the request itself; with a standby only the request.
fn round_trips(scenario: &Scenario, client: &ClientRecord) -> u32 {
    if scenario.populations[client.population].policy.warm_standby { 1 } else { 4 }
}
