//! Stage 7: remembers regions that keep failing, and delays the return to them (RFC 2439, RFC 7196).

use std::time::Duration;

use super::sorted::SortedMap;
use super::{DampingConfig, Region, Time};

/// The penalties of regions.
#[derive(Clone, Debug, Default)]
pub(crate) struct Damping {
    records: SortedMap<Region, Penalty>,
}

#[derive(Clone, Copy, Debug)]
struct Penalty {
    /// As of `charged`.
    value: f64,
    charged: Time,
    suppressed: bool,
}

impl Damping {
    /// Charges one loss. Returns until when the region is suppressed, if it now is.
    pub(crate) fn charge(&mut self, region: &Region, now: Time, config: &DampingConfig) -> Option<Time> {
        self.forget(now, config);
        let (before, was_suppressed) = match self.records.get(region) {
            Some(penalty) => (penalty.value_at(now, config), penalty.is_suppressed(now, config)),
            None => (0.0, false),
        };
        let value = (before + config.penalty).min(config.ceiling());
        let suppressed = was_suppressed || value >= config.suppress;
        self.records.insert(region.clone(), Penalty { value, charged: now, suppressed });
        self.suppressed_until(region, now, config)
    }

    /// Nobody was charged, as far as is remembered.
    pub(crate) const fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// Until when the region is suppressed; `None` if it is not.
    pub(crate) fn suppressed_until(
        &self,
        region: &Region,
        now: Time,
        config: &DampingConfig,
    ) -> Option<Time> {
        let penalty = self.records.get(region)?;
        penalty.is_suppressed(now, config).then(|| penalty.reused_at(config))
    }

    /// When time alone ends the suppression of a region.
    pub(crate) fn holds_until(&self, now: Time, config: &DampingConfig) -> Time {
        let suppressed = self.records.values().filter(|penalty| penalty.is_suppressed(now, config));
        suppressed.map(|penalty| penalty.reused_at(config)).min().unwrap_or(Time::NEVER)
    }

    /// RFC 2439: state below half the reuse threshold is freed.
    fn forget(&mut self, now: Time, config: &DampingConfig) {
        self.records.retain(|_, penalty| penalty.value_at(now, config) >= config.reuse / 2.0);
    }
}

impl Penalty {
    fn value_at(self, now: Time, config: &DampingConfig) -> f64 {
        self.value * (-half_lives(now.since(self.charged), config)).exp2()
    }

    fn is_suppressed(self, now: Time, config: &DampingConfig) -> bool {
        self.suppressed && now < self.reused_at(config)
    }

    fn reused_at(self, config: &DampingConfig) -> Time {
        let half_lives = (self.value / config.reuse).log2().max(0.0);
        let decayed = super::rng::scale(config.half_life, half_lives);
        self.charged + decayed.min(config.suppress_max)
    }
}

impl DampingConfig {
    /// The penalty that decays to `reuse` in exactly `suppress_max`: more could never be worked off.
    fn ceiling(&self) -> f64 {
        self.reuse * half_lives(self.suppress_max, self).exp2()
    }
}

fn half_lives(elapsed: Duration, config: &DampingConfig) -> f64 {
    elapsed.as_secs_f64() / config.half_life.as_secs_f64()
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn lon() -> Region {
        Region::new("lon")
    }

    /// Flaps with this period: at which loss the region is suppressed, and for how many seconds.
    fn suppressed_at(period_s: u64) -> Option<(u64, u64)> {
        let config = Config::fleet().damping;
        let mut damping = Damping::default();
        (1..=100).find_map(|loss| {
            let now = Time::from_millis(loss * period_s * 1_000);
            let until = damping.charge(&lon(), now, &config)?;
            Some((loss, until.since(now).as_secs_f64().round() as u64))
        })
    }

    #[test]
    fn losses_in_a_row_suppress_and_losses_far_apart_never_do() {
        assert_eq!(suppressed_at(10), Some((3, 590)));
        assert_eq!(suppressed_at(30), Some((3, 571)));
        assert_eq!(suppressed_at(60), Some((3, 543)));
        assert_eq!(suppressed_at(120), Some((4, 565)));
        assert_eq!(suppressed_at(180), Some((5, 533)));
        assert_eq!(suppressed_at(240), None);
    }

    #[test]
    fn suppression_ends_at_the_reuse_threshold_and_after_30_min_at_most() {
        let config = Config::fleet().damping;
        let mut damping = Damping::default();
        for _ in 0..200 {
            damping.charge(&lon(), Time::ZERO, &config);
        }
        let until = damping.suppressed_until(&lon(), Time::ZERO, &config).unwrap();
        assert_eq!(until.since_start().as_secs(), 1_800);
        assert!(damping.suppressed_until(&lon(), until, &config).is_none());
        assert!(damping.suppressed_until(&Region::new("ams"), Time::ZERO, &config).is_none());
    }

    #[test]
    fn worked_off_penalties_are_forgotten() {
        let config = Config::fleet().damping;
        let mut damping = Damping::default();
        damping.charge(&lon(), Time::ZERO, &config);
        damping.charge(&Region::new("ams"), Time::from_millis(3_600_000), &config);
        assert_eq!(damping.records.len(), 1);
    }
}
