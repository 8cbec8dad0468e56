//! The driver: looks, decides, begins actions, and ends all of them when the operator stops guard.

use std::collections::BTreeSet;
use std::pin::pin;
use std::time::{Duration, Instant, UNIX_EPOCH};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinHandle, JoinSet};

use super::act::{Ended, Job, Notice, carry_out, describe};
use super::audit::{About, Audit, AuditError, Event};
use super::decide::{Case, Decision, decide};
use super::facts::{Observations, Time};
use super::history::{History, Wait};
use super::observe::Observer;
use super::rules::Action;
use super::socket::{StopOrder, StopSocket};
use super::{GuardError, GuardPlan};
use crate::clock;

/// Watches until the operator stops guard: by Ctrl-C, SIGTERM or `loadgen guard stop`.
///
/// # Errors
/// The first look failed, or the audit file takes no lines.
pub async fn run(plan: GuardPlan) -> Result<(), GuardError> {
    let socket = StopSocket::open(&plan.name)?;
    let mut by = pin!(stop_order(&socket));
    let opened = tokio::select! {
        biased;
        by = &mut by => {
            answer(by?, "guard was stopped before its first query").await;
            return Ok(());
        }
        opened = Observer::open(plan.login.clone(), plan.needs.clone(), plan.timeout) => opened?,
    };
    let mut guard = Guard::start(plan, opened)?;
    let by = tokio::select! {
        biased;
        by = &mut by => by,
        failed = guard.watch() => Err(failed),
    };
    // Whatever ended it, no action goes on without it.
    let text = guard.stop(by.as_ref().ok()).await;
    answer(by?, &text?).await;
    Ok(())
}

/// The cause of the end.
enum By {
    Signal(&'static str),
    Order(StopOrder),
}

impl By {
    const fn as_str(&self) -> &'static str {
        match self {
            Self::Signal(name) => name,
            Self::Order(_) => "`loadgen guard stop`",
        }
    }
}

async fn stop_order(socket: &StopSocket) -> Result<By, GuardError> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(GuardError::Signals)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(GuardError::Signals)?;
    Ok(tokio::select! {
        _ = interrupt.recv() => By::Signal("Ctrl-C"),
        _ = terminate.recv() => By::Signal("SIGTERM"),
        order = socket.order() => By::Order(order),
    })
}

async fn answer(by: By, text: &str) {
    if let By::Order(order) = by {
        order.answer(text).await;
    }
}

/// A guard that watches.
struct Guard {
    plan: GuardPlan,
    clock: Clock,
    audit: Audit,
    history: History,
    looks: mpsc::Receiver<Observations>,
    looking: JoinHandle<()>,
    actions: JoinSet<Ended>,
    stop: watch::Sender<bool>,
}

/// The wall clock at the start, and the monotonic clock from then on.
struct Clock {
    began: Instant,
    wall: Duration,
}

impl Clock {
    fn start() -> Self {
        // A clock before 1970 makes all certificates valid; nothing else reads the date.
        let wall = clock::wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self { began: clock::now(), wall }
    }

    fn now(&self) -> Time {
        self.wall + self.began.elapsed()
    }
}

impl Guard {
    fn start(plan: GuardPlan, (observer, first): (Observer, Observations)) -> Result<Self, AuditError> {
        let clock = Clock::start();
        let mut audit = Audit::open(&plan.audit)?;
        let mut history = History::default();
        for (name, at) in audit.earlier_actions()? {
            if let Some(rule) = plan.rules.rules.iter().position(|rule| rule.name == name) {
                history.remember_action(rule, at);
            }
        }
        let rules = plan.rules.rules.iter().map(|rule| rule.name.clone()).collect();
        let names = first.views.iter().flat_map(|view| &view.servers).map(|server| &server.name);
        let started = Event::Started {
            guard: plan.name.clone(),
            acts: plan.acts,
            rules,
            seen_from: first.views.iter().map(|view| view.region.clone()).collect(),
            servers: names.collect::<BTreeSet<_>>().len(),
        };
        audit.write(clock.now(), started)?;
        for warning in &plan.warnings {
            eprintln!("loadgen: with --act, this would be an error: {warning}");
        }
        // One look waits at most: a late decision must not work through old ones.
        let (seen, looks) = mpsc::channel(1);
        let looking = tokio::spawn(look(observer, plan.rules.every, seen));
        let (stop, _) = watch::channel(false);
        let mut guard = Self { plan, clock, audit, history, looks, looking, actions: JoinSet::new(), stop };
        guard.seen(&first)?;
        Ok(guard)
    }

