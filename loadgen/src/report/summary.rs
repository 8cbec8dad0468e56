//! From single records to rows.

use std::collections::BTreeMap;
use std::time::Duration;

use super::model::{Connect, Control, Failover, FlowRow, PhasesMs};
use crate::cli::FaultKind;
use crate::clients::Population;
use crate::load::flow::{Kind, Tally};
use crate::plan::Plan;
use crate::record::failover::{Phases, Record};
use crate::record::stats::{Sample, millis};
use crate::round::flow_rate;

/// One connect.
#[derive(Clone, Debug)]
pub struct Connected {
    /// Which kind of client.
    pub population: Population,
    /// Where it is.
    pub client_region: String,
    /// From the call of `connect` to the first answered request.
    pub took: Duration,
    /// The region that it chose.
    pub chosen: String,
}

/// One flow of one round.
#[derive(Clone, Copy, Debug)]
pub struct FlowRecord {
    /// Which clients subscribed.
    pub population: Population,
    /// What was broken.
    pub fault: FaultKind,
    /// How they subscribed.
    pub kind: Kind,
    /// What came of it.
    pub tally: Tally,
}

/// Connects by population and region.
pub fn connects(all: &[Connected]) -> Vec<Connect> {
    let groups = group(all, |connected| (connected.population, connected.client_region.clone()));
    let row = |((population, client_region), members): ((Population, String), Vec<&Connected>)| {
        let sample: Sample = members.iter().map(|connected| connected.took).collect();
        Connect {
            population,
            client_region,
            n: sample.n(),
            p50_ms: sample.p50_ms(),
            p90_ms: sample.p90_ms(),
            max_ms: sample.max_ms(),
            chosen: count(members.iter().map(|connected| connected.chosen.clone())),
        }
    };
    groups.into_iter().map(row).collect()
}

/// Clients that were hit, by fault, population and region.
pub fn failovers(plan: &Plan, all: &[Record], home_rtt: Duration) -> Vec<Failover> {
    let hit: Vec<_> = all.iter().filter(|record| record.hit).cloned().collect();
    let key = |record: &Record| {
        (record.fault, record.fault_region.clone(), record.population, record.client_region.clone())
    };
    group(&hit, key).into_values().map(|members| failover(plan, &members, home_rtt)).collect()
}

fn failover(plan: &Plan, members: &[&Record], home_rtt: Duration) -> Failover {
    let first = members[0];
    let sample: Sample = members.iter().filter_map(|record| record.failover).collect();
    let plain = members.iter().filter_map(|record| record.plain);
    let (lost, doubled) = plain.fold((0, 0), |sum, tally| (sum.0 + tally.lost, sum.1 + tally.doubled));
    let landed = count(members.iter().map(|record| match &record.landed {
        Some(seat) => seat.region.clone(),
        None => "nowhere".to_owned(),
    }));
    let is_geo = first.population == Population::NatsGeo;
    Failover {
        population: first.population,
        preset: is_geo.then_some(plan.preset),
        fault: first.fault,
        fault_region: first.fault_region.clone(),
        client_region: first.client_region.clone(),
        n: members.len(),
        did_not_fail_over: members.len() - sample.n(),
        p50_ms: sample.p50_ms(),
        p90_ms: sample.p90_ms(),
        max_ms: sample.max_ms(),
        limit_ms: limit(plan, first, home_rtt).map(millis),
        phases_ms: phases(members),
        landed,
        failed_requests: members.iter().map(|record| record.failed_requests).sum(),
        requests: members.iter().map(|record| record.requests).sum(),
        lost,
        doubled,
    }
}

/// The round trips that nobody can save: SYN, INFO, CONNECT and the request itself; with a standby only the
/// request. Counted to the nearest region that still works.
fn limit(plan: &Plan, record: &Record, home_rtt: Duration) -> Option<Duration> {
    let standby = plan.warm_standby && record.population == Population::NatsGeo;
    let round_trips = if standby && !record.fault.hits_one_server() { 1 } else { 4 };
    if record.fault == FaultKind::LameDuck {
        return None;
    }
    let from = &record.client_region;
    let rtt = if record.fault.hits_one_server() && *from == record.fault_region {
        home_rtt
    } else {
        let nearest = plan.regions_by_distance(from).into_iter();
        let nearest =
            nearest.filter(|region| record.fault.hits_one_server() || *region != record.fault_region);
        nearest.map(|region| if region == from { home_rtt } else { plan.rtt(from, region) }).next()?
    };
    Some(rtt * round_trips)
}

fn phases(members: &[&Record]) -> PhasesMs {
    let median = |part: &dyn Fn(&Phases) -> Option<Duration>| {
        let parts = members.iter().filter_map(|record| part(record.phases.as_ref()?));
        parts.collect::<Sample>().p50_ms()
    };
    PhasesMs {
        detection: median(&|phases| Some(phases.detection)),
        selection: median(&|phases| phases.selection),
        reconnect: median(&|phases| Some(phases.reconnect)),
        resume: median(&|phases| Some(phases.resume)),
    }
}

/// Clients that were not hit, by fault, population and region.
pub fn controls(all: &[Record]) -> Vec<Control> {
    let spared: Vec<_> = all.iter().filter(|record| !record.hit).cloned().collect();
    let groups = group(&spared, |record| (record.fault, record.population, record.client_region.clone()));
    let row =
        |((fault, population, client_region), members): ((FaultKind, Population, String), Vec<&Record>)| {
            Control {
                population,
                fault,
                client_region,
                n: members.len(),
                failed_requests: members.iter().map(|record| record.failed_requests).sum(),
                moves: members.iter().map(|record| record.moves).sum(),
            }
        };
    groups.into_iter().map(row).collect()
}

/// Flows by fault, population and kind of subscription.
pub fn flows(all: &[FlowRecord]) -> Vec<FlowRow> {
    let name = |record: &FlowRecord| if record.kind == Kind::Plain { "plain" } else { "queue" };
    let groups = group(all, |record| (record.fault, record.population, name(record)));
    let row = |((fault, population, subscription), members): (
        (FaultKind, Population, &'static str),
        Vec<&FlowRecord>,
    )| {
        let tally = members.iter().fold(Tally::default(), |sum, record| Tally {
            sent: sum.sent + record.tally.sent,
            lost: sum.lost + record.tally.lost,
            doubled: sum.doubled + record.tally.doubled,
        });
        FlowRow { population, fault, subscription, per_second: flow_rate(fault), tally }
    };
    groups.into_iter().map(row).collect()
}

fn group<T, K: Ord>(all: &[T], key: impl Fn(&T) -> K) -> BTreeMap<K, Vec<&T>> {
    let mut groups: BTreeMap<K, Vec<&T>> = BTreeMap::new();
    for item in all {
        groups.entry(key(item)).or_default().push(item);
    }
    groups
}

fn count(names: impl Iterator<Item = String>) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for name in names {
        *counts.entry(name).or_insert(0) += 1;
    }
    counts
}
