//! The limits of publishing.

use std::time::Duration;

/// Limits on the time and the tries of a publish. The same limits apply to other requests to JetStream, such as the
/// creation of a stream.
///
/// Keep [`total_timeout`](Self::total_timeout) well below the stream's duplicate window (`duplicate_window`, by default
/// 2 minutes). The stream recognises a message that it has already stored only within this window.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublishOptions {
    pub(crate) try_timeout: Duration,
    pub(crate) tries_max: u32,
    pub(crate) total_timeout: Duration,
}

impl PublishOptions {
    /// Returns the defaults.
    pub fn new() -> Self {
        Self { try_timeout: TRY_TIMEOUT, tries_max: TRIES_MAX, total_timeout: TOTAL_TIMEOUT }
    }

    /// Sets how long one try waits for the acknowledgement. Default 5 s. A try ends earlier if its link is lost. If
    /// no answer arrives, the client begins the second try 1 s after the first one, the third try 2 s later, and the
    /// fourth try 4 s later. An answer to an earlier try still counts.
    pub fn try_timeout(mut self, limit: Duration) -> Self {
        self.try_timeout = limit;
        self
    }

    /// Sets the largest number of tries, including the first one. Default 12; 0 means 1.
    pub fn tries_max(mut self, tries: u32) -> Self {
        self.tries_max = tries.max(1);
        self
    }

    /// Sets the time limit for all tries together, including the pauses between tries. Default 15 s.
    pub fn total_timeout(mut self, limit: Duration) -> Self {
        self.total_timeout = limit;
        self
    }
}

impl Default for PublishOptions {
    fn default() -> Self {
        Self::new()
    }
}

/// The default of async-nats and nats-core for requests to JetStream.
const TRY_TIMEOUT: Duration = Duration::from_secs(5);

/// With the pauses between them, 8 to 11 s: an election of a stream's leader takes 4 to 9 s.
const TRIES_MAX: u32 = 12;

/// A failover of the fleet preset (5 s: detection, spread, dial) and then an election of the stream's leader (9 s).
const TOTAL_TIMEOUT: Duration = Duration::from_secs(15);
