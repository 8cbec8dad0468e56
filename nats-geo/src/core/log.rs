//! Recorded runs of a selector: its inputs and its decisions, and how to replay them.

use super::{Action, Config, ConfigError, Event, Selector, Time};

/// One call into a selector.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Call {
    /// The driver reported an event.
    Event(Event),
    /// The time that the selector asked for has come.
    Timeout,
}

/// The record of one client: what its selector was told, and what it decided.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Log {
    /// Its policy.
    pub config: Config,
    /// Its seed.
    pub seed: u64,
    /// Start of its selector, on its own clock.
    pub started: Time,
    /// Its inputs, with the time of its own clock.
    pub calls: Vec<(Time, Call)>,
    /// Its decisions, with the time of its own clock.
    pub actions: Vec<(Time, Action)>,
}

impl Log {
    /// Makes the record of a selector that is made now.
    pub const fn new(config: Config, seed: u64, started: Time) -> Self {
        Self { config, seed, started, calls: Vec::new(), actions: Vec::new() }
    }

    /// Makes the same calls into a new selector and returns what it decides. The decisions are the same
    /// as before, if the code of the selector is the same.
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
    /// The first field of the configuration that is out of its bounds.
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
