//! Carries actions out. Each one ends early when the operator stops guard.

use std::time::Duration;

use serde::Serialize;
use tokio::sync::watch;

use super::audit::{About, Outcome};
use super::facts::{Evidence, Subject};
use super::rules::{Action, Spread};
use super::{hook, notify};
use crate::clock;
use crate::look::opts::ConnectOpts;
use crate::rebalance::opts::RebalanceOpts;
use crate::rebalance::{self, RebalancePlan};
use crate::web_target::Target;

/// Turns to `true` when the operator stops guard.
pub(super) type Stop = watch::Receiver<bool>;

/// Waits until the operator stops guard.
pub(super) async fn stopped(stop: &mut Stop) {
    // Without its sender, guard is ending as well.
    let _ = stop.wait_for(|is_stopped| *is_stopped).await;
}

/// An action that begins.
#[derive(Debug)]
pub(super) struct Job {
    /// The number of its rule.
    pub(super) rule: usize,
    pub(super) action: Action,
    pub(super) notice: Notice,
    pub(super) connect: ConnectOpts,
    /// Whether it is planned only.
    pub(super) is_dry: bool,
}

/// The facts about an action: the body of a notification, and the environment of a hook.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Notice {
    /// The name of guard.
    pub(super) guard: String,
    /// The time of the decision.
    pub(super) time: String,
    /// The condition in words.
    pub(super) text: String,
    #[serde(flatten)]
    pub(super) about: About,
}

/// An action that ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) rule: usize,
    pub(super) subject: Subject,
    pub(super) outcome: Outcome,
    pub(super) detail: String,
    pub(super) took: Duration,
}

/// The action in the audit file: neither arguments nor the path of a URL, which may hold secrets.
pub(super) fn describe(action: &Action, subject: &Subject) -> String {
    use crate::web_target::{Address, host};
    match action {
        Action::Warn => "warn the operator".to_owned(),
        Action::Notify(notify) => match &notify.to {
            Address::Url(url) => format!("notify {}", host(url)),
            Address::Variable(name) => format!("notify the address in {name}"),
        },
        Action::Run(hook) => format!("run {}", hook.program),
        Action::Rebalance(_) => format!("rebalance {}", subject.region),
    }
}

/// Carries an action out.
pub(super) async fn carry_out(job: Job, mut stop: Stop) -> Ended {
    let began = clock::now();
    let subject = job.notice.about.subject.clone();
    let (outcome, detail) = match &job.action {
        Action::Warn => (Outcome::Done, String::new()),
        Action::Run(hook) => hook::run(hook, facts(&job.notice), &mut stop).await,
        Action::Notify(notify) => {
            match Target::new(&notify.to, &notify.headers, &|name| std::env::var(name).ok()) {
                Ok(target) => {
                    // Texts and numbers always have a JSON form.
                    let document = serde_json::to_string(&job.notice).unwrap_or_default();
                    tokio::select! {
                        biased;
                        () = stopped(&mut stop) => (Outcome::Stopped, "the notification may or may not have arrived".to_owned()),
                        sent = notify::send(target, notify.limit, document) => sent,
                    }
                }
                Err(error) => (Outcome::Failed, error.to_string()),
            }
        }
        Action::Rebalance(spread) => tokio::select! {
            biased;
            () = stopped(&mut stop) => (Outcome::Stopped, "clients that guard already asked to move still move".to_owned()),
            done = spread_clients(spread, &job) => done,
        },
    };
    Ended { rule: job.rule, subject, outcome, detail, took: began.elapsed() }
}

async fn spread_clients(spread: &Spread, job: &Job) -> (Outcome, String) {
    let opts = RebalanceOpts {
        connect: job.connect.clone(),
        cluster: Some(job.notice.about.subject.region.clone()),
        batch: spread.batch,
        pause: spread.pause,
        within: WITHIN,
        at_most: spread.clients,
        patience: PATIENCE,
        dry_run: job.is_dry,
        json: true,
    };
    let plan = match RebalancePlan::new(opts) {
        Ok(plan) => plan,
        Err(error) => return (Outcome::Failed, error.to_string()),
    };
    match rebalance::play(&plan).await {
        Ok(report) if job.is_dry => (Outcome::DryRun, report.summary()),
        Ok(report) if report.even => (Outcome::Done, report.summary()),
        Ok(report) => (Outcome::Failed, report.summary()),
        Err(error) => (Outcome::Failed, error.to_string()),
    }
}

/// The defaults of `loadgen rebalance`.
const WITHIN: u8 = 10;
const PATIENCE: Duration = Duration::from_secs(15);

/// The environment of a hook.
fn facts(notice: &Notice) -> Vec<(&'static str, String)> {
    let About { rule, subject, held_s, evidence, .. } = &notice.about;
    // Texts and numbers always have a JSON form.
    let numbers = serde_json::to_value(evidence).unwrap_or_default();
    let condition = numbers.get("condition").and_then(|name| name.as_str()).unwrap_or_default();
    let mut facts = vec![
        ("GUARD_RULE", rule.clone()),
        ("GUARD_CONDITION", condition.to_owned()),
        ("GUARD_SUBJECT", subject.subject.clone()),
        ("GUARD_REGION", subject.region.clone()),
        ("GUARD_HELD_S", format!("{held_s:.0}")),
        ("GUARD_TIME", notice.time.clone()),
        ("GUARD_TEXT", notice.text.clone()),
    ];
    match evidence {
        Evidence::LoadUneven { server, .. } => facts.push(("GUARD_SERVER", server.clone())),
        Evidence::StreamLag { stream, .. } => facts.push(("GUARD_STREAM", stream.clone())),
        Evidence::RegionSilent { .. } => {}
        _ => facts.push(("GUARD_SERVER", subject.subject.clone())),
    }
    facts.push(("GUARD_EVIDENCE", numbers.to_string()));
    facts
}
