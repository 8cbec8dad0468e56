//! The orderly end: subscriptions, then requests, then publishes; and the end at once.

use nats_geo::core::Time;

use super::barrier::Goal;
use super::link::SocketId;
use super::{Code, Effect, Engine, Phase, Refusal};

/// How far an orderly end has come.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Draining {
    op: u32,
    subscriptions_ended: bool,
    /// Publishing has ended too: only what was taken is still sent.
    pub(super) is_last: bool,
    published: bool,
}

impl Draining {
    pub(super) const fn subscriptions_ended(self) -> Self {
        Self { subscriptions_ended: true, ..self }
    }

    pub(super) const fn published(self) -> Self {
        Self { published: true, ..self }
    }
}

impl Engine {
    /// Ends in an orderly way: subscriptions get what is on its way, requests their answers, the server what was
    /// published. Then `op` completes and the client is closed.
    pub fn drain(&mut self, op: u32, now: Time) {
        self.advance(now);
        match self.phase {
            Phase::Closed => self.failed(op, Code::Closed, &Refusal::closed().text),
            Phase::Draining(_) => self.failed(op, Code::Draining, &Refusal::draining().text),
            Phase::New | Phase::Connecting(_) | Phase::Running => {
                let draining = Draining { op, subscriptions_ended: false, is_last: false, published: false };
                self.phase = Phase::Draining(draining);
                let sids = self.stop_subscriptions();
                let links = self.carriers();
                self.unsubscribe_behind_barrier(&sids, &links, Goal::DrainAll);
            }
        }
        self.pump();
    }

    /// Ends at once.
    pub fn close(&mut self, now: Time) {
        self.advance(now);
        self.close_with(None, None);
    }

    pub(super) fn drain_step(&mut self, step: fn(Draining) -> Draining) {
        if let Phase::Draining(draining) = self.phase {
            self.phase = Phase::Draining(step(draining));
        }
    }

    /// Takes the next step, if what it waits for has happened.
    pub(super) fn advance_drain(&mut self) {
        let Phase::Draining(draining) = self.phase else { return };
        let is_quiet =
            draining.subscriptions_ended && self.requests.is_empty() && self.waiting_pings.is_empty();
        if is_quiet && self.kept.is_empty() && !draining.is_last {
            self.phase = Phase::Draining(Draining { is_last: true, ..draining });
            self.flush_links(Goal::FlushAll);
            return self.advance_drain();
        }
        if draining.published {
            self.completed(draining.op);
            self.close_with(None, None);
        }
    }

    /// Ends everything that waits.
    pub(super) fn close_with(&mut self, code: Option<Code>, text: Option<String>) {
        if self.phase == Phase::Closed {
            return;
        }
        if let Phase::Draining(Draining { op, published: false, .. }) = self.phase {
            self.failed(op, Code::Closed, CLOSED);
        }
        self.phase = Phase::Closed;
        self.live = None;
        self.fail_all_requests(Code::Closed, CLOSED);
        let waiting = std::mem::take(&mut self.waiting_pings).into_iter().map(|(op, _, _)| op);
        let barriers = self.barriers.take().into_iter().filter_map(|goal| match goal {
            Goal::Flush(op) | Goal::DrainSubscription(_, op) => Some(op),
            Goal::DrainAll | Goal::FlushAll => None,
        });
        let round_trips = self.links.values().flat_map(super::link::Link::round_trips);
        for op in waiting.chain(barriers).chain(round_trips).collect::<Vec<_>>() {
            self.failed(op, Code::Closed, CLOSED);
        }
        let sockets: Vec<SocketId> = self.links.keys().copied().collect();
        for socket in sockets {
            self.drop_socket(socket);
        }
        self.subscriptions.clear();
        self.effects.push_back(Effect::Closed { code, text });
    }

    /// The first link did not become live in time.
    pub(super) fn give_up_connecting(&mut self, now: Time) {
        let Phase::Connecting(until) = self.phase else { return };
        if until > now {
            return;
        }
        let waited = u64::try_from(self.options.connect_timeout.as_millis()).unwrap_or(u64::MAX);
        let (code, last) =
            self.last_failure.clone().unwrap_or_else(|| (Code::Connection, "nothing answered".into()));
        self.close_with(
            Some(code),
            Some(format!("no server was live within {waited} ms; last of all: {last}")),
        );
    }
}

const CLOSED: &str = "the client was closed";
