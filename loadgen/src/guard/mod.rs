//! `loadgen guard`: watches a super-cluster that runs anywhere, and reacts to failures by rules.
//!
//! A look (`observe`, `certificate`) gives facts. `judge` and `decide` turn facts, rules and `history` into decisions; these files read
//! no clock and open no socket. `act`, `hook` and `notify` carry actions out, `audit` records everything, `watch` drives, and `socket`
//! lets an operator stop it. This folder uses [`crate::look`] and [`crate::rebalance`]. It must not know how a super-cluster is
//! started.

mod act;
pub mod audit;
mod certificate;
mod check;
pub mod decide;
pub mod facts;
pub mod history;
mod hook;
mod judge;
mod notify;
mod observe;
pub mod opts;
mod problem;
pub mod rules;
mod schemas;
mod socket;
pub mod spec;
mod watch;

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::look::connect::{Login, LoginError, OpenError};
use crate::look::gather::GatherError;
use crate::look::opts::ConnectOpts;
use crate::web_target::Target;
pub use audit::AuditError;
use observe::Needs;
use opts::{GuardOpts, StopOpts};
pub use problem::RuleFileError;
pub use rules::from_toml;
use rules::{Action, Rule, Rules};
pub use schemas::{audit_schema, rules_schema};
pub use socket::StopError;
pub use watch::run;

/// A guard, with checked options and rules.
#[derive(Clone, Debug)]
pub struct GuardPlan {
    name: String,
    rules: Rules,
    acts: bool,
    audit: PathBuf,
    login: Login,
    /// The same, for rebalancing.
    connect: ConnectOpts,
    needs: Needs,
    /// Time that one request waits for answers.
    timeout: Duration,
    /// Things that would make an action fail. Without `--act` they are no error.
    warnings: Vec<String>,
}

/// Reason why options and rules make no guard. These are usage errors.
#[derive(Debug, thiserror::Error)]
pub enum GuardPlanError {
    /// The file cannot be read.
    #[error("cannot read --rules {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// Something in it is wrong.
    #[error(transparent)]
    Rules(#[from] RuleFileError),
    /// The super-cluster, or the credentials for it.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The system account has no streams.
    #[error(
        "rule `{rule}` watches streams, which belong to another account than the system account: add --stream-user, \
         --stream-creds or --stream-context"
    )]
    NoStreamLogin {
        /// The rule.
        rule: String,
    },
    /// An action cannot succeed.
    #[error("rule `{rule}`: {reason}")]
    Action {
        /// The rule.
        rule: String,
        /// The reason.
        reason: String,
    },
}

/// Reason why guard ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// No connection at the start.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system account did not answer at the start.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// Nobody could stop it.
    #[error(transparent)]
    Socket(#[from] StopError),
    /// It could not record what it does.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// The signals of Ctrl-C and SIGTERM cannot be received.
    #[error("cannot receive signals: {0}")]
    Signals(io::Error),
    /// The task that looks has ended.
    #[error(
        "guard no longer queries the servers, because of a defect in loadgen: start guard again, and report the defect"
    )]
    NoLooks,
}

impl GuardPlan {
    /// Reads and checks the rules, and the login.
    ///
    /// # Errors
    /// The rules are wrong, the login is incomplete, or a file cannot be read.
    pub fn new(opts: GuardOpts) -> Result<Self, GuardPlanError> {
        let path = opts.rules.unwrap_or_default();
        let text = std::fs::read_to_string(&path);
        let text = text.map_err(|error| GuardPlanError::Read { path: path.clone(), error })?;
        let rules = from_toml(&text, &path.display().to_string())?;
        let login = Login::of(&opts.connect)?;
        let streams = match Needs::streams(&rules.rules) {
            Some(rule) => {
                let named = opts.streams.login(&login, &|name| std::env::var(name).ok())?;
                let running = || login.as_system().map(Login::as_application);
                let found = named.or_else(running);
                Some(found.ok_or_else(|| GuardPlanError::NoStreamLogin { rule: rule.name.clone() })?)
            }
            None => None,
        };
        let needs = Needs { certificates: Needs::certificates(&rules.rules), streams };
        let mut warnings = Vec::new();
        for rule in &rules.rules {
            let Some(reason) = obstacle(rule) else { continue };
            let error = GuardPlanError::Action { rule: rule.name.clone(), reason };
            if opts.act {
                return Err(error);
            }
            warnings.push(error.to_string());
        }
        let name = opts.name.or_else(|| opts.connect.deployment.clone());
        Ok(Self {
            name: name.unwrap_or_else(|| "guard".to_owned()),
            rules,
            acts: opts.act,
            audit: opts.audit,
            login,
            timeout: opts.connect.timeout(),
            connect: opts.connect,
            needs,
            warnings,
        })
    }
}

/// Returns why the action of a rule cannot succeed on this machine.
fn obstacle(rule: &Rule) -> Option<String> {
    match &rule.action {
        Action::Notify(notify) => Target::new(&notify.to, &notify.headers, &|name| std::env::var(name).ok())
            .err()
            .map(|error| error.to_string()),
        Action::Run(hook) if hook.program.starts_with('/') => {
            let is_there = std::path::Path::new(&hook.program).is_file();
            (!is_there)
                .then(|| format!("there is no program `{}`: install it, or change the rule", hook.program))
        }
        _ => None,
    }
}

/// Stops a guard that runs on this machine, and waits until its actions have ended. Returns what to print.
///
/// # Errors
/// See [`StopError`].
pub async fn stop(opts: StopOpts) -> Result<String, StopError> {
    socket::stop(opts.name.as_deref()).await
}
