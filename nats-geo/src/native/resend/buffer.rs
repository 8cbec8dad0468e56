//! The buffer of unconfirmed publishes of all links.

use std::collections::VecDeque;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use async_nats::message::OutboundMessage;
use tokio::sync::Notify;

use crate::core::ConnId;
use crate::native::clock::now;
use crate::native::hub::lock;

/// All publishes of a client that may have to be sent again, oldest first, within their bounds.
#[derive(Debug)]
pub(crate) struct ResendBuffer {
    limits: Limits,
    state: Mutex<State>,
    /// Told when there is more room.
    room: Notify,
    /// Told when somebody waits for room.
    wanted: Notify,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) max_bytes: usize,
    pub(crate) max_age: Duration,
    /// Else who comes when there is no room has to wait.
    pub(crate) drops_oldest: bool,
}

/// What became of publishes that are not kept any more, besides those that were confirmed.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Forgotten {
    /// To make room.
    pub(crate) dropped: u64,
    /// Too old to be sent again.
    pub(crate) expired: u64,
}

/// A publish that is to be sent again.
#[derive(Clone, Debug)]
pub(crate) struct Orphan {
    pub(crate) id: u64,
    pub(crate) message: OutboundMessage,
}

#[derive(Debug, Default)]
struct State {
    /// In the order of their ids, which is that of publishing.
    entries: VecDeque<Entry>,
    next_id: u64,
    bytes: usize,
    forgotten: Forgotten,
}

#[derive(Debug)]
struct Entry {
    id: u64,
    published: Instant,
    message: OutboundMessage,
    /// The link that took it, and its number there; none once that link is dead or was left in a hurry.
    carrier: Option<(ConnId, u64)>,
}

impl ResendBuffer {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, state: Mutex::default(), room: Notify::new(), wanted: Notify::new() }
    }

    pub(crate) const fn max_bytes(&self) -> usize {
        self.limits.max_bytes
    }

    /// Makes room for a message, if that is allowed, and says whether there is any.
    pub(crate) fn has_room_for(&self, message: &OutboundMessage) -> bool {
        let size = size(message);
        let mut state = lock(&self.state);
        let has_room = |state: &State| state.bytes.saturating_add(size) <= self.limits.max_bytes;
        if !has_room(&state) {
            state.forget_older_than(self.limits.max_age);
        }
        while self.limits.drops_oldest && !has_room(&state) && state.pop().is_some() {
            state.forgotten.dropped += 1;
        }
        has_room(&state)
    }

    /// Returns when there is room for the message.
    pub(crate) async fn room_for(&self, message: &OutboundMessage) {
        loop {
            let room = self.room.notified();
            if self.has_room_for(message) {
                return;
            }
            self.wanted.notify_one();
            room.await;
        }
    }

    /// Returns when somebody waits for room.
    pub(crate) async fn wanted(&self) {
        self.wanted.notified().await;
    }

    /// A link has taken a new message. Only its caller can have seen to the room.
    pub(crate) fn published(&self, message: OutboundMessage, conn: ConnId, number: u64) {
        let mut state = lock(&self.state);
        let id = state.next_id;
        state.next_id += 1;
        state.bytes += size(&message);
        state.entries.push_back(Entry { id, published: now(), message, carrier: Some((conn, number)) });
    }

    /// A link has taken an [orphan](Self::next_orphan).
    pub(crate) fn adopted(&self, id: u64, conn: ConnId, number: u64) {
        let mut state = lock(&self.state);
        // It may have become too old meanwhile.
        if let Ok(index) = state.entries.binary_search_by_key(&id, |entry| entry.id) {
            state.entries[index].carrier = Some((conn, number));
        }
    }

    /// The server has all that this link had taken up to `number`.
    pub(crate) fn confirmed(&self, conn: ConnId, number: u64) {
        let mut state = lock(&self.state);
        let is_confirmed = |entry: &Entry| entry.carrier.is_some_and(|(it, n)| it == conn && n <= number);
        let mut freed = 0;
        state.entries.retain(|entry| {
            let keep = !is_confirmed(entry);
            freed += if keep { 0 } else { size(&entry.message) };
            keep
        });
        state.bytes -= freed;
        drop(state);
        self.room.notify_waiters();
    }

    /// These links will confirm nothing more, or not soon enough: what they carry is to be sent again.
    pub(crate) fn orphan(&self, is_lost: impl Fn(ConnId) -> bool) {
        for entry in &mut lock(&self.state).entries {
            if entry.carrier.is_some_and(|(conn, _)| is_lost(conn)) {
                entry.carrier = None;
            }
        }
    }

    /// Returns whether this link is to confirm any.
    pub(crate) fn waits_for(&self, conn: ConnId) -> bool {
        lock(&self.state).entries.iter().any(|entry| entry.carrier.is_some_and(|(it, _)| it == conn))
    }

    /// The oldest publish that is to be sent again, of those with this id or a later one. It is kept until a link has
    /// confirmed it.
    pub(crate) fn next_orphan(&self, from: u64) -> Option<Orphan> {
        let mut state = lock(&self.state);
        if state.forget_older_than(self.limits.max_age) {
            self.room.notify_waiters();
        }
        let first = state.entries.partition_point(|entry| entry.id < from);
        let orphan = state.entries.range(first..).find(|entry| entry.carrier.is_none());
        orphan.map(|entry| Orphan { id: entry.id, message: entry.message.clone() })
    }

    /// No server takes this one.
    pub(crate) fn give_up(&self, id: u64) {
        let mut state = lock(&self.state);
        if let Ok(index) = state.entries.binary_search_by_key(&id, |entry| entry.id)
            && let Some(entry) = state.entries.remove(index)
        {
            state.bytes -= size(&entry.message);
            self.room.notify_waiters();
        }
    }

    pub(crate) fn forgotten(&self) -> Forgotten {
        lock(&self.state).forgotten
    }
}

