//! The drain of a client, which ends subscriptions, then requests, then publishes; and the immediate end.

use nats_geo::core::Time;

use super::barrier::Goal;
use super::{Code, Effect, Engine, Phase, Refusal};

/// An orderly end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Draining {
    op: u32,
    step: Step,
    /// A barrier of this step is under way.
    is_waiting: bool,
    /// Publishes that were lost, or may have been, before it began.
    lost: u64,
}

/// How far an orderly end has come.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
enum Step {
    Subscriptions,
    /// What came in last is answered: whoever does that is told of it only after the server has said that it was the last.
    Answers,
    /// Publishing has ended too: only what was taken is still sent.
    Publishes,
    Done,
}

impl Draining {
    pub(super) fn may_publish(self) -> bool {
        self.step < Step::Publishes
    }
}

impl Engine {
    /// Drains the client: subscriptions get the messages in flight, requests get their answers, and the server gets all
    /// publishes. Then the client closes, and `op` completes. `op` fails if publishes may have been lost during the
    /// drain.
    pub fn drain(&mut self, op: u32, now: Time) {
        self.advance(now);
        match self.phase {
            Phase::Closed => self.failed(op, Code::Closed, &Refusal::closed().text),
            Phase::Draining(_) => self.failed(op, Code::Draining, &Refusal::draining().text),
            Phase::New | Phase::Connecting { .. } | Phase::Running => {
                let lost = self.counters.lost();
                self.phase =
                    Phase::Draining(Draining { op, step: Step::Subscriptions, is_waiting: true, lost });
                let sids = self.stop_subscriptions();
                let links = self.carriers();
                self.unsubscribe_behind_barrier(&sids, &links, Goal::DrainAll);
            }
        }
        self.pump();
    }

    /// Closes the client at once.
    pub fn close(&mut self, now: Time) {
        self.advance(now);
        self.close_with(None, None);
    }

    /// A barrier has ended; it is repeated if that `is_proof` of nothing.
    pub(super) const fn drain_step(&mut self, is_proof: bool) {
        if let Phase::Draining(draining) = &mut self.phase {
            draining.is_waiting = false;
            draining.step = match draining.step {
                Step::Subscriptions => Step::Answers,
                Step::Answers if is_proof => Step::Publishes,
                Step::Publishes if is_proof => Step::Done,
                same => same,
            };
        }
    }

    /// Takes the next step, if what it waits for has happened.
    pub(super) fn advance_drain(&mut self) {
        while let Phase::Draining(draining) = &mut self.phase {
            let is_quiet = self.requests.is_empty() && self.waiting_pings.is_empty() && self.kept.is_empty();
            if draining.step == Step::Done {
                let Draining { op, lost, .. } = *draining;
                match self.counters.lost() > lost {
                    true => self.failed(op, Code::LinkLost, super::ending::LOST_BEFORE_PONG),
                    false => self.completed(op),
                }
                return self.close_with(None, None);
            }
            if draining.is_waiting || !is_quiet {
                return;
            }
            draining.is_waiting = true;
            self.flush_links(Goal::FlushAll);
        }
    }

    /// Ends everything that waits.
    pub(super) fn close_with(&mut self, code: Option<Code>, text: Option<String>) {
        if self.phase == Phase::Closed {
            return;
        }
        if let Phase::Draining(Draining { op, step, .. }) = self.phase
            && step != Step::Done
        {
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
        for socket in self.links_where(&|_, _| true) {
            self.drop_socket(socket);
        }
        self.subscriptions.clear();
        self.effects.push_back(Effect::Closed { code, text });
    }

    /// The first link did not become live in time.
    pub(super) fn give_up_connecting(&mut self, now: Time) {
        let Phase::Connecting { until, .. } = self.phase else { return };
        if until > now || self.options.retry_initial_connect {
            return;
        }
        let waited = u64::try_from(self.options.connect_timeout.as_millis()).unwrap_or(u64::MAX);
        let nobody = if self.is_online { "no server answered" } else { super::ending::NO_NETWORK };
        let (code, last) = self.last_failure.clone().unwrap_or_else(|| (Code::Connection, nobody.into()));
        self.close_with(
            Some(code),
            Some(format!("no link was open within {waited} ms; the last error: {last}")),
        );
    }
}

const CLOSED: &str = "the client was closed";
