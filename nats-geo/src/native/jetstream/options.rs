//! The bounds of publishing.

use std::time::Duration;

/// How long, and how often, a publish is tried before it fails; and in the same way whatever else is asked of JetStream,
/// such as making a stream.
///
/// Keep [`total_timeout`](Self::total_timeout) well below the stream's duplicate window (`duplicate_window`, 2 minutes
/// unless set otherwise): only within it does the stream recognise a message that it has stored already.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct PublishOptions {
    pub(crate) try_timeout: Duration,
    pub(crate) tries_max: u32,
    pub(crate) total_timeout: Duration,
}

impl PublishOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self { try_timeout: TRY_TIMEOUT, tries_max: TRIES_MAX, total_timeout: TOTAL_TIMEOUT }
    }

    /// How long one try may wait for the acknowledgement. Default 5 s. A link that is lost ends its tries earlier; and after 1, 2 and
    /// 4 s without an answer the next try begins beside those before, whose answers still count.
    pub fn try_timeout(mut self, limit: Duration) -> Self {
        self.try_timeout = limit;
        self
    }

    /// How often a message is sent at most, the first time included. Default 12; 0 is taken as 1.
    pub fn tries_max(mut self, tries: u32) -> Self {
        self.tries_max = tries.max(1);
        self
    }

    /// How long all tries together may take, with the pauses between them. Default 15 s.
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
