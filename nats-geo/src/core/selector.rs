//! The state machine.
use super::*;
/// TEMPORARY skeleton while the stages are being written.
#[derive(Debug)]
pub struct Selector {
    at: Time,
}
impl Selector {
    /// New.
    /// # Errors
    /// A field out of bounds.
    pub fn new(config: Config, _seed: u64, now: Time) -> Result<Self, ConfigError> {
        config.check()?;
        Ok(Self { at: now })
    }
    /// Event.
    pub fn handle_event(&mut self, _event: Event, now: Time) {
        self.at = now;
    }
    /// Timeout.
    pub fn handle_timeout(&mut self, now: Time) {
        self.at = now;
    }
    /// Action.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<Action> {
        None
    }
    /// Next.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        None
    }
    /// Snap.
    pub fn snapshot(&self, now: Time) -> Snapshot {
        Snapshot { at: now, active: None, standby: None, suspect: false, ranking: vec![] }
    }
}
