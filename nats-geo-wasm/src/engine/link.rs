//! One connection to one server, from the opening of its socket to its end. A probe is a connection that ends after its
//! samples.

use std::collections::VecDeque;
use std::time::Duration;

use nats_geo::core::{ConnId, DeliveryRate, EndpointId, Handover, PingId, ProbeId, SortedMap, Time};
use nats_geo::wire::{ClientOp, Decoder, Info};

use super::outgoing::Outgoing;
use super::refusals::line_length;
use super::{Code, Refusal};

/// Id of a socket. The engine never gives the same id to a second socket, so it recognises late reports about a closed
/// socket.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct SocketId(pub u32);

/// One connection.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) purpose: Purpose,
    pub(super) endpoint: EndpointId,
    pub(super) step: Step,
    /// Where to open the socket once there is a network.
    pub(super) parked: Option<String>,
    /// The socket failed, but no `close` event has come.
    pub(super) has_failed: bool,
    /// The handshake, or the probe, must be over by then.
    pub(super) deadline: Time,
    pub(super) decoder: Decoder,
    pub(super) info: Box<Info>,
    pub(super) out: Outgoing,
    /// Bytes handed to the socket since it was opened ...
    pub(super) handed: u64,
    /// ... and how many of them it still holds, as far as known.
    pub(super) buffered: usize,
    /// Whom the next PONGs are for, in order.
    pub(super) waiters: VecDeque<Waiter>,
    pub(super) delivery: DeliveryRate,
    /// Publishes that were entered here, and how many of them a PONG has confirmed.
    pub(super) entered: u64,
    pub(super) confirmed: u64,
    /// Subscriptions installed here, and what each has delivered here.
    pub(super) carried: SortedMap<u32, u64>,
    /// Subscriptions that the server may not have read yet, oldest first, and where the SUB ends in the stream.
    pub(super) unread: Vec<(u64, u64)>,
    /// The longest line that was sent here, in bytes.
    pub(super) longest_line: usize,
    /// New subscriptions are to be installed here.
    pub(super) is_carrier: bool,
    /// The inbox for replies is subscribed to.
    pub(super) has_inbox: bool,
    pub(super) retiring: Option<Retiring>,
    /// Bytes that came in, and at the last look.
    pub(super) received: u64,
    pub(super) seen: Seen,
    /// Since when the host has woken up how often without a byte from here.
    pub(super) silent_wakes: Option<(Time, u32)>,
    /// What the server complained about last.
    pub(super) complaint: Option<(String, Time)>,
}

/// What a connection is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Purpose {
    Traffic(ConnId),
    Probe(ProbeId),
}

/// How far a connection has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// The socket is being opened.
    Opening,
    AwaitInfo,
    /// The user's callback was asked for credentials.
    AwaitCredentials,
    AwaitPong,
    Live,
}

/// Whom a PONG is for.
#[derive(Clone, Debug)]
pub(super) struct Waiter {
    pub(super) whom: Whom,
    /// Publishes that were entered before the PING: its PONG confirms them.
    entered: u64,
    /// Where the PING ends in the stream.
    pub(super) position: u64,
    /// When it was handed to the socket.
    pub(super) sent: Option<Time>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Whom {
    /// CONNECT is accepted.
    Handshake,
    /// The nth sample of a probe, and the best so far.
    Sample(u8, Duration),
    /// A PING of the selector.
    Ping(PingId),
    /// A round trip that the user asked for.
    RoundTrip(u32),
    /// A barrier of several links; see [`Barriers`](super::barrier::Barriers).
    Barrier(u32),
    /// Everything before it is installed.
    Activation(Handover),
    /// The plain subscriptions have ended here, so that they may begin elsewhere.
    Ended,
    /// Nothing more will be delivered here.
    Quiet,
    /// Everything that was published here has arrived.
    Finished,
    /// The server has read a subscription.
    Installed,
}

/// A link that is being left.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Retiring {
    pub(super) stage: Stage,
    /// When the overlap is over.
    pub(super) until: Time,
    /// When it is ended: whatever moves puts that off.
    pub(super) end: Time,
    /// How long nothing may move.
    pub(super) drain: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    /// Still carries the subscriptions, as its successor does.
    Overlap,
    /// The server was told to send no more.
    Stopping,
    /// Requests may still be answered.
    Answers,
    /// Replies of ours may still be on their way.
    Finishing,
}

/// A look at what moves.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Seen {
    pub(super) received: u64,
    pub(super) drained: u64,
}

impl Link {
    pub(super) fn new(purpose: Purpose, endpoint: EndpointId, deadline: Time) -> Self {
        Self {
            purpose,
            endpoint,
            step: Step::Opening,
            parked: None,
            has_failed: false,
            deadline,
            decoder: Decoder::new(),
            info: Box::default(),
            out: Outgoing::default(),
            handed: 0,
            buffered: 0,
            waiters: VecDeque::new(),
            delivery: DeliveryRate::default(),
            entered: 0,
            confirmed: 0,
            carried: SortedMap::new(),
            unread: Vec::new(),
            longest_line: 0,
            is_carrier: false,
            has_inbox: false,
            retiring: None,
            received: 0,
            seen: Seen::default(),
            silent_wakes: None,
            complaint: None,
        }
    }

