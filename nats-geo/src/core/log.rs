//! Recorded runs of a selector: inputs, decisions, and their replay.

use super::{Action, Config, ConfigError, Event, Selector, Time};

/// One call into a selector.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Call {
    /// The driver reported an event.
    Event(Event),
    /// The time of [`Selector::poll_timeout`](super::Selector::poll_timeout) has come.
    Timeout,
}

/// The record of one client: the inputs and the decisions of its selector.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Log {
    /// Policy of the selector.
    pub config: Config,
    /// Seed of the selector.
    pub seed: u64,
    /// Time at which the selector started, on the clock of the client.
    pub started: Time,
    /// Inputs of the selector, each with its time on the clock of the client.
    pub calls: Vec<(Time, Call)>,
    /// Decisions of the selector, each with its time on the clock of the client.
    pub actions: Vec<(Time, Action)>,
}

impl Log {
    /// Creates the empty record of a selector that starts at `started`.
    pub const fn new(config: Config, seed: u64, started: Time) -> Self {
        Self { config, seed, started, calls: Vec::new(), actions: Vec::new() }
    }

    /// Makes the same calls into a new selector and returns its decisions. The new decisions are the same as the
    /// recorded decisions if the code of the selector is the same.
    ///
    /// ```
    /// use nats_geo::core::{Action, Call, Config, Endpoint, EndpointId, Event, Log, Time};
    ///
    /// let mut log = Log::new(Config::fleet(), 42, Time::ZERO);
    /// let endpoint = Endpoint::new(EndpointId(1), "lon-1:4222");
    /// log.calls.push((Time::ZERO, Call::Event(Event::Discovered(endpoint))));
    /// assert!(matches!(log.replay()?[..], [(Time::ZERO, Action::Probe { endpoint: EndpointId(1), .. })]));
    /// # Ok::<(), nats_geo::core::ConfigError>(())
    /// ```
    ///
    /// # Errors
    /// A field of the configuration is out of its bounds. The error names the first such field.
    pub fn replay(&self) -> Result<Vec<(Time, Action)>, ConfigError> {
        let mut selector = Selector::new(self.config.clone(), self.seed, self.started)?;
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
