//! Stage 3: estimates the distance to a server from samples.
//!
//! Two estimators have two purposes. [`BaseRtt`] ranks servers, and takes samples from probes only. [`RttTimer`] sets
//! deadlines, and takes samples from PINGs only; its first value comes from the base RTT.

use std::num::NonZeroU32;
use std::time::Duration;

use super::{RankConfig, Time, WatchConfig};

/// The RTT without queues: the minimum of recent samples.
#[derive(Clone, Debug, Default)]
pub(crate) struct BaseRtt {
    samples: Vec<Sample>,
    /// The lowest of them, in microseconds: read far more often than samples come.
    lowest: Option<NonZeroU32>,
}

/// A client keeps up to ten per server, and a simulation a million clients: this takes a third of the room of a `Time`
/// and a `Duration`.
#[derive(Clone, Copy, Debug)]
struct Sample {
    /// Milliseconds, which wrap around after 49 days: no sample is kept for that long.
    at_ms: u32,
    rtt_micros: u32,
}

impl BaseRtt {
    /// Takes in a sample. `period` is the probe interval that it was taken at.
    pub(crate) fn record(&mut self, rtt: Duration, period: Duration, now: Time, config: &RankConfig) {
        if rtt > RTT_MAX {
            return;
        }
        let age_max = period.saturating_mul(config.sample_age_intervals);
        let at_ms = wrapped_ms(now);
        let age = |sample: &Sample| Duration::from_millis(at_ms.wrapping_sub(sample.at_ms).into());
        self.samples.retain(|sample| age(sample) <= age_max);
        while self.samples.len() >= config.samples {
            self.samples.remove(0);
        }
        let rtt_micros = in_micros(rtt);
        self.samples.reserve_exact(1);
        self.samples.push(Sample { at_ms, rtt_micros });
        self.lowest = self.samples.iter().map(|sample| sample.rtt_micros).min().and_then(NonZeroU32::new);
    }

    /// The lowest sample is like this one.
    #[cfg(feature = "sim")]
    pub(crate) fn is(&self, rtt: Duration) -> bool {
        rtt <= RTT_MAX && NonZeroU32::new(in_micros(rtt)) == self.lowest
    }

    pub(crate) fn samples(&self) -> usize {
        self.samples.len()
    }

    /// `None` before the first sample: unknown is not zero.
    pub(crate) fn get(&self) -> Option<Duration> {
        self.lowest.map(|micros| Duration::from_micros(micros.get().into()))
    }
}

/// SRTT and RTTVAR of RFC 6298 behind a median of three, which keeps a lone outlier (one retransmission)
/// from stretching the deadlines. In nanoseconds: a `Duration` takes twice the room, and several times as long to divide.
#[derive(Clone, Debug, Default)]
pub(crate) struct RttTimer {
    /// The last samples, the first `known` of them; their order does not matter to a median.
    recent: [u64; MEDIAN_OF],
    known: u8,
    /// Where the next one goes.
    next: u8,
    smoothed: Option<Smoothed>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Smoothed {
    srtt: u64,
    rttvar: u64,
}

impl RttTimer {
    /// An estimate that starts from one sample of another kind, if there is one.
    pub(crate) fn seeded(rtt: Option<Duration>) -> Self {
        Self { smoothed: rtt.map(|rtt| Smoothed::first(in_nanos(rtt))), ..Self::default() }
    }

    pub(crate) fn record(&mut self, rtt: Duration) {
        if rtt > RTT_MAX {
            return;
        }
        self.recent[usize::from(self.next)] = in_nanos(rtt.max(RTT_MIN));
        self.next = (self.next + 1) % MEDIAN_OF as u8;
        self.known = (self.known + 1).min(MEDIAN_OF as u8);
        let filtered = median(&self.recent[..usize::from(self.known)]);
        self.smoothed = Some(self.smoothed.map_or_else(|| Smoothed::first(filtered), |s| s.next(filtered)));
    }

    /// The last sample changed nothing, and neither do more like it.
    #[cfg(feature = "sim")]
    pub(crate) fn is_as_settled_as(&self, before: &Self) -> bool {
        let alike = self.recent == [self.recent[0]; MEDIAN_OF];
        alike
            && self.known == MEDIAN_OF as u8
            && self.recent == before.recent
            && self.smoothed == before.smoothed
    }

    /// As many more samples like those that are known have come.
    #[cfg(feature = "sim")]
    pub(crate) const fn turn(&mut self, samples: u64) {
        self.next = (self.next + (samples % MEDIAN_OF as u64) as u8) % MEDIAN_OF as u8;
    }

    pub(crate) fn rttvar(&self) -> Duration {
        Duration::from_nanos(self.or_initial().rttvar)
    }

    /// Silence for this long makes a link suspect.
    pub(crate) fn suspect_after(&self, config: &WatchConfig) -> Duration {
        let Smoothed { srtt, rttvar } = self.or_initial();
        Duration::from_nanos(2 * srtt + 4 * rttvar)
            .saturating_add(config.suspect_slack)
            .max(config.suspect_min)
    }

    /// Silence for this long ends it.
    pub(crate) fn dead_after(&self, config: &WatchConfig) -> Duration {
        let Smoothed { srtt, rttvar } = self.or_initial();
        let ladder = Duration::from_nanos(4 * srtt + 4 * rttvar).saturating_add(config.dead_slack);
        ladder.clamp(config.dead_min, config.dead_max).max(self.suspect_after(config))
    }

    /// An attempt without an answer for this long is raced by another one, before clamping (RFC 8305).
    pub(crate) fn attempt_delay(&self) -> Duration {
        let Smoothed { srtt, rttvar } = self.or_initial();
        Duration::from_nanos(2 * srtt + 4 * rttvar)
    }

