//! The failure detectors. Each detector computes, from the answers so far, when a silent link becomes suspect and when
//! it counts as dead.

use std::collections::VecDeque;
use std::time::Duration;

use super::Detector;
use crate::core::rng::scale;
use crate::core::watch::{Due, Watch};
use crate::core::{PingId, Time, WatchConfig};

/// When the verdicts come if nothing comes any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Silence {
    pub(super) suspect: Time,
    pub(super) dead: Time,
}

/// A detector and what it has seen.
#[derive(Clone, Debug)]
pub(super) enum Judge {
    Ladder(Box<Ladder>),
    Fixed(Duration),
    Rfc6298(Rto),
    Phi(Phi),
}

impl Judge {
    pub(super) fn new(detector: &Detector, ping_interval: Duration) -> Self {
        match detector {
            Detector::Ladder(config) => {
                let mut config = config.clone();
                config.ping_interval = ping_interval;
                Self::Ladder(Box::new(Ladder { watch: Watch::new(None, Time::ZERO), awaited: None, config }))
            }
            Detector::Fixed(after) => Self::Fixed(*after),
            Detector::Rfc6298 { rto_min } => Self::Rfc6298(Rto { min: *rto_min, estimate: None }),
            Detector::Phi { threshold, deviation_min } => {
                Self::Phi(Phi::new(*threshold, *deviation_min, ping_interval))
            }
        }
    }

    pub(super) fn sent(&mut self, at: Time) {
        if let Self::Ladder(ladder) = self {
            ladder.sent(at);
        }
    }

    /// The PING of then was answered now.
    pub(super) fn answered(&mut self, sent: Time, now: Time) {
        match self {
            Self::Ladder(ladder) => ladder.answered(sent, now),
            Self::Fixed(_) => {}
            Self::Rfc6298(rto) => rto.record(now.since(sent)),
            Self::Phi(phi) => phi.heard(now),
        }
    }

    /// `since`: the oldest PING without an answer, or else the next one.
    pub(super) fn if_silent(&self, since: Time) -> Silence {
        match self {
            Self::Ladder(ladder) => ladder.if_silent(since),
            Self::Fixed(after) => Silence::once(since + *after),
            Self::Rfc6298(rto) => {
                let rto = rto.get();
                Silence { suspect: since + rto, dead: since + 3 * rto }
            }
            Self::Phi(phi) => Silence::once(phi.convicts_at()),
        }
    }

    /// The link was replaced; what is known about the path stays.
    pub(super) fn restart(&mut self, now: Time) {
        match self {
            Self::Ladder(ladder) => {
                ladder.watch.restart(now);
                ladder.awaited = None;
            }
            Self::Phi(phi) => phi.last = None,
            Self::Fixed(_) | Self::Rfc6298(_) => {}
        }
    }
}

impl Silence {
    const fn once(at: Time) -> Self {
        Self { suspect: at, dead: at }
    }
}

/// The watch that the selector uses, on the PINGs that it would have sent.
#[derive(Clone, Debug)]
pub(super) struct Ladder {
    watch: Watch,
    awaited: Option<Time>,
    config: WatchConfig,
}

impl Ladder {
    fn sent(&mut self, at: Time) {
        if self.watch.poll(at, &self.config) == Some(Due::Ping) {
            self.watch.pinged(Self::id(at), at, &self.config);
            self.awaited = Some(at);
        }
    }

    fn answered(&mut self, sent: Time, now: Time) {
        if self.watch.pong(Self::id(sent), now.since(sent)) {
            self.awaited = None;
        }
    }

    fn if_silent(&self, since: Time) -> Silence {
        // Only a PING that it sent itself is awaited by it.
        let since = self.awaited.unwrap_or(since);
        Silence {
            suspect: since + self.watch.timer.suspect_after(&self.config),
            dead: since + self.watch.timer.dead_after(&self.config),
        }
    }

    fn id(sent: Time) -> PingId {
        PingId(sent.since_start().as_micros() as u64)
    }
}

/// SRTT and RTTVAR of RFC 6298, from every answer.
#[derive(Clone, Debug)]
pub(super) struct Rto {
    min: Duration,
    estimate: Option<(Duration, Duration)>,
}

/// RFC 6298 section 2.1: before the first sample.
const RTO_INITIAL: Duration = Duration::from_secs(1);

impl Rto {
    fn record(&mut self, rtt: Duration) {
        self.estimate = Some(match self.estimate {
            None => (rtt, rtt / 2),
            Some((srtt, rttvar)) => ((7 * srtt + rtt) / 8, (3 * rttvar + srtt.abs_diff(rtt)) / 4),
        });
    }

    fn get(&self) -> Duration {
        self.estimate.map_or(RTO_INITIAL, |(srtt, rttvar)| srtt + 4 * rttvar).max(self.min)
    }
}

