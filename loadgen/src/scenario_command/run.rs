//! The plays of a run: every strategy as often as it is repeated, on the same seeds.

use std::path::{Path, PathBuf};
use std::thread::available_parallelism;
use std::time::Duration;

use super::control::{Control, ControlError};
use super::fit::fit;
use super::keep::Keeping;
use super::load::{LoadError, load, load_text};
use super::opts::RunOpts;
use super::write::{SCENARIO, WriteError, write_all, write_scenario, write_timeline};
use crate::clients::{Browsers, FindBrowserError};
use crate::clock;
use crate::cluster::StartOptions;
use crate::collect::{Collection, StartCollectionError, read_files};
use crate::exporter::{Exporter, ExporterError, Source};
use crate::outcome::{Environment, Played, Report, Verdict, build, to_details, to_hlogs, to_text};
use crate::play::{Cast, Controller, PlayError, Sabotage, play, steps};
use crate::progress::{Board, Progress};
use crate::scenario::{Scenario, Strategy, to_svg, to_text as timeline};
use crate::store::{BundleError, StoreError, redact_scenario};

/// Options of a run, checked.
#[derive(Clone, Debug)]
pub struct Plan {
    strategies: Vec<Strategy>,
    seed: u64,
    repeat: u16,
    opts: RunOpts,
    /// The text of the scenario.
    text: String,
    /// Other systems whose figures the report shows.
    sources: Vec<crate::collect::Source>,
}

