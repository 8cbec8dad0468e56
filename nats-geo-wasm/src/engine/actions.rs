//! This module carries out the decisions of the selector.

use std::time::Duration;

use nats_geo::core::{
    Action, Cause, ConnId, EndpointId, Event, OpenError, PingId, ProbeError, ProbeId, ProbeReport,
};

use super::ending::{End, NO_NETWORK};
use super::link::{Link, Purpose, SocketId, Whom};
use super::{Effect, Engine};

impl Engine {
    pub(super) fn perform(&mut self, action: Action) {
        match action {
            Action::Probe { probe, endpoint, timeout } => self.probe(probe, endpoint, timeout),
            Action::Open { conn, endpoint, timeout } => self.open(conn, endpoint, timeout),
            Action::Ping { conn, ping } => self.ping(conn, ping),
            Action::Activate { conn, handover } => self.activate(conn, handover),
            Action::Close { conn, overlap, drain } if overlap.is_zero() && drain.is_zero() => self.kill(conn),
            Action::Close { conn, overlap, drain } => self.retire(conn, overlap, drain),
            Action::Notify(notice) => self.notify(&notice),
            // The core is of the same release: it decides nothing else.
            _ => {}
        }
    }

    fn probe(&mut self, probe: ProbeId, endpoint: EndpointId, limit: Duration) {
        let Some(url) = self.endpoints.url(endpoint) else {
            return self.tell(Event::Probed { probe, result: Err(ProbeError::Closed) });
        };
        if let Some(report) = self.remembered(&url) {
            return self.tell(Event::Probed { probe, result: Ok(report) });
        }
        if !self.is_online {
            let error = ProbeError::Unreachable(NO_NETWORK.into());
            return self.tell(Event::Probed { probe, result: Err(error) });
        }
        let link = Link::new(Purpose::Probe(probe), endpoint, self.now + limit);
        let socket = self.add_link(link);
        self.effects.push_back(Effect::OpenSocket { socket, url });
    }

    /// What an earlier client learned of this server answers the first probe.
    fn remembered(&mut self, url: &str) -> Option<ProbeReport> {
        let memory = self.options.memory.as_mut()?;
        let nth = memory.servers.iter().position(|server| server.url == url)?;
        let server = memory.servers.swap_remove(nth);
        Some(ProbeReport { time_to_info: server.rtt, round_trips: 1, identity: server.identity })
    }

    fn open(&mut self, conn: ConnId, endpoint: EndpointId, limit: Duration) {
        let Some(url) = self.endpoints.url(endpoint) else {
            return self.tell(Event::OpenFailed { conn, error: OpenError::Other("no longer known".into()) });
        };
        let mut link = Link::new(Purpose::Traffic(conn), endpoint, self.now + limit);
        if !self.is_online {
            // It waits for the network: dials that fail at once would only use up their budget.
            link.parked = Some(url);
            let socket = self.add_link(link);
            self.conns.insert(conn, socket);
            return;
        }
        let socket = self.add_link(link);
        self.conns.insert(conn, socket);
        self.effects.push_back(Effect::OpenSocket { socket, url });
    }

    /// The network is back: dials that waited for it begin.
    pub(super) fn open_parked(&mut self) {
        let limit = self.options.config.dial.timeout;
        for (socket, link) in self.links.iter_mut() {
            if let Some(url) = link.parked.take() {
                link.deadline = self.now + limit;
                self.effects.push_back(Effect::OpenSocket { socket: *socket, url });
            }
        }
    }

    fn add_link(&mut self, link: Link) -> SocketId {
        let socket = SocketId(self.next_socket);
        self.next_socket = self.next_socket.wrapping_add(1);
        self.links.insert(socket, link);
        socket
    }

    fn ping(&mut self, conn: ConnId, ping: PingId) {
        let now = self.now;
        if let Some(link) = self.conns.get(&conn).and_then(|socket| self.links.get_mut(socket)) {
            link.ping(Whom::Ping(ping), now);
            // What has moved before says nothing of this PING.
            link.has_progress(now);
        }
    }

    /// Ends a link, or the attempt to open one, at once.
    fn kill(&mut self, conn: ConnId) {
        match self.conns.get(&conn) {
            Some(socket) => self.end_link(*socket, End::Requested),
            None => self.tell(Event::Closed { conn, cause: Cause::Requested }),
        }
    }
}
