//! TCP, as far as it affects decisions: handshake, order, retransmission and reset. Congestion is not simulated, because
//! a selector waits for single segments only.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::server::Mood;
use super::super::wan::retransmit_after;
use super::{Happening, World};
use crate::core::{Cause, ConnId, PingId, ProbeId, Time};

pub(super) type FlowId = u64;

/// One TCP connection between a client and a server.
#[derive(Clone, Debug)]
pub(super) struct Flow {
    pub(super) client: usize,
    pub(super) server: usize,
    /// The life of the server that accepted it.
    pub(super) life: u32,
    pub(super) purpose: Purpose,
    pub(super) stage: Stage,
    /// When the dial began, by the client's clock.
    pub(super) since: Time,
    /// The server has ended it: nothing that it sends afterwards counts.
    pub(super) ended: bool,
    to_server: Direction,
    to_client: Direction,
}

/// What the client wants of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    Probe(ProbeId),
    Link(ConnId),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    Dialing,
    Open,
    /// The client is closing it.
    Draining,
}

/// The order of segments in one direction.
#[derive(Clone, Debug, Default)]
struct Direction {
    sent: u64,
    read: u64,
    /// Arrived before their turn.
    early: BTreeMap<u64, Message>,
}

/// A segment on its way.
#[derive(Clone, Debug)]
pub(super) struct Packet {
    flow: FlowId,
    to_server: bool,
    /// Its place in the order; a reset has none.
    place: Option<u64>,
    message: Message,
}

#[derive(Clone, Debug)]
pub(super) enum Message {
    Syn,
    SynAck,
    Ack,
    Refused,
    Info,
    Connect,
    /// CONNECT is answered by PONG.
    Welcome,
    AuthRefused,
    Ping {
        ping: PingId,
        /// By the client's clock.
        sent: Time,
    },
    Pong {
        ping: PingId,
        sent: Time,
    },
    /// The subscriptions, and the barrier behind them.
    Subscribe,
    Subscribed,
    /// The question of a health check.
    Ask {
        question: u64,
    },
    Told {
        question: u64,
        passed: bool,
    },
    LameDuck,
    End(Cause),
}

impl Flow {
    pub(super) fn new(client: usize, server: usize, purpose: Purpose, since: Time) -> Self {
        Self {
            client,
            server,
            life: 0,
            purpose,
            stage: Stage::Dialing,
            since,
            ended: false,
            to_server: Direction::default(),
            to_client: Direction::default(),
        }
    }

    fn direction(&mut self, to_server: bool) -> &mut Direction {
        if to_server { &mut self.to_server } else { &mut self.to_client }
    }
}

impl World {
    pub(super) fn send_to_server(&mut self, flow: FlowId, message: Message) {
        self.send(flow, true, message);
    }

    pub(super) fn send_to_client(&mut self, flow: FlowId, message: Message) {
        if self.flows.get(&flow).is_some_and(|flow| !flow.ended) {
            self.send(flow, false, message);
        }
    }

    /// The server's host knows nothing of this connection.
    pub(super) fn reset(&mut self, flow: FlowId, message: Message) {
        self.transmit(Packet { flow, to_server: false, place: None, message }, 0);
    }

    fn send(&mut self, id: FlowId, to_server: bool, message: Message) {
        let Some(flow) = self.flows.get_mut(&id) else { return };
        let direction = flow.direction(to_server);
        let place = Some(direction.sent);
        direction.sent += 1;
        self.transmit(Packet { flow: id, to_server, place, message }, 0);
    }

    /// A segment leaves; if it is lost, it leaves again later. Once the client has forgotten the connection,
    /// nothing more comes of it.
    pub(super) fn transmit(&mut self, packet: Packet, attempt: u32) {
        let Some(flow) = self.flows.get(&packet.flow) else { return };
        let (host, server) = (&self.hosts[flow.client], &self.servers[flow.server]);
        let (from, to) =
            if packet.to_server { (host.site, server.region) } else { (server.region, host.site) };
        let is_cut = server.mood == Mood::Dark
            || if packet.to_server { host.is_cut_out(self.now) } else { host.is_cut_in(self.now) };
        // A server whose host has gone meanwhile does not remember what it wanted to say.
        if !packet.to_server && packet.place.is_some() && flow.life != server.life && !flow.ended {
            return;
        }
        match self.paths[from][to].send(self.now).filter(|_| !is_cut) {
            Some(delay) => self.at(self.now + delay, Happening::Arrive(packet, attempt)),
            None => self.lost(packet, attempt),
        }
    }

    pub(super) fn arrive(&mut self, packet: Packet, attempt: u32) {
        let Some(flow) = self.flows.get_mut(&packet.flow) else { return };
        let is_gone = if packet.to_server {
            self.servers[flow.server].mood == Mood::Dark
        } else {
            self.hosts[flow.client].is_cut_in(self.now)
        };
        if is_gone {
            return self.lost(packet, attempt);
        }
        let id = packet.flow;
        let mut ready = Vec::new();
        match packet.place {
            None => ready.push(packet.message),
            Some(place) => {
                let direction = flow.direction(packet.to_server);
                direction.early.insert(place, packet.message);
                while let Some(message) = direction.early.remove(&direction.read) {
                    direction.read += 1;
                    ready.push(message);
                }
            }
        }
        for message in ready {
            if packet.to_server {
                self.serve(id, message);
            } else {
                self.happen(Happening::Receive(id, message));
            }
        }
    }

    fn lost(&mut self, packet: Packet, attempt: u32) {
        let round_trip = self.flows.get(&packet.flow).map_or(Duration::ZERO, |flow| {
            let (site, region) = (self.hosts[flow.client].site, self.servers[flow.server].region);
            self.paths[site][region].one_way() + self.paths[region][site].one_way()
        });
        let is_first = matches!(packet.message, Message::Syn | Message::SynAck);
        let again = self.now + retransmit_after(attempt, round_trip, is_first);
        self.at(again, Happening::Transmit(packet, attempt.saturating_add(1)));
    }
}
