//! The audit file, with one JSON object per line, and the same content in words.

use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use schemars::JsonSchema;
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::facts::{Evidence, Subject, Time, in_words};
use crate::clock::rfc3339;
use crate::look::table::count;
use crate::stdout::print_or_warn;

/// A line of the audit file.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Entry {
    /// The time, as in `2026-01-31T12:00:00Z`.
    pub time: String,
    /// The kind of line.
    #[serde(flatten)]
    pub event: Event,
}

/// A condition that has held for long enough, and the action that belongs to it.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct About {
    /// The rule.
    pub rule: String,
    /// The thing that the condition is about.
    #[serde(flatten)]
    pub subject: Subject,
    /// Seconds for which the condition has held.
    pub held_s: f64,
    /// The numbers.
    pub evidence: Evidence,
    /// The action, without arguments and secrets.
    pub action: String,
}

/// The kinds of lines.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// Guard began.
    Started {
        /// Its name.
        guard: String,
        /// Whether it carries actions out; otherwise it is a dry run.
        acts: bool,
        /// Its rules.
        rules: Vec<String>,
        /// Regions that guard is connected to. One that is missing here is judged from the others.
        seen_from: Vec<String>,
        /// Servers that answered.
        servers: usize,
    },
    /// An action began.
    Acts(About),
    /// An action would have begun, but this is a dry run.
    WouldAct(About),
    /// An action has to wait.
    HeldBack {
        /// The condition and its action.
        #[serde(flatten)]
        about: About,
        /// The reason.
        reason: String,
    },
    /// An action ended.
    Ended {
        /// The rule.
        rule: String,
        /// The thing that the action was about.
        #[serde(flatten)]
        subject: Subject,
        /// The action.
        action: String,
        /// The result.
        outcome: Outcome,
        /// The result in words.
        detail: String,
        /// Seconds that it took.
        took_s: f64,
    },
    /// A condition no longer holds.
    Healed {
        /// The rule.
        rule: String,
        /// The thing that the condition was about.
        #[serde(flatten)]
        subject: Subject,
        /// Seconds for which it held.
        held_s: f64,
    },
    /// Guard cannot look at something, and infers nothing about it.
    CannotSee {
        /// The thing.
        what: String,
        /// The reason.
        reason: String,
    },
    /// Guard can look at it again.
    SeesAgain {
        /// The thing.
        what: String,
    },
    /// Guard ended.
    Stopped {
        /// The cause.
        by: String,
    },
}

/// The results of actions.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// It succeeded.
    Done,
    /// It was planned only.
    DryRun,
    /// It failed.
    Failed,
    /// It was ended at its time limit.
    TimedOut,
    /// The operator stopped guard.
    Stopped,
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Done => "done",
            Self::DryRun => "dry run",
            Self::Failed => "failed",
            Self::TimedOut => "ended at its time limit",
            Self::Stopped => "stopped by the operator",
        })
    }
}

/// The condition in words.
impl fmt::Display for About {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, subject, held_s, evidence, .. } = self;
        write!(formatter, "{rule}: {} {evidence}", subject.subject)?;
        if *held_s > 0.0 {
            write!(formatter, "; this has held for {}", in_words(Duration::from_secs_f64(*held_s)))?;
        }
        Ok(())
    }
}

impl fmt::Display for Event {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Started { guard, acts, rules, seen_from, servers } => {
                let mode = if *acts {
                    "guard carries out actions"
                } else {
                    "dry run: guard prints actions and carries out none (add --act)"
                };
                let (rules, from) = (rules.join(", "), seen_from.join(", "));
                let servers = count(*servers, "server");
                write!(
                    formatter,
                    "guard `{guard}` watches {servers} from {from} by these rules: {rules}; {mode}"
                )
            }
            Self::Acts(about) => write!(formatter, "{about}. Action: {}", about.action),
            Self::WouldAct(about) => write!(formatter, "{about}. Dry run, not done: {}", about.action),
            Self::HeldBack { about, reason } => {
                write!(formatter, "{about}. Held back: {}, because {reason}", about.action)
            }
            Self::Ended { rule, subject, action, outcome, detail, took_s } => {
                write!(formatter, "{rule}: {action} for {}: {outcome} after {took_s:.1} s", subject.subject)?;
                if detail.is_empty() { Ok(()) } else { write!(formatter, " ({detail})") }
            }
            Self::Healed { rule, subject, held_s } => {
                let held = in_words(Duration::from_secs_f64(*held_s));
                write!(formatter, "{rule}: {} has healed after {held}", subject.subject)
            }
            Self::CannotSee { what, reason } => {
                write!(formatter, "guard cannot see {what}, and infers nothing: {reason}")
            }
            Self::SeesAgain { what } => write!(formatter, "guard can see {what} again"),
            Self::Stopped { by } => write!(formatter, "guard was stopped by {by}"),
        }
    }
}

/// Reason why the audit file cannot be used. Guard does nothing that it cannot record.
#[derive(Debug, thiserror::Error)]
#[error("cannot use the audit file `{}`: {error}; choose another one with --audit", path.display())]
pub struct AuditError {
    path: PathBuf,
    error: io::Error,
}

/// The audit file.
#[derive(Debug)]
pub(super) struct Audit {
    file: File,
    path: PathBuf,
}

/// The end of a file with so many bytes holds some thousand lines: more actions than any rate limit counts.
const REMEMBERED: u64 = 1 << 20;

impl Audit {
    /// Opens the file for new lines at its end.
    ///
    /// # Errors
    /// The operating system refuses it.
    pub(super) fn open(path: &Path) -> Result<Self, AuditError> {
        let file = OpenOptions::new().read(true).append(true).create(true).open(path);
        let file = file.map_err(|error| AuditError { path: path.to_owned(), error })?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// Returns the rules and the times of earlier actions.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn earlier_actions(&mut self) -> Result<Vec<(String, Time)>, AuditError> {
        let mut text = Vec::new();
        let read = self.file.metadata().and_then(|metadata| {
            let begin = metadata.len().saturating_sub(REMEMBERED);
            self.file.seek(SeekFrom::Start(begin))?;
            self.file.read_to_end(&mut text)
        });
        read.map_err(|error| self.failed(error))?;
        Ok(String::from_utf8_lossy(&text).lines().filter_map(action).collect())
    }

    /// Writes a line, and prints it in words.
    ///
    /// # Errors
    /// The file takes no line.
    pub(super) fn write(&mut self, now: Time, event: Event) -> Result<(), AuditError> {
        let entry = Entry { time: rfc3339(UNIX_EPOCH + now), event };
        // Numbers, texts and lists always have a JSON form.
        let line = serde_json::to_string(&entry).unwrap_or_default() + "\n";
        self.file.write_all(line.as_bytes()).map_err(|error| self.failed(error))?;
        print_or_warn(&format!("{} {}", entry.time, entry.event));
        Ok(())
    }

    fn failed(&self, error: io::Error) -> AuditError {
        AuditError { path: self.path.clone(), error }
    }
}

/// Reads a line about an action that began.
fn action(line: &str) -> Option<(String, Time)> {
    let entry: serde_json::Value = serde_json::from_str(line).ok()?;
    if entry.get("event")? != "acts" {
        return None;
    }
    let time = OffsetDateTime::parse(entry.get("time")?.as_str()?, &Rfc3339).ok()?;
    let seconds = u64::try_from(time.unix_timestamp()).ok()?;
    Some((entry.get("rule")?.as_str()?.to_owned(), Time::from_secs(seconds)))
}
