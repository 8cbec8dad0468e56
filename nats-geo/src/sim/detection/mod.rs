//! How soon a failure detector notices a silent link, against how often it is wrong: every detector on the same trace
//! of PINGs over an imperfect path.
//!
//! [`Study`] is the experiment as data, [`Detector`] who takes part, [`Outcome`] what came out. `trace.rs` makes PINGs
//! and their answers, `judge.rs` is the detectors.
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

/// PINGs over one path for many days, and blackholes at random moments.
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
    /// Each way of the path.
    pub path: PathModel,
    /// Between two PINGs, except that a detector which awaits an answer may leave some out.
    pub ping_interval: Duration,
    /// Length of the simulated trace: days of one client. Default 10.
    pub days: f64,
    /// Blackholes per day of one client; none of them leaves a trace. Default 1000.
    pub blackholes_per_day: f64,
    /// The same seed gives the same trace.
    pub seed: u64,
}

/// A rule that says when silence means failure.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Detector {
    /// The policy's own: suspect and dead follow TCP's ladder of retransmissions.
    Ladder(WatchConfig),
    /// The oldest PING without an answer is this old. One verdict, which is both.
    Fixed(Duration),
    /// RFC 6298 with this minimum: suspect when the timer of the oldest PING expires, dead when the next timer, which is
    /// twice as long, expires too.
    Rfc6298 {
        /// Linux has 200 ms, the RFC 1 s.
        rto_min: Duration,
    },
    /// Phi accrual (Hayashibara et al. 2004) over the times between answers, with the logistic approximation and the
    /// window of Akka and Pekko. One verdict, which is both.
    Phi {
        /// Dead above this.
        threshold: f64,
        /// The deviation counts as no less than this.
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
    /// Who.
    pub detector: Detector,
    /// Suspicions of a link that was alive, per day of a client. Each costs one connection.
    pub false_suspicions_per_day: f64,
    /// Verdicts on a link that was alive, per day of a client.
    pub false_deaths_per_day: f64,
    /// Median of the times from the blackhole to the suspicion.
    pub suspect_p50: Duration,
    /// The 99th percentile.
    pub suspect_p99: Duration,
    /// From the blackhole to the verdict: the median.
    pub dead_p50: Duration,
    /// The 99th percentile.
    pub dead_p99: Duration,
    /// How many blackholes there were.
    pub blackholes: usize,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Study {
    /// A path of the public internet with this round trip.
    pub fn new(rtt: Duration, ping_interval: Duration) -> Self {
        Self {
            path: PathModel::internet(rtt / 2),
            ping_interval,
            days: 10.0,
            blackholes_per_day: 1_000.0,
            seed: 1,
        }
    }

    /// Shows every detector the same trace.
    ///
    /// # Panics
    /// The ping interval is zero, or there is no day: there would be nothing to see.
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
