//! Subscriptions. A subscription of the application exists on each link that carries subscriptions.

use nats_geo::core::Time;
use nats_geo::wire::{ClientOp, Msg};

use super::barrier::Goal;
use super::frames::{self, FrameKind};
use super::link::{SocketId, Step, Whom};
use super::requests::INBOX_SID;
use super::{Code, Engine, Phase, Refusal};

/// One of the user's.
#[derive(Debug)]
pub(super) struct Subscription {
    pub(super) subject: String,
    pub(super) queue: Option<String>,
    /// Ends after so many messages in all.
    max: Option<u64>,
    delivered: u64,
    /// It gets no further link.
    is_draining: bool,
}

impl Engine {
    /// Subscribes on each link that carries subscriptions, now and later. Messages arrive as frames with this `sid`.
    ///
    /// # Errors
    /// `sid` is zero or in use, the server would refuse the subject or queue group, or the client drains or has ended.
    pub fn subscribe(
        &mut self,
        sid: u32,
        subject: &str,
        queue: Option<&str>,
        max: Option<u64>,
        now: Time,
    ) -> Result<(), Refusal> {
        self.advance(now);
        match self.phase {
            Phase::Closed => return Err(Refusal::closed()),
            Phase::Draining(_) => return Err(Refusal::draining()),
            _ => {}
        }
        if sid == 0 || self.subscriptions.contains_key(&sid) {
            let text = format!("subscription {sid}: its number is zero or in use");
            return Err(Refusal::new(Code::InvalidArgument, text));
        }
        check_subject(subject)?;
        ClientOp::Sub { subject, queue, sid: sid.into() }.encode(&mut Vec::new())?;
        self.check_line(subject, queue)?;
        let subscription = Subscription {
            subject: subject.into(),
            queue: queue.map(Into::into),
            max: max.filter(|max| *max > 0),
            delivered: 0,
            is_draining: false,
        };
        self.subscriptions.insert(sid, subscription);
        for socket in self.links_where(&|_, link| link.is_carrier) {
            self.install(socket, sid);
        }
        self.pump();
        Ok(())
    }

    /// Ends a subscription: now, or after `max` messages, counted from its start.
    pub fn unsubscribe(&mut self, sid: u32, max: Option<u64>, now: Time) {
        self.advance(now);
        let Some(subscription) = self.subscriptions.get_mut(&sid) else { return };
        match max.filter(|max| *max > subscription.delivered) {
            None => self.end_subscription(sid),
            Some(max) => {
                subscription.max = Some(max);
                let left = max - subscription.delivered;
                self.limit_at_server(sid, left);
            }
        }
        self.pump();
    }

    /// Drains a subscription: `op` completes when no more messages can arrive.
    pub fn drain_subscription(&mut self, sid: u32, op: u32, now: Time) {
        self.advance(now);
        match self.subscriptions.get_mut(&sid) {
            None => self.completed(op),
            Some(subscription) => {
                subscription.is_draining = true;
                let carriers = self.carriers_of(sid);
                self.unsubscribe_behind_barrier(&[sid], &carriers, Goal::DrainSubscription(sid, op));
            }
        }
        self.pump();
    }

    /// UNSUB on these links, and a PING behind it on each.
    pub(super) fn unsubscribe_behind_barrier(&mut self, sids: &[u32], links: &[SocketId], goal: Goal) {
        let now = self.now;
        let barrier = self.barriers.begin(goal, links.len().max(1));
        if links.is_empty() {
            return self.barrier_answered(barrier, true);
        }
        for socket in links {
            let Some(link) = self.links.get_mut(socket) else { continue };
            for sid in sids {
                link.send(&ClientOp::Unsub { sid: (*sid).into(), max: None }, now);
            }
            link.ping(Whom::Barrier(barrier), now);
        }
    }

    /// No subscription gets a further link. Returns them all.
    pub(super) fn stop_subscriptions(&mut self) -> Vec<u32> {
        self.subscriptions
            .iter_mut()
            .map(|(sid, subscription)| {
                subscription.is_draining = true;
                *sid
            })
            .collect()
    }

    /// The links on which a subscription lives.
    fn carriers_of(&self, sid: u32) -> Vec<SocketId> {
        self.links_where(&|_, link| link.carried.contains_key(&sid))
    }

    /// The links on which anything lives.
    pub(super) fn carriers(&self) -> Vec<SocketId> {
        self.links_where(&|_, link| !link.carried.is_empty())
    }

