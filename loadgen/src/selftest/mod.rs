//! `loadgen selftest`: injects known faults into the measurement itself. The reports must show these faults, and no
//! others.
//!
//! This folder owns the cases, and the evidence that each must show. It must not measure by itself: it plays scenarios
//! and reads their reports, as users do.

use crate::clients::Browsers;
use crate::clock;
use crate::cluster::StartOptions;
use crate::outcome::Verdict;
use crate::outcome::{Environment, Played, Report, build};
use crate::play::{Cast, PlayError, Sabotage, play, steps};
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

/// One thing that is injected, and all that the report must show of it.
struct Case {
    name: &'static str,
    sabotage: Sabotage,
    /// More lines of the scenario.
    faults: &'static str,
    /// A threshold besides the common ones, which must hold.
    also: Option<&'static str>,
    shows: Shows,
}

/// The findings of a report. Everything else must be as if loadgen had injected nothing.
struct Shows {
    /// Thresholds that do not hold, and so make the verdict. All others hold.
    fail: &'static [&'static str],
    /// Thresholds that nobody can judge.
    unmeasured: &'static [&'static str],
    /// Lost and duplicated messages.
    messages: (u64, u64),
    verdict: Verdict,
}

const CASES: [Case; 5] = [
    Case {
        name: "nothing",
        sabotage: Sabotage::None,
        faults: "",
        also: None,
        shows: Shows { fail: &[], unmeasured: &[], messages: (0, 0), verdict: Verdict::Pass },
    },
    Case {
        name: "loss of 5 messages",
        sabotage: Sabotage::Lose(5),
        faults: "",
        also: None,
        shows: Shows { fail: &[LOST], unmeasured: &[], messages: (5, 0), verdict: Verdict::Fail },
    },
    Case {
        name: "duplication of 3 messages",
        sabotage: Sabotage::Duplicate(3),
        faults: "",
        also: None,
        shows: Shows { fail: &[DUPLICATED], unmeasured: &[], messages: (0, 3), verdict: Verdict::Fail },
    },
    Case {
        name: "a delay of 100 ms",
        sabotage: Sabotage::None,
        faults: "[[fault]]\ninject = \"latency\"\ntarget = \"lon-ams\"\nrtt_ms = 100\nphase = \"delayed\"\n",
        also: Some("js.p50{phase=delayed} > 90ms"),
        shows: Shows { fail: &[DELAYED], unmeasured: &[], messages: (0, 0), verdict: Verdict::Fail },
    },
    Case {
        name: "an observer that cannot look",
        sabotage: Sabotage::Blind,
        faults: "",
        also: None,
        shows: Shows {
            fail: &[],
            unmeasured: &[LOST, DUPLICATED],
            messages: (0, 0),
            verdict: Verdict::Inconclusive,
        },
    },
];

const LOST: &str = "js.lost == 0";
const DUPLICATED: &str = "js.duplicated == 0";
/// The second phase is the one that a case delays.
const DELAYED: &str = "js.p50{phase=delayed} < 50ms";

/// One server in each of two regions. The stream is in the other region than the clients, 9 ms away.
const SCENARIO: &str = r#"
title = "Self-test"
thresholds = [
  "js.lost == 0",
  "js.duplicated == 0",
  "js.p50{phase=plain} < 50ms",
  "js.p50{phase=delayed} < 50ms",
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
        let (word, why) = match case.judge(&report) {
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
    let strategy = strategy(case)?;
    let scenario = &strategy.scenario;
    let progress = Progress::new(steps(scenario));
    progress.note(case.name);
    let start = StartOptions::new(scenario.topology.clone());
    let failed = |error| SelftestError::Play { case: case.name, error };
    let began = clock::now();
    let browsers = Browsers::default();
    let cast = Cast { sabotage: case.sabotage, controller: None, browsers: &browsers };
    let recording = play(scenario, start, SEED, &progress, cast).await.map_err(failed)?;
    progress.finish();
    let environment = Environment {
        collected: Vec::new(),
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

fn strategy(case: &Case) -> Result<Strategy, ScenarioError> {
    let text = format!("{SCENARIO}{}", case.faults);
    let inline = |source: TopologySource<'_>| -> Result<Topology, String> {
        let TopologySource::Inline(text) = source else { return Err("it is inline".to_owned()) };
        let none = |_: &str| Err("there is none".to_owned());
        topology::from_toml(text, "selftest", none).map_err(|error| error.to_string())
    };
    let thresholds = case.also.iter().filter_map(|text| text.parse().ok()).collect();
    let inputs = Inputs { thresholds, ..Inputs::default() };
    let mut strategies = from_toml(&text, "selftest.toml", &inputs, inline)?;
    Ok(strategies.swap_remove(0))
}

impl Case {
    /// Returns what the report shows; as an error, if that is less or more than what was injected.
    fn judge(&self, report: &Report) -> Result<String, String> {
        let of = |holds: Option<bool>| -> Vec<&str> {
            let rows = report.thresholds.iter().filter(|row| row.holds == holds);
            rows.map(|row| row.text.as_str()).collect()
        };
        let shows = &self.shows;
        let is_blind = shows.unmeasured.is_empty() == (unverified(report) == 0);
        let is_seen = of(Some(false)) == shows.fail
            && of(None) == shows.unmeasured
            && self.also.is_none_or(|text| of(Some(true)).contains(&text))
            && messages(report) == shows.messages
            && is_blind
            && self.is_verdict(report);
        let text = self.text(report);
        if is_seen {
            Ok(text)
        } else {
            Err(format!("{text}; failed: {:?}, because {:?}", of(Some(false)), report.reasons))
        }
    }

    /// A busy machine takes away the proof of a time, and none of a count.
    fn is_verdict(&self, report: &Report) -> bool {
        let is_count = self.shows.messages != (0, 0);
        report.verdict == self.shows.verdict || (!is_count && report.verdict == Verdict::Inconclusive)
    }

    fn text(&self, report: &Report) -> String {
        let (lost, duplicated) = messages(report);
        let medians = report.thresholds.iter().filter(|row| row.text.ends_with("50ms"));
        let medians: Vec<_> = medians.map(|row| row.measured.as_deref().unwrap_or("nothing")).collect();
        format!(
            "{lost} lost, {duplicated} duplicated, {} unverified of {}, median {}, {}",
            unverified(report),
            attempted(report),
            medians.join(", then "),
            report.verdict
        )
    }
}

fn unverified(report: &Report) -> u64 {
    report.runs.iter().flat_map(|run| &run.ledger).map(|row| row.unverified).sum()
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

#[cfg(test)]
mod tests;
