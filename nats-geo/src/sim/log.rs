//! What a selector was told and what it decided: recorded, and played again.

use crate::core::{Action, Config, ConfigError, Event, Selector, Time};

/// One call into a selector.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Call {
    /// A fact.
    Event(Event),
    /// The time it asked for has come.
    Timeout,
}

/// The record of one client.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Log {
    /// Its policy.
    pub config: Config,
    /// Its seed.
    pub seed: u64,
    /// What it was told, when by its own clock.
    pub calls: Vec<(Time, Call)>,
    /// What it decided, when by its own clock.
    pub actions: Vec<(Time, Action)>,
}

impl Log {
    pub(crate) const fn new(config: Config, seed: u64) -> Self {
        Self { config, seed, calls: Vec::new(), actions: Vec::new() }
    }

    /// The last `lines` facts and decisions about links, in order of time: what a person reads first when a rule is
    /// broken. Pings and probes are left out.
    pub(crate) fn tail(&self, lines: usize) -> Vec<String> {
        let told = self.calls.iter().filter_map(|(at, call)| match call {
            Call::Event(Event::Probed { .. } | Event::Pong { .. } | Event::Progress { .. })
            | Call::Timeout => None,
            Call::Event(event) => Some((*at, format!("told {event:?}"))),
        });
        let decided = self.actions.iter().filter_map(|(at, action)| match action {
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

    /// Makes the same calls into a new selector and returns what it decides. A selector that is what it was
    /// decides as before.
    ///
    /// ```
    /// use nats_geo::core::Config;
    /// use nats_geo::sim::{Scenario, run};
    ///
    /// let scenario = Scenario::super_cluster("quiet", vec![(0, Config::fleet())]);
    /// let report = run(&scenario, 7).expect("no rule is broken");
    /// let log = &report.clients[0].log;
    /// assert_eq!(log.replay()?, log.actions);
    /// # Ok::<(), nats_geo::core::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// The first field of the configuration that is out of its bounds.
    pub fn replay(&self) -> Result<Vec<(Time, Action)>, ConfigError> {
        let mut selector = Selector::new(self.config.clone(), self.seed, Time::ZERO)?;
        let mut actions = Vec::new();
        for (now, call) in &self.calls {
            match call {
                Call::Event(event) => selector.handle_event(event.clone(), *now),
                Call::Timeout => selector.handle_timeout(*now),
            }
            actions.extend(std::iter::from_fn(|| selector.poll_action()).map(|action| (*now, action)));
        }
        Ok(actions)
    }
}
