//! The plays of a run: every strategy as often as it is repeated, on the same seeds.

use std::path::PathBuf;
use std::thread::available_parallelism;
use std::time::SystemTime;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::load::{LoadError, load};
use super::opts::RunOpts;
use super::write::{WriteError, write_all, write_timeline};
use crate::clock;
use crate::cluster::StartOptions;
use crate::outcome::{Environment, Played, Report, build, to_details, to_text};
use crate::play::{PlayError, Sabotage, play, steps};
use crate::progress::Progress;
use crate::report::model::Verdict;
use crate::scenario::{Strategy, to_svg, to_text as timeline};

/// Options of a run, checked.
#[derive(Clone, Debug)]
pub struct Plan {
    strategies: Vec<Strategy>,
    seed: u64,
    repeat: u16,
    opts: RunOpts,
}

/// Why a run ended without a report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A play failed.
    #[error(transparent)]
    Play(#[from] PlayError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The folder of the reports cannot be made.
    #[error("cannot write to --out {}: {error}", folder.display())]
    Out {
        /// The folder.
        folder: PathBuf,
        /// What the operating system said.
        error: std::io::Error,
    },
}

impl Plan {
    /// Reads the scenario.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn new(opts: RunOpts) -> Result<Self, LoadError> {
        let strategies = load(&opts)?;
        let first = strategies.first().map(|strategy| &strategy.scenario);
        let seed = opts.seed.or_else(|| first.and_then(|it| it.seed)).unwrap_or_else(crate::seed::random);
        let repeat = opts.repeat.or_else(|| first.map(|it| it.repeat)).unwrap_or(1);
        Ok(Self { strategies, seed, repeat, opts })
    }
}

/// Plays a scenario, writes the reports, and returns the text for the terminal with the verdict.
///
/// # Errors
/// Anything that leaves no report.
pub async fn run(plan: Plan) -> Result<(String, Verdict), RunError> {
    let Plan { strategies, seed, repeat, opts } = plan;
    let out = |error| RunError::Out { folder: opts.out.clone(), error };
    std::fs::create_dir_all(&opts.out).map_err(out)?;
    if opts.dry_run {
        return Ok((dry_run(&strategies, &opts)?, Verdict::Pass));
    }
    let (began, wall_clock) = (clock::now(), clock::wall());
    let mut played = Vec::new();
    for strategy in &strategies {
        let mut recordings = Vec::new();
        for repetition in 0..repeat {
            let progress = Progress::new(steps(&strategy.scenario));
            if strategies.len() > 1 || repeat > 1 {
                progress.note(&format!("{} repetition {} of {repeat}", strategy.name, repetition + 1));
            }
            let mut start = StartOptions::new(strategy.scenario.topology.clone());
            start.nats_server.clone_from(&opts.nats_server);
            start.keep = opts.keep;
            // Each repetition makes other choices, and every strategy the same ones.
            let seed = seed.wrapping_add(repetition.into());
            recordings.push(play(&strategy.scenario, start, seed, &progress, Sabotage::None).await?);
            progress.finish();
        }
        played.push(Played { strategy, recordings });
    }
    let environment = Environment {
        seed,
        started_at: rfc3339(wall_clock),
        wall: began.elapsed(),
        cores: available_parallelism().map_or(1, std::num::NonZero::get),
    };
    let Some(report) = build(&played, &environment) else {
        return Ok((String::new(), Verdict::Inconclusive));
    };
    write_all(&opts.out, &report)?;
    Ok((shown(&report, &opts), report.verdict))
}

fn shown(report: &Report, opts: &RunOpts) -> String {
    if opts.json {
        return super::write::to_json(report);
    }
    let mut text = to_text(report);
    if opts.details {
        text = format!("{text}\n\n{}", to_details(report));
    }
    format!("{text}\nthe report is {}", opts.out.join("report.html").display())
}

fn dry_run(strategies: &[Strategy], opts: &RunOpts) -> Result<String, RunError> {
    let Some(first) = strategies.first() else { return Ok(String::new()) };
    write_timeline(&opts.out, &to_svg(&first.scenario))?;
    let mut text = timeline(&first.scenario);
    for strategy in strategies.iter().filter(|strategy| !strategy.name.is_empty()) {
        text.push_str(&format!("strategy  {}\n", strategy.name));
    }
    text.push_str(&format!("the timeline is {}", opts.out.join("timeline.svg").display()));
    Ok(text)
}

/// `2026-01-31T12:00:00Z`.
fn rfc3339(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at).replace_nanosecond(0);
    // Years after 9999 cannot be written.
    at.ok().and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default()
}
