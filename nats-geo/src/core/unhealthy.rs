//! This module remembers regions that failed a health check, although their servers answer.

use super::sorted::SortedMap;
use super::{Config, Region, Time};

/// Regions that were found unhealthy lately.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnhealthyRegions {
    verdicts: SortedMap<Region, Verdict>,
}

#[derive(Clone, Copy, Debug)]
struct Verdict {
    /// When it was found unhealthy last.
    at: Time,
    /// It stands behind others until then.
    until: Time,
    /// How often it was tried and found unhealthy again.
    again: u32,
}

impl UnhealthyRegions {
    /// The region was found unhealthy. Each time that it is tried in vain it is left alone for twice as long, up to the
    /// longest interval between probes: else the next best region would never get its turn. Returns whether that is
    /// news.
    pub(crate) fn mark(&mut self, region: &Region, now: Time, config: &Config) -> bool {
        let longest = config.probe.interval_max.max(config.rank.unhealthy_region_for);
        self.verdicts.retain(|_, verdict| verdict.until + longest > now);
        let before = self.verdicts.get(region).copied();
        let is_news = before.is_none_or(|before| before.until <= now);
        let again = before.map_or(0, |before| before.again.saturating_add(u32::from(is_news)));
        let times = 1_u32.checked_shl(again).unwrap_or(u32::MAX);
        let wait = config.rank.unhealthy_region_for.saturating_mul(times).min(longest);
        self.verdicts.insert(region.clone(), Verdict { at: now, until: now + wait, again });
        is_news
    }

    /// The region is healthy.
    pub(crate) fn clear(&mut self, region: &Region) {
        self.verdicts.remove(region);
    }

    /// Until when the region is taken to be unhealthy; `None` if it is not.
    pub(crate) fn until(&self, region: &Region, now: Time) -> Option<Time> {
        self.verdicts.get(region).map(|verdict| verdict.until).filter(|until| *until > now)
    }

    /// Returns whether whoever has nothing to lose may try it again.
    pub(crate) fn may_try(&self, region: &Region, now: Time, config: &Config) -> bool {
        self.verdicts.get(region).is_none_or(|verdict| verdict.at + config.rank.unhealthy_region_for <= now)
    }

    /// Returns whether no region is remembered as unhealthy.
    pub(crate) const fn is_empty(&self) -> bool {
        self.verdicts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn each_try_in_vain_doubles_the_wait_up_to_5_min_and_a_good_one_ends_it() {
        let (mut unhealthy, lon, config) = (UnhealthyRegions::default(), Region::new("lon"), Config::fleet());
        let mut now = Time::ZERO;
        for secs in [30, 60, 120, 240, 300, 300] {
            assert!(unhealthy.mark(&lon, now, &config));
            let until = unhealthy.until(&lon, now).unwrap();
            assert_eq!(until.since(now).as_secs(), secs);
            assert_eq!(unhealthy.until(&lon, until), None);
            now = until;
        }
        unhealthy.clear(&lon);
        assert!(unhealthy.is_empty() && unhealthy.mark(&lon, now, &config));
        assert_eq!(unhealthy.until(&lon, now).unwrap().since(now).as_secs(), 30);
    }

    #[test]
    fn what_is_said_again_is_no_news_and_what_is_long_ago_is_forgotten() {
        let (mut unhealthy, lon, config) = (UnhealthyRegions::default(), Region::new("lon"), Config::fleet());
        assert!(unhealthy.mark(&lon, Time::ZERO, &config));
        let later = Time::ZERO + Duration::from_secs(5);
        assert!(!unhealthy.mark(&lon, later, &config));
        assert_eq!(
            unhealthy.until(&lon, later).unwrap().since(later).as_secs(),
            30,
            "as long as the first time"
        );
        let much_later = later + Duration::from_secs(600);
        assert!(unhealthy.mark(&Region::new("ams"), much_later, &config));
        assert_eq!(unhealthy.verdicts.len(), 1);
    }
}