impl State {
    fn pop(&mut self) -> Option<Entry> {
        let entry = self.entries.pop_front()?;
        self.bytes -= size(&entry.message);
        Some(entry)
    }

    /// Says whether there were any.
    fn forget_older_than(&mut self, max_age: Duration) -> bool {
        let before = self.forgotten.expired;
        let now = now();
        let is_old = |entry: &Entry| now.saturating_duration_since(entry.published) > max_age;
        while self.entries.front().is_some_and(is_old) {
            self.pop();
            self.forgotten.expired += 1;
        }
        self.forgotten.expired > before
    }
}

/// What a message takes up.
pub(crate) fn size(message: &OutboundMessage) -> usize {
    let reply = message.reply.as_ref().map_or(0, |reply| reply.len());
    size_of::<Entry>() + message.subject.len() + reply + crate::native::publish::size(message)
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    const OLD: ConnId = ConnId(1);
    const NEW: ConnId = ConnId(2);

    fn message(payload: &'static str) -> OutboundMessage {
        OutboundMessage { subject: "a".into(), reply: None, payload: payload.into(), headers: None }
    }

    /// Room for so many messages of one letter.
    fn buffer(messages: usize, drops_oldest: bool, max_age: Duration) -> ResendBuffer {
        ResendBuffer::new(Limits { max_bytes: messages * size(&message("1")), max_age, drops_oldest })
    }

    const LONG: Duration = Duration::from_secs(3_600);

    /// What would be sent again now, in order.
    fn orphans(kept: &ResendBuffer) -> Vec<Orphan> {
        let mut from = 0;
        let next = std::iter::from_fn(|| {
            let orphan = kept.next_orphan(from)?;
            from = orphan.id + 1;
            Some(orphan)
        });
        next.collect()
    }

    fn payloads(orphans: &[Orphan]) -> Vec<&str> {
        orphans.iter().map(|orphan| std::str::from_utf8(&orphan.message.payload).unwrap()).collect()
    }

    #[test]
    fn what_is_not_confirmed_is_an_orphan_once_its_link_is_lost() {
        let kept = buffer(9, false, LONG);
        for (number, payload) in (1..).zip(["1", "2", "3"]) {
            kept.published(message(payload), OLD, number);
        }
        kept.confirmed(OLD, 1);
        assert!(orphans(&kept).is_empty() && kept.waits_for(OLD));
        kept.orphan(|conn| conn == NEW);
        assert!(orphans(&kept).is_empty(), "another link was lost");
        kept.orphan(|conn| conn == OLD);
        assert_eq!(payloads(&orphans(&kept)), ["2", "3"]);
        assert!(!kept.waits_for(OLD));
    }

    #[test]
    fn only_the_link_that_took_it_last_confirms_an_orphan() {
        let kept = buffer(9, false, LONG);
        kept.published(message("1"), OLD, 7);
        kept.orphan(|conn| conn == OLD);
        kept.adopted(orphans(&kept)[0].id, NEW, 1);
        assert!(orphans(&kept).is_empty());
        kept.confirmed(OLD, 7);
        assert!(kept.waits_for(NEW));
        kept.orphan(|conn| conn == NEW);
        assert_eq!(payloads(&orphans(&kept)), ["1"]);
        kept.adopted(orphans(&kept)[0].id, OLD, 8);
        kept.confirmed(OLD, 8);
        kept.orphan(|_| true);
        assert!(orphans(&kept).is_empty());
    }

    #[test]
    fn without_room_the_oldest_goes_or_the_newest_waits() {
        for (drops_oldest, expected) in [(false, vec!["1", "2"]), (true, vec!["2"])] {
            let kept = buffer(2, drops_oldest, LONG);
            for (number, payload) in [(1, "1"), (2, "2")] {
                assert!(kept.has_room_for(&message(payload)));
                kept.published(message(payload), OLD, number);
            }
            assert_eq!(kept.has_room_for(&message("3")), drops_oldest);
            assert_eq!(kept.forgotten().dropped, u64::from(drops_oldest));
            kept.orphan(|_| true);
            assert_eq!(payloads(&orphans(&kept)), expected);
            kept.give_up(orphans(&kept)[0].id);
            assert!(kept.has_room_for(&message("3")), "given up makes room");
        }
    }

    #[test]
    fn what_is_too_old_takes_no_room_and_is_not_sent_again() {
        let kept = buffer(1, false, Duration::ZERO);
        kept.published(message("1"), OLD, 1);
        kept.orphan(|_| true);
        let then = now();
        while now() == then {}
        assert!(orphans(&kept).is_empty() && kept.has_room_for(&message("2")));
        assert_eq!(kept.forgotten(), Forgotten { dropped: 0, expired: 1 });
    }

    #[tokio::test]
    async fn a_confirmation_lets_in_who_waits_for_room() {
        let kept = std::sync::Arc::new(buffer(1, false, LONG));
        kept.published(message("1"), OLD, 1);
        let waiting = tokio::spawn({
            let kept = std::sync::Arc::clone(&kept);
            async move { kept.room_for(&message("2")).await }
        });
        kept.wanted().await;
        assert!(!waiting.is_finished());
        kept.confirmed(OLD, 1);
        waiting.await.unwrap();
    }

    #[tokio::test]
    async fn what_is_forgotten_lets_in_who_waits_for_room() {
        let ways: [fn(&ResendBuffer); 2] = [
            |kept| kept.give_up(0),
            |kept| {
                let then = now();
                while now() == then {}
                assert!(kept.next_orphan(0).is_none(), "too old");
            },
        ];
        for (forget, max_age) in ways.into_iter().zip([LONG, Duration::ZERO]) {
            let kept = buffer(1, false, max_age);
            kept.published(message("1"), OLD, 1);
            kept.orphan(|_| true);
            let (room, other) = (kept.room.notified(), message("2"));
            forget(&kept);
            assert!(room.now_or_never().is_some(), "nobody was told");
            assert!(kept.has_room_for(&other));
        }
    }
}
