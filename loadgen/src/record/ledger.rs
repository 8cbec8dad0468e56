//! The numbered messages of a publisher: those that it sent, that were acknowledged, and that were delivered.
//!
//! The publisher keeps one half ([`Sent`]), and each observer keeps the other half ([`Got`]), so both may be on
//! different machines. The halves are compressed bitmaps. Their memory depends on the gaps and on the messages in
//! flight, not on the length of a run.

use roaring::RoaringTreemap;
use serde::{Deserialize, Serialize};

/// The messages that one publisher sent, numbered from 0.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Sent {
    attempted: u64,
    acknowledged: Numbers,
}

/// The messages of one publisher that one observer got.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Got {
    delivered: Numbers,
    duplicated: u64,
    redelivered: u64,
    reordered: u64,
}

/// Sums over one ledger or several.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
pub struct Totals {
    /// Published, or tried to.
    pub attempted: u64,
    /// Acknowledged.
    pub acknowledged: u64,
    /// Delivered at least once.
    pub delivered: u64,
    /// Acknowledged, never delivered: before the first delivery of the publisher.
    pub lost_prefix: u64,
    /// The same between deliveries.
    pub lost_middle: u64,
    /// The same after the last delivery.
    pub lost_suffix: u64,
    /// Deliveries beyond the first.
    pub duplicated: u64,
    /// Those that JetStream marked as redelivered, which are not in `duplicated`.
    pub redelivered: u64,
    /// Deliveries after a later message.
    pub reordered: u64,
    /// Deliveries of what was never attempted.
    pub unexpected: u64,
    /// Delivered without an acknowledgement.
    pub recovered: u64,
}

impl Totals {
    /// Acknowledged, never delivered.
    pub fn lost(&self) -> u64 {
        self.lost_prefix + self.lost_middle + self.lost_suffix
    }

    /// Adds another publisher's.
    pub fn add(&mut self, other: &Self) {
        self.attempted += other.attempted;
        self.acknowledged += other.acknowledged;
        self.delivered += other.delivered;
        self.lost_prefix += other.lost_prefix;
        self.lost_middle += other.lost_middle;
        self.lost_suffix += other.lost_suffix;
        self.duplicated += other.duplicated;
        self.redelivered += other.redelivered;
        self.reordered += other.reordered;
        self.unexpected += other.unexpected;
        self.recovered += other.recovered;
    }
}

impl Sent {
    /// Returns the number of the next message, which is attempted now.
    pub const fn attempt(&mut self) -> u64 {
        let number = self.attempted;
        self.attempted += 1;
        number
    }

    /// The message was acknowledged.
    pub fn acknowledge(&mut self, number: u64) {
        self.acknowledged.insert(number);
    }

    /// The sums of this publisher and an observer, once nothing is on its way any more.
    pub fn totals(&self, got: &Got) -> Totals {
        let (acknowledged, delivered) = (&self.acknowledged.set, &got.delivered.set);
        // Rank counts the numbers up to its argument.
        let known = self.attempted.checked_sub(1).map_or(0, |last| delivered.rank(last));
        let lost = acknowledged - delivered;
        let before_first =
            delivered.min().map_or(0, |first| first.checked_sub(1).map_or(0, |last| lost.rank(last)));
        let last = known.checked_sub(1).and_then(|index| delivered.select(index));
        let before_last = last.map_or(0, |last| lost.rank(last));
        Totals {
            attempted: self.attempted,
            acknowledged: acknowledged.len(),
            delivered: known,
            lost_prefix: before_first,
            lost_middle: before_last - before_first,
            lost_suffix: lost.len() - before_last,
            duplicated: got.duplicated,
            redelivered: got.redelivered,
            reordered: got.reordered,
            unexpected: delivered.len() - known,
            recovered: known - acknowledged.intersection_len(delivered),
        }
    }
}

impl Got {
    /// The message was delivered. Returns whether this was the first time.
    pub fn deliver(&mut self, number: u64) -> bool {
        let is_late = self.delivered.set.max().is_some_and(|last| number < last);
        let is_new = self.delivered.insert(number);
        self.duplicated += u64::from(!is_new);
        self.reordered += u64::from(is_new && is_late);
        is_new
    }