/// Reason why a run ended without a report.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A play failed.
    #[error(transparent)]
    Play(#[from] PlayError),
    /// There is no browser for the clients that run in one.
    #[error(transparent)]
    Browser(#[from] FindBrowserError),
    /// Nobody can give orders to agents.
    #[error(transparent)]
    Control(#[from] ControlError),
    /// A file cannot be written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// The folder of the reports cannot be made.
    #[error("cannot write to --out {}: {error}", folder.display())]
    Out {
        /// The folder.
        folder: PathBuf,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// A scenario of the operator stands where the run's copy is to be written.
    #[error("loadgen would replace `{}`, which may be a scenario of yours, with its own copy: choose another --out", file.display())]
    ReplacesScenario {
        /// The file.
        file: PathBuf,
    },
    /// Another system cannot be queried.
    #[error(transparent)]
    Collect(#[from] StartCollectionError),
    /// Prometheus cannot scrape the run.
    #[error(transparent)]
    Exporter(#[from] ExporterError),
    /// The manifest cannot be written.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The store cannot be written at the start. Nothing was played.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The run has ended, and the store does not have it.
    #[error(
        "{0} has the whole run, but the store does not: {error}; to upload the rest, use `loadgen runs push {0} --store {store}`",
        folder.display()
    )]
    NotStored {
        /// The text for the terminal.
        text: String,
        /// The outcome of the run.
        verdict: Verdict,
        /// The folder with the run.
        folder: PathBuf,
        /// The store.
        store: String,
        /// The reason.
        error: Box<StoreError>,
    },
}

impl Plan {
    /// Reads the scenario.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn new(opts: RunOpts) -> Result<Self, LoadError> {
        let (strategies, text) = load(&opts)?;
        let sources = read_files(&opts.collect)?;
        Ok(Self { sources, ..Self::of(strategies, opts, text) })
    }

    /// Reads a scenario that no file has. Its text goes into the folder of the reports, for people to copy and change.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn of_text(text: &str, name: &str, opts: RunOpts) -> Result<Self, LoadError> {
        let strategies = load_text(text, &format!("{name}.toml"), Path::new(""), &opts)?;
        Ok(Self::of(strategies, opts, text.to_owned()))
    }

    fn of(strategies: Vec<Strategy>, opts: RunOpts, text: String) -> Self {
        let first = strategies.first().map(|strategy| &strategy.scenario);
        let seed = opts.seed.or_else(|| first.and_then(|it| it.seed)).unwrap_or_else(crate::seed::random);
        let repeat = opts.repeat.or_else(|| first.map(|it| it.repeat)).unwrap_or(1);
        Self { strategies, seed, repeat, opts, text, sources: Vec::new() }
    }
}

/// Plays a scenario, writes the reports, and returns the text for the terminal with the verdict.
///
/// # Errors
/// Anything that leaves no report.
pub async fn run(plan: Plan) -> Result<(String, Verdict), RunError> {
    let Plan { strategies, seed, repeat, opts, text, sources } = plan;
    let out = |error| RunError::Out { folder: opts.out.clone(), error };
    std::fs::create_dir_all(&opts.out).map_err(out)?;
    let scenario = redact_scenario(&text);
    check_place(&opts, &scenario)?;
    if opts.dry_run {
        write_scenario(&opts.out, &scenario)?;
        return Ok((dry_run(&strategies, &opts)?, Verdict::Pass));
    }
    let browsers = Browsers::new(opts.browsers.clone());
    // Agents have browsers of their own.
    if opts.agents.is_none() && strategies.iter().any(|it| it.scenario.has_browsers()) {
        browsers.check()?;
        browsers.invite().await?;
    }
    let collection = Collection::start(&sources, &|name| std::env::var(name).ok())?;
    let (began, wall_clock) = (clock::now(), clock::wall());
    let cores = available_parallelism().map_or(1, std::num::NonZero::get);
    let name = strategies.first().map_or("", |strategy| &strategy.scenario.name);
    let keeping = Keeping::begin(wall_clock, name, scenario, (&opts, cores)).await?;
    let exporter = match opts.metrics {
        Some(address) => {
            let source = Source::Run { scenario: name.to_owned(), seed };
            Some(Exporter::start(address, source).await?)
        }
        None => None,
    };
    let control = Control::take(&opts, name).await?;
    let mut strategies = strategies;
    // The load that this machine can play says nothing about the machines of the agents.
    let fewer = if control.is_some() { None } else { fit(&mut strategies, (&opts, &browsers), seed).await? };
    let controller = control.as_ref().map(Control::controller);
    // Agents are told of the phase.
    let board = exporter.as_ref().map(Exporter::board).or_else(|| controller.map(|_| Board::default()));
    let played =
        play_all(&strategies, (&opts, &keeping, board), (controller, &browsers), (seed, repeat)).await?;
    if let Some(control) = control {
        control.release().await;
    }
    let environment = Environment {
        seed,
        started_at: clock::rfc3339(wall_clock),
        wall: began.elapsed(),
        cores,
        notes: fewer.into_iter().collect(),
        collected: collection.finish().await,
    };
    let Some(report) = build(&played, &environment) else {
        return Ok((String::new(), Verdict::Inconclusive));
    };
    write_scenario(&opts.out, keeping.scenario())?;
    let mut files = write_all(&opts.out, &report, to_hlogs(&played, wall_clock))?;
    files.push(SCENARIO.to_owned());
    files.extend(logs(&played));
    let recordings = played.iter().flat_map(|it| &it.recordings);
    let starts: Vec<_> = recordings.map(|it| it.start.saturating_duration_since(began)).collect();
    keeping.write(&opts.out, &report, &files, &starts)?;
    let stored = store(&keeping, &report, &opts).await;
    if let Some(exporter) = exporter {
        let at_most = Duration::from_secs(opts.linger.into());
        exporter.linger(report.verdict.as_str(), at_most).await;
    }
    stored
}

/// Plays every strategy as often as it is repeated. The logs of a play are stored before the next one.
async fn play_all<'a>(
    strategies: &'a [Strategy],
    (opts, keeping, board): (&RunOpts, &Keeping, Option<Board>),
    (controller, browsers): (Option<&Controller>, &Browsers),
    (seed, repeat): (u64, u16),
) -> Result<Vec<Played<'a>>, PlayError> {
    let mut played = Vec::new();
    let mut logs: Vec<String> = Vec::new();
    for (number, strategy) in strategies.iter().enumerate() {
        let mut recordings = Vec::new();
        for repetition in 0..repeat {
            keeping.push_early(&opts.out, &std::mem::take(&mut logs)).await;
            let regions = strategy.scenario.topology.regions().len();
            board.iter().for_each(Board::clear);
            let progress = Progress::live(regions, steps(&strategy.scenario)).on(board.clone());
            if strategies.len() > 1 || repeat > 1 {
                let text = format!("{} repetition {} of {repeat}", strategy.name, repetition + 1);
                // Without strategies there is no name.
                progress.note(text.trim_start());
            }
            let folder = logs_of(number, &strategy.name, repetition.into());
            let mut start = start_options(&strategy.scenario, opts);
            start.logs = Some(opts.out.join(&folder));
            // Each repetition makes other choices, and every strategy the same ones.
            let seed = seed.wrapping_add(repetition.into());
            let cast = Cast { sabotage: Sabotage::None, controller, browsers };
            let recording = play(&strategy.scenario, start, seed, &progress, cast).await?;
            board.iter().for_each(Board::end);
            logs = recording.logs.iter().map(|name| format!("{folder}/{name}")).collect();
            recordings.push(recording);
            progress.finish();
        }
        played.push(Played { strategy, recordings });
    }
    Ok(played)
}

