//! Health gates: whether what a link leads to is of use, asked as the native driver asks.

use std::time::Duration;

use super::transport::Message;
use super::{Happening, World};
use crate::core::{ConnId, Event, Handover};

/// The defaults of the native client.
const TIMEOUT: Duration = Duration::from_secs(2);
const FAILURES: u32 = 3;

/// The gate of one link.
#[derive(Clone, Debug)]
pub(super) struct Gate {
    /// The link waits for it.
    bars: bool,
    /// In a row.
    failures: u32,
    /// The one that waits for an answer, if any, and how many there were.
    waiting: Option<u64>,
    asked: u64,
}

impl World {
    /// The subscriptions go to a link: behind the gate, if there is time for that.
    pub(super) fn activate(&mut self, client: usize, conn: ConnId, handover: Handover) {
        let bars = handover == Handover::AfterBarrier;
        if self.gate_period.is_some() {
            let gate = Gate { bars, failures: 0, waiting: None, asked: 0 };
            self.hosts[client].gates.insert(conn, gate);
            self.gate(client, conn);
        }
        if !bars || self.gate_period.is_none() {
            self.send_on(client, conn, Message::Subscribe);
        }
    }

    /// Asks, and again after the period.
    pub(super) fn gate(&mut self, client: usize, conn: ConnId) {
        let Some(gate) = self.hosts[client].gates.get_mut(&conn) else { return };
        let Some(period) = self.gate_period else { return };
        gate.asked += 1;
        let question = gate.asked;
        gate.waiting = Some(question);
        self.send_on(client, conn, Message::Ask { question });
        self.at(self.now + TIMEOUT, Happening::GateOver { client, conn, question });
        self.at(self.now + period, Happening::Gate { client, conn });
    }

    /// The answer, or that there is none.
    pub(super) fn gate_told(&mut self, client: usize, conn: ConnId, question: u64, is_of_use: bool) {
        let gates = &mut self.hosts[client].gates;
        let Some(gate) = gates.get_mut(&conn).filter(|gate| gate.waiting == Some(question)) else { return };
        gate.waiting = None;
        gate.failures = if is_of_use { 0 } else { gate.failures + 1 };
        let (was_barred, is_bad) = (std::mem::take(&mut gate.bars), gate.failures >= FAILURES);
        match (was_barred, is_of_use) {
            (true, true) => self.send_on(client, conn, Message::Subscribe),
            (true, false) => {
                gates.remove(&conn);
                self.unusable(client, conn);
            }
            (false, _) if is_bad => self.unusable(client, conn),
            (false, _) => {}
        }
    }

    fn unusable(&mut self, client: usize, conn: ConnId) {
        self.tell(client, Event::Unusable { conn, why: "the gate is shut".into() });
    }

    /// No server of a region is of use.
    pub(crate) fn is_useless(&self, region: usize) -> bool {
        self.servers.iter().filter(|server| server.region == region).all(|server| server.useless)
    }

    /// From the moment when a region is of no use until a client knows, at the latest.
    pub(crate) fn verdict_within(&self) -> Option<Duration> {
        self.gate_period.map(|period| FAILURES * period + period + TIMEOUT)
    }
}
