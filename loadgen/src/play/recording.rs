//! Everything that was seen while a scenario was played: times and counts, no servers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use crate::clients::{Seat, Sign};
use crate::load::requests::Op;
use crate::record::ledger::Totals;

/// One play of one strategy.
#[derive(Debug)]
pub struct Recording {
    /// The start of the timeline.
    pub start: Instant,
    /// Its end, which an undo can delay.
    pub end: Instant,
    /// Begin and end of each phase, as they happened.
    pub phases: Vec<(Instant, Instant)>,
    /// What broke.
    pub faults: Vec<FaultRecord>,
    /// What was not linked again in time after a fault.
    pub late: Vec<String>,
    /// The clients.
    pub clients: Vec<ClientRecord>,
    /// Numbered messages of each workload and population.
    pub messages: Vec<MessagesRecord>,
    /// Connections that bypassed the emulated WAN.
    pub leaks: Vec<String>,
    /// Share of the processor time that was idle; `None` where that was not measured.
    pub idle: Option<f64>,
    /// Which nats-server how many servers ran, at the start.
    pub nats_servers: Vec<(String, usize)>,
}

/// A fault, as it happened.
#[derive(Clone, Debug)]
pub struct FaultRecord {
    /// Its number in the scenario.
    pub fault: usize,
    /// When it was in force.
    pub at: Instant,
    /// When it was undone.
    pub until: Option<Instant>,
    /// Servers whose clients it cut off.
    pub hit: BTreeSet<String>,
}

/// A client, from its connect to its end.
#[derive(Clone, Debug)]
pub struct ClientRecord {
    /// Index of its population.
    pub population: usize,
    /// Where it is.
    pub region: String,
    /// Its number in its region and population.
    pub number: u32,
    /// When it was connected.
    pub joined: Instant,
    /// When it ended.
    pub left: Instant,
    /// Its requests.
    pub ops: Vec<Op>,
    /// Its publishes to streams.
    pub publishes: Vec<Op>,
    /// What it noticed.
    pub signs: Vec<(Instant, Sign)>,
    /// Where it was connected, since when.
    pub seats: Vec<(Instant, Option<Seat>)>,
}

impl ClientRecord {
    /// Where it was connected at a time.
    pub fn seat_at(&self, at: Instant) -> Option<&Seat> {
        self.seats.iter().rev().find(|(since, _)| *since <= at)?.1.as_ref()
    }

    /// Its stays between two times: for how long, where.
    pub fn stays(&self, from: Instant, to: Instant) -> impl Iterator<Item = (Duration, Option<&Seat>)> {
        let (from, to) = (from.max(self.joined), to.min(self.left));
        let ends = self.seats.iter().skip(1).map(|(at, _)| *at).chain(std::iter::once(self.left));
        self.seats.iter().zip(ends).filter_map(move |((since, seat), until)| {
            let (begin, end) = ((*since).max(from), until.min(to));
            (end > begin).then(|| (end - begin, seat.as_ref()))
        })
    }
}

/// Numbered messages, as one stream has them in the end.
#[derive(Clone, Debug)]
pub struct MessagesRecord {
    /// Index of the workload.
    pub workload: usize,
    /// Index of the population.
    pub population: usize,
    /// The stream that was read.
    pub stream: String,
    /// The sums.
    pub totals: Totals,
    /// Why nobody could look, if so.
    pub unverified: Option<String>,
}
