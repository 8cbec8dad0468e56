//! The agent's estimate of the controller's clock.

use std::time::{Duration, Instant};

use crate::ops::Reading;

/// Converts between this process's clock and the time since the origin of a play, which is the controller's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timebase {
    origin: Instant,
    error: Duration,
}

impl Timebase {
    /// Of the controller itself.
    pub(crate) const fn exact(origin: Instant) -> Self {
        Self { origin, error: Duration::ZERO }
    }

    /// Takes the reading with the shortest round trip: the answer was given somewhere in it, so half of it bounds the error (Cristian,
    /// Probabilistic clock synchronization, 1989). `None`: there is no reading.
    pub(crate) fn of(readings: &[Reading]) -> Option<Self> {
        let round_trip = |reading: &&Reading| reading.answered.saturating_duration_since(reading.asked);
        let best = readings.iter().min_by_key(round_trip)?;
        let error = round_trip(&best) / 2;
        // Before the origin of an instant there may be nothing: a machine that was just started.
        Some(Self { origin: (best.asked + error).checked_sub(best.answer)?, error })
    }

    /// The origin of the play.
    pub(crate) const fn origin(&self) -> Instant {
        self.origin
    }

    /// The bound of the error during a play, with a later reading: the clocks have drifted by at most the difference between both.
    pub(crate) fn error_until(&self, later: &Self) -> Duration {
        let drift = self.origin.max(later.origin) - self.origin.min(later.origin);
        self.error.max(drift + later.error)
    }

    /// A time of the agent is wrong by at most so much, as long as the clocks do not drift.
    pub(crate) const fn error(&self) -> Duration {
        self.error
    }

    /// By this process's clock.
    pub(crate) fn instant(&self, since_origin: Duration) -> Instant {
        self.origin + since_origin
    }

    /// Since the origin of the play; zero for what was before.
    pub(crate) fn since_origin(&self, at: Instant) -> Duration {
        at.saturating_duration_since(self.origin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn the_shortest_round_trip_tells_the_offset_of_two_clocks() {
        let ms = Duration::from_millis;
        // By the agent's clock, the origin was 500 ms after `zero`.
        let zero = clock::now();
        let reading = |asked: u64, there: u64, back: u64| Reading {
            asked: zero + ms(asked),
            answer: ms(asked + there - 500),
            answered: zero + ms(asked + there + back),
        };
        let time =
            Timebase::of(&[reading(1_000, 9, 1), reading(1_100, 1, 2), reading(1_200, 1, 30)]).unwrap();
        let off = time.origin().saturating_duration_since(zero).abs_diff(ms(500));
        assert!(off <= time.error(), "{off:?} of {:?}", time.error());
        assert_eq!(time.error(), Duration::from_micros(1_500));
        assert_eq!(time.since_origin(time.instant(ms(77))), ms(77));
        assert_eq!(time.since_origin(zero), Duration::ZERO);
        assert!(Timebase::of(&[]).is_none());
    }

    #[test]
    fn drift_adds_to_the_error() {
        let zero = clock::now();
        let time = |origin_us, error_us| Timebase {
            origin: zero + Duration::from_micros(origin_us),
            error: Duration::from_micros(error_us),
        };
        let start = time(1_000, 80);
        for (end, expected) in [(time(1_000, 50), 80), (time(1_300, 50), 350), (time(700, 10), 310)] {
            assert_eq!(start.error_until(&end), Duration::from_micros(expected));
        }
    }
}
