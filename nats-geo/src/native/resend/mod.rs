//! This module resends publishes until a server has confirmed them.
//!
//! `buffer` is the buffer of unconfirmed publishes with its limits. `confirm` sends a request after publishes: the
//! answer of the server confirms these publishes. This module must not use regions: it identifies links by numbers.

use std::time::Duration;

mod buffer;
pub(crate) use buffer::{Forgotten, Limits, ResendBuffer, size};

mod confirm;
pub(crate) use confirm::confirm;

/// Limits of publishing at least once; see [`GeoOptions::at_least_once`](super::GeoOptions::at_least_once).
///
/// ```
/// use nats_geo::{AtLeastOnce, GeoOptions, Overflow};
/// use std::time::Duration;
///
/// // Positions: only the newest ones matter, so a full buffer drops the oldest.
/// let positions = AtLeastOnce::new()
///     .max_bytes(1 << 20)
///     .max_age(Duration::from_secs(2))
///     .on_overflow(Overflow::DropOldest);
/// let options = GeoOptions::new().at_least_once(positions);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[must_use = "give it to `GeoOptions::at_least_once`"]
pub struct AtLeastOnce {
    max_bytes: usize,
    max_age: Duration,
    overflow: Overflow,
}

/// Behaviour of a publish while the buffer of unconfirmed publishes is full.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Overflow {
    /// The publish waits for space in the buffer, at most for
    /// [`GeoOptions::publish_wait`](super::GeoOptions::publish_wait). Then it fails with
    /// [`PublishError::TooManyUnconfirmed`](super::PublishError::TooManyUnconfirmed). So the client drops no message
    /// without an error.
    Refuse,
    /// The client drops the oldest unconfirmed publishes and does not resend them. Dropped publishes that have already
    /// arrived are not lost.
    DropOldest,
}

impl AtLeastOnce {
    /// Returns the defaults.
    pub fn new() -> Self {
        Self { max_bytes: MAX_BYTES, max_age: MAX_AGE, overflow: Overflow::Refuse }
    }

    /// Sets the size of the buffer, in bytes: subjects, headers, payloads, and about 100 bytes for each message.
    /// Default 8 MiB: if a client publishes 1 MiB per second, about 8 MiB are unconfirmed when it leaves a silent
    /// region. The client refuses a single message that is larger than the buffer.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    /// Sets for how long after a publish the client may resend the message. Default 30 s: longer than a failover takes.
    /// A shorter time suits messages that are soon out of date.
    pub fn max_age(mut self, age: Duration) -> Self {
        self.max_age = age;
        self
    }

    /// Sets the behaviour while the buffer is full. Default [`Overflow::Refuse`], because an application that publishes
    /// at least once needs to know about a loss.
    pub fn on_overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }

    pub(crate) const fn limits(self) -> Limits {
        Limits {
            max_bytes: self.max_bytes,
            max_age: self.max_age,
            drops_oldest: matches!(self.overflow, Overflow::DropOldest),
        }
    }
}

impl Default for AtLeastOnce {
    fn default() -> Self {
        Self::new()
    }
}

/// Silence is noticed within 3 s of the fleet preset, and the way to the next region takes up to 2 s more.
const MAX_BYTES: usize = 8 << 20;

/// Six failovers of the fleet preset.
const MAX_AGE: Duration = Duration::from_secs(30);
