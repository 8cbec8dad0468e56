//! The recording of a play: all times and counts, no servers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;

use crate::clients::{Seat, Sign};
use crate::load::requests::Op;
use crate::record::ledger::Totals;
use crate::record::stats::Sample;
use crate::wan::Backend;

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
    /// Parts of faults that were impossible, and servers that were not linked again in time after a fault.
    pub notes: Vec<String>,
    /// The clients.
    pub clients: Vec<ClientRecord>,
    /// Numbered messages of each workload and population.
    pub messages: Vec<MessagesRecord>,
    /// How long these messages took, for each receiver and phase.
    pub deliveries: Vec<DeliveriesRecord>,
    /// Puts and gets of buckets and object stores.
    pub stores: Vec<StoreRecord>,
    /// Connections that bypassed the emulated WAN.
    pub leaks: Vec<String>,
    /// Share of the processor time that was idle; `None` where that was not measured.
    pub idle: Option<f64>,
    /// Which nats-server how many servers ran, at the start.
    pub nats_servers: Vec<(String, usize)>,
    /// The emulation of the WAN.
    pub wan: Backend,
    /// The reason why it was not `netns`, if the operator chose `auto`.
    pub wan_fallback: Option<String>,
    /// Names of the servers' logs, if they were copied.
    pub logs: Vec<String>,
    /// One line about each agent of another machine that played clients.
    pub agents: Vec<String>,
    /// Bound of the error of times between a client and the controller, such as failovers and deliveries. Zero on one machine.
    pub clock_error: Duration,
}

impl Recording {
    /// How late requests were sent: 99th percentile. This is loadgen's own fault.
    pub fn schedule_lag_p99(&self) -> Option<Duration> {
        let ops = self.clients.iter().flat_map(|client| &client.ops);
        let lags: Sample = ops.map(|op| op.sent.saturating_duration_since(op.intended)).collect();
        lags.percentile(0.99)
    }

    /// The phase at a time.
    pub fn phase_at(&self, at: Instant) -> Option<usize> {
        self.phases.iter().position(|(from, to)| at >= *from && at < *to)
    }
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
    /// From its first dial until it was connected.
    pub connect_took: Duration,
    /// When it was connected.
    pub joined: Instant,
    /// When it ended.
    pub left: Instant,
    /// Its requests, to responders and to the micro service.
    pub ops: Vec<Op>,
    /// How many of them each workload sent: index of the workload and count, in the order of `ops`.
    pub op_workloads: Vec<(usize, usize)>,
    /// Its publishes to streams.
    pub publishes: Vec<Op>,
    /// What it noticed.
    pub signs: Vec<(Instant, Sign)>,
    /// Where it was connected, since when.
    pub seats: Vec<(Instant, Option<Seat>)>,
}

impl ClientRecord {
    /// One that has done nothing yet, of population and region: how long it took to connect, when it was connected, when it ended.
    pub(super) fn new(
        place: &(usize, String),
        (connect_took, joined): (Duration, Instant),
        left: Instant,
    ) -> Self {
        Self {
            population: place.0,
            region: place.1.clone(),
            number: 0,
            connect_took,
            joined,
            left,
            ops: Vec::new(),
            op_workloads: Vec::new(),
            publishes: Vec::new(),
            signs: Vec::new(),
            seats: Vec::new(),
        }
    }

    /// Adds what came of it later.
    pub(super) fn add(&mut self, later: Self) {
        self.left = later.left;
        self.ops.extend(later.ops);
        self.op_workloads.extend(later.op_workloads);
        self.publishes.extend(later.publishes);
        self.signs.extend(later.signs);
        self.seats.extend(later.seats);
    }

    /// Where it was connected at a time.
    pub fn seat_at(&self, at: Instant) -> Option<&Seat> {
        self.seats.iter().rev().find(|(since, _)| *since <= at)?.1.as_ref()
    }

    /// Its requests, each with the index of its workload.
    pub fn requests(&self) -> impl Iterator<Item = (usize, &Op)> {
        let parts = self.op_workloads.iter();
        parts.flat_map(|(workload, count)| std::iter::repeat_n(*workload, *count)).zip(&self.ops)
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

/// Numbered messages, as one observer has seen them in the end.
#[derive(Clone, Debug)]
pub struct MessagesRecord {
    /// Index of the workload.
    pub workload: usize,
    /// Index of the population.
    pub population: usize,
    /// Which kind of observer looked.
    pub observer: Observer,
    /// Its name: that of a stream, or words such as `subscriber lon`.
    pub place: String,
    /// The sums.
    pub totals: Totals,
    /// Why nobody could look, if so.
    pub unverified: Option<String>,
}

/// The kinds of observers that numbered messages are counted by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Observer {
    /// A stream, which loadgen reads at the end.
    Stream,
    /// A subscriber or a queue group, which receives while the scenario runs.
    Receiver,
    /// A bucket of keys and values, which loadgen reads at the end.
    Bucket,
    /// An object store, which loadgen reads at the end.
    Objects,
}

/// How long messages took from the time when they were due to their delivery.
#[derive(Clone, Debug)]
pub struct DeliveriesRecord {
    /// Index of the workload.
    pub workload: usize,
    /// Index of the population.
    pub population: usize,
    /// Region of the receiver.
    pub region: String,
    /// Index of the phase in which the messages were due.
    pub phase: usize,
    /// First deliveries, in microseconds.
    pub latency: Histogram<u32>,
}

/// Puts or gets of the clients of one population and region that were due in one phase.
#[derive(Clone, Debug)]
pub struct StoreRecord {
    /// Index of the workload.
    pub workload: usize,
    /// Index of the population.
    pub population: usize,
    /// Region of the clients.
    pub region: String,
    /// Index of the phase.
    pub phase: usize,
    /// Gets, or puts.
    pub is_get: bool,
    /// How many began. Those that are not in `latency` failed.
    pub begun: u64,
    /// Gets of a value that is older than an acknowledged one.
    pub stale: u64,
    /// Gets of content that differs from what was written.
    pub corrupt: u64,
    /// Of those that succeeded, from when they were due, in microseconds.
    pub latency: Histogram<u32>,
}
