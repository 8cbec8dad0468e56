//! This module limits how often the client dials: by exponential back-off with full jitter, and by a token bucket.

use std::time::Duration;

use super::Time;
use super::rng::Rng;

/// "Full jitter": the n-th wait is U(0, min(cap, base x 2^n)) (AWS Architecture Blog, 2015).
#[derive(Clone, Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    pub(crate) fn next(&mut self, base: Duration, cap: Duration, rng: &mut Rng) -> Duration {
        let ceiling = base.saturating_mul(2_u32.saturating_pow(self.failures)).min(cap);
        self.failures = self.failures.saturating_add(1);
        rng.up_to(ceiling)
    }

    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }
}

/// Allows a burst, then a rate.
#[derive(Clone, Debug)]
pub(crate) struct TokenBucket {
    tokens: f64,
    at: Time,
    burst: f64,
    per_second: f64,
}

impl TokenBucket {
    pub(crate) fn new(burst: u32, per_second: f64, now: Time) -> Self {
        Self { tokens: f64::from(burst), at: now, burst: f64::from(burst), per_second }
    }

    /// Takes a token if there is one.
    pub(crate) fn take(&mut self, now: Time) -> bool {
        self.refill(now);
        let available = self.tokens + ROUNDING >= 1.0;
        if available {
            self.tokens = (self.tokens - 1.0).max(0.0);
        }
        available
    }

    /// When the next token can be taken, if none is taken before.
    pub(crate) fn available_at(&self) -> Time {
        if self.tokens >= 1.0 {
            return self.at;
        }
        let missing = (1.0 - self.tokens).max(0.0);
        self.at + Duration::try_from_secs_f64(missing / self.per_second).unwrap_or(Duration::MAX)
    }

    /// Returns whether so many tokens can be taken at once.
    #[cfg(feature = "sim")]
    pub(crate) const fn has(&self, tokens: f64) -> bool {
        self.tokens >= tokens
    }

    /// Returns whether so many per second can be taken for ever.
    #[cfg(feature = "sim")]
    pub(crate) const fn earns(&self, per_second: f64) -> bool {
        self.per_second >= per_second
    }

    fn refill(&mut self, now: Time) {
        let earned = now.since(self.at).as_secs_f64() * self.per_second;
        self.tokens = (self.tokens + earned).min(self.burst);
        self.at = self.at.max(now);
    }
}

/// A token that is due to the nanosecond must not be missed by a rounding error.
const ROUNDING: f64 = 1e-6;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_jitter_grows_to_the_cap_and_starts_anew() {
        let (base, cap) = (Duration::from_millis(500), Duration::from_secs(30));
        let mut rng = Rng::new(3);
        let largest = |failures: u32, rng: &mut Rng| {
            let draw = |rng: &mut Rng| Backoff { failures }.next(base, cap, rng);
            (0..500).map(|_| draw(rng)).max().unwrap().as_secs_f64()
        };
        for (failures, ceiling) in [(0, 0.5), (1, 1.0), (3, 4.0), (6, 30.0), (40, 30.0)] {
            let seen = largest(failures, &mut rng);
            assert!(seen <= ceiling && seen > 0.9 * ceiling, "{seen} of {ceiling} after {failures}");
        }
        let mut backoff = Backoff { failures: 9 };
        backoff.reset();
        assert!(backoff.next(base, cap, &mut rng) <= base);
    }

    #[test]
    fn a_burst_then_the_rate() {
        let mut bucket = TokenBucket::new(3, 0.5, Time::ZERO);
        assert!((0..3).all(|_| bucket.take(Time::ZERO)));
        assert!(!bucket.take(Time::from_millis(1_999)));
        assert_eq!(bucket.available_at().since_start().as_millis(), 2_000);
        assert!(bucket.take(Time::from_millis(2_000)));
        assert!((0..3).all(|_| bucket.take(Time::from_millis(60_000))), "refills to the burst");
        assert!(!bucket.take(Time::from_millis(60_000)));
    }
}
