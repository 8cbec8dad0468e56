//! The decisions of guard. They depend on the arguments only: no clock, no socket, no randomness.

use std::collections::BTreeSet;
use std::time::Duration;

use super::facts::{Evidence, Observations, SERVERS, Subject, Time};
use super::history::{Episode, History, Wait};
use super::judge::{Judged, judge, reason_not_to_judge};
use super::rules::{Rule, Rules};

/// A condition that has held for long enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Case {
    /// The number of the rule.
    pub rule: usize,
    /// The thing that the condition is about.
    pub subject: Subject,
    /// Time for which the condition has held.
    pub held: Duration,
    /// The numbers.
    pub evidence: Evidence,
}

/// A decision.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// The action of the rule begins.
    Act(Case),
    /// The action of the rule has to wait. This is decided once for each case.
    HoldBack(Case, Wait),
    /// The condition no longer holds, after an action or one that was held back.
    Healed {
        /// The number of the rule.
        rule: usize,
        /// The thing that the condition was about.
        subject: Subject,
        /// Time for which it held.
        held: Duration,
    },
    /// Guard could look at something before, and cannot now. It infers nothing from that.
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
}

/// Decides by one look. `history` learns the look, and the actions that the decisions begin; the caller reports their ends by
/// [`History::action_ended`].
pub fn decide(rules: &Rules, seen: &Observations, history: &mut History, now: Time) -> Vec<Decision> {
    let gap = history.learn(&rules.rules, seen, now);
    let mut decisions = compare_unseen(seen, history);
    for (index, rule) in rules.rules.iter().enumerate() {
        // The machine slept, or guard was stopped: a condition counts only while guard looks.
        if gap > LONGEST_GAP.max(3 * rules.every) {
            history.restart_pending(index, |_| true);
        }
        match judge(rule, seen, history, now) {
            Judged::Unknown(_) => history.restart_pending(index, |_| true),
            Judged::Known { findings, unknown } => {
                history.restart_pending(index, |subject| unknown.contains(&subject.subject));
                let held: BTreeSet<_> = findings.iter().map(|(subject, _)| subject.clone()).collect();
                decisions.extend(heal(index, &held, &unknown, history, now));
                for (subject, evidence) in findings {
                    decisions.extend(consider((index, rule), subject, evidence, history, now));
                }
            }
        }
    }
    decisions
}

/// Longer than one look whose requests all wait for a long `--timeout`.
const LONGEST_GAP: Duration = Duration::from_secs(60);

/// Compares the things that could not be looked at with those of the last look.
fn compare_unseen(seen: &Observations, history: &mut History) -> Vec<Decision> {
    let mut unseen = seen.unseen.clone();
    if let Some(reason) = reason_not_to_judge(seen, history) {
        // The reasons of the connections say more.
        unseen.entry(SERVERS.to_owned()).or_insert(reason);
    }
    let again = history.unseen.iter().filter(|what| !unseen.contains_key(*what));
    let mut decisions: Vec<_> = again.map(|what| Decision::SeesAgain { what: what.clone() }).collect();
    for (what, reason) in &unseen {
        if !history.unseen.contains(what) {
            decisions.push(Decision::CannotSee { what: what.clone(), reason: reason.clone() });
        }
    }
    history.unseen = unseen.into_keys().collect();
    decisions
}

/// Ends the cases of a rule whose condition no longer holds.
fn heal(
    index: usize,
    held: &BTreeSet<Subject>,
    unknown: &BTreeSet<String>,
    history: &mut History,
    now: Time,
) -> Vec<Decision> {
    let is_over = |subject: &Subject| !held.contains(subject) && !unknown.contains(&subject.subject);
    let over = history.episodes.iter().filter(|((rule, subject), _)| *rule == index && is_over(subject));
    let over: Vec<_> = over.map(|((_, subject), episode)| (subject.clone(), episode.clone())).collect();
    let mut decisions = Vec::new();
    for (subject, episode) in over {
        history.episodes.remove(&(index, subject.clone()));
        if episode.acted.is_some() || episode.is_held_back {
            let held = now.saturating_sub(episode.since);
            decisions.push(Decision::Healed { rule: index, subject, held });
        }
    }
    decisions
}

/// Decides whether the action of a rule begins for a subject.
fn consider(
    (index, rule): (usize, &Rule),
    subject: Subject,
    evidence: Evidence,
    history: &mut History,
    now: Time,
) -> Option<Decision> {
    let key = (index, subject.clone());
    let begun = Episode { since: now, acted: None, is_held_back: false };
    let mut episode = history.episodes.get(&key).cloned().unwrap_or(begun);
    let held = now.saturating_sub(episode.since);
    let is_due = match episode.acted {
        None => held >= rule.lasts,
        Some(last) => rule.repeat.is_some_and(|pause| now >= last + pause),
    };
    let mut decision = None;
    if is_due {
        let case = Case { rule: index, subject, held, evidence };
        match history.wait(index, rule, now) {
            None => {
                history.action_begins(index, rule, now);
                (episode.acted, episode.is_held_back) = (Some(now), false);
                decision = Some(Decision::Act(case));
            }
            Some(wait) if !episode.is_held_back => {
                episode.is_held_back = true;
                decision = Some(Decision::HoldBack(case, wait));
            }
            Some(_) => {}
        }
    }
    history.episodes.insert(key, episode);
    decision
}

#[cfg(test)]
mod tests;
