//! Paths between sites: distance, jitter, loss, bursts, queue spikes, cuts.
//!
//! A path carries segments of TCP connections, so a loss is a delay. The sender retransmits a segment, with growing
//! pauses, until it arrives or the connection ends.

use std::time::Duration;

use crate::core::Time;
use crate::core::rng::{Rng, scale};

/// Model of one direction of a path.
///
/// ```
/// use nats_geo::sim::PathModel;
/// use std::time::Duration;
///
/// let lon_to_ams = PathModel::internet(Duration::from_micros(4_500));
/// assert_eq!(lon_to_ams.loss, 0.001);
/// assert_eq!(PathModel::clean(Duration::from_millis(1)).loss, 0.0);
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct PathModel {
    /// Delay from one end to the other, without queues.
    pub one_way: Duration,
    /// Mean queueing delay, as a share of `one_way`. The delays have an exponential distribution.
    pub jitter: f64,
    /// Share of segments that are lost, outside bursts.
    pub loss: f64,
    /// Bursts of loss.
    pub bursts: Option<Bursts>,
    /// Times in which a queue fills and drains again.
    pub spikes: Option<Spikes>,
}

/// Short times in which many segments are lost.
#[derive(Clone, Debug, PartialEq)]
pub struct Bursts {
    /// Mean time between two bursts.
    pub every: Duration,
    /// Duration of each burst.
    pub lasts: Duration,
    /// Share of segments that are lost during a burst.
    pub loss: f64,
}

/// Times in which a queue fills and drains again.
#[derive(Clone, Debug, PartialEq)]
pub struct Spikes {
    /// Mean time between two spikes.
    pub every: Duration,
    /// Duration of each spike.
    pub lasts: Duration,
    /// Delay at the peak of a spike.
    pub delay: Duration,
}

impl PathModel {
    /// Returns a path without jitter, loss, bursts and spikes.
    pub const fn clean(one_way: Duration) -> Self {
        Self { one_way, jitter: 0.0, loss: 0.0, bursts: None, spikes: None }
    }

    /// Returns a path of the public internet, with loss, bursts and spikes. The comparison of failure detectors
    /// ([`detection`](super::detection)) uses the same values. The results of this comparison are the reason for the
    /// defaults of the configuration.
    pub const fn internet(one_way: Duration) -> Self {
        Self {
            one_way,
            jitter: 0.02,
            loss: 0.001,
            bursts: Some(Bursts {
                every: Duration::from_secs(300),
                lasts: Duration::from_millis(200),
                loss: 0.5,
            }),
            spikes: Some(Spikes {
                every: Duration::from_secs(600),
                lasts: Duration::from_secs(3),
                delay: Duration::from_millis(100),
            }),
        }
    }
}

/// One direction of a path, and what is wrong with it now.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    model: PathModel,
    rng: Rng,
    bursts: Episodes,
    spikes: Episodes,
    /// Nothing passes.
    pub(crate) cut: bool,
    /// Added to the distance.
    pub(crate) extra: Duration,
    /// Replaces the model's loss.
    pub(crate) loss: Option<f64>,
}

impl Path {
    pub(crate) fn new(model: PathModel, seed: u64) -> Self {
        Self {
            model,
            rng: Rng::new(seed),
            bursts: Episodes::default(),
            spikes: Episodes::default(),
            cut: false,
            extra: Duration::ZERO,
            loss: None,
        }
    }

    /// The distance, without what queues add.
    pub(crate) fn one_way(&self) -> Duration {
        self.model.one_way + self.extra
    }

    /// Sends a segment now. Returns how long it takes; `None` if it is lost.
    pub(crate) fn send(&mut self, now: Time) -> Option<Duration> {
        let burst = self.model.bursts.as_ref();
        let burst =
            burst.filter(|model| self.bursts.passed(model.every, model.lasts, now, &mut self.rng).is_some());
        let loss = burst.map_or(0.0, |model| model.loss).max(self.loss.unwrap_or(self.model.loss));
        if self.cut || self.rng.unit() < loss {
            return None;
        }
        let queue = scale(self.model.one_way, self.model.jitter * self.rng.exponential());
        Some(self.one_way() + queue + self.spike(now))
    }

    /// Back to the model.
    pub(crate) fn heal(&mut self) {
        self.cut = false;
        self.extra = Duration::ZERO;
        self.loss = None;
    }