    /// Gives all subscriptions to a link, and those that are made from now on.
    pub(super) fn install_all(&mut self, socket: SocketId) {
        if let Some(link) = self.links.get_mut(&socket) {
            link.is_carrier = true;
        }
        let sids: Vec<u32> = self.subscriptions.keys().copied().collect();
        for sid in sids {
            self.install(socket, sid);
        }
    }

    fn install(&mut self, socket: SocketId, sid: u32) {
        let now = self.now;
        let (Some(subscription), Some(link)) = (self.subscriptions.get(&sid), self.links.get_mut(&socket))
        else {
            return;
        };
        if subscription.is_draining || link.carried.contains_key(&sid) {
            return;
        }
        link.carried.insert(sid, 0);
        let Subscription { subject, queue, max, delivered, .. } = subscription;
        link.subscribe(subject, queue.as_deref(), sid.into(), now);
        // On two links at once it is not known which delivers how much: then it is counted here alone, and what one
        // of them sends beyond is dropped.
        if let Some(max) = max {
            let left = max.saturating_sub(*delivered);
            link.send(&ClientOp::Unsub { sid: sid.into(), max: Some(left) }, now);
        }
        // Of those that a link may have ended for, the server says how far it has read.
        if self.strikes.contain(sid) {
            link.ping(Whom::Installed, now);
        }
    }

    fn limit_at_server(&mut self, sid: u32, left: u64) {
        let now = self.now;
        for socket in self.carriers_of(sid) {
            if let Some(link) = self.links.get_mut(&socket) {
                let delivered = link.carried.get(&sid).copied().unwrap_or_default();
                link.send(&ClientOp::Unsub { sid: sid.into(), max: Some(delivered + left) }, now);
            }
        }
    }

    /// Takes a subscription away everywhere.
    pub(super) fn end_subscription(&mut self, sid: u32) {
        let now = self.now;
        self.subscriptions.remove(&sid);
        self.strikes.forget(sid);
        for socket in self.carriers_of(sid) {
            if let Some(link) = self.links.get_mut(&socket) {
                link.carried.remove(&sid);
                link.send(&ClientOp::Unsub { sid: sid.into(), max: None }, now);
            }
        }
    }

    /// A message came in.
    pub(super) fn delivered(&mut self, socket: SocketId, message: &Msg<'_>) {
        if message.sid == INBOX_SID {
            return self.replied(message);
        }
        let Ok(sid) = u32::try_from(message.sid) else { return };
        // Late messages of a subscription that has ended are dropped.
        let Some(subscription) = self.subscriptions.get_mut(&sid) else { return };
        subscription.delivered += 1;
        let is_last = subscription.max.is_some_and(|max| subscription.delivered >= max);
        if let Some(count) = self.links.get_mut(&socket).and_then(|link| link.carried.get_mut(&sid)) {
            *count += 1;
        }
        self.counters.received(message);
        frames::write(&mut self.frames, FrameKind::Message, sid, message);
        if is_last {
            self.end_subscription(sid);
        }
    }

    /// A link has answered a barrier, or ended before it could.
    pub(super) fn barrier_answered(&mut self, barrier: u32, by_pong: bool) {
        let Some((goal, all_answered)) = self.barriers.answered(barrier, by_pong) else { return };
        match goal {
            Goal::Flush(op) if all_answered => self.completed(op),
            Goal::Flush(op) => self.failed(op, Code::LinkLost, super::ending::LOST_BEFORE_PONG),
            // A link that has ended delivers nothing more either.
            Goal::DrainSubscription(sid, op) => {
                self.forget_subscription(sid);
                self.completed(op);
            }
            Goal::DrainAll => {
                let sids: Vec<u32> = self.subscriptions.keys().copied().collect();
                for sid in sids {
                    self.forget_subscription(sid);
                }
                self.drain_step(true);
            }
            Goal::FlushAll => self.drain_step(all_answered),
        }
    }

    /// Its UNSUB was sent before.
    fn forget_subscription(&mut self, sid: u32) {
        self.subscriptions.remove(&sid);
        for link in self.links.values_mut().filter(|link| link.step == Step::Live) {
            link.carried.remove(&sid);
        }
    }
}

/// What every server refuses, so that the error is here and not a notice later.
fn check_subject(subject: &str) -> Result<(), Refusal> {
    let mut tokens = subject.split('.').peekable();
    while let Some(token) = tokens.next() {
        if token.is_empty() || (token == ">" && tokens.peek().is_some()) {
            let text = format!("`{subject}` has an empty token, or a `>` that is not the last");
            return Err(Refusal::new(Code::InvalidSubject, text));
        }
    }
    Ok(())
}
