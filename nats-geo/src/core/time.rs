//! The time of the core: the duration since the driver started.

use std::fmt;
use std::ops::{Add, AddAssign};
use std::time::Duration;

/// Monotonic time since the driver started.
///
/// The core reads no clock: a driver (tokio, a browser, a simulator) passes the current `Time` into every call.
/// `std::time::Instant` is not suitable: it panics on `wasm32-unknown-unknown`, and a simulator cannot create one.
///
/// The value counts nanoseconds, up to 584 years. Comparing this one integer is cheaper than comparing the two integers
/// of a `Duration`.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Time(u64);

impl Time {
    /// The moment at which the driver started.
    pub const ZERO: Self = Self(0);

    /// Later than whatever happens.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// Returns the moment `since_start` after the driver started.
    pub const fn from_start(since_start: Duration) -> Self {
        Self(nanos(since_start))
    }

    /// Returns the moment `ms` milliseconds after the driver started.
    pub const fn from_millis(ms: u64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// Returns the time since the driver started.
    pub const fn since_start(self) -> Duration {
        Duration::from_nanos(self.0)
    }

    /// Returns the duration from `earlier` to this time; zero if this time is not later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Time {
    type Output = Self;

    /// Saturates: a deadline that cannot be represented is never reached.
    fn add(self, later_by: Duration) -> Self {
        Self(self.0.saturating_add(nanos(later_by)))
    }
}

impl AddAssign<Duration> for Time {
    fn add_assign(&mut self, later_by: Duration) {
        *self = *self + later_by;
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = self.0.saturating_add(500_000) / 1_000_000;
        write!(f, "{}.{:03}s", millis / 1_000, millis % 1_000)
    }
}

/// Saturates: what is longer than 584 years is not told apart.
const fn nanos(duration: Duration) -> u64 {
    duration.as_secs().saturating_mul(1_000_000_000).saturating_add(duration.subsec_nanos() as u64)
}

/// The earlier of two deadlines, where `None` means that there is none.
pub(crate) fn earliest(a: Option<Time>, b: Option<Time>) -> Option<Time> {
    match (a, b) {
        (Some(a), Some(b)) => Some(a.min(b)),
        (only, None) | (None, only) => only,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_and_sums_saturate() {
        let one = Time::from_millis(1_000);
        assert_eq!(one.since(Time::from_millis(400)), Duration::from_millis(600));
        assert_eq!(Time::ZERO.since(one), Duration::ZERO);
        assert_eq!((one + Duration::MAX).since_start(), Duration::from_nanos(u64::MAX));
    }

    #[test]
    fn the_earliest_of_two_deadlines() {
        let (a, b) = (Some(Time::from_millis(1)), Some(Time::from_millis(2)));
        assert_eq!(earliest(a, b), a);
        assert_eq!(earliest(None, b), b);
        assert_eq!(earliest(a, None), a);
        assert_eq!(earliest(None, None), None);
    }
}
