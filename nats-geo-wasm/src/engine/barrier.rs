//! Barriers: round trips over several links at the same time. A barrier ends when each of these links has answered.

use nats_geo::core::SortedMap;

/// Those that are not done, by a number of ours.
#[derive(Debug, Default)]
pub(super) struct Barriers {
    waiting: SortedMap<u32, Barrier>,
    next: u32,
}

/// One of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Barrier {
    goal: Goal,
    links: usize,
    /// A link ended before it answered.
    broken: bool,
}

/// What a barrier is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Goal {
    /// Everything that was published has arrived: the user's operation.
    Flush(u32),
    /// A subscription gets nothing any more: its number, and the user's operation.
    DrainSubscription(u32, u32),
    /// No subscription gets anything any more.
    DrainAll,
    /// The last publishes before the end have arrived.
    FlushAll,
}

impl Barriers {
    /// A barrier over so many links.
    pub(super) fn begin(&mut self, goal: Goal, links: usize) -> u32 {
        let id = self.next;
        self.next = self.next.wrapping_add(1);
        self.waiting.insert(id, Barrier { goal, links, broken: false });
        id
    }

    /// A link has answered, or ended before it could. Returns the goal when that was the last one, and whether all of
    /// them answered.
    pub(super) fn answered(&mut self, id: u32, by_pong: bool) -> Option<(Goal, bool)> {
        let barrier = self.waiting.get_mut(&id)?;
        barrier.links = barrier.links.saturating_sub(1);
        barrier.broken |= !by_pong;
        let barrier = *barrier;
        (barrier.links == 0).then(|| {
            self.waiting.remove(&id);
            (barrier.goal, !barrier.broken)
        })
    }

    /// All goals, which will not be reached any more.
    pub(super) fn take(&mut self) -> Vec<Goal> {
        std::mem::take(&mut self.waiting).into_iter().map(|(_, barrier)| barrier.goal).collect()
    }
}
