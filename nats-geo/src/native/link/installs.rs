//! The subscriptions of a link, and whether its server has confirmed them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::native::clock::{now, since};

/// The newest subscriptions of one link, oldest first.
#[derive(Debug, Default)]
pub(super) struct Installs {
    /// Number of the next one.
    next: u64,
    /// Those before this number are confirmed.
    confirmed: u64,
    recent: VecDeque<Install>,
}

#[derive(Debug)]
struct Install {
    number: u64,
    feed: u64,
    at: Instant,
    /// The server has said that it takes no more, and this one was counted for that.
    is_excess: bool,
}

impl Installs {
    /// The SUB of this feed has entered the command channel.
    pub(super) fn entered(&mut self, feed: u64) {
        if self.recent.len() == RECENT_MAX {
            self.recent.pop_front();
        }
        self.recent.push_back(Install { number: self.next, feed, at: now(), is_excess: false });
        self.next += 1;
    }

    /// The number of the next one: a PING that enters now confirms all before it.
    pub(super) const fn mark(&self) -> u64 {
        self.next
    }

    /// The server has read everything before `mark`.
    pub(super) fn confirm(&mut self, mark: u64) {
        self.confirmed = self.confirmed.max(mark);
    }

    /// The feeds whose SUB the server may not have read when the link ended.
    pub(super) fn unconfirmed(&self) -> Vec<u64> {
        let unconfirmed = self.recent.iter().filter(|install| install.number >= self.confirmed);
        unconfirmed.map(|install| install.feed).collect()
    }

    /// The feeds whose SUB entered a short time ago.
    pub(super) fn lately(&self) -> Vec<u64> {
        let lately = self.recent.iter().rev().take_while(|install| since(install.at) < LATELY);
        lately.map(|install| install.feed).collect()
    }

    /// The newest feeds, as many as the server has refused because there were too many. A server at its limit refuses
    /// every further SUB, and names none.
    pub(super) fn take_excess(&mut self, count: usize) -> Vec<u64> {
        let newest = self.recent.iter_mut().rev().filter(|install| !install.is_excess).take(count);
        newest.map(|install| (install.is_excess = true, install.feed).1).collect()
    }
}

/// Longer than it takes until the server has refused a SUB, and the driver knows.
const LATELY: Duration = Duration::from_secs(10);

/// More than an application subscribes to between two PINGs; of more, the oldest are taken for confirmed.
const RECENT_MAX: usize = 64 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ping_confirms_what_entered_before_it() {
        let mut installs = Installs::default();
        installs.entered(7);
        let mark = installs.mark();
        installs.entered(8);
        assert_eq!((installs.unconfirmed(), installs.lately()), (vec![7, 8], vec![8, 7]));
        installs.confirm(mark);
        assert_eq!(installs.unconfirmed(), [8]);
        installs.confirm(0);
        assert_eq!(installs.unconfirmed(), [8], "an older answer comes late");
    }

    #[test]
    fn the_newest_are_too_many_and_each_counts_once() {
        let mut installs = Installs::default();
        for feed in [1, 2, 3] {
            installs.entered(feed);
        }
        installs.confirm(installs.mark());
        assert_eq!(installs.take_excess(1), [3]);
        assert_eq!(installs.take_excess(1), [2]);
        installs.entered(4);
        assert_eq!(installs.take_excess(9), [4, 1]);
    }
}
