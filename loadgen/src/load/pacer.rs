//! An open-loop schedule: its times do not depend on the replies.

use std::time::{Duration, Instant};

use super::ramp::Ramp;
use crate::clock;
use crate::seed::Lcg;

/// Points in time at a fixed rate. Late ones are made up for at once, never skipped: otherwise an outage
/// would hide the requests that it swallowed (coordinated omission).
#[derive(Clone, Debug)]
pub struct Pacer {
    start: Instant,
    times: Times,
}

#[derive(Clone, Debug)]
enum Times {
    /// Even ticks.
    Even { period: Duration, ticks: u32 },
    /// The next tick of a Poisson process.
    Random { mean: Duration, random: Lcg, next: Instant },
    /// Ticks of a rate that changes; `count` of them are over. With a generator, they are a Poisson process.
    Changing { ramp: Ramp, count: f64, random: Option<Lcg> },
}

impl Pacer {
    /// `per_second` ticks, the first at `start`.
    pub fn new(start: Instant, per_second: u16) -> Self {
        Self { start, times: Times::Even { period: period(per_second), ticks: 0 } }
    }

    /// `per_second` ticks on average, as a Poisson process: the gaps between ticks are exponential, and independent of each other. So
    /// many independent users arrive, and bursts show queues that even ticks hide. The same seed gives the same times.
    pub fn poisson(start: Instant, per_second: u16, seed: u64) -> Self {
        let (mean, mut random) = (period(per_second), Lcg::new(seed));
        let next = start + mean.mul_f64(exponential(&mut random));
        Self { start, times: Times::Random { mean, random, next } }
    }

    /// Ticks at a rate that changes from `start` on. The first tick comes at or after `from`. `share`, 0 to 1, is the share of a gap
    /// by which even ticks are late; with a seed, the ticks are a Poisson process.
    pub fn changing(start: Instant, ramp: Ramp, from: Instant, share: f64, seed: Option<u64>) -> Self {
        let count = ramp.count_at(from.saturating_duration_since(start));
        let count = if seed.is_some() { count } else { (count - share).ceil() - 1.0 + share };
        Self { start, times: Times::Changing { ramp, count, random: seed.map(Lcg::new) } }
    }

    /// Waits for the next tick and returns when it was intended. Once the rate stays 0, it waits for ever.
    pub async fn tick(&mut self) -> Instant {
        let Some(intended) = self.next() else { return std::future::pending().await };
        if intended > clock::now() {
            tokio::time::sleep_until(intended.into()).await;
        }
        intended
    }

    fn next(&mut self) -> Option<Instant> {
        match &mut self.times {
            Times::Even { period, ticks } => {
                let intended = self.start + *period * *ticks;
                *ticks += 1;
                Some(intended)
            }
            Times::Random { mean, random, next } => {
                let intended = *next;
                *next += mean.mul_f64(exponential(random));
                Some(intended)
            }
            Times::Changing { ramp, count, random } => {
                *count += random.as_mut().map_or(1.0, exponential);
                Some(self.start + ramp.time_of(*count)?)
            }
        }
    }
}

fn period(per_second: u16) -> Duration {
    Duration::from_secs(1) / u32::from(per_second.max(1))
}

/// A gap, in means. The generator's share can be 1, whose gap would have no end.
fn exponential(random: &mut Lcg) -> f64 {
    -(1.0 - random.share().min(LARGEST_SHARE)).ln()
}

/// Gaps of more than 20 means come once in 480 million.
const LARGEST_SHARE: f64 = 1.0 - 2e-9;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::ramp::RateChange;

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
            let times: Vec<_> = (0..10_000).map(|_| pacer.next().unwrap()).collect();
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

    fn seconds(pacer: &mut Pacer, start: Instant, count: usize) -> Vec<f64> {
        (0..count).map_while(|_| pacer.next()).map(|at| (at - start).as_secs_f64()).collect()
    }

    #[test]
    fn ticks_of_a_changing_rate_begin_where_a_client_joins() {
        let (start, second) = (clock::now(), Duration::from_secs(1));
        let change = RateChange { at: second, over: Duration::ZERO, from: 4.0, to: 0.0 };
        let ramp = Ramp::new(Some(4.0), &[change]);
        let from = |at: Duration, share: f64| Pacer::changing(start, ramp.clone(), start + at, share, None);
        assert_eq!(seconds(&mut from(Duration::ZERO, 0.0), start, 9), [0.0, 0.25, 0.5, 0.75, 1.0]);
        assert_eq!(seconds(&mut from(Duration::ZERO, 0.5), start, 9), [0.125, 0.375, 0.625, 0.875]);
        assert_eq!(seconds(&mut from(second / 2, 0.0), start, 9), [0.5, 0.75, 1.0]);
        assert_eq!(seconds(&mut from(second * 2, 0.5), start, 9), [0.0; 0]);
    }

    #[test]
    fn random_ticks_of_a_growing_rate_follow_its_area() {
        let start = clock::now();
        let change = RateChange { at: Duration::ZERO, over: Duration::from_secs(100), from: 0.0, to: 200.0 };
        let mut pacer = Pacer::changing(start, Ramp::new(None, &[change]), start, 0.0, Some(7));
        let times = seconds(&mut pacer, start, 10_000);
        // A quarter of all in the first half of the time.
        let early = times.iter().filter(|time| **time < 50.0).count();
        assert!((2_350..2_650).contains(&early), "{early}");
    }
}
