//! This module handles the operations that servers send.

use nats_geo::core::{ConnId, EndpointId, Event, Time};
use nats_geo::wire::{ClientOp, Complaint, Decoder, Info, ServerOp};

use super::Engine;
use super::ending::End;
use super::link::{SocketId, Step, Whom};

impl Engine {
    /// Handles bytes that a socket has received.
    pub fn socket_received(&mut self, socket: SocketId, bytes: &[u8], now: Time) {
        self.advance(now);
        if let Some(link) = self.links.get_mut(&socket) {
            link.received += bytes.len() as u64;
            link.silent_wakes = None;
            link.moves(now);
            // The bytes prove that it is open, whatever order the browser tells of it in.
            let opens = link.step == Step::Opening;
            if opens {
                link.step = Step::AwaitInfo;
            }
            // Messages are slices of what it keeps, so the link does without it meanwhile.
            let mut decoder = std::mem::take(&mut link.decoder);
            if opens {
                self.has_opened(socket);
            }
            decoder.feed(bytes);
            self.take_in_all(socket, &mut decoder);
            if let Some(link) = self.links.get_mut(&socket) {
                link.decoder = decoder;
            }
        }
        self.pump();
    }

    fn take_in_all(&mut self, socket: SocketId, decoder: &mut Decoder) {
        // An operation may end the link.
        while self.links.contains_key(&socket) {
            match decoder.next_op() {
                Ok(None) => break,
                Ok(Some(op)) => self.take_in(socket, op),
                Err(error) => self.end_link(socket, End::Protocol(error.to_string())),
            }
        }
    }

    fn take_in(&mut self, socket: SocketId, op: ServerOp<'_>) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&socket) else { return };
        match op {
            ServerOp::Msg(message) if link.step == Step::Live => self.delivered(socket, &message),
            ServerOp::Info(info) => self.informed(socket, info),
            ServerOp::Err(text) => self.complained(socket, text),
            _ if link.step == Step::AwaitInfo => {
                self.end_link(socket, End::Protocol("it did not begin with INFO".into()));
            }
            ServerOp::Ping => link.send(&ClientOp::Pong, now),
            ServerOp::Pong => {
                if let Some((whom, rtt)) = link.pong(now) {
                    self.answered(socket, whom, rtt);
                }
            }
            // An acknowledgement, which we ask for nowhere, or a message before its time.
            _ => {}
        }
    }

    fn informed(&mut self, socket: SocketId, info: Box<Info>) {
        let Some(link) = self.links.get_mut(&socket) else { return };
        let is_first = link.step == Step::AwaitInfo;
        link.info = info;
        if is_first {
            return self.greeted(socket);
        }
        let (endpoint, conn) = (link.endpoint, link.conn());
        if let Some(conn) = conn.filter(|_| link.step == Step::Live) {
            let info = link.info.clone();
            self.learned(conn, endpoint, &info);
        }
    }

    /// What the server of a link says about its end, and about others.
    pub(super) fn learned(&mut self, conn: ConnId, endpoint: EndpointId, info: &Info) {
        if info.lame_duck {
            self.tell(Event::LameDuck(conn));
        }
        self.advertised(endpoint, info);
    }

    fn answered(&mut self, socket: SocketId, whom: Whom, rtt: std::time::Duration) {
        match whom {
            Whom::Handshake => self.accepted(socket),
            Whom::Sample(nth, best) => self.sampled(socket, nth, rtt.min(best)),
            Whom::Ping(ping) => self.tell(Event::Pong { ping, rtt }),
            Whom::RoundTrip(op) => self.completed_with(op, rtt.as_secs_f64() * 1e3),
            Whom::Barrier(barrier) => self.barrier_answered(barrier, true),
            Whom::Activation(handover) => self.activation_proven(socket, handover),
            Whom::Ended => self.begin_elsewhere(socket),
            Whom::Quiet => self.quiet(socket),
            Whom::Finished => self.end_link(socket, End::Requested),
            Whom::Installed => self.has_read(socket),
        }
    }

    /// `-ERR`. Most of them leave the connection open.
    fn complained(&mut self, socket: SocketId, text: String) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&socket) else { return };
        let complaint = Complaint::of(&text);
        if link.step != Step::Live {
            let end = match complaint {
                Complaint::Credentials => End::Auth(text),
                Complaint::AccountConnections => End::AccountLimit,
                Complaint::ServerConnections => End::ServerFull,
                Complaint::Overload => End::Overloaded(text),
                _ => {
                    link.complaint = Some((text, now));
                    return;
                }
            };
            return self.end_link(socket, end);
        }
        match complaint {
            Complaint::Permissions => {
                if self.denied(socket, &text) {
                    return;
                }
            }
            Complaint::Subscriptions => self.too_many_subscriptions(socket, &text),
            _ => link.complaint = Some((text.clone(), now)),
        }
        self.notify_error(socket, &text);
    }
}
