//! This module removes duplicates when two links deliver the same messages.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, Instant};

use super::Changes;
use crate::native::clock::{now, since};

/// Remembers deliveries while a copy of them may come: from the moment when a second link is added until nothing is
/// left to come from before it went. For subscriptions on [every link](super::Carriage::EveryLink).
#[derive(Debug, Default)]
pub(crate) struct Copies {
    hasher: RandomState,
    seen: BTreeSet<u64>,
    /// The same, oldest first.
    order: VecDeque<u64>,
    /// How many links had been added when it was looked at last.
    joined: u64,
    /// When there were two links last.
    overlap: Option<Instant>,
}

impl Copies {
    /// Returns whether this delivery came before. Its reply subject is unlike that of any other one, of the same message too.
    pub(crate) fn is_one(&mut self, reply: &str, changes: Changes) -> bool {
        self.look_at(changes);
        if self.overlap.is_none() {
            return false;
        }
        let hash = self.hasher.hash_one(reply);
        if !self.seen.insert(hash) {
            return true;
        }
        self.order.push_back(hash);
        if self.order.len() > SEEN_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.seen.remove(&oldest);
        }
        false
    }

    /// Everything that has come in was taken.
    pub(crate) fn drained(&mut self, changes: Changes) {
        self.look_at(changes);
        if changes.links < 2 && self.overlap.is_some_and(|overlap| since(overlap) > ON_THE_WAY) {
            self.seen.clear();
            self.order.clear();
            self.overlap = None;
        }
    }

    fn look_at(&mut self, changes: Changes) {
        // The first link has none to share with.
        let is_new = changes.joined > self.joined && changes.joined > 1;
        if is_new || changes.links > 1 {
            self.overlap = Some(now());
        }
        self.joined = changes.joined;
    }
}

/// As many as one link buffers: a copy that comes behind more than these was dropped there.
const SEEN_MAX: usize = 64 << 10;

/// How much later than on one link a message may come in on the other: many times around the world.
const ON_THE_WAY: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(joined: u64, links: usize) -> Changes {
        Changes { joined, links, broken: 0 }
    }

    #[test]
    fn of_two_links_each_delivery_counts_once() {
        let mut copies = Copies::default();
        assert!(!copies.is_one("$JS.ACK.1", changes(1, 1)));
        assert!(!copies.is_one("$JS.ACK.2", changes(2, 2)));
        assert!(copies.is_one("$JS.ACK.2", changes(2, 2)));
        assert!(!copies.is_one("$JS.ACK.3", changes(2, 1)));
        assert!(copies.is_one("$JS.ACK.3", changes(2, 1)), "what the second link had buffered");
    }

    #[test]
    fn a_change_that_nobody_saw_is_noticed_afterwards() {
        let mut copies = Copies::default();
        assert!(!copies.is_one("$JS.ACK.1", changes(1, 1)));
        assert!(!copies.is_one("$JS.ACK.2", changes(2, 1)), "buffered by the first link");
        copies.drained(changes(2, 1));
        assert!(copies.is_one("$JS.ACK.2", changes(2, 1)), "its copy was on its way");
    }

    #[test]
    fn no_more_is_remembered_than_may_come_again() {
        let mut copies = Copies::default();
        for number in 0..=SEEN_MAX {
            assert!(!copies.is_one(&number.to_string(), changes(2, 2)));
        }
        assert_eq!((copies.seen.len(), copies.order.len()), (SEEN_MAX, SEEN_MAX));
        assert!(copies.is_one(&SEEN_MAX.to_string(), changes(2, 2)));
    }
}
