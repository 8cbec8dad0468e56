//! The mistakes that a rule file can have, in words that name the remedy.

use super::spec::{ActionKind, ConditionKind};
use crate::toml_file;

/// A problem of a file of this kind.
pub(super) type Problem = toml_file::Problem<ProblemKind>;

/// Problem in a file, and its remedy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(super) enum ProblemKind {
    /// Nothing to guard.
    #[error("there is no rule: add `[[rule]]` with `name`, `when` and `do`")]
    NoRule,
    /// A text without letters.
    #[error("the value is empty: write {0}")]
    Empty(&'static str),
    /// Twice the same name.
    #[error("rule `{0}` exists already: choose another name")]
    Twice(String),
    /// Too much or too little.
    #[error("{given} is out of range: give {range}")]
    Range { given: String, range: &'static str },
    /// The key belongs to another condition.
    #[error("`{key}` has no effect on `when = \"{on}\"`: remove it")]
    NotOfCondition { key: &'static str, on: ConditionKind },
    /// The key belongs to another action.
    #[error("`{key}` has no effect on `do = \"{on}\"`: remove it")]
    NotOfAction { key: &'static str, on: ActionKind },
    /// A condition without its bound.
    #[error("`when = \"{on}\"` needs `{key}`: add it, as in `{example}`")]
    ConditionNeeds { on: ConditionKind, key: &'static str, example: &'static str },
    /// An action without its target.
    #[error("`do = \"{on}\"` needs `{key}`: add it, as in `{example}`")]
    ActionNeeds { on: ActionKind, key: &'static str, example: &'static str },
    /// Not a rate.
    #[error("`{0}` is not a rate limit: write a number from 1 to 1000 and a time, as in \"2 per 1h\"")]
    Rate(String),
    /// Not an address. It may be a secret, so it is not shown.
    #[error("the value is not an HTTP address: {0}; write `http://HOST/PATH` or `https://HOST/PATH`")]
    Url(String),
    /// Two addresses.
    #[error("`url` and `url_from` exclude each other: remove one")]
    TwoUrls,
    /// Not the name of a header.
    #[error("`{0}` is not the name of an HTTP header: write letters, digits and `-`, as in `Authorization`")]
    Header(String),
    /// Not the name of a variable. It may be the secret itself, so it is not shown.
    #[error(
        "the value is not the name of an environment variable, in upper case: put the secret into a variable, and write the variable's \
         name, as in \"PAGER_TOKEN\""
    )]
    Variable,
    /// Not found from another folder.
    #[error(
        "`{0}` depends on the folder in which guard is started: write an absolute path, or a name that is on PATH"
    )]
    Relative(String),
    /// Nothing to spread.
    #[error(
        "`do = \"rebalance\"` spreads the clients of a region over its servers: use it with `when = \"load-uneven\"`, or choose \
         warn, notify or run"
    )]
    OnlyLoad,
}

/// A rule file was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", lines.join("\n"))]
pub struct RuleFileError {
    /// One line for each problem, with its place.
    pub(super) lines: Vec<String>,
}

impl RuleFileError {
    /// Each problem with the name of the file and the number of its line.
    pub(super) fn located(problems: &[Problem], place: impl Fn(&Problem) -> String) -> Self {
        Self { lines: toml_file::located(problems, place) }
    }
}
