//! Regions whose servers answer, but that are of no use: stage 7 memory, besides damping.

use super::sorted::SortedMap;
use super::{Region, Time};

/// Regions that were found useless, each until when it stands behind others.
#[derive(Clone, Debug, Default)]
pub(crate) struct Useless {
    until: SortedMap<Region, Time>,
}

impl Useless {
    /// The region is useless, and is taken to be so until then. Returns whether that is news.
    pub(crate) fn mark(&mut self, region: &Region, until: Time, now: Time) -> bool {
        self.until.retain(|_, until| *until > now);
        self.until.insert(region.clone(), until).is_none()
    }

    /// Until when the region is taken to be useless; `None` if it is not.
    pub(crate) fn until(&self, region: &Region, now: Time) -> Option<Time> {
        self.until.get(region).copied().filter(|until| *until > now)
    }

    /// Nobody was found useless, as far as is remembered.
    pub(crate) const fn is_empty(&self) -> bool {
        self.until.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_expires_and_is_news_only_once() {
        let (mut useless, lon) = (Useless::default(), Region::new("lon"));
        let at = Time::from_millis;
        assert!(useless.mark(&lon, at(30), at(0)));
        assert!(!useless.mark(&lon, at(40), at(10)));
        assert_eq!(useless.until(&lon, at(39)), Some(at(40)));
        assert_eq!(useless.until(&lon, at(40)), None);
        assert!(useless.mark(&Region::new("ams"), at(90), at(40)));
        assert_eq!(useless.until.len(), 1, "what has expired is forgotten");
        assert!(useless.mark(&lon, at(90), at(50)));
    }
}
