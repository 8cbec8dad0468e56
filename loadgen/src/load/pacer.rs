//! An open-loop schedule: it never moves, whatever the replies do.

use std::time::{Duration, Instant};

use crate::clock;
use crate::seed::Lcg;

/// Points in time at a fixed rate. Late ones are made up for at once, never skipped: otherwise an outage
/// would hide the requests that it swallowed (coordinated omission).
#[derive(Clone, Debug)]
pub struct Pacer {
    start: Instant,
    period: Duration,
    ticks: u32,
    /// The next tick of a Poisson process; `None` for even ticks.
    random: Option<(Lcg, Instant)>,
}

impl Pacer {
    /// `per_second` ticks, the first at `start`.
    pub fn new(start: Instant, per_second: u16) -> Self {
        Self { start, period: Duration::from_secs(1) / u32::from(per_second.max(1)), ticks: 0, random: None }
    }

    /// `per_second` ticks on average, as a Poisson process: the gaps between ticks are exponential, and independent of each other. So
    /// many independent users arrive, and bursts show queues that even ticks hide. The same seed gives the same times.
    pub fn poisson(start: Instant, per_second: u16, seed: u64) -> Self {
        let mut pacer = Self::new(start, per_second);
        let mut random = Lcg::new(seed);
        let first = start + exponential(pacer.period, &mut random);
        pacer.random = Some((random, first));
        pacer
    }

    /// Waits for the next tick and returns when it was intended.
    pub async fn tick(&mut self) -> Instant {
        let intended = self.next();
        if intended > clock::now() {
            tokio::time::sleep_until(intended.into()).await;
        }
        intended
    }

    fn next(&mut self) -> Instant {
        if let Some((random, next)) = &mut self.random {
            let intended = *next;
            *next += exponential(self.period, random);
            return intended;
        }
        let intended = self.start + self.period * self.ticks;
        self.ticks += 1;
        intended
    }
}

/// A gap with this mean. The generator's share can be 1, whose gap would have no end.
fn exponential(mean: Duration, random: &mut Lcg) -> Duration {
    mean.mul_f64(-(1.0 - random.share().min(LARGEST_SHARE)).ln())
}

/// Gaps of more than 20 means come once in 480 million.
const LARGEST_SHARE: f64 = 1.0 - 2e-9;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ticks_that_are_overdue_come_at_once_and_keep_their_times() {
        let start = clock::now() - Duration::from_millis(95);
        let mut pacer = Pacer::new(start, 100);
        let mut intended = Vec::new();
        for _ in 0..12 {
            intended.push(pacer.tick().await);
        }
        let gaps = intended.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.into_iter().all(|gap| gap == Duration::from_millis(10)));
        assert!(clock::now() >= start + Duration::from_millis(110), "the last two were waited for");
    }

    #[test]
    fn poisson_ticks_have_the_rate_and_the_spread_of_independent_users() {
        let start = clock::now();
        let gaps = |seed: u64| {
            let mut pacer = Pacer::poisson(start, 100, seed);
            let times: Vec<_> = (0..10_000).map(|_| pacer.next()).collect();
            times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs_f64() * 1_000.0).collect::<Vec<_>>()
        };
        let (first, same, other) = (gaps(7), gaps(7), gaps(8));
        assert!(first == same && first != other);
        let mean = first.iter().sum::<f64>() / first.len() as f64;
        let variance = first.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / first.len() as f64;
        assert!((9.5..10.5).contains(&mean), "{mean} ms");
        let spread = variance.sqrt() / mean;
        assert!(
            (0.95..1.05).contains(&spread),
            "exponential gaps spread by their mean, not by {spread} of it"
        );
    }
}
