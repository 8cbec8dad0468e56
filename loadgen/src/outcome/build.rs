//! This module makes the report from recordings.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::failovers::{Failover, failovers};
use super::judge::{clock_error_ms, disturbances, judge, verdict};
use super::model::{
    ClientRow, CollectedRow, EnvironmentRow, FailoverRow, FaultRow, LedgerRow, MatrixRow, NatsServerRow,
    PhaseRow, Report, RequestsRow, RttRow, RunRow, SeriesRow, ServerRow, VERSION,
};
use super::sentences::sentences;
use super::traffic_rows;
use crate::clients::Outcome;
use crate::collect::Collected;
use crate::load::requests::Op;
use crate::play::Recording;
use crate::record::stats::{Sample, millis};
use crate::scenario::{Scenario, Strategy};

/// A strategy and its recordings, one for each repetition.
#[derive(Debug)]
pub struct Played<'a> {
    /// The strategy.
    pub strategy: &'a Strategy,
    /// What was seen.
    pub recordings: Vec<Recording>,
}

/// What only the caller knows.
#[derive(Clone, Debug)]
pub struct Environment {
    /// Repeats the random choices.
    pub seed: u64,
    /// RFC 3339.
    pub started_at: String,
    /// Of everything.
    pub wall: Duration,
    /// Processors.
    pub cores: usize,
    /// More facts that readers of the figures should know.
    pub notes: Vec<String>,
    /// Figures of other systems.
    pub collected: Vec<Collected>,
}

