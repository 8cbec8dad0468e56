//! This module remembers which messages a reader has acknowledged, for the consumers of all regions.
//!
//! When a write stream is reset, its sequences begin at 1 again. The reader then forgets the earlier acknowledgements,
//! because new messages have the same sequences as earlier ones.

use std::collections::BTreeMap;

use super::Origin;

/// Sequences by region.
#[derive(Debug, Default)]
pub(super) struct Acknowledged(BTreeMap<String, Region>);

#[derive(Debug, Default)]
struct Region {
    /// How often its write stream has begun again.
    restarts: u64,
    /// A single reader acknowledges nearly all in a row.
    ranges: Ranges,
}

/// (First, last) of each range.
type Ranges = BTreeMap<u64, u64>;

impl Acknowledged {
    pub(super) fn contains(&self, origin: &Origin) -> bool {
        let region = self.0.get(&origin.region);
        let below = region.and_then(|region| region.ranges.range(..=origin.sequence).next_back());
        below.is_some_and(|(_, last)| *last >= origin.sequence)
    }

    /// How often the write stream of `region` has begun again.
    pub(super) fn restarts(&self, region: &str) -> u64 {
        self.0.get(region).map_or(0, |region| region.restarts)
    }

    /// Forgets what was acknowledged of `region`: its write stream began again.
    pub(super) fn restart(&mut self, region: &str) {
        let region = self.0.entry(region.to_owned()).or_default();
        *region = Region { restarts: region.restarts + 1, ranges: Ranges::new() };
    }

    /// Adds a message that was delivered after its write stream had begun again `restarts` times.
    pub(super) fn add(&mut self, origin: &Origin, restarts: u64) {
        if self.contains(origin) || restarts != self.restarts(&origin.region) {
            return;
        }
        let Region { ranges, .. } = self.0.entry(origin.region.clone()).or_default();
        let (mut first, mut last) = (origin.sequence, origin.sequence);
        if let Some((below, _)) = ranges.range(..first).next_back().filter(|(_, end)| **end + 1 == first) {
            first = *below;
        }
        if let Some(above) = last.checked_add(1).and_then(|next| ranges.remove(&next)) {
            last = above;
        }
        ranges.insert(first, last);
        // What is forgotten may come again after a move, as it would without any memory.
        if ranges.len() > RANGES_MAX {
            ranges.pop_first();
        }
    }
}

/// Of one region, 16 bytes each: the gaps are what others acknowledge, or nobody does.
const RANGES_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn origin(sequence: u64) -> Origin {
        Origin { region: "lon".into(), sequence }
    }

    #[test]
    fn neighbours_become_one_range_in_any_order() {
        for order in [[1, 2, 3, 5], [5, 3, 2, 1], [1, 3, 2, 5], [3, 5, 1, 2]] {
            let mut acknowledged = Acknowledged::default();
            for sequence in order.into_iter().chain(order) {
                acknowledged.add(&origin(sequence), 0);
            }
            assert_eq!(acknowledged.0["lon"].ranges, Ranges::from([(1, 3), (5, 5)]), "{order:?}");
            let known: Vec<_> =
                (0..=6).filter(|sequence| acknowledged.contains(&origin(*sequence))).collect();
            assert_eq!(known, [1, 2, 3, 5]);
        }
        let mut acknowledged = Acknowledged::default();
        acknowledged.add(&origin(u64::MAX), 0);
        assert!(acknowledged.contains(&origin(u64::MAX)));
        assert!(!acknowledged.contains(&Origin { region: "ams".into(), sequence: u64::MAX }));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_goes_first() {
        let mut acknowledged = Acknowledged::default();
        let last = 2 * RANGES_MAX as u64;
        (0..=last).step_by(2).for_each(|sequence| acknowledged.add(&origin(sequence), 0));
        assert_eq!(acknowledged.0["lon"].ranges.len(), RANGES_MAX);
        assert!(!acknowledged.contains(&origin(0)) && acknowledged.contains(&origin(last)));
    }

    #[test]
    fn a_write_stream_that_began_again_has_nothing_acknowledged() {
        let mut acknowledged = Acknowledged::default();
        acknowledged.add(&origin(1), 0);
        acknowledged.restart("lon");
        assert!(!acknowledged.contains(&origin(1)));
        acknowledged.add(&origin(2), 0);
        assert!(!acknowledged.contains(&origin(2)), "the message from before had this number");
        acknowledged.add(&origin(2), acknowledged.restarts("lon"));
        assert!(acknowledged.contains(&origin(2)));
    }
}
