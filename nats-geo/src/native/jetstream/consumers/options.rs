//! The limits of pull requests.

use std::time::Duration;

/// Sizes and limits of the pull requests of a stream of messages, and their heartbeat.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PullOptions {
    pub(crate) messages_max: usize,
    pub(crate) bytes_max: Option<usize>,
    pub(crate) expires: Duration,
    pub(crate) heartbeat: Duration,
}

impl PullOptions {
    /// Returns the defaults.
    pub fn new() -> Self {
        Self { messages_max: MESSAGES_MAX, bytes_max: None, expires: EXPIRES, heartbeat: HEARTBEAT }
    }

    /// Sets how many messages may wait in the client until the application reads them. The client requests more when
    /// the application has read half of them. While the application reads none, the client requests none. Default 200;
    /// at least 1, at most 65 536. After a lost link, up to twice as many may wait for a short time. The reason:
    /// messages that the client requested over the lost link may still arrive over the next link.
    pub fn max_messages(mut self, messages: usize) -> Self {
        self.messages_max = messages.clamp(1, MESSAGES_LIMIT);
        self
    }

    /// Sets how many bytes, with subjects and headers, may wait in the client until the application reads them. If
    /// a message is larger than this limit, the Rust stream of messages ends with an error. Default: no limit of bytes, only of messages.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.bytes_max = Some(bytes.max(1));
        self
    }

    /// Sets how long one request waits at the server for messages. Default 30 s; at least 1 s, at most a day.
    pub fn expires(mut self, expires: Duration) -> Self {
        self.expires = expires.max(EXPIRES_MIN);
        self
    }

    /// Sets the interval at which the server sends a heartbeat while there are no messages. After two missing heartbeats the
    /// client repeats the request. Default 5 s; at least 100 ms, and at most half of [`expires`](Self::expires).
    pub fn heartbeat(mut self, heartbeat: Duration) -> Self {
        self.heartbeat = heartbeat.max(HEARTBEAT_MIN);
        self
    }

    /// Held to what the consumer allows per request, where 0 is no limit.
    pub(crate) fn within(mut self, max_batch: i64, max_expires: Duration, max_bytes: i64) -> Self {
        if let Some(limit) = usize::try_from(max_batch).ok().filter(|limit| *limit > 0) {
            self.messages_max = self.messages_max.min(limit);
        }
        if !max_expires.is_zero() {
            self.expires = self.expires.min(max_expires);
        }
        if let Some(limit) = usize::try_from(max_bytes).ok().filter(|limit| *limit > 0) {
            self.bytes_max = Some(self.bytes_max.map_or(limit, |bytes| bytes.min(limit)));
        }
        self
    }

    /// Whatever the consumer allows, and whether that is known or not.
    pub(crate) fn that_servers_take(mut self) -> Self {
        self.expires = self.expires.min(EXPIRES_LIMIT);
        self.heartbeat = self.heartbeat.min(self.expires / 2);
        self
    }
}

impl Default for PullOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// The default of async-nats.
const MESSAGES_MAX: usize = 200;

/// As many as async-nats buffers for one subscription; more would be dropped.
const MESSAGES_LIMIT: usize = 64 << 10;

/// The default of all NATS clients. Long, because asking again costs a round trip.
const EXPIRES: Duration = Duration::from_secs(30);

/// A day: requests are made anew long before. Servers count in nanoseconds, of which there are not enough for centuries.
const EXPIRES_LIMIT: Duration = Duration::from_secs(24 * 3600);

/// Shorter ones would be mostly asking.
const EXPIRES_MIN: Duration = Duration::from_secs(1);

/// Two in a row are missed 10 s after a consumer fell silent, about as long as an election takes. nats-core and nats.go
/// wait 15 s for each.
const HEARTBEAT: Duration = Duration::from_secs(5);

/// The least that servers accept.
const HEARTBEAT_MIN: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_consumer_allows_bounds_what_is_asked_for() {
        let asked = PullOptions::new()
            .max_messages(500)
            .within(100, Duration::from_secs(4), 1000)
            .that_servers_take();
        assert_eq!((asked.messages_max, asked.bytes_max), (100, Some(1000)));
        assert_eq!((asked.expires, asked.heartbeat), (Duration::from_secs(4), Duration::from_secs(2)));
        assert_eq!(PullOptions::new().within(0, Duration::ZERO, 0), PullOptions::new());
        let endless = PullOptions::new().expires(Duration::MAX).heartbeat(Duration::MAX).that_servers_take();
        assert!(
            i64::try_from(endless.expires.as_nanos()).is_ok() && endless.heartbeat <= endless.expires / 2
        );
    }
}