/// Makes the report. All strategies play the same topology and faults.
pub fn build(played: &[Played<'_>], environment: &Environment) -> Option<Report> {
    let scenario = &played.first()?.strategy.scenario;
    let mut judged = Vec::new();
    let mut all_recordings: Vec<&Recording> = Vec::new();
    let mut runs = Vec::new();
    let mut unread = Vec::new();
    for Played { strategy, recordings } in played {
        let all: Vec<&Recording> = recordings.iter().collect();
        judged.extend(judge(&strategy.name, &strategy.scenario, &all));
        all_recordings.extend(all);
        for (repetition, recording) in (0..).zip(recordings) {
            let mut run = run(&strategy.name, &strategy.scenario, repetition, recording);
            run.collected = collected(&environment.collected, recording);
            let lost_sight = recording.messages.iter().filter_map(|it| it.unverified.clone());
            unread.extend(lost_sight.map(|why| format!("a stream could not be read at the end: {why}")));
            runs.push(run);
        }
    }
    let (verdict, reasons) = verdict(&judged, &disturbances(&all_recordings), &unread);
    let mut notes = environment.notes.clone();
    notes.extend(environment.collected.iter().filter_map(Collected::note));
    notes.extend(unread);
    notes.extend(clock_note(&all_recordings));
    let topology = &scenario.topology;
    let servers = topology.servers();
    let servers =
        servers.map(|it| ServerRow { name: it.to_string(), region: it.region().to_owned() }).collect();
    let first = played.first()?.recordings.first()?;
    let nats_servers = first.nats_servers.iter();
    let mut wan_limits: Vec<_> = first.wan.limits().iter().map(|limit| (*limit).to_owned()).collect();
    wan_limits.extend(
        first.wan_fallback.as_ref().map(|reason| format!("`--wan auto` did not choose `netns`: {reason}.")),
    );
    notes.extend(NOTES.map(str::to_owned));
    Some(Report {
        version: VERSION,
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        description: scenario.description.clone(),
        verdict,
        reasons,
        seed: environment.seed,
        started_at: environment.started_at.clone(),
        wall_s: environment.wall.as_secs_f64(),
        environment: EnvironmentRow {
            loadgen: env!("CARGO_PKG_VERSION").to_owned(),
            nats_servers: nats_servers
                .map(|(version, servers)| NatsServerRow { version: version.clone(), servers: *servers })
                .collect(),
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
            cores: environment.cores,
            wan: first.wan.to_string(),
            wan_limits,
            agents: first.agents.clone(),
        },
        regions: topology.regions().to_vec(),
        servers,
        rtt_ms: distances(scenario),
        sentences: sentences(played),
        thresholds: judged.into_iter().map(|judged| judged.row).collect(),
        notes,
        runs,
    })
}

fn clock_note(recordings: &[&Recording]) -> Option<String> {
    let error_ms = clock_error_ms(recordings);
    (error_ms > 0.0).then(|| {
        format!(
            "Agents played the clients. Times of failovers and deliveries compare the clocks of two processes: their error is at \
             most ± {error_ms:.3} ms, drift included. Each other time is measured with one clock."
        )
    })
}

const NOTES: [&str; 2] = [
    "A failover is the time from the fault to the first answer to a request that was sent after the fault. For a server \
     in lame duck mode, a failover is the longest time that a request took.",
    "The limit counts the round trips that no client can avoid (SYN, INFO, CONNECT, request; with a standby only the \
     request). The limit does not include the time to notice the fault.",
];

fn distances(scenario: &Scenario) -> Vec<RttRow> {
    let regions = scenario.topology.regions();
    let mut rows = Vec::new();
    for (index, a) in regions.iter().enumerate() {
        for b in &regions[index + 1..] {
            let there = scenario.topology.rtt(a, b).ok();
            // Another one for connections in the other direction, if it differs.
            let back = scenario.topology.rtt(b, a).ok().filter(|back| Some(*back) != there);
            for (a, b, rtt) in [(a, b, there), (b, a, back)] {
                rows.extend(rtt.map(|rtt| RttRow { a: a.clone(), b: b.clone(), ms: millis(rtt) }));
            }
        }
    }
    rows
}

fn run(strategy: &str, scenario: &Scenario, repetition: u16, recording: &Recording) -> RunRow {
    let since = |at: Instant| at.saturating_duration_since(recording.start).as_secs_f64();
    let phases = scenario.phases.iter().zip(&recording.phases);
    let faults = recording.faults.iter().enumerate();
    RunRow {
        strategy: strategy.to_owned(),
        repetition,
        duration_s: since(recording.end),
        phases: phases
            .map(|(phase, (from, to))| PhaseRow {
                name: phase.name.clone(),
                from_s: since(*from),
                to_s: since(*to),
            })
            .collect(),
        faults: faults
            .map(|(id, fault)| FaultRow {
                id,
                text: scenario.faults[fault.fault].to_string(),
                from_s: since(fault.at),
                to_s: fault.until.map(since),
            })
            .collect(),
        step_s: step(recording),
        series: series(scenario, recording),
        clients: clients(scenario, recording),
        failovers: failovers(scenario, recording).iter().map(|it| failover(scenario, it)).collect(),
        requests: requests(scenario, recording),
        matrix: matrix(scenario, recording),
        ledger: ledger(scenario, recording),
        deliveries: traffic_rows::deliveries(scenario, recording),
        stores: traffic_rows::stores(scenario, recording),
        collected: Vec::new(),
        schedule_lag_p99_ms: recording.schedule_lag_p99().map(millis),
    }
}

/// The figures of the time of this play.
fn collected(all: &[Collected], recording: &Recording) -> Vec<CollectedRow> {
    let is_in = |at: &Instant| (recording.start..=recording.end).contains(at);
    let since = |at: Instant| at.saturating_duration_since(recording.start).as_secs_f64();
    let rows = all.iter().flat_map(|collected| {
        collected.figures.iter().map(|figure| CollectedRow {
            source: collected.source.clone(),
            figure: figure.name.clone(),
            values: figure
                .values
                .iter()
                .filter(|(at, _)| is_in(at))
                .map(|(at, value)| (since(*at), *value))
                .collect(),
        })
    });
    rows.collect()
}

/// At most 600 slots, none shorter than a quarter of a second.
fn step(recording: &Recording) -> f64 {
    let lasts = (recording.end - recording.start).as_secs_f64();
    (lasts / 600.0).max(0.25)
}

fn series(scenario: &Scenario, recording: &Recording) -> Vec<SeriesRow> {
    let step = step(recording);
    let slots = ((recording.end - recording.start).as_secs_f64() / step).ceil() as usize;
    let mut by_place: BTreeMap<(usize, &str), Vec<&Op>> = BTreeMap::new();
    for client in &recording.clients {
        by_place.entry((client.population, &client.region)).or_default().extend(&client.ops);
    }
    let row = |((population, region), ops): ((usize, &str), Vec<&Op>)| {
        let mut slot_ops: Vec<Vec<&Op>> = vec![Vec::new(); slots];
        for op in ops {
            let slot = (op.intended.saturating_duration_since(recording.start).as_secs_f64() / step) as usize;
            if let Some(slot) = slot_ops.get_mut(slot) {
                slot.push(op);
            }
        }
        let ok = |op: &&&Op| op.outcome == Outcome::Ok;
        let samples: Vec<Sample> = slot_ops
            .iter()
            .map(|ops| ops.iter().filter(ok).map(|op| op.done - op.intended).collect())
            .collect();
        SeriesRow {
            population: scenario.populations[population].name.clone(),
            region: region.to_owned(),
            ok: samples.iter().map(|sample| sample.n() as u32).collect(),
            failed: slot_ops.iter().map(|ops| ops.iter().filter(|op| !ok(op)).count() as u32).collect(),
            p50_ms: samples.iter().map(Sample::p50_ms).collect(),
            p99_ms: samples.iter().map(|sample| sample.percentile(0.99).map(millis)).collect(),
            max_ms: samples.iter().map(Sample::max_ms).collect(),
        }
    };
    let with_ops = by_place.into_iter().filter(|(_, ops)| !ops.is_empty());
    with_ops.map(row).collect()
}

fn clients(scenario: &Scenario, recording: &Recording) -> Vec<ClientRow> {
    let row = |client: &crate::play::ClientRecord| {
        let mut states: Vec<(f64, Option<String>)> = Vec::new();
        let since = |at: Instant| at.saturating_duration_since(recording.start).as_secs_f64();
        for (at, seat) in &client.seats {
            let region = seat.as_ref().map(|seat| seat.region.clone());
            if states.last().is_none_or(|(_, last)| *last != region) {
                states.push((since(*at), region));
            }
        }
        if client.left < recording.end {
            states.push((since(client.left), None));
        }
        ClientRow {
            population: scenario.populations[client.population].name.clone(),
            region: client.region.clone(),
            number: client.number,
            states,
        }
    };
    recording.clients.iter().map(row).collect()
}

fn failover(scenario: &Scenario, one: &Failover) -> FailoverRow {
    let phase = |of: &dyn Fn(&crate::record::failover::Phases) -> Option<Duration>| {
        one.phases.as_ref().and_then(of).map(millis)
    };
    FailoverRow {
        fault: one.record,
        population: scenario.populations[one.population].name.clone(),
        region: one.region.clone(),
        client: one.client,
        from: one.from.server.clone(),
        to: one.to.as_ref().map(|seat| seat.server.clone()),
        total_ms: one.total.map(millis),
        detection_ms: phase(&|it| Some(it.detection)),
        selection_ms: phase(&|it| it.selection),
        reconnect_ms: phase(&|it| Some(it.reconnect)),
        resume_ms: phase(&|it| Some(it.resume)),
        limit_ms: one.limit.map(millis),
    }
}

fn requests(scenario: &Scenario, recording: &Recording) -> Vec<RequestsRow> {
    let mut cells: BTreeMap<(usize, usize, &str), Vec<&Op>> = BTreeMap::new();
    for client in &recording.clients {
        for op in &client.ops {
            if let Some(phase) = recording.phase_at(op.intended) {
                cells.entry((phase, client.population, &client.region)).or_default().push(op);
            }
        }
    }
    let row = |((phase, population, region), ops): ((usize, usize, &str), Vec<&Op>)| {
        let answered = ops.iter().filter(|op| op.outcome == Outcome::Ok);
        let sample: Sample = answered.map(|op| op.done - op.intended).collect();
        RequestsRow {
            phase: scenario.phases[phase].name.clone(),
            population: scenario.populations[population].name.clone(),
            region: region.to_owned(),
            sent: ops.len(),
            failed: ops.len() - sample.n(),
            p50_ms: sample.p50_ms(),
            p99_ms: sample.percentile(0.99).map(millis),
        }
    };
    cells.into_iter().map(row).collect()
}

fn matrix(scenario: &Scenario, recording: &Recording) -> Vec<MatrixRow> {
    let mut cells: BTreeMap<(usize, &str, &str), Vec<Duration>> = BTreeMap::new();
    for client in &recording.clients {
        for op in client.ops.iter().filter(|op| op.outcome == Outcome::Ok) {
            if let (Some(phase), Some(seat)) = (recording.phase_at(op.intended), client.seat_at(op.intended))
            {
                cells.entry((phase, &client.region, &seat.region)).or_default().push(op.done - op.intended);
            }
        }
    }
    let row = |((phase, from, to), times): ((usize, &str, &str), Vec<Duration>)| {
        let sample: Sample = times.into_iter().collect();
        MatrixRow {
            phase: scenario.phases[phase].name.clone(),
            from: from.to_owned(),
            to: to.to_owned(),
            n: sample.n(),
            p50_ms: sample.p50_ms(),
            p99_ms: sample.percentile(0.99).map(millis),
        }
    };
    cells.into_iter().map(row).collect()
}

fn ledger(scenario: &Scenario, recording: &Recording) -> Vec<LedgerRow> {
    let row = |record: &crate::play::MessagesRecord| {
        let totals = &record.totals;
        let seen = record.unverified.is_none();
        LedgerRow {
            workload: scenario.workloads[record.workload].name.clone(),
            population: scenario.populations[record.population].name.clone(),
            stream: record.place.clone(),
            attempted: totals.attempted,
            acknowledged: Some(totals.acknowledged),
            delivered: Some(totals.delivered).filter(|_| seen),
            lost_prefix: if seen { totals.lost_prefix } else { 0 },
            lost_middle: if seen { totals.lost_middle } else { 0 },
            lost_suffix: if seen { totals.lost_suffix } else { 0 },
            duplicated: totals.duplicated,
            redelivered: totals.redelivered,
            reordered: totals.reordered,
            unexpected: totals.unexpected,
            unverified: if seen { 0 } else { totals.lost() },
        }
    };
    recording.messages.iter().map(row).collect()
}