    fn or_initial(&self) -> Smoothed {
        self.smoothed.unwrap_or_else(|| Smoothed::first(in_nanos(RTT_INITIAL)))
    }
}

impl Smoothed {
    const fn first(rtt: u64) -> Self {
        Self { srtt: rtt, rttvar: rtt / 2 }
    }

    /// RFC 6298 section 2.3: the variance is updated with the old SRTT.
    const fn next(self, rtt: u64) -> Self {
        Self { srtt: (7 * self.srtt + rtt) / 8, rttvar: (3 * self.rttvar + self.srtt.abs_diff(rtt)) / 4 }
    }
}

const fn wrapped_ms(at: Time) -> u32 {
    at.since_start().as_millis() as u32
}

/// Of an RTT, which is at most [`RTT_MAX`].
const fn in_nanos(rtt: Duration) -> u64 {
    rtt.as_nanos() as u64
}

fn in_micros(rtt: Duration) -> u32 {
    u32::try_from(rtt.max(RTT_MIN).as_micros()).unwrap_or(u32::MAX)
}

/// The upper one of two.
fn median(recent: &[u64]) -> u64 {
    match *recent {
        [a, b, c] => a.min(b).max(a.max(b).min(c)),
        _ => recent.iter().copied().max().unwrap_or_default(),
    }
}

/// Below the resolution of timers and schedulers, differences mean nothing.
const RTT_MIN: Duration = Duration::from_micros(50);

/// No path on Earth takes this long: such a sample was taken across a stall (Serf's bound).
const RTT_MAX: Duration = Duration::from_secs(10);

/// What a path is taken for before anything is known (RFC 9002, kInitialRtt).
const RTT_INITIAL: Duration = Duration::from_millis(333);

/// Serf's latency filter.
const MEDIAN_OF: usize = 3;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::Config;
    use super::*;

    const PERIOD: Duration = Duration::from_secs(30);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn srtt(timer: &RttTimer) -> Duration {
        Duration::from_nanos(timer.smoothed.unwrap().srtt)
    }

    #[test]
    fn the_base_is_the_minimum_of_the_last_ten_samples() {
        let config = Config::fleet().rank;
        let mut base = BaseRtt::default();
        assert_eq!(base.get(), None);
        for (second, rtt) in [9, 30, 31, 32, 33, 34, 35, 36, 37, 38].into_iter().enumerate() {
            base.record(ms(rtt), PERIOD, Time::from_millis(second as u64), &config);
        }
        assert_eq!(base.get(), Some(ms(9)));
        base.record(ms(39), PERIOD, Time::from_millis(10), &config);
        assert_eq!(base.get(), Some(ms(30)));
    }

    #[test]
    fn samples_older_than_four_periods_do_not_count() {
        let config = Config::fleet().rank;
        let mut base = BaseRtt::default();
        base.record(ms(9), PERIOD, Time::ZERO, &config);
        base.record(ms(50), PERIOD, Time::from_millis(120_000), &config);
        assert_eq!(base.get(), Some(ms(9)));
        base.record(ms(50), PERIOD, Time::from_millis(120_001), &config);
        assert_eq!(base.get(), Some(ms(50)));
    }

    #[test]
    fn absurd_samples_are_refused_and_tiny_ones_raised() {
        let config = Config::fleet().rank;
        let mut base = BaseRtt::default();
        base.record(Duration::from_secs(11), PERIOD, Time::ZERO, &config);
        assert_eq!(base.get(), None);
        base.record(Duration::ZERO, PERIOD, Time::ZERO, &config);
        assert_eq!(base.get(), Some(Duration::from_micros(50)));
    }

    /// The numbers of serf's latency filter test.
    #[test]
    fn the_median_of_three_drops_a_lone_outlier() {
        let samples = [201, 200, 207, 1_900, 203, 199, 211];
        let last_three = (1..=samples.len()).map(|end| &samples[end.saturating_sub(MEDIAN_OF)..end]);
        let filtered: Vec<_> = last_three.map(median).collect();
        assert_eq!(filtered, [201, 201, 201, 207, 207, 203, 203]);
    }

    #[test]
    fn srtt_and_rttvar_follow_rfc_6298() {
        let mut timer = RttTimer::default();
        timer.record(ms(100));
        assert_eq!((srtt(&timer), timer.rttvar()), (ms(100), ms(50)));
        timer.record(ms(180));
        // The median of two is the larger one: var = 3/4 50 + 1/4 80, srtt = 7/8 100 + 1/8 180.
        assert_eq!((srtt(&timer), timer.rttvar()), (ms(110), Duration::from_micros(57_500)));
    }

    #[test]
    fn the_ladder_on_the_paths_of_the_first_three_regions() {
        let config = Config::interactive().watch;
        let settled = |rtt| {
            let mut timer = RttTimer::default();
            (0..200).for_each(|_| timer.record(ms(rtt)));
            (timer.suspect_after(&config).as_millis(), timer.dead_after(&config).as_millis())
        };
        assert_eq!(settled(1), (250, 1_000));
        assert_eq!(settled(9), (250, 1_000));
        assert_eq!(settled(113), (426, 1_052));
        assert_eq!(settled(4_000), (8_200, 8_200), "dead is never before suspect");
    }

    proptest! {
        #[test]
        fn srtt_stays_within_its_samples(samples in prop::collection::vec(1_u64..5_000, 1..50)) {
            let mut timer = RttTimer::default();
            samples.iter().for_each(|sample| timer.record(ms(*sample)));
            let srtt = srtt(&timer);
            prop_assert!(srtt >= ms(*samples.iter().min().unwrap()) - Duration::from_nanos(100));
            prop_assert!(srtt <= ms(*samples.iter().max().unwrap()));
        }
    }
}
