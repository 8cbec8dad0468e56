//! The only place where the native driver reads a clock.

use std::time::{Duration, Instant};

use async_nats::datetime::DateTime;

use crate::core::Time;

/// Maps the monotonic clock to the driver's [`Time`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock that shows zero now.
    pub(crate) fn start() -> Self {
        Self { started: now() }
    }

    /// The moment at which this clock showed zero.
    pub(crate) const fn started(self) -> Instant {
        self.started
    }

    pub(crate) fn now(self) -> Time {
        Time::from_start(now().saturating_duration_since(self.started))
    }

    /// Returns at `deadline`, at once if it is over, and never if there is none.
    pub(crate) async fn sleep_until(self, deadline: Option<Time>) {
        match deadline.and_then(|at| self.started.checked_add(at.since_start())) {
            Some(at) => tokio::time::sleep_until(at.into()).await,
            None => std::future::pending().await,
        }
    }
}

/// The calendar's time, for what is written down: nothing is measured by it.
pub(crate) fn today() -> DateTime {
    async_nats::datetime::now()
}

/// How long ago `earlier` was.
pub(crate) fn since(earlier: Instant) -> Duration {
    now().saturating_duration_since(earlier)
}

/// For differences of two readings within one operation; everything else asks a [`Clock`].
#[expect(clippy::disallowed_methods, reason = "the one place where the native driver reads the clock")]
pub(crate) fn now() -> Instant {
    Instant::now()
}
