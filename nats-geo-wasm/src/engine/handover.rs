//! This module moves subscriptions and traffic from link to link.
//!
//! A planned move is make-before-break. The new link first gets the subscriptions. After a barrier (a round trip to the
//! new server), the client sends traffic on the new link. For a while, both links have the subscriptions: the barrier
//! proves that the new server has them, but not that the gateways have passed them on. Then the old server stops
//! delivery, and the client reads the messages in flight.

use std::time::Duration;

use nats_geo::core::{ConnId, Event, Handover, Time};
use nats_geo::wire::ClientOp;

use super::ending::End;
use super::link::{Link, Retiring, SocketId, Stage, Whom};
use super::{Effect, Engine, Phase};

impl Engine {
    /// Gives the subscriptions and new traffic to a link.
    pub(super) fn activate(&mut self, conn: ConnId, handover: Handover) {
        let Some(socket) = self.conns.get(&conn).copied() else {
            return self.tell(Event::ActivateFailed { conn });
        };
        self.aim = Some(conn);
        let old = self.live.filter(|live| *live != socket);
        match old {
            Some(old) if self.options.at_most_once && handover == Handover::AfterBarrier => {
                self.end_plain_subscriptions(old);
            }
            _ => self.install_and_prove(socket, handover),
        }
    }

    fn install_and_prove(&mut self, socket: SocketId, handover: Handover) {
        self.install_all(socket);
        if handover == Handover::Pipelined {
            // What follows arrives behind the SUBs.
            self.switch_to(socket);
        }
        let now = self.now;
        if let Some(link) = self.links.get_mut(&socket) {
            link.ping(Whom::Activation(handover), now);
        }
    }

    /// At most once: plain subscriptions end here before they begin elsewhere. Members of a queue group overlap as
    /// always, since the servers give each message to one of them.
    fn end_plain_subscriptions(&mut self, old: SocketId) {
        let now = self.now;
        let Some(link) = self.links.get_mut(&old) else { return };
        let is_plain = |sid: &u32| self.subscriptions.get(sid).is_none_or(|it| it.queue.is_none());
        let plain: Vec<u32> = link.carried.keys().copied().filter(is_plain).collect();
        for sid in plain {
            link.send(&ClientOp::Unsub { sid: sid.into(), max: None }, now);
        }
        link.is_carrier = false;
        link.ping(Whom::Ended, now);
    }

    /// The plain subscriptions have ended on the old link, or it is gone.
    pub(super) fn begin_elsewhere(&mut self, old: SocketId) {
        if let Some(link) = self.links.get_mut(&old) {
            let subscriptions = &self.subscriptions;
            link.carried.retain(|sid, _| subscriptions.get(sid).is_some_and(|it| it.queue.is_some()));
        }
        match self.aim.and_then(|aim| self.conns.get(&aim)).copied() {
            Some(target) if target != old => self.install_and_prove(target, Handover::AfterBarrier),
            // The move was called off: they begin again where they were.
            _ => self.install_all(old),
        }
    }

    /// The server has everything that was installed.
    pub(super) fn activation_proven(&mut self, socket: SocketId, handover: Handover) {
        let Some(conn) = self.links.get(&socket).and_then(|link| link.conn()) else { return };
        if handover == Handover::AfterBarrier && self.aim != Some(conn) {
            return self.tell(Event::ActivateFailed { conn });
        }
        if handover == Handover::AfterBarrier {
            self.switch_to(socket);
        }
        self.tell(Event::Activated { conn });
    }

    /// Sends new traffic to a link, behind what was kept for it.
    fn switch_to(&mut self, socket: SocketId) {
        if self.live != Some(socket) {
            self.counters.moves += 1;
        }
        self.live = Some(socket);
        self.notice_losses();
        self.send_kept();
        self.send_waiting_requests();
        self.send_waiting_pings();
        if let Phase::Connecting { .. } = self.phase {
            self.phase = Phase::Running;
            self.effects.push_back(Effect::Opened);
        }
    }

    /// Leaves a link that still works.
    pub(super) fn retire(&mut self, conn: ConnId, overlap: Duration, drain: Duration) {
        let Some(socket) = self.conns.get(&conn).copied() else {
            return self.tell(Event::Closed { conn, cause: nats_geo::core::Cause::Requested });
        };
        let until = self.now + overlap;
        if let Some(link) = self.links.get_mut(&socket) {
            link.retiring = Some(Retiring { stage: Stage::Overlap, until, end: until + drain, drain });
        }
        if overlap.is_zero() {
            self.stop_carrying(socket);
        }
    }

    /// The overlap is over: the server is told to send no more.
    pub(super) fn stop_carrying(&mut self, socket: SocketId) {
        if self.live == Some(socket) {
            self.live = None;
        }
        let now = self.now;
        let Some(link) = self.links.get_mut(&socket) else { return };
        link.is_carrier = false;
        let carried: Vec<u32> = link.carried.keys().copied().collect();
        for sid in carried {
            link.send(&ClientOp::Unsub { sid: sid.into(), max: None }, now);
        }
        set_stage(link, Stage::Stopping);
        link.ping(Whom::Quiet, now);
    }

    /// Nothing more is delivered there.
    pub(super) fn quiet(&mut self, socket: SocketId) {
        if let Some(link) = self.links.get_mut(&socket) {
            link.carried.clear();
            set_stage(link, Stage::Answers);
        }
        self.finish_if_answered(socket);
    }

    /// Once no request waits there: answers of ours may have been sent until now, so one more round trip.
    pub(super) fn finish_if_answered(&mut self, socket: SocketId) {
        let now = self.now;
        let is_waiting = self.requests.any_on(socket);
        let Some(link) = self.links.get_mut(&socket) else { return };
        if link.retiring.is_some_and(|retiring| retiring.stage == Stage::Answers) && !is_waiting {
            set_stage(link, Stage::Finishing);
            link.ping(Whom::Finished, now);
        }
    }

    /// Steps of retiring that time demands.
    pub(super) fn retire_what_is_due(&mut self) {
        let now = self.now;
        for socket in self.links_where(&|_, link| link.retiring.is_some()) {
            let Some(link) = self.links.get_mut(&socket) else { continue };
            if link.is_under_way(now) {
                link.moves(now);
            }
            let Some(retiring) = link.retiring else { continue };
            if retiring.end <= self.now && retiring.stage != Stage::Overlap {
                self.end_link(socket, End::Requested);
            } else if retiring.until <= self.now && retiring.stage == Stage::Overlap {
                self.stop_carrying(socket);
            }
        }
    }
}

impl Link {
    /// Something moves: the answer to whatever the server is asked waits behind all that waits already, at either end.
    pub(super) fn moves(&mut self, now: Time) {
        if let Some(retiring) = self.retiring.as_mut().filter(|it| it.stage != Stage::Overlap) {
            retiring.end = (now + retiring.drain).min(retiring.until + BACKLOG_LIMIT);
        }
    }
}

/// If the server does not hear us, it goes on sending what others already get elsewhere. As with `progress_patience` of the
/// policy: a backlog that nats-server puts up with takes no longer.
const BACKLOG_LIMIT: Duration = Duration::from_secs(20);

fn set_stage(link: &mut Link, stage: Stage) {
    if let Some(retiring) = &mut link.retiring {
        retiring.stage = stage;
    }
}
