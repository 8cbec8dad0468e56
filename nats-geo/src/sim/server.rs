//! Model servers, with their answers and their faults.

use std::time::Duration;

use crate::core::{ServerIdentity, Time};

/// nats-server closes a client that has not completed its handshake after this long (`AUTH_TIMEOUT`).
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(2);

/// One server.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    pub(crate) region: usize,
    pub(crate) mood: Mood,
    /// Grows with each start: another life knows nothing of the connections of the last.
    pub(crate) life: u32,
    /// Announced its end: the listener is closed.
    pub(crate) lame_duck: bool,
    /// Refuses the credentials.
    pub(crate) locked: bool,
    /// Added to every answer.
    pub(crate) slow: Duration,
    /// Answers, but the applications of clients have no use for it.
    pub(crate) unhealthy: bool,
    /// Its endpoint is on offer.
    pub(crate) offered: bool,
    accepts_per_second: f64,
    /// The handshakes that wait are done by then.
    busy_until: Time,
}

/// Whether, and how, a server answers.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mood {
    Up,
    /// The process is gone; its host refuses and resets.
    Down,
    /// The host is gone: nothing comes back.
    Dark,
    /// The process stands still. Its host goes on accepting and acknowledging.
    Frozen,
}

impl Server {
    pub(crate) fn new(name: String, region: usize, accepts_per_second: f64) -> Self {
        Self {
            name,
            region,
            mood: Mood::Up,
            life: 0,
            lame_duck: false,
            locked: false,
            slow: Duration::ZERO,
            unhealthy: false,
            offered: true,
            accepts_per_second,
            busy_until: Time::ZERO,
        }
    }

    /// Starts again, as another process.
    pub(crate) fn start(&mut self, now: Time) {
        self.mood = Mood::Up;
        self.life += 1;
        self.lame_duck = false;
        self.busy_until = now;
    }

    /// Returns whether it takes and serves clients as it should.
    pub(crate) fn is_well(&self) -> bool {
        let serves = self.mood == Mood::Up && !self.lame_duck && !self.locked;
        serves && self.slow.is_zero() && self.offered && !self.unhealthy
    }

    /// Handshakes per second.
    pub(crate) const fn accept_rate(&self) -> f64 {
        self.accepts_per_second
    }

    pub(crate) fn identity(&self, region: &str) -> ServerIdentity {
        let mut identity = ServerIdentity::new(format!("{}-{}", self.name, self.life), Some(region));
        identity.server_name.clone_from(&self.name);
        identity
    }

    /// A client asks for a handshake now. Returns when it is done, or when the server has lost patience.
    pub(crate) fn handshake(&mut self, now: Time) -> Result<Time, Time> {
        let start = self.busy_until.max(now);
        if start.since(now) > HANDSHAKE_TIMEOUT {
            return Err(now + HANDSHAKE_TIMEOUT);
        }
        self.busy_until = start + Duration::from_secs_f64(1.0 / self.accepts_per_second);
        Ok(self.busy_until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn handshakes_queue_at_the_accept_rate_and_are_dropped_after_two_seconds() {
        let mut server = Server::new("lon-0".into(), 0, 10.0);
        let mut done = Vec::new();
        let dropped = (0..30).filter(|_| server.handshake(Time::ZERO).map(|at| done.push(at)).is_err());
        assert_eq!(dropped.count(), 9);
        assert_eq!((done[0], done[20]), (Time::from_millis(100), Time::from_millis(2_100)));
        assert_eq!(server.handshake(Time::ZERO), Err(Time::from_millis(2_000)));
    }

    #[test]
    fn another_life_is_another_server() {
        let mut server = Server::new("lon-0".into(), 0, 10.0);
        let before = server.identity("lon");
        server.start(Time::ZERO);
        assert_ne!(before.server_id, server.identity("lon").server_id);
        assert_eq!(before.server_name, server.identity("lon").server_name);
    }
}
