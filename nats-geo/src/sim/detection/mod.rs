//! This module compares failure detectors: the time until a detector notices a silent link, and the rate of its false
//! alarms. All detectors get the same trace of PINGs over a path with loss and delay.
//!
//! [`Study`] is the experiment, [`Detector`] is a detector, and [`Outcome`] is its result. `trace.rs` simulates PINGs
//! and their answers, and `judge.rs` implements the detectors.
//!
#![doc = include_str!("findings.md")]
#![doc = ""]
#![doc = include_str!("detectors.svg")]

mod judge;
mod trace;

use std::collections::VecDeque;
use std::fmt;
use std::time::Duration;

use super::PathModel;
use crate::core::rng::{Rng, scale};
use crate::core::{Time, WatchConfig};
use judge::{Judge, Silence};
use trace::{Happening, Trace};

/// An experiment: PINGs over one path for many days, with blackholes at random moments.
///
/// ```
/// use nats_geo::core::Config;
/// use nats_geo::sim::detection::{Detector, Study};
/// use std::time::Duration;
///
/// let mut study = Study::new(Duration::from_millis(9), Duration::from_millis(500));
/// study.days = 0.1;
/// let ladder = Detector::Ladder(Config::interactive().watch);
/// let [outcome] = &study.run(&[ladder])[..] else { unreachable!("one detector, one outcome") };
/// assert!(outcome.suspect_p99 < Duration::from_secs(1));
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Study {
    /// The path, which is the same in both directions.
    pub path: PathModel,
    /// Time between two PINGs. A detector that waits for an answer may skip PINGs.
    pub ping_interval: Duration,
    /// Length of the simulated trace, in days of one client. Default 10.
    pub days: f64,
    /// Blackholes per day of one client. A blackhole does not change the trace: the study only computes when each
    /// detector would notice it. Default 1000.
    pub blackholes_per_day: f64,
    /// Seed of all random choices. The same seed gives the same trace.
    pub seed: u64,
}

/// A failure detector. It decides how long a link must be silent until it counts as failed.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Detector {
    /// The detector of nats-geo: the times until a link is suspect or dead follow the retransmission times of TCP.
    Ladder(WatchConfig),
    /// The link becomes suspect and dead at the same moment: when the oldest PING without an answer is this old.
    Fixed(Duration),
    /// The timer of RFC 6298 with a minimum. The link is suspect when the timer of the oldest PING expires. The link is
    /// dead when the next timer, which is twice as long, also expires.
    Rfc6298 {
        /// Minimum of the timer: 200 ms in Linux, 1 s in the RFC.
        rto_min: Duration,
    },
    /// Phi accrual (Hayashibara et al. 2004) over the times between answers, with the logistic approximation and the
    /// window of Akka and Pekko. The link becomes suspect and dead at the same moment.
    Phi {
        /// The link is dead above this value of phi.
        threshold: f64,
        /// Minimum of the standard deviation.
        deviation_min: Duration,
    },
}

/// The name in tables.
impl fmt::Display for Detector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ladder(_) => f.write_str("ladder"),
            Self::Fixed(after) => write!(f, "fixed {after:?}"),
            Self::Rfc6298 { rto_min } => write!(f, "RFC 6298, {rto_min:?}"),
            Self::Phi { threshold, deviation_min } => write!(f, "phi {threshold}, {deviation_min:?}"),
        }
    }
}

