//! The memory of guard between two looks. Plain data; the times are arguments.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::facts::{Observations, Subject, Time};
use super::rules::{Action, Condition, Rule};
use super::spec::ActionKind;

/// The memory of guard.
#[derive(Clone, Debug, Default)]
pub struct History {
    /// Regions and their servers, as far as they were ever seen. Regions of rules are here from the beginning.
    pub(super) regions: BTreeMap<String, BTreeSet<String>>,
    /// Conditions that hold, by the number of the rule and the subject.
    pub(super) episodes: BTreeMap<(usize, Subject), Episode>,
    /// Times of the actions of each rule, by its number; the oldest first.
    acted: BTreeMap<usize, VecDeque<Time>>,
    /// Actions that go on, by the number of the rule.
    running: BTreeMap<usize, ActionKind>,
    /// Counts of slow consumers by the id of a server; the oldest first.
    slow: BTreeMap<String, VecDeque<(Time, u64)>>,
    /// The time of the last look.
    looked: Option<Time>,
    /// Things that could not be looked at last time.
    pub(super) unseen: BTreeSet<String>,
}

/// A condition that holds for a subject.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Episode {
    /// The first look at which it held.
    pub(super) since: Time,
    /// The last action about it.
    pub(super) acted: Option<Time>,
    /// Whether an action was held back, and that was reported.
    pub(super) is_held_back: bool,
}

/// Reason why an action has to wait.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Wait {
    /// The rule has acted as often as it may.
    RateLimit {
        /// The time at which it may act again.
        until: Time,
    },
    /// The last action of the rule goes on.
    Running,
    /// Another rule rebalances: two at once would count each other's moves.
    OtherRebalance,
}

impl History {
    /// Records an action of an earlier guard, so that a restart does not end the rate limit.
    pub fn remember_action(&mut self, rule: usize, at: Time) {
        self.acted.entry(rule).or_default().push_back(at);
    }

    /// Records the end of an action.
    pub fn action_ended(&mut self, rule: usize) {
        self.running.remove(&rule);
    }

    /// Adds the facts of a look. Returns the time since the last one.
    pub(super) fn learn(&mut self, rules: &[Rule], seen: &Observations, now: Time) -> Time {
        let named = rules.iter().filter(|rule| rule.condition == Condition::RegionSilent);
        for region in named.flat_map(|rule| &rule.regions) {
            self.regions.entry(region.clone()).or_default();
        }
        let longest = rules.iter().filter_map(|rule| match rule.condition {
            Condition::SlowConsumers { within, .. } => Some(within),
            _ => None,
        });
        let longest = longest.max().unwrap_or_default();
        let mut counts = BTreeMap::new();
        for server in seen.views.iter().flat_map(|view| &view.servers) {
            self.regions.entry(server.region.clone()).or_default().insert(server.name.clone());
            counts.insert(&server.id, server.slow_consumers);
        }
        for (id, count) in counts {
            self.slow.entry(id.clone()).or_default().push_back((now, count));
        }
        self.slow.retain(|_, samples| {
            // The oldest sample that is kept is at most one look older than the span.
            while samples.get(1).is_some_and(|(at, _)| *at + longest <= now) {
                samples.pop_front();
            }
            samples.back().is_some_and(|(at, _)| *at + longest + FORGET >= now)
        });
        let last = self.looked.replace(now).unwrap_or(now);
        now.saturating_sub(last)
    }

    /// Returns the count of slow consumers of a server at the beginning of a span, and its time.
    pub(super) fn slow_before(&self, id: &str, span: Time, now: Time) -> Option<(Time, u64)> {
        let samples = self.slow.get(id)?;
        let first_inside = samples.iter().position(|(at, _)| *at + span > now)?;
        samples.get(first_inside.saturating_sub(1)).copied()
    }

    /// Returns why the action of a rule has to wait; `None`: it may begin.
    pub(super) fn wait(&mut self, index: usize, rule: &Rule, now: Time) -> Option<Wait> {
        if self.running.contains_key(&index) {
            return Some(Wait::Running);
        }
        let is_rebalance = matches!(rule.action, Action::Rebalance(_));
        if is_rebalance && self.running.values().any(|kind| *kind == ActionKind::Rebalance) {
            return Some(Wait::OtherRebalance);
        }
        let acted = self.acted.entry(index).or_default();
        while acted.front().is_some_and(|at| *at + rule.at_most.per <= now) {
            acted.pop_front();
        }
        let excess = acted.len().checked_sub(rule.at_most.times)?;
        acted.get(excess).map(|at| Wait::RateLimit { until: *at + rule.at_most.per })
    }

    /// Records that the action of a rule begins.
    pub(super) fn action_begins(&mut self, index: usize, rule: &Rule, now: Time) {
        self.acted.entry(index).or_default().push_back(now);
        // A warning is over at once.
        if rule.action != Action::Warn {
            self.running.insert(index, rule.action.kind());
        }
    }

    /// Forgets how long conditions of a rule have held, if no action followed: nobody knows whether they still hold.
    pub(super) fn restart_pending(&mut self, index: usize, is_unknown: impl Fn(&Subject) -> bool) {
        self.episodes.retain(|(rule, subject), episode| {
            *rule != index || episode.acted.is_some() || !is_unknown(subject)
        });
    }
}

/// Counts of a server that is gone are kept for this long.
const FORGET: Time = Time::from_secs(3_600);
