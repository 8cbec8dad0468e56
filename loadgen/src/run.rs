//! A whole run: the super-cluster, every round, the report.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::capacity::{self, Capacity, CapacityError};
use crate::cli::FaultKind;
use crate::clients::Population;
use crate::clock;
use crate::cluster::{CheckLeaksError, MoveLeaderError, StartError, SuperCluster};
use crate::idle::{self, IdleError};
use crate::load::responder::{ResponderError, Responders};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::record::histograms::{Histograms, WriteHistogramError};
use crate::record::stats::millis;
use crate::report::checks::{Measured, checks, verdict};
use crate::report::model::{Generator, Idle, Report, VERSION};
use crate::report::summary;
use crate::round::{Round, RoundError, Seen};
use crate::seed::Lcg;

/// Why a run ended without a report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// No super-cluster.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The meta leader stays where the faults are.
    #[error(transparent)]
    Leader(#[from] MoveLeaderError),
    /// The emulation cannot be checked.
    #[error(transparent)]
    Leaks(#[from] CheckLeaksError),
    /// The load cannot be chosen.
    #[error(transparent)]
    Capacity(#[from] CapacityError),
    /// Nobody answers at a server.
    #[error(transparent)]
    Responder(#[from] ResponderError),
    /// The idle cost cannot be measured.
    #[error(transparent)]
    Idle(#[from] IdleError),
    /// A round failed.
    #[error("round {number} of {fault} in {region}: {error}")]
    Round {
        /// Which repetition, from 1.
        number: u16,
        /// What was broken.
        fault: FaultKind,
        /// Where.
        region: String,
        /// What happened.
        error: RoundError,
    },
    /// The report cannot be written.
    #[error("cannot write to --out {folder}: {error}")]
    Out {
        /// The folder.
        folder: String,
        /// What the operating system said.
        error: std::io::Error,
    },
    /// A histogram cannot be written.
    #[error(transparent)]
    Histogram(#[from] WriteHistogramError),
}

/// Carries out a plan and writes `report.json` and the `.hlog` files.
///
/// # Errors
/// Anything that leaves no report.
pub async fn run(plan: Plan) -> Result<Report, RunError> {
    let (started, wall_clock) = (clock::now(), clock::wall());
    let out_failed = |error| RunError::Out { folder: plan.out.display().to_string(), error };
    // Before the work, so that a wrong folder does not cost four minutes.
    std::fs::create_dir_all(&plan.out).map_err(out_failed)?;
    let rounds = rounds(&plan);
    let progress = Progress::new(rounds.len() as u64 + 3);

    progress.doing("starting the super-cluster");
    let mut cluster = SuperCluster::start(plan.start.clone()).await?;
    let nats_server = cluster.nats_server().to_string();
    progress.note(&format!(
        "{} servers of {nats_server} form the super-cluster",
        plan.topology.servers().count()
    ));
    cluster.move_meta_leader(&plan.fault_regions()).await?;
    progress.step();

    progress.doing("measuring what an idle client costs");
    let (idle, home_rtt) = idle::measure(&plan, &cluster).await?;
    progress.step();

    let mut responders = Responders::default();
    responders.complete(&cluster.server_urls()).await?;
    progress.doing("measuring what this machine can serve");
    let capacity = capacity::choose(&plan, &cluster).await?;
    let load = capacity.load;
    progress.note(&format!("{} clients with {} requests/s each where it breaks", load.clients, load.rate));
    progress.step();

    let mut total = Total::default();
    for round in rounds {
        progress.doing(&format!(
            "{} in {}, {}, round {} of {}",
            round.fault,
            round.region,
            round.population,
            round.number + 1,
            rounds_of(round.population, round.fault, &plan)
        ));
        cluster.move_meta_leader(&plan.fault_regions()).await?;
        let seen = round.run(&plan, &load, &mut cluster, &mut responders).await.map_err(|error| {
            RunError::Round {
                number: round.number + 1,
                fault: round.fault,
                region: round.region.clone(),
                error,
            }
        })?;
        total.add(&round, seen, started);
        progress.step();
    }
    cluster.shutdown().await;
    progress.finish();

    let report = total.report(&plan, &capacity, nats_server, idle, home_rtt, started.elapsed());
    std::fs::write(plan.out.join("report.json"), to_json(&report)).map_err(out_failed)?;
    total.histograms.write(&plan.out, wall_clock)?;
    Ok(report)
}

/// The report as JSON, indented.
pub fn to_json(report: &Report) -> String {
    // Strings, numbers and maps with string keys: that cannot fail.
    serde_json::to_string_pretty(report).unwrap_or_default()
}

/// Every fault in turn, repetition by repetition, so that a slow drift of the machine hits all alike.
fn rounds(plan: &Plan) -> Vec<Round> {
    let ping_interval = plan.policy().watch.ping_interval;
    let mut random = Lcg::new(plan.seed);
    let mut rounds = Vec::new();
    for number in 0..plan.rounds {
        for (fault, region) in &plan.faults {
            let phase = ping_interval.mul_f64(random.share());
            let is_played = |which: &Population| number < rounds_of(*which, *fault, plan);
            let played = Population::ALL.into_iter().filter(is_played);
            rounds.extend(played.map(|population| Round {
                population,
                fault: *fault,
                region: region.clone(),
                number,
                phase,
            }));
        }
    }
    rounds
}

/// The clients of async-nats are there for comparison, and take seconds where those of nats-geo take milliseconds: half
/// as many rounds tell as much of them. A lame duck takes four times as long as other faults.
const fn rounds_of(population: Population, fault: FaultKind, plan: &Plan) -> u16 {
    match (population, fault) {
        (Population::NatsGeo, _) => plan.rounds,
        (Population::Stock, FaultKind::LameDuck) => plan.rounds.div_ceil(4),
        (Population::Stock, _) => plan.rounds.div_ceil(2),
    }
}

/// What all rounds saw.
#[derive(Debug, Default)]
struct Total {
    connected: Vec<summary::Connected>,
    records: Vec<crate::record::failover::Record>,
    flows: Vec<summary::FlowRecord>,
    histograms: Histograms,
    leaks: Vec<String>,
    /// Share of the processor time that was idle during the load of each round.
    idle: Vec<f64>,
}

impl Total {
    fn add(&mut self, round: &Round, seen: Seen, started: std::time::Instant) {
        self.connected.extend(seen.connected);
        self.records.extend(seen.records);
        self.flows.extend(seen.flows);
        self.leaks.extend(seen.leaks);
        self.idle.extend(seen.idle);
        for (population, region, ops) in seen.ops {
            let tag = format!("{}-{}-{}-from-{region}", round.number + 1, round.fault, round.region);
            self.histograms.record(population, &tag, started, &ops);
        }
    }

    fn report(
        &self,
        plan: &Plan,
        capacity: &Capacity,
        nats_server: String,
        idle: Idle,
        home_rtt: Duration,
        wall: Duration,
    ) -> Report {
        let connect = summary::connects(&self.connected);
        let failover = summary::failovers(plan, &self.records, home_rtt);
        let control = summary::controls(&self.records);
        let flows = summary::flows(&self.flows);
        let measured = Measured { connect: &connect, failover: &failover, control: &control, flows: &flows };
        let limits = checks(plan, measured);
        let generator = Generator {
            requests: self.histograms.requests(),
            schedule_lag_p99_ms: millis(self.histograms.schedule_lag_p99()),
            leaks: self.leaks.len(),
            idle_share_before: capacity.idle_before,
            idle_share_median: self.idle_share_at(0.5),
            idle_share_min: self.idle_share_at(0.0),
        };
        let (verdict, mut reasons) = verdict(&limits, &generator);
        reasons.extend(self.leaks.iter().cloned());
        Report {
            version: VERSION,
            verdict,
            reasons,
            seed: plan.seed,
            nats_server,
            regions: plan.topology.regions().to_vec(),
            servers_per_region: plan.topology.servers_per_region(),
            clients: capacity.load.clients,
            bystanders: capacity.load.bystanders,
            rounds: plan.rounds,
            rate_per_s: capacity.load.rate,
            bystander_rate_per_s: capacity.load.bystander_rate,
            preset: plan.preset,
            warm_standby: plan.warm_standby,
            rtt_ms: rtt_ms(plan),
            limits,
            connect,
            failover,
            control,
            flows,
            idle,
            generator,
            notes: notes(plan),
            wall_s: wall.as_secs_f64(),
        }
    }
}

impl Total {
    fn idle_share_at(&self, quantile: f64) -> Option<f64> {
        let mut shares = self.idle.clone();
        shares.sort_by(f64::total_cmp);
        let rank = (shares.len().saturating_sub(1) as f64 * quantile).round() as usize;
        shares.get(rank).copied()
    }
}

fn rtt_ms(plan: &Plan) -> BTreeMap<String, f64> {
    let regions = plan.topology.regions();
    let pairs = regions.iter().enumerate().flat_map(|(position, from)| {
        regions[position + 1..].iter().map(move |to| (format!("{from}-{to}"), millis(plan.rtt(from, to))))
    });
    pairs.collect()
}

/// Facts that a reader of the figures needs.
fn notes(plan: &Plan) -> Vec<String> {
    let has_lame_duck = plan.faults.iter().any(|(fault, _)| *fault == FaultKind::LameDuck);
    let lame_duck = has_lame_duck.then_some(LAME_DUCK_NOTE);
    lame_duck.into_iter().chain(NOTES).map(str::to_owned).collect()
}

const LAME_DUCK_NOTE: &str =
    "A server in lame duck mode still serves its clients: the times are the longest that any request took.";

const NOTES: [&str; 4] = [
    "Each fault begins with new clients in their own region. A fail back takes minutes by design; this run does not measure \
     it.",
    "async-nats clients choose a server at random; only those on a server that the fault hit count.",
    "TCP proxies emulate the WAN: no packet loss, no slow start. In a blackhole the kernel still acknowledges, so this run \
     does not exercise TCP's own time-outs.",
    "The limit counts the round trips that no client can avoid (SYN, INFO, CONNECT, request; with a standby only the \
     request), and no detection.",
];
