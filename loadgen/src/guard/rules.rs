//! Rule files: TOML in, checked rules out. No I/O.

use std::time::Duration;

use super::check::{Checks, DAY, HOUR, SECOND};
use super::problem::{Problem, ProblemKind, RuleFileError};
use super::spec::{ActionKind, ConditionKind, GuardSpec};
use crate::toml_file::TomlFile;
use crate::topology::parse_span;
use crate::web_target::Address;

/// The rules of a file, checked.
#[derive(Clone, Debug)]
pub struct Rules {
    /// Pause between two looks.
    pub every: Duration,
    /// In the order of the file.
    pub rules: Vec<Rule>,
}

/// A rule, checked.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// The condition.
    pub condition: Condition,
    /// Time for which the condition must hold.
    pub lasts: Duration,
    /// Only these regions; empty: all.
    pub regions: Vec<String>,
    /// The action.
    pub action: Action,
    /// Its rate limit.
    pub at_most: Rate,
    /// Time after which the action is repeated while the condition holds.
    pub repeat: Option<Duration>,
}

/// A condition with its bounds.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Condition {
    /// No other region hears a server of the region.
    RegionSilent,
    /// No region hears the server.
    ServerSilent,
    /// The fullest server of a region exceeds the mean by more than this.
    LoadUneven {
        /// Percent of the mean.
        percent: u16,
    },
    /// A certificate ends soon.
    CertificateExpires {
        /// Time before its end.
        within: Duration,
    },
    /// A mirror or source lags behind.
    StreamLag {
        /// Messages that it may lag behind.
        messages: u64,
        /// Only these streams; empty: all.
        streams: Vec<String>,
    },
    /// The number of slow consumers of a server grows.
    SlowConsumers {
        /// By at least so many.
        count: u64,
        /// In this time.
        within: Duration,
    },
}

impl Condition {
    /// Its name in the file.
    pub const fn kind(&self) -> ConditionKind {
        match self {
            Self::RegionSilent => ConditionKind::RegionSilent,
            Self::ServerSilent => ConditionKind::ServerSilent,
            Self::LoadUneven { .. } => ConditionKind::LoadUneven,
            Self::CertificateExpires { .. } => ConditionKind::CertificateExpires,
            Self::StreamLag { .. } => ConditionKind::StreamLag,
            Self::SlowConsumers { .. } => ConditionKind::SlowConsumers,
        }
    }
}

/// An action with its target.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Action {
    /// Prints a line.
    Warn,
    /// Sends a JSON document to a URL.
    Notify(Notify),
    /// Runs a program.
    Run(Hook),
    /// Asks clients to move.
    Rebalance(Spread),
}

impl Action {
    /// Its name in the file.
    pub const fn kind(&self) -> ActionKind {
        match self {
            Self::Warn => ActionKind::Warn,
            Self::Notify(_) => ActionKind::Notify,
            Self::Run(_) => ActionKind::Run,
            Self::Rebalance(_) => ActionKind::Rebalance,
        }
    }
}

/// A POST.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Notify {
    /// Where to.
    pub(crate) to: Address,
    /// Names of headers, and of the environment variables with their values.
    pub headers: Vec<(String, String)>,
    /// Time for the answer.
    pub limit: Duration,
}

/// A program.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Hook {
    /// A path, or a name on `PATH`.
    pub program: String,
    /// Its arguments.
    pub args: Vec<String>,
    /// Time after which it is ended.
    pub limit: Duration,
}

/// A rebalancing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Spread {
    /// Clients that are asked at once.
    pub batch: u16,
    /// Pause after a batch.
    pub pause: Duration,
    /// Clients that one action asks in all; `None`: no limit.
    pub clients: Option<u32>,
}

/// A rate limit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Rate {
    /// Number of actions.
    pub times: usize,
    /// In any span of this length.
    pub per: Duration,
}

impl Rate {
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (times, per) = text.split_once(" per ")?;
        let times = times.trim().parse().ok().filter(|times| (1..=1_000).contains(times))?;
        let per = parse_span(per.trim()).filter(|per| (SECOND..=30 * DAY).contains(per))?;
        Some(Self { times, per })
    }
}

/// Reads a rule file. `file` names it in errors.
///
/// # Errors
/// Everything that is wrong with it, each with its line, its key and the remedy.
///
/// ```
/// let text = r#"
/// [[rule]]
/// name = "region lost"
/// when = "region-silent"
/// do = "warn"
/// "#;
/// let rules = loadgen::guard::from_toml(text, "rules.toml")?;
/// assert_eq!(rules.rules[0].lasts.as_secs(), 30);
/// # Ok::<(), loadgen::guard::RuleFileError>(())
/// ```
pub fn from_toml(text: &str, file: &str) -> Result<Rules, RuleFileError> {
    let lines = TomlFile { text, name: file };
    let located =
        |problems: &[Problem]| RuleFileError::located(problems, |problem| lines.place_of(&problem.key));
    let spec: GuardSpec = lines.parse().map_err(|line| RuleFileError { lines: vec![line] })?;
    let mut checks = Checks::default();
    let every = checks.span("every", spec.every, 5 * SECOND, (SECOND, HOUR, "1s to 1h"));
    if spec.rule.is_empty() {
        checks.add("rule", ProblemKind::NoRule);
    }
    let mut rules: Vec<Rule> = Vec::new();
    for (index, spec) in spec.rule.into_iter().enumerate() {
        checks.path = format!("rule[{index}].");
        if rules.iter().any(|rule| rule.name == spec.name) {
            checks.add("name", ProblemKind::Twice(spec.name.clone()));
        }
        rules.push(checks.rule(spec));
    }
    if checks.problems.is_empty() { Ok(Rules { every, rules }) } else { Err(located(&checks.problems)) }
}