    /// The message was delivered with JetStream's mark of a redelivery. Returns whether this was the first time: an earlier delivery
    /// may have been lost on its way.
    pub fn redeliver(&mut self, number: u64) -> bool {
        let duplicated = self.duplicated;
        let is_new = self.deliver(number);
        self.redelivered += self.duplicated - duplicated;
        self.duplicated = duplicated;
        is_new
    }
}

/// A set of numbers that is small as long as it has few gaps.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
struct Numbers {
    set: RoaringTreemap,
    /// Numbers that were added since the set was made small.
    #[serde(skip)]
    added: u32,
}

impl Numbers {
    /// Returns whether it is new.
    fn insert(&mut self, number: u64) -> bool {
        let is_new = self.set.insert(number);
        self.added += u32::from(is_new);
        if self.added == SHRINK_AFTER {
            self.shrink();
        }
        is_new
    }

    /// Full parts become runs.
    fn shrink(&mut self) {
        let small = self.set.bitmaps().map(|(high, bitmap)| {
            let mut bitmap = bitmap.clone();
            bitmap.optimize();
            (high, bitmap)
        });
        self.set = RoaringTreemap::from_bitmaps(small);
        self.added = 0;
    }
}

impl Eq for Numbers {}

impl PartialEq for Numbers {
    fn eq(&self, other: &Self) -> bool {
        self.set == other.set
    }
}

/// A part of a bitmap holds so many numbers, in 8 KiB as long as it is no run.
const SHRINK_AFTER: u32 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_is_seen() {
        let (mut sent, mut got) = (Sent::default(), Got::default());
        let numbers: Vec<u64> = (0..10).map(|_| sent.attempt()).collect();
        assert_eq!(numbers, (0..10).collect::<Vec<_>>());
        for number in [0, 1, 2, 4, 5, 7, 9, 9] {
            sent.acknowledge(number);
        }
        for number in [2, 5, 3, 5, 7, 12] {
            got.deliver(number);
        }
        assert!(!got.redeliver(7), "it came before");
        let expected = Totals {
            attempted: 10,
            acknowledged: 7,
            delivered: 4,
            lost_prefix: 2,
            lost_middle: 1,
            lost_suffix: 1,
            duplicated: 1,
            redelivered: 1,
            reordered: 1,
            unexpected: 1,
            recovered: 1,
        };
        assert_eq!(sent.totals(&got), expected);
        assert_eq!(expected.lost(), 4);
    }

    #[test]
    fn memory_is_bounded_by_what_is_missing() {
        const COUNT: u64 = 20 * SHRINK_AFTER as u64 + 7;
        let (mut sent, mut got) = (Sent::default(), Got::default());
        for _ in 0..COUNT {
            let number = sent.attempt();
            sent.acknowledge(number);
            if number != 5 {
                got.deliver(number);
            }
        }
        let bytes = |numbers: &Numbers| numbers.set.serialized_size();
        assert!(bytes(&sent.acknowledged) < 1_000, "{} bytes", bytes(&sent.acknowledged));
        assert!(bytes(&got.delivered) < 1_000, "{} bytes", bytes(&got.delivered));
        got.deliver(COUNT / 2);
        let totals = sent.totals(&got);
        assert_eq!((totals.lost_prefix, totals.lost_middle, totals.lost(), totals.duplicated), (0, 1, 1, 1));
        got.deliver(5);
        let totals = sent.totals(&got);
        assert_eq!(
            (totals.lost(), totals.reordered, totals.acknowledged, totals.delivered),
            (0, 1, COUNT, COUNT)
        );
    }

    #[test]
    fn halves_survive_a_journey() {
        let (mut sent, mut got) = (Sent::default(), Got::default());
        for _ in 0..100_000 {
            let number = sent.attempt();
            if number % 7 != 0 {
                sent.acknowledge(number);
                got.deliver(number);
            }
        }
        let bytes = rmp_serde::to_vec(&(&sent, &got)).unwrap();
        let (there, got_there): (Sent, Got) = rmp_serde::from_slice(&bytes).unwrap();
        assert_eq!((&there, &got_there), (&sent, &got));
        assert_eq!(there.totals(&got_there), sent.totals(&got));
    }
}
