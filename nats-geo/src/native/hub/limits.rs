//! The limits of a client, and its counters.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// Bounds that the user may set; see [`GeoOptions`](crate::GeoOptions).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) publish_wait: Duration,
    pub(crate) request_timeout: Option<Duration>,
    pub(crate) backlog: usize,
    pub(crate) at_most_once: bool,
    pub(crate) max_control_line: usize,
    pub(crate) subscription_buffer: usize,
    pub(crate) drain_timeout: Duration,
}

#[cfg(test)]
impl Default for Limits {
    fn default() -> Self {
        Self {
            publish_wait: Duration::ZERO,
            request_timeout: None,
            backlog: 0,
            at_most_once: false,
            subscription_buffer: 1 << 20,
            drain_timeout: Duration::from_secs(5),
            max_control_line: crate::native::lines::CONTROL_LINE_MAX,
        }
    }
}

/// Counts since the start, for [`Stats`](crate::Stats).
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) published: AtomicU64,
    pub(crate) delivered: AtomicU64,
    pub(crate) unconfirmed: AtomicU64,
    pub(crate) discarded: AtomicU64,
    pub(crate) resent: AtomicU64,
    /// Publishes for which there was no room among those that wait for confirmation.
    pub(crate) refused: AtomicU64,
    /// Messages that were not delivered as they were published.
    pub(crate) unreadable: AtomicU64,
    /// Publishes that a server did not permit.
    pub(crate) denied: AtomicU64,
    pub(crate) moves: AtomicU64,
}
