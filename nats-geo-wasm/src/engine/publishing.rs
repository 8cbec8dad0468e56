//! This module publishes on the live link, or keeps publishes for the next link.

use nats_geo::core::Time;
use nats_geo::wire::ClientOp;

use super::link::Whom;
use super::{Code, Engine, Phase, Refusal};

impl Engine {
    /// Publishes a message on the live link. While the client is offline, it keeps the message for the next link,
    /// within limits of time and bytes. It counts discarded messages and sends a notice about them.
    ///
    /// # Errors
    /// The server would refuse the subject, header block or payload; the buffer is full while the client is offline; or
    /// the client drains or has ended.
    pub fn publish(
        &mut self,
        subject: &str,
        reply: Option<&str>,
        headers: Option<&[u8]>,
        payload: &[u8],
        now: Time,
    ) -> Result<(), Refusal> {
        match self.phase {
            Phase::Closed => return Err(Refusal::closed()),
            Phase::Draining(draining) if !draining.may_publish() => return Err(Refusal::draining()),
            _ => {}
        }
        self.check_line(subject, reply)?;
        let size = payload.len() + headers.map_or(0, <[u8]>::len);
        let op = ClientOp::Pub { subject, reply, headers, payload };
        match self.live.and_then(|live| self.links.get_mut(&live)) {
            Some(link) => {
                link.check_message(size, headers.is_some())?;
                link.out.publish(&op, size, now)?;
                link.sends_line(subject, reply);
                link.entered += 1;
            }
            None => {
                if self.kept.queued_bytes() + size > self.options.kept_bytes_max {
                    return Err(Refusal::new(
                        Code::Connection,
                        "the client is offline, and its buffer is full; try again after the status `moved` or `connected`",
                    ));
                }
                self.kept.publish(&op, size, now)?;
            }
        }
        self.counters.out_msgs += 1;
        self.counters.out_bytes += size as u64;
        Ok(())
    }

    /// Completes `op` when all earlier publishes have arrived: each link has answered a PING that follows its
    /// publishes.
    pub fn flush(&mut self, op: u32, now: Time) {
        self.round_trip(op, false, now);
    }

    /// Measures a round trip to the server of the live link. `op` completes with the time.
    pub fn rtt(&mut self, op: u32, now: Time) {
        self.round_trip(op, true, now);
    }

    fn round_trip(&mut self, op: u32, is_measured: bool, now: Time) {
        self.advance(now);
        if self.phase == Phase::Closed {
            self.failed(op, Code::Closed, &Refusal::closed().text);
        } else if self.live.is_some() {
            self.ping_for_user(op, is_measured);
        } else {
            self.waiting_pings.push((op, is_measured, self.now + self.options.publish_wait));
        }
        self.pump();
    }

    fn ping_for_user(&mut self, op: u32, is_measured: bool) {
        let now = self.now;
        if !is_measured {
            return self.flush_links(super::barrier::Goal::Flush(op));
        }
        if let Some(link) = self.live.and_then(|live| self.links.get_mut(&live)) {
            link.ping(Whom::RoundTrip(op), now);
        }
    }

    /// A PING on the live link, and on each other one on which publishes are not confirmed yet.
    pub(super) fn flush_links(&mut self, goal: super::barrier::Goal) {
        let now = self.now;
        let links =
            self.links_where(&|socket, link| self.live == Some(socket) || link.entered > link.confirmed);
        let barrier = self.barriers.begin(goal, links.len().max(1));
        if links.is_empty() {
            return self.barrier_answered(barrier, true);
        }
        for socket in links {
            if let Some(link) = self.links.get_mut(&socket) {
                link.ping(Whom::Barrier(barrier), now);
            }
        }
    }

    pub(super) fn send_waiting_pings(&mut self) {
        for (op, is_measured, _) in std::mem::take(&mut self.waiting_pings) {
            self.ping_for_user(op, is_measured);
        }
    }

    /// Sends what was kept on the live link.
    pub(super) fn send_kept(&mut self) {
        let Some(link) = self.live.and_then(|live| self.links.get_mut(&live)) else { return };
        let limit = Some(link.info.max_payload).filter(|limit| *limit > 0).unwrap_or(usize::MAX);
        let takes_headers = link.info.headers;
        let line_max = self.options.max_control_line;
        let mut discarded = 0;
        while let Some(mut segment) = self.kept.take_next() {
            // This server may accept less than the one before, and would end the connection.
            if segment.largest > limit || !takes_headers || segment.longest_line > line_max {
                discarded += segment.drop_unacceptable(limit, takes_headers, line_max);
            }
            link.longest_line = link.longest_line.max(segment.longest_line.min(line_max));
            if segment.messages > 0 {
                self.counters.resent += if segment.is_retransmit { segment.messages } else { 0 };
                link.entered += segment.messages;
                link.out.put(segment);
            }
        }
        self.discarded(
            discarded,
            "the server does not accept the size, the length of the subject, or headers",
        );
    }

    /// What a dead link left over may be more than is kept: the oldest goes.
    pub(super) fn bound_kept(&mut self) {
        let mut discarded = 0;
        while self.kept.queued_bytes() > self.options.kept_bytes_max {
            discarded += self.kept.take_next().map_or(0, |segment| segment.messages);
        }
        self.discarded(discarded, "the client is offline, and its buffer for publishes is full");
    }

    /// What was kept for too long.
    pub(super) fn expire_kept(&mut self) {
        let mut discarded = 0;
        while self.kept_until().is_some_and(|until| until <= self.now) {
            discarded += self.kept.take_next().map_or(0, |segment| segment.messages);
        }
        self.discarded(discarded, "the client was offline for longer than it keeps publishes");
        let (due, rest) = std::mem::take(&mut self.waiting_pings)
            .into_iter()
            .partition::<Vec<_>, _>(|(_, _, until)| *until <= self.now);
        self.waiting_pings = rest;
        for (op, _, _) in due {
            self.failed(op, Code::Connection, "no server answered in time");
        }
    }

    /// When the oldest of what is kept is discarded.
    pub(super) fn kept_until(&self) -> Option<Time> {
        self.kept.since().filter(|_| self.live.is_none()).map(|since| since + self.options.publish_wait)
    }
}