    pub(super) const fn conn(&self) -> Option<ConnId> {
        match self.purpose {
            Purpose::Traffic(conn) => Some(conn),
            Purpose::Probe(_) => None,
        }
    }

    /// Sends an operation that cannot be malformed.
    pub(super) fn send(&mut self, op: &ClientOp<'_>, now: Time) {
        // Subjects were checked when they came in.
        let _ = self.out.push(op, now);
    }

    /// Sends a SUB, which is unread until a PONG proves otherwise.
    pub(super) fn subscribe(&mut self, subject: &str, queue: Option<&str>, sid: u64, now: Time) {
        self.sends_line(subject, queue);
        self.send(&ClientOp::Sub { subject, queue, sid }, now);
        self.unread.push((sid, self.handed + self.out.queued_bytes() as u64));
    }

    /// A line with these names may reach the server from now on.
    pub(super) fn sends_line(&mut self, name: &str, other: Option<&str>) {
        self.longest_line = self.longest_line.max(line_length(name, other));
    }

    /// Sends a PING; `whom` is told of its PONG.
    pub(super) fn ping(&mut self, whom: Whom, now: Time) {
        self.send(&ClientOp::Ping, now);
        let position = self.handed + self.out.queued_bytes() as u64;
        self.waiters.push_back(Waiter { whom, entered: self.entered, position, sent: None });
    }

    /// A PONG: returns whom it is for, and how long it took; `None` for one that answers nothing that was sent.
    pub(super) fn pong(&mut self, now: Time) -> Option<(Whom, Duration)> {
        let sent = self.waiters.front()?.sent?;
        let waiter = self.waiters.pop_front()?;
        self.confirmed = self.confirmed.max(waiter.entered);
        self.unread.retain(|(_, position)| *position > waiter.position);
        let round_trip = now.since(sent);
        self.delivery.pong(waiter.position, round_trip, now);
        Some((waiter.whom, round_trip))
    }

    /// Returns whether a message of so many bytes can be entered.
    ///
    /// # Errors
    /// The server does not accept it, or too much waits already.
    pub(super) fn check_message(&self, size: usize, has_headers: bool) -> Result<(), Refusal> {
        if has_headers && !self.info.headers {
            return Err(Refusal::new(
                Code::InvalidArgument,
                "this server accepts no headers (`no_header_support`); send the message without",
            ));
        }
        let limit = self.info.max_payload;
        if size > limit && limit > 0 {
            let text = format!(
                "a message of {size} bytes is larger than the {limit} that the server accepts: split it"
            );
            return Err(Refusal::new(Code::PayloadTooLarge, text));
        }
        if self.out.queued_bytes() + size > QUEUED_BYTES_MAX {
            return Err(Refusal::new(
                Code::Connection,
                "64 MiB already wait to be sent; await flush() from time to time",
            ));
        }
        Ok(())
    }

    /// Hands segments to the socket while it holds less than `window`; returns whether anything is left.
    pub(super) fn transmit(
        &mut self,
        window: usize,
        now: Time,
        mut send: impl FnMut(&[u8]) -> usize,
    ) -> bool {
        if self.step == Step::Opening {
            return false;
        }
        let before = self.handed;
        while self.buffered < window {
            let mut buffered = 0;
            let Some(sent) = self.out.send_next(|bytes| buffered = send(bytes)) else { break };
            self.handed += sent as u64;
            self.buffered = buffered;
        }
        let handed = self.handed;
        if handed > before {
            self.moves(now);
        }
        for waiter in self.waiters.iter_mut().rev() {
            if waiter.sent.is_some() {
                break;
            }
            if waiter.position <= handed {
                waiter.sent = Some(now);
            }
        }
        !self.out.is_empty()
    }

    /// Returns whether something has moved since the last look, while a PING of the selector waits for its PONG: bytes came
    /// in, or the PING is still in the socket's buffer and that drains, or it may still be behind what was handed over before it.
    pub(super) fn has_progress(&mut self, now: Time) -> bool {
        let ping = self.waiters.iter().find(|waiter| matches!(waiter.whom, Whom::Ping(_)));
        let drained = self.handed.saturating_sub(self.buffered as u64);
        let seen = std::mem::replace(&mut self.seen, Seen { received: self.received, drained });
        ping.is_some_and(|ping| {
            self.received > seen.received || (ping.position > seen.drained && drained > seen.drained)
        }) || self.is_under_way(now)
    }

    /// Returns whether the oldest PONG may still wait behind what was written.
    pub(super) fn is_under_way(&self, now: Time) -> bool {
        let oldest = self.waiters.front().and_then(|waiter| Some((waiter.position, waiter.sent?)));
        oldest.is_some_and(|(position, sent)| now.since(sent) < self.delivery.queueing(position))
    }

    /// Operations of the user that wait for a PONG.
    pub(super) fn round_trips(&self) -> impl Iterator<Item = u32> {
        self.waiters.iter().filter_map(|waiter| match waiter.whom {
            Whom::RoundTrip(op) => Some(op),
            _ => None,
        })
    }

    /// Publishes that were handed to the socket and are not confirmed.
    pub(super) fn unconfirmed(&self) -> u64 {
        (self.entered - self.confirmed).saturating_sub(self.out.messages())
    }
}

/// What may wait in front of a socket that is full. The largest message that a server can be made to accept fits.
const QUEUED_BYTES_MAX: usize = 65 << 20;