/// Phi accrual as Pekko has it: a window of 1000 times between two answers, one that was convicted is not learned.
#[derive(Clone, Debug)]
pub(super) struct Phi {
    /// So many deviations above the mean, phi reaches the threshold.
    deviations: f64,
    deviation_min: Duration,
    window: VecDeque<f64>,
    sum: f64,
    sum_of_squares: f64,
    last: Option<Time>,
    started: Time,
}

const WINDOW: usize = 1_000;

impl Phi {
    fn new(threshold: f64, deviation_min: Duration, interval: Duration) -> Self {
        let mut phi = Self {
            deviations: deviations_at(threshold),
            deviation_min,
            window: VecDeque::with_capacity(WINDOW),
            sum: 0.0,
            sum_of_squares: 0.0,
            last: None,
            started: Time::ZERO,
        };
        // Pekko's first guess: the mean is the interval, the deviation a quarter of it.
        let quarter = interval / 4;
        phi.learn(interval.saturating_sub(quarter));
        phi.learn(interval + quarter);
        phi
    }

    fn heard(&mut self, now: Time) {
        if let Some(last) = self.last {
            if now < self.convicts_at() {
                self.learn(now.since(last));
            }
        } else {
            self.started = now;
        }
        self.last = Some(now);
    }

    fn learn(&mut self, interval: Duration) {
        let secs = interval.as_secs_f64();
        if self.window.len() == WINDOW
            && let Some(oldest) = self.window.pop_front()
        {
            self.sum -= oldest;
            self.sum_of_squares -= oldest * oldest;
        }
        self.window.push_back(secs);
        self.sum += secs;
        self.sum_of_squares += secs * secs;
    }

    fn convicts_at(&self) -> Time {
        let count = self.window.len() as f64;
        let mean = self.sum / count;
        let variance = (self.sum_of_squares / count - mean * mean).max(0.0);
        let deviation = variance.sqrt().max(self.deviation_min.as_secs_f64());
        let after = scale(Duration::from_secs(1), mean + self.deviations * deviation);
        self.last.unwrap_or(self.started) + after
    }
}

/// Pekko's approximation of the normal distribution's tail, which is exact to 0.00014.
fn phi(deviations: f64) -> f64 {
    let e = (-deviations * (1.5976 + 0.070_566 * deviations * deviations)).exp();
    if deviations > 0.0 { -(e / (1.0 + e)).log10() } else { -(1.0 - 1.0 / (1.0 + e)).log10() }
}

/// Where [`phi`], which rises, reaches the threshold.
fn deviations_at(threshold: f64) -> f64 {
    let (mut low, mut high) = (0.0, 50.0);
    for _ in 0..60 {
        let middle = f64::midpoint(low, high);
        if phi(middle) < threshold { low = middle } else { high = middle }
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The numbers of Pekko's `AccrualFailureDetectorSpec`: mean 1000 ms, deviation 100 ms.
    #[test]
    fn phi_is_as_pekko_has_it() {
        let expected = [(500, 0.0), (1_000, 0.3), (1_200, 1.6), (1_400, 4.7), (1_600, 10.8), (1_700, 15.3)];
        for (after_ms, expected) in expected {
            let phi = phi((f64::from(after_ms) - 1_000.0) / 100.0);
            assert!((phi - expected).abs() <= 0.1, "after {after_ms} ms: {phi}, expected {expected}");
        }
        assert!((phi(deviations_at(8.0)) - 8.0).abs() < 1e-6);
    }

    #[test]
    fn phi_convicts_after_mean_and_deviation_of_what_it_saw() {
        let mut judge = Judge::new(&Detector::Phi { threshold: 8.0, deviation_min: ms(100) }, ms(1_000));
        for secs in 0..2_000 {
            judge.answered(Time::ZERO, Time::from_millis(secs * 1_000));
        }
        let silence = judge.if_silent(Time::ZERO);
        let expected = 1_999.0 + 1.0 + 0.1 * deviations_at(8.0);
        assert!((silence.dead.since_start().as_secs_f64() - expected).abs() < 1e-3, "{silence:?}");
    }

    /// RFC 6298 section 2: the first sample R gives R + 4 R/2, and equal ones let the variance decay.
    #[test]
    fn the_timer_is_that_of_the_rfc() {
        let mut rto = Rto { min: ms(1), estimate: None };
        assert_eq!(rto.get(), ms(1_000));
        rto.record(ms(100));
        assert_eq!(rto.get(), ms(300));
        rto.record(ms(100));
        assert_eq!(rto.get(), ms(250));
        assert_eq!(Rto { min: ms(200), estimate: Some((ms(9), ms(1))) }.get(), ms(200));
    }

    #[test]
    fn the_ladder_says_what_the_selectors_watch_says() {
        let config = crate::core::Config::interactive().watch;
        let mut judge = Judge::new(&Detector::Ladder(config), ms(500));
        let mut at = Time::ZERO;
        for _ in 0..100 {
            judge.sent(at);
            judge.answered(at, at + ms(9));
            at += ms(500);
        }
        assert_eq!(judge.if_silent(at), Silence { suspect: at + ms(250), dead: at + ms(1_000) });
    }
}