/// Result of a detector.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// The detector.
    pub detector: Detector,
    /// Suspicions of a link that was alive, per day of a client. Each suspicion costs one connection.
    pub false_suspicions_per_day: f64,
    /// Times per day of a client that the detector declared a working link dead.
    pub false_deaths_per_day: f64,
    /// Median of the times from the blackhole to the suspicion.
    pub suspect_p50: Duration,
    /// 99th percentile of the times from the blackhole to the suspicion.
    pub suspect_p99: Duration,
    /// Median of the times from the blackhole until the detector declared the link dead.
    pub dead_p50: Duration,
    /// 99th percentile of the times from the blackhole until the detector declared the link dead.
    pub dead_p99: Duration,
    /// Number of blackholes.
    pub blackholes: usize,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Study {
    /// Creates an experiment on a path of the public internet with this round-trip time.
    pub fn new(rtt: Duration, ping_interval: Duration) -> Self {
        Self {
            path: PathModel::internet(rtt / 2),
            ping_interval,
            days: 10.0,
            blackholes_per_day: 1_000.0,
            seed: 1,
        }
    }

    /// Runs all detectors on the same trace.
    ///
    /// # Panics
    /// `ping_interval` is zero, or `days` is not above zero.
    pub fn run(&self, detectors: &[Detector]) -> Vec<Outcome> {
        assert!(!self.ping_interval.is_zero(), "ping_interval is 0, but must be longer");
        assert!(self.days > 0.0, "days is {}, but must be more than 0", self.days);
        let end = Time::ZERO + scale(DAY, self.days);
        let mut trace = Trace::new(&self.path, self.ping_interval, self.seed);
        let mut blackholes = Blackholes::new(scale(DAY, 1.0 / self.blackholes_per_day), self.seed);
        let mut seats: Vec<_> = detectors.iter().map(|it| Seat::new(it, self.ping_interval)).collect();
        let mut unanswered = VecDeque::new();
        loop {
            let next_ping = trace.next_ping();
            let (now, happening) = trace.next();
            while let Some(at) = blackholes.before(now) {
                let since = unanswered.front().copied().unwrap_or(next_ping);
                seats.iter_mut().for_each(|seat| seat.blackhole(at, since));
            }
            if now > end {
                return seats.into_iter().map(|seat| seat.outcome(self.days)).collect();
            }
            match happening {
                Happening::Sent => {
                    unanswered.push_back(now);
                    seats.iter_mut().for_each(|seat| seat.judge.sent(now));
                }
                Happening::Answered => {
                    let Some(sent) = unanswered.pop_front() else { continue };
                    seats.iter_mut().for_each(|seat| seat.answered(sent, now));
                }
            }
        }
    }
}

/// Moments at which everything could fall silent.
struct Blackholes {
    every: Duration,
    next: Time,
    rng: Rng,
}

impl Blackholes {
    fn new(every: Duration, seed: u64) -> Self {
        let mut it = Self { every, next: Time::ZERO, rng: Rng::new(!seed) };
        it.advance();
        it
    }

    /// The next one, if it comes before that.
    fn before(&mut self, now: Time) -> Option<Time> {
        let at = self.next;
        (at < now).then(|| {
            self.advance();
            at
        })
    }

    fn advance(&mut self) {
        self.next += scale(self.every, 2.0 * self.rng.unit());
    }
}

/// A detector at the trace, and the score.
struct Seat {
    detector: Detector,
    judge: Judge,
    false_suspicions: u64,
    false_deaths: u64,
    suspect: Vec<Duration>,
    dead: Vec<Duration>,
}

impl Seat {
    fn new(detector: &Detector, ping_interval: Duration) -> Self {
        Self {
            judge: Judge::new(detector, ping_interval),
            detector: detector.clone(),
            false_suspicions: 0,
            false_deaths: 0,
            suspect: Vec::new(),
            dead: Vec::new(),
        }
    }

    fn answered(&mut self, sent: Time, now: Time) {
        let silence = self.judge.if_silent(sent);
        if silence.suspect <= now {
            self.false_suspicions += 1;
        }
        if silence.dead <= now {
            self.false_deaths += 1;
            self.judge.restart(now);
        }
        self.judge.answered(sent, now);
    }

    fn blackhole(&mut self, at: Time, since: Time) {
        let Silence { suspect, dead } = self.judge.if_silent(since);
        self.suspect.push(suspect.since(at));
        self.dead.push(dead.since(at));
    }

    fn outcome(mut self, days: f64) -> Outcome {
        self.suspect.sort_unstable();
        self.dead.sort_unstable();
        Outcome {
            detector: self.detector,
            false_suspicions_per_day: self.false_suspicions as f64 / days,
            false_deaths_per_day: self.false_deaths as f64 / days,
            suspect_p50: percentile(&self.suspect, 50),
            suspect_p99: percentile(&self.suspect, 99),
            dead_p50: percentile(&self.dead, 50),
            dead_p99: percentile(&self.dead, 99),
            blackholes: self.dead.len(),
        }
    }
}

/// Of sorted values, the nearest rank.
fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests;