/// The folder with the logs of a play, in the folder of the reports. Names of strategies may hold any letter, so their number keeps
/// them apart.
fn logs_of(number: usize, strategy: &str, repetition: usize) -> String {
    if strategy.is_empty() {
        return format!("logs/{repetition}");
    }
    let letter = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("logs/{number}-{}-{repetition}", strategy.chars().map(letter).collect::<String>())
}

/// The paths of all copied logs.
fn logs(played: &[Played<'_>]) -> Vec<String> {
    let mut paths = Vec::new();
    for (number, Played { strategy, recordings }) in played.iter().enumerate() {
        for (repetition, recording) in recordings.iter().enumerate() {
            let folder = logs_of(number, &strategy.name, repetition);
            paths.extend(recording.logs.iter().map(|name| format!("{folder}/{name}")));
        }
    }
    paths
}

/// Uploads the run, and returns the text for the terminal.
async fn store(keeping: &Keeping, report: &Report, opts: &RunOpts) -> Result<(String, Verdict), RunError> {
    let (text, verdict) = (shown(report, opts), report.verdict);
    match keeping.push(&opts.out).await {
        Ok(Some(stored)) if !opts.json => Ok((format!("{text}\n{stored}"), verdict)),
        Ok(_) => Ok((text, verdict)),
        Err(error) => Err(RunError::NotStored {
            text,
            verdict,
            folder: opts.out.clone(),
            store: keeping.store().map(ToString::to_string).unwrap_or_default(),
            error: Box::new(error),
        }),
    }
}

/// The scenario's copy may replace that of an earlier run, and no file of the operator.
fn check_place(opts: &RunOpts, scenario: &str) -> Result<(), RunError> {
    let file = opts.out.join(SCENARIO);
    let is_other = std::fs::read_to_string(&file).is_ok_and(|text| text != scenario);
    let is_own = ["report.json", "timeline.svg"].iter().any(|name| opts.out.join(name).exists());
    // Only passwords make a scenario differ from its copy.
    let is_played = Path::new(&opts.scenario).canonicalize().ok() == file.canonicalize().ok();
    if is_other && (is_played || !is_own) {
        return Err(RunError::ReplacesScenario { file });
    }
    Ok(())
}

/// How the super-cluster of a play is started.
pub(super) fn start_options(scenario: &Scenario, opts: &RunOpts) -> StartOptions {
    let mut start = StartOptions::new(scenario.topology.clone());
    if let Some(seconds) = opts.stabilise_timeout {
        start.ready_limit = Duration::from_secs(seconds.into());
    }
    start.nats_server.clone_from(&opts.nats_server);
    start.base_port = opts.base_port;
    start.keep = opts.keep;
    start.wan = opts.wan.or(scenario.wan).unwrap_or_default();
    // Browsers of other machines reach the servers at the address at which they reach the pages.
    start.clients_at =
        opts.browsers.by_hand.filter(|_| opts.agents.is_none()).unwrap_or_else(|| opts.listen.ip());
    start
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