    /// Goes on until something fails.
    async fn watch(&mut self) -> GuardError {
        loop {
            let done = tokio::select! {
                Some(ended) = self.actions.join_next() => match ended {
                    Ok(ended) => self.ended(ended),
                    Err(error) => {
                        tracing::error!(%error, "an action ended without a result");
                        Ok(())
                    }
                },
                seen = self.looks.recv() => match seen {
                    Some(seen) => self.seen(&seen),
                    None => return GuardError::NoLooks,
                },
            };
            if let Err(error) = done {
                return error.into();
            }
        }
    }

    fn seen(&mut self, seen: &Observations) -> Result<(), AuditError> {
        let now = self.clock.now();
        for decision in decide(&self.plan.rules, seen, &mut self.history, now) {
            let name = |rule: usize| self.plan.rules.rules[rule].name.clone();
            match decision {
                Decision::Act(case) => self.begin(case, now)?,
                Decision::HoldBack(case, wait) => {
                    let event = Event::HeldBack { about: self.about(&case), reason: reason(&wait) };
                    self.audit.write(now, event)?;
                }
                Decision::Healed { rule, subject, held } => {
                    let event = Event::Healed { rule: name(rule), subject, held_s: held.as_secs_f64() };
                    self.audit.write(now, event)?;
                }
                Decision::CannotSee { what, reason } => {
                    self.audit.write(now, Event::CannotSee { what, reason })?
                }
                Decision::SeesAgain { what } => self.audit.write(now, Event::SeesAgain { what })?,
            }
        }
        Ok(())
    }

    /// Begins an action; in a dry run, only the plan of a rebalancing.
    fn begin(&mut self, case: Case, now: Time) -> Result<(), AuditError> {
        let about = self.about(&case);
        let action = self.plan.rules.rules[case.rule].action.clone();
        let event = if self.plan.acts { Event::Acts(about.clone()) } else { Event::WouldAct(about.clone()) };
        self.audit.write(now, event)?;
        let is_planned = matches!(action, Action::Rebalance(_));
        if matches!(action, Action::Warn) || !self.plan.acts && !is_planned {
            self.history.action_ended(case.rule);
            return Ok(());
        }
        let notice = Notice {
            guard: self.plan.name.clone(),
            time: clock::rfc3339(UNIX_EPOCH + now),
            text: about.to_string(),
            about,
        };
        let (connect, is_dry) = (self.plan.connect.clone(), !self.plan.acts);
        let job = Job { rule: case.rule, action, notice, connect, is_dry };
        self.actions.spawn(carry_out(job, self.stop.subscribe()));
        Ok(())
    }

    fn ended(&mut self, ended: Ended) -> Result<(), AuditError> {
        let Ended { rule, subject, outcome, detail, took } = ended;
        self.history.action_ended(rule);
        let of_rule = &self.plan.rules.rules[rule];
        let action = describe(&of_rule.action, &subject);
        let (rule, took_s) = (of_rule.name.clone(), took.as_secs_f64());
        self.audit.write(self.clock.now(), Event::Ended { rule, subject, action, outcome, detail, took_s })
    }

    /// Ends everything, and says what.
    async fn stop(&mut self, by: Option<&By>) -> Result<String, AuditError> {
        self.looking.abort();
        // Without a receiver, no action runs.
        self.stop.send_replace(true);
        let running = self.actions.len();
        let mut written = Ok(());
        while let Some(ended) = self.actions.join_next().await {
            if let Ok(ended) = ended {
                // Even if the audit file is full, every action is waited for.
                let ended = self.ended(ended);
                written = written.and(ended);
            }
        }
        written?;
        if let Some(by) = by {
            self.audit.write(self.clock.now(), Event::Stopped { by: by.as_str().to_owned() })?;
        }
        let actions = crate::look::table::count(running, "action");
        Ok(format!("guard `{}` has stopped; it ended {actions} that still ran", self.plan.name))
    }

    fn about(&self, case: &Case) -> About {
        let rule = &self.plan.rules.rules[case.rule];
        About {
            rule: rule.name.clone(),
            subject: case.subject.clone(),
            held_s: case.held.as_secs_f64(),
            evidence: case.evidence.clone(),
            action: describe(&rule.action, &case.subject),
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.looking.abort();
    }
}

fn reason(wait: &Wait) -> String {
    match wait {
        Wait::RateLimit { until } => {
            format!(
                "the rule has acted as often as `at_most` allows; it may act again at {}",
                clock::rfc3339(UNIX_EPOCH + *until)
            )
        }
        Wait::Running => "the last action of this rule still runs".to_owned(),
        Wait::OtherRebalance => "another rule rebalances".to_owned(),
    }
}

/// Looks until nobody wants to know.
async fn look(mut observer: Observer, every: Duration, seen: mpsc::Sender<Observations>) {
    loop {
        tokio::time::sleep(every).await;
        if seen.send(observer.look().await).await.is_err() {
            return;
        }
    }
}
