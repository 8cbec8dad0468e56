//! This module runs a scenario and checks all rules.

use std::time::Duration;

use super::World;
use super::check::{self, Checker};
use super::scenario::{Scenario, ScenarioError};
use crate::core::{Action, Call, ConfigError, Event, Log, Notice, NoticeKind, Time};

/// How often it is looked whether everybody is settled, and for how many looks it must be so.
const LOOK_EVERY: Duration = Duration::from_secs(10);
const LOOKS: u32 = 6;

/// Result of a scenario in which no rule was broken.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// Time at which every client had failed back.
    pub settled: Time,
    /// Number of simulated events.
    pub happenings: u64,
    /// The result of each client.
    pub clients: Vec<ClientReport>,
}

/// Result of one client.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ClientReport {
    /// Number of moves of the client's traffic.
    pub moves: usize,
    /// Number of moves to another region.
    pub moves_between_regions: usize,
    /// All inputs and decisions of the client's selector.
    pub log: Log,
}

/// Reason why a scenario was not run to its end.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The scenario is not valid.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
    /// A field of a client's policy has a value that is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A rule was broken.
    #[error("{scenario:?}, seed {seed}, at {at}: {what}; the rule: {rule}{}", listed(tail))]
    Broken {
        /// The scenario's name.
        scenario: String,
        /// The seed of the run.
        seed: u64,
        /// Time of the violation, on the clock of the simulated world.
        at: Time,
        /// The rule.
        rule: &'static str,
        /// The way in which the rule was broken.
        what: String,
        /// The last inputs and decisions of the clients, if the scenario has few clients.
        tail: Vec<String>,
    },
}

/// Runs a scenario: carries out its steps, then ends all faults, and continues until every client has failed back. The
/// same scenario and seed give the same run. See [`Scenario`] for an example.
///
/// # Errors
/// The scenario is not valid, or a rule was broken. The error names the first broken rule and the violation.
pub fn run(scenario: &Scenario, seed: u64) -> Result<Report, RunError> {
    scenario.check()?;
    let world = World::new(scenario, seed)?;
    let checkers = check::all(&world);
    let mut run = Run { scenario, seed, world, checkers, happenings: 0 };
    run.until(Time::from_start(scenario.lasts))?;
    run.world.heal();
    let settled = run.until_settled()?;
    let happenings = run.happenings;
    let clients = run.world.into_logs().into_iter().map(ClientReport::of).collect();
    Ok(Report { settled, happenings, clients })
}

struct Run<'a> {
    scenario: &'a Scenario,
    seed: u64,
    world: World,
    checkers: Vec<Box<dyn Checker>>,
    happenings: u64,
}

impl Run<'_> {
    fn until(&mut self, end: Time) -> Result<(), RunError> {
        loop {
            let goes_on = self.world.step(end);
            self.happenings += u64::from(goes_on);
            for seen in self.world.take_seen() {
                for checker in &mut self.checkers {
                    if let Err(what) = checker.see(&seen, &self.world) {
                        let rule = checker.rule();
                        return Err(self.broken(rule, what));
                    }
                }
            }
            if !goes_on {
                return Ok(());
            }
        }
    }

    /// Until everybody has been settled for some time. Returns since when.
    fn until_settled(&mut self) -> Result<Time, RunError> {
        let limit = self.world.now() + check::settle_within(&self.world);
        let mut since = None;
        loop {
            let end = self.world.now() + LOOK_EVERY;
            self.until(end)?;
            let unsettled =
                (0..self.world.clients()).find_map(|client| check::is_settled(client, &self.world).err());
            match unsettled {
                Some(what) if end > limit => {
                    return Err(self.broken("everybody comes home after the last fault", what));
                }
                Some(_) => since = None,
                None => {
                    let since = *since.get_or_insert(end);
                    if end.since(since) >= LOOK_EVERY * LOOKS {
                        return Ok(since);
                    }
                }
            }
        }
    }

    fn broken(&self, rule: &'static str, what: String) -> RunError {
        let (scenario, at) = (self.scenario.name.clone(), self.world.now());
        let logs = self.world.logs();
        let tail = match logs.len() {
            0..=TAIL_CLIENTS => logs
                .zip(0..)
                .flat_map(|(log, client)| {
                    tail(log, TAIL_LINES).into_iter().map(move |line| format!("client {client} {line}"))
                })
                .collect(),
            _ => Vec::new(),
        };
        RunError::Broken { scenario, seed: self.seed, at, rule, what, tail }
    }
}

/// What fits on a screen, for so few clients that a person can follow them.
const TAIL_LINES: usize = 30;
const TAIL_CLIENTS: usize = 3;

/// The last `lines` facts and decisions about links, in order of time: what a person reads first when a rule is
/// broken. Pings and probes are left out.
fn tail(log: &Log, lines: usize) -> Vec<String> {
    let told = log.calls.iter().filter_map(|(at, call)| match call {
        Call::Event(Event::Probed { .. } | Event::Pong { .. } | Event::Progress { .. }) | Call::Timeout => {
            None
        }
        Call::Event(event) => Some((*at, format!("told {event:?}"))),
    });
    let decided = log.actions.iter().filter_map(|(at, action)| match action {
        Action::Probe { .. } | Action::Ping { .. } => None,
        Action::Notify(notice) => Some((*at, format!("says {}", notice.kind))),
        action => Some((*at, format!("does {action:?}"))),
    });
    let mut all: Vec<_> = told.chain(decided).collect();
    // Facts come first within a moment: they are what the decisions follow from.
    all.sort_by_key(|(at, _)| *at);
    let skipped = all.len().saturating_sub(lines);
    all.into_iter().skip(skipped).map(|(at, line)| format!("{at} {line}")).collect()
}

fn listed(lines: &[String]) -> String {
    lines.iter().map(|line| format!("\n    {line}")).collect()
}

impl ClientReport {
    fn of(log: Log) -> Self {
        let moves = log.actions.iter().filter_map(|(_, action)| match action {
            Action::Notify(Notice { kind: NoticeKind::Moved { from, to, .. }, .. }) => {
                Some(from.region != to.region)
            }
            _ => None,
        });
        let moves: Vec<_> = moves.collect();
        let between = moves.iter().filter(|between| **between).count();
        Self { moves: moves.len(), moves_between_regions: between, log }
    }
}
