//! `loadgen selftest`: known faults of the measurement itself are injected, and must be seen; those that are absent must not.
//!
//! Owns the cases and what each must show. Must not measure by itself: it plays scenarios and reads their reports, as users do.

use crate::clock;
use crate::cluster::StartOptions;
use crate::outcome::Verdict;
use crate::outcome::{Environment, Played, Report, build};
use crate::play::{PlayError, Sabotage, play, steps};
use crate::progress::Progress;
use crate::scenario::{Inputs, ScenarioError, Strategy, TopologySource, from_toml};
use crate::topology::{self, Topology};

/// Why the self-test ended early.
#[derive(Debug, thiserror::Error)]
pub enum SelftestError {
    /// Its scenario is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A play failed.
    #[error("{case}: {error}")]
    Play {
        /// Which case.
        case: &'static str,
        /// The reason.
        error: PlayError,
    },
}

/// One thing that is injected.
struct Case {
    name: &'static str,
    sabotage: Sabotage,
    /// More lines of the scenario.
    faults: &'static str,
    /// Returns the reason why the report does not show it, or shows something else.
    check: fn(&Report) -> Result<String, String>,
}

const CASES: [Case; 5] = [
    Case { name: "nothing", sabotage: Sabotage::None, faults: "", check: nothing_is_seen },
    Case { name: "loss of 5 messages", sabotage: Sabotage::Lose(5), faults: "", check: loss_is_seen },
    Case {
        name: "duplication of 3 messages",
        sabotage: Sabotage::Duplicate(3),
        faults: "",
        check: duplication_is_seen,
    },
    Case {
        name: "a delay of 100 ms",
        sabotage: Sabotage::None,
        faults: "[[fault]]\ninject = \"latency\"\ntarget = \"lon-ams\"\nrtt_ms = 100\nphase = \"delayed\"\n",
        check: delay_is_seen,
    },
    Case {
        name: "an observer that cannot look",
        sabotage: Sabotage::Blind,
        faults: "",
        check: blindness_is_seen,
    },
];

/// One server in each of two regions. The stream is in the other region than the clients, 9 ms away.
const SCENARIO: &str = r#"
title = "Self-test"
thresholds = [
  "js.lost == 0",
  "js.duplicated == 0",
  "js.p50{phase=plain} < 50ms",
  "js.p50{phase=delayed} > 90ms",
]
topology = { cluster = [{ name = "lon", servers = 1 }, { name = "ams", servers = 1 }] }
[[clients]]
name = "geo"
kind = "nats-geo"
regions = { lon = 1 }
[[workload]]
kind = "jetstream"
rate = 50
region = "ams"
[[workload]]
kind = "request"
rate = 20
[[phase]]
name = "plain"
for = "2s"
[[phase]]
name = "delayed"
for = "3s"
"#;

/// Plays all cases. Returns a line for each, and whether all were seen.
///
/// # Errors
/// A case could not be played.
pub async fn run() -> Result<(String, bool), SelftestError> {
    let mut lines = Vec::new();
    let mut all = true;
    for case in &CASES {
        let report = report_of(case).await?;
        let (word, why) = match (case.check)(&report) {
            Ok(seen) => ("seen", seen),
            Err(why) => {
                all = false;
                ("NOT SEEN", why)
            }
        };
        lines.push(format!("{word:<9} {}: {why}", case.name));
    }
    Ok((lines.join("\n"), all))
}

async fn report_of(case: &Case) -> Result<Report, SelftestError> {
    let strategy = strategy(case.faults)?;
    let scenario = &strategy.scenario;
    let progress = Progress::new(steps(scenario));
    progress.note(case.name);
    let start = StartOptions::new(scenario.topology.clone());
    let failed = |error| SelftestError::Play { case: case.name, error };
    let began = clock::now();
    let recording = play(scenario, start, SEED, &progress, (case.sabotage, None)).await.map_err(failed)?;
    progress.finish();
    let environment = Environment {
        seed: SEED,
        started_at: String::new(),
        wall: began.elapsed(),
        cores: 1,
        notes: Vec::new(),
    };
    let played = [Played { strategy: &strategy, recordings: vec![recording] }];
    // There is one recording.
    Ok(build(&played, &environment).unwrap_or_else(|| unreachable!("a recording gives a report")))
}

fn strategy(faults: &str) -> Result<Strategy, ScenarioError> {
    let text = format!("{SCENARIO}{faults}");
    let inline = |source: TopologySource<'_>| -> Result<Topology, String> {
        let TopologySource::Inline(text) = source else { return Err("it is inline".to_owned()) };
        let none = |_: &str| Err("there is none".to_owned());
        topology::from_toml(text, "selftest", none).map_err(|error| error.to_string())
    };
    let mut strategies = from_toml(&text, "selftest.toml", &Inputs::default(), inline)?;
    Ok(strategies.swap_remove(0))
}

fn nothing_is_seen(report: &Report) -> Result<String, String> {
    let (lost, duplicated) = messages(report);
    let delayed = report.thresholds.iter().any(|row| row.text.ends_with("90ms") && row.holds == Some(true));
    if lost + duplicated == 0 && !delayed {
        return Ok(format!("0 lost, 0 duplicated of {}", attempted(report)));
    }
    Err(format!("{lost} lost, {duplicated} duplicated, {}: {:?}", report.verdict, report.reasons))
}

fn loss_is_seen(report: &Report) -> Result<String, String> {
    exactly(report, (5, 0))
}

fn duplication_is_seen(report: &Report) -> Result<String, String> {
    exactly(report, (0, 3))
}

fn exactly(report: &Report, wanted: (u64, u64)) -> Result<String, String> {
    let (lost, duplicated) = messages(report);
    let text = format!("{lost} lost, {duplicated} duplicated of {}, {}", attempted(report), report.verdict);
    if (lost, duplicated) == wanted && report.verdict == Verdict::Fail { Ok(text) } else { Err(text) }
}

/// Publishes cross the distance that grows.
fn delay_is_seen(report: &Report) -> Result<String, String> {
    let rows = report.thresholds.iter().filter(|row| row.text.starts_with("js.p50"));
    let rows: Vec<_> = rows.collect();
    let text: Vec<_> =
        rows.iter().map(|row| row.measured.clone().unwrap_or_else(|| "nothing".into())).collect();
    let text = format!("median {}", text.join(", then "));
    if rows.iter().all(|row| row.holds == Some(true)) { Ok(text) } else { Err(text) }
}

fn blindness_is_seen(report: &Report) -> Result<String, String> {
    let unverified: u64 = report.runs.iter().flat_map(|run| &run.ledger).map(|row| row.unverified).sum();
    let text = format!("{unverified} unverified, {}", report.verdict);
    let judged =
        |name: &str| report.thresholds.iter().any(|row| row.text.starts_with(name) && row.holds.is_some());
    let claims_nothing = messages(report).0 == 0 && !judged("js.lost") && !judged("js.duplicated");
    if unverified > 0 && claims_nothing { Ok(text) } else { Err(text) }
}

fn messages(report: &Report) -> (u64, u64) {
    let rows = report.runs.iter().flat_map(|run| &run.ledger);
    rows.fold((0, 0), |(lost, duplicated), row| {
        (lost + row.lost_prefix + row.lost_middle + row.lost_suffix, duplicated + row.duplicated)
    })
}

fn attempted(report: &Report) -> u64 {
    report.runs.iter().flat_map(|run| &run.ledger).map(|row| row.attempted).sum()
}

/// Any: nothing here is random but the phases of requests.
const SEED: u64 = 1;
