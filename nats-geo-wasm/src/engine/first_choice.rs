//! This module delays the first choice, because the browser may not have dialled all servers yet.
//!
//! A browser may open the sockets to one address one after the other (RFC 6455, section 4.1), in any order. The server
//! whose socket opens first then answers first, even if it is far away. A dial would also wait behind the other
//! sockets, so waiting for the other answers costs little.

use std::time::Duration;

use nats_geo::core::{Event, ProbeId, ProbeReport, Time};

use super::link::{Link, Purpose, SocketId, Step};
use super::{Engine, Phase};

/// Answers of servers that are not reported to the selector yet.
#[derive(Debug, Default)]
pub(super) struct HeldAnswers {
    answers: Vec<(ProbeId, ProbeReport)>,
    /// When they are reported at the latest.
    until: Option<Time>,
    /// Hosts to which a socket has opened: others to them may wait for their turn.
    hosts: Vec<String>,
    /// Until when the next socket is expected to open.
    turns_until: Time,
}

/// Nine servers behind one address, 150 ms away, take this long. The review of the first choice corrects what comes later.
const HOLD_MAX: Duration = Duration::from_millis(1_500);

/// The longest turn: a handshake of TCP, TLS and WebSocket with a server on the other side of the world is 4 round trips of
/// 250 ms; most are a tenth of it. A server that is down takes longer and is not waited for.
const TURN_MAX: Duration = Duration::from_millis(500);

impl HeldAnswers {
    /// When to look at them again.
    pub(super) fn due(&self, now: Time) -> Option<Time> {
        let until = self.until?;
        Some(if self.turns_until > now { until.min(self.turns_until) } else { until })
    }
}

impl Engine {
    /// A socket has opened.
    pub(super) fn has_opened(&mut self, socket: SocketId) {
        if !self.is_before_first_choice() {
            return;
        }
        if let Some(host) = self.links.get(&socket).and_then(|link| self.endpoints.host(link.endpoint)) {
            if !self.held.hosts.contains(&host) {
                self.held.hosts.push(host);
            }
            self.held.turns_until = self.now + TURN_MAX;
        }
    }

    /// Reports the answer of a server: at once, or together with those that it is to be compared with.
    pub(super) fn report_answer(&mut self, probe: ProbeId, report: ProbeReport) {
        if !self.is_before_first_choice() {
            return self.tell(Event::Probed { probe, result: Ok(report) });
        }
        self.held.answers.push((probe, report));
        self.held.until.get_or_insert(self.now + HOLD_MAX);
    }

    /// Reports the answers that were held, unless more are to be expected soon.
    pub(super) fn release_answers(&mut self) {
        let Some(until) = self.held.until else { return };
        let is_awaited = |_: SocketId, link: &Link| self.may_answer_soon(link);
        let is_over = until <= self.now || !self.is_before_first_choice();
        if is_over || self.links_where(&is_awaited).is_empty() {
            let held = std::mem::take(&mut self.held);
            self.selector.handle_answers(held.answers, self.now);
        }
    }

    fn is_before_first_choice(&self) -> bool {
        matches!(self.phase, Phase::Connecting { .. }) && self.conns.is_empty()
    }

    /// Returns whether this is a probe that may still wait for its turn, or has had it.
    fn may_answer_soon(&self, link: &Link) -> bool {
        let Purpose::Probe(_) = link.purpose else { return false };
        let host = self.endpoints.host(link.endpoint);
        let waits_for_turns = host.is_some_and(|host| self.held.hosts.contains(&host));
        waits_for_turns && (link.step != Step::Opening || self.now < self.held.turns_until)
    }
}