    /// The delay rises to its peak and falls again.
    fn spike(&mut self, now: Time) -> Duration {
        let Some(model) = &self.model.spikes else { return Duration::ZERO };
        let passed = self.spikes.passed(model.every, model.lasts, now, &mut self.rng);
        passed.map_or(Duration::ZERO, |share| scale(model.delay, 1.0 - (2.0 * share - 1.0).abs()))
    }
}

/// Times that come at random and last equally long.
#[derive(Clone, Debug, Default)]
struct Episodes {
    next: Option<Time>,
}

impl Episodes {
    /// How much of the episode that is going on has passed, from 0 to 1; `None` between two.
    fn passed(&mut self, every: Duration, lasts: Duration, now: Time, rng: &mut Rng) -> Option<f64> {
        let mut next = self.next.unwrap_or_else(|| Time::ZERO + scale(every, rng.exponential()));
        while next + lasts <= now {
            next = next + lasts + scale(every, rng.exponential());
        }
        self.next = Some(next);
        (next <= now).then(|| now.since(next).as_secs_f64() / lasts.as_secs_f64())
    }
}

/// When a segment that was not acknowledged is sent again for the `attempt`-th time, counted from 0.
///
/// Linux waits SRTT + max(200 ms, 4 RTTVAR), and 1 s for a SYN, whose round trip is unknown; then twice as
/// long each time, up to 2 minutes.
pub(crate) fn retransmit_after(attempt: u32, round_trip: Duration, is_first: bool) -> Duration {
    const MIN: Duration = Duration::from_millis(200);
    const FIRST: Duration = Duration::from_secs(1);
    const MAX: Duration = Duration::from_secs(120);
    /// Beyond this, the maximum holds anyway.
    const DOUBLINGS_MAX: u32 = 16;
    let base = if is_first { FIRST } else { round_trip + MIN };
    (base * (1 << attempt.min(DOUBLINGS_MAX))).min(MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_clean_path_takes_its_distance_and_what_is_added() {
        let mut path = Path::new(PathModel::clean(ms(5)), 1);
        assert_eq!(path.send(Time::ZERO), Some(ms(5)));
        path.extra = ms(200);
        assert_eq!(path.send(Time::ZERO), Some(ms(205)));
        path.cut = true;
        assert_eq!(path.send(Time::ZERO), None);
        path.heal();
        assert_eq!(path.send(Time::ZERO), Some(ms(5)));
    }

    #[test]
    fn loss_comes_as_often_as_the_model_says_and_more_often_in_bursts() {
        let mut model = PathModel::internet(ms(5));
        model.bursts = None;
        model.loss = 0.1;
        let lost = |path: &mut Path, step_ms: u64| {
            (0..10_000).filter(|i| path.send(Time::from_millis(i * step_ms)).is_none()).count()
        };
        let without = lost(&mut Path::new(model.clone(), 7), 10);
        assert!((900..1_100).contains(&without), "{without} of 10000 at 10 %");

        model.loss = 0.0;
        model.bursts = Some(Bursts { every: ms(900), lasts: ms(100), loss: 1.0 });
        let with = lost(&mut Path::new(model, 7), 10);
        assert!((800..1_200).contains(&with), "{with} of 10000 in bursts that take a tenth of the time");
    }

    #[test]
    fn a_spike_rises_and_falls_and_never_exceeds_its_peak() {
        let mut model = PathModel::clean(ms(5));
        model.spikes = Some(Spikes { every: ms(500), lasts: ms(500), delay: ms(100) });
        let mut path = Path::new(model, 3);
        let delays: Vec<_> = (0..5_000).filter_map(|i| path.send(Time::from_millis(i * 2))).collect();
        assert!(delays.iter().all(|delay| (ms(5)..=ms(105)).contains(delay)));
        assert!(delays.iter().max() > Some(&ms(100)) && delays.iter().min() == Some(&ms(5)));
    }

    #[test]
    fn the_ladder_doubles_from_200_ms_above_the_round_trip() {
        let ladder: Vec<_> = (0..4).map(|attempt| retransmit_after(attempt, ms(9), false)).collect();
        assert_eq!(ladder, [ms(209), ms(418), ms(836), ms(1_672)]);
        assert_eq!(retransmit_after(0, ms(9), true), ms(1_000));
        assert_eq!(retransmit_after(u32::MAX, ms(9), true), Duration::from_secs(120));
    }
}
