//! The rate limit of one direction of a connection.

use std::num::NonZeroU64;
use std::time::{Duration, Instant};

use super::READ_BYTES;

/// A token bucket that holds one parcel. Pure: it reads no clock.
///
/// It limits reading, so a sender that is too fast waits, as in front of a slow link, and the queue behind it stays short.
#[derive(Debug)]
pub(super) struct Pace {
    /// All that was read has passed by then.
    free_at: Instant,
}

impl Pace {
    pub(super) fn new(now: Instant) -> Self {
        Self { free_at: now }
    }

    /// The time from which more may be read.
    pub(super) fn free_at(&self) -> Instant {
        self.free_at
    }

    /// Records bytes that were read at `now`, and returns when the last of them has passed.
    pub(super) fn pass(&mut self, bytes: usize, now: Instant, bytes_per_second: NonZeroU64) -> Instant {
        let nanos = bytes as u128 * 1_000_000_000 / u128::from(bytes_per_second.get());
        let takes = Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX));
        self.free_at = self.free_at.max(now) + takes;
        self.free_at
    }

    /// The bytes that one read takes at most: those of 10 ms, so that the rate is even.
    pub(super) fn parcel_bytes(bytes_per_second: NonZeroU64) -> usize {
        let of_10_ms = usize::try_from(bytes_per_second.get() / 100).unwrap_or(usize::MAX);
        of_10_ms.clamp(1, READ_BYTES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rate(bytes_per_second: u64) -> NonZeroU64 {
        NonZeroU64::new(bytes_per_second).unwrap()
    }

    #[test]
    fn a_backlog_passes_at_the_rate() {
        let start = crate::clock::now();
        let mut pace = Pace::new(start);
        for second in 1..=10 {
            assert_eq!(pace.pass(1_000, start, rate(1_000)), start + Duration::from_secs(second));
        }
        assert_eq!(pace.free_at(), start + Duration::from_secs(10));
    }

    #[test]
    fn idle_time_is_no_credit() {
        let start = crate::clock::now();
        let mut pace = Pace::new(start);
        let later = start + Duration::from_secs(60);
        assert_eq!(pace.pass(500, later, rate(1_000)), later + Duration::from_millis(500));
    }

    #[test]
    fn a_parcel_has_a_hundredth_of_a_second() {
        assert_eq!(Pace::parcel_bytes(rate(1)), 1);
        assert_eq!(Pace::parcel_bytes(rate(100_000)), 1_000);
        assert_eq!(Pace::parcel_bytes(rate(u64::MAX)), READ_BYTES);
    }
}
