//! This module simulates PINGs at regular times, and their answers. On a path with loss and delay, TCP delivers PINGs
//! and answers late, but in order.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::core::Time;
use crate::sim::PathModel;
use crate::sim::wan::{Path, retransmit_after};

/// What a client sees.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Happening {
    /// It sent a PING.
    Sent,
    /// The oldest unanswered PING was answered.
    Answered,
}

/// The traffic of one connection, in order of time and without end.
#[derive(Debug)]
pub(super) struct Trace {
    interval: Duration,
    next_ping: (Time, u64),
    legs: [Leg; 2],
    /// Segments under way: in order of time, first come first served.
    queue: BTreeMap<(Time, u64), Segment>,
    sequence: u64,
}

/// One direction.
#[derive(Debug)]
struct Leg {
    path: Path,
    round_trip: Duration,
    /// The next one that the receiver may read, and those that came too early.
    next: u64,
    early: BTreeSet<u64>,
}

const OUT: usize = 0;
const BACK: usize = 1;

#[derive(Clone, Copy, Debug)]
enum Segment {
    /// Is sent for the so many-th time, counted from 0.
    Send { leg: usize, ping: u64, attempt: u32 },
    /// Comes in at the other end.
    Arrive { leg: usize, ping: u64 },
}

impl Trace {
    pub(super) fn new(model: &PathModel, interval: Duration, seed: u64) -> Self {
        let leg = |seed| Leg {
            path: Path::new(model.clone(), seed),
            round_trip: 2 * model.one_way,
            next: 0,
            early: BTreeSet::new(),
        };
        Self {
            interval,
            next_ping: (Time::ZERO, 0),
            legs: [leg(seed.wrapping_mul(2)), leg(seed.wrapping_mul(2) + 1)],
            queue: BTreeMap::new(),
            sequence: 0,
        }
    }

    /// When the next PING is sent.
    pub(super) const fn next_ping(&self) -> Time {
        self.next_ping.0
    }

    /// What happens next, and when.
    pub(super) fn next(&mut self) -> (Time, Happening) {
        loop {
            let (at, ping) = self.next_ping;
            let due = self.queue.first_key_value().map(|((due, _), _)| *due);
            if due.is_none_or(|due| at <= due) {
                self.next_ping = (at + self.interval, ping + 1);
                self.push(at, Segment::Send { leg: OUT, ping, attempt: 0 });
                return (at, Happening::Sent);
            }
            let Some(((now, _), segment)) = self.queue.pop_first() else { continue };
            match segment {
                Segment::Send { leg, ping, attempt } => self.send(leg, ping, attempt, now),
                Segment::Arrive { leg, ping } => {
                    self.legs[leg].early.insert(ping);
                }
            }
            if let Some(happening) = self.read(now) {
                return (now, happening);
            }
        }
    }

    fn send(&mut self, leg: usize, ping: u64, attempt: u32, now: Time) {
        let Leg { path, round_trip, .. } = &mut self.legs[leg];
        match path.send(now) {
            Some(delay) => self.push(now + delay, Segment::Arrive { leg, ping }),
            None => {
                let again = now + retransmit_after(attempt, *round_trip, false);
                self.push(again, Segment::Send { leg, ping, attempt: attempt + 1 });
            }
        }
    }

    /// Reads what has come in order: the server answers all of it, the client one at a time.
    fn read(&mut self, now: Time) -> Option<Happening> {
        while self.legs[OUT].take() {
            let ping = self.legs[OUT].next - 1;
            self.push(now, Segment::Send { leg: BACK, ping, attempt: 0 });
        }
        if !self.legs[BACK].take() {
            return None;
        }
        if self.legs[BACK].early.first() == Some(&self.legs[BACK].next) {
            // What else has come is read at the same moment.
            let ping = self.legs[BACK].next;
            self.push(now, Segment::Arrive { leg: BACK, ping });
        }
        Some(Happening::Answered)
    }

    fn push(&mut self, at: Time, segment: Segment) {
        self.queue.insert((at, self.sequence), segment);
        self.sequence += 1;
    }
}

impl Leg {
    fn take(&mut self) -> bool {
        let is_there = self.early.remove(&self.next);
        self.next += u64::from(is_there);
        is_there
    }
}
