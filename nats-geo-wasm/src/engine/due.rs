//! This module does the work whose time has come.

use std::time::Duration;

use nats_geo::core::{Event, Time};

use super::ending::End;
use super::link::{Link, Stage, Step};
use super::{Engine, Phase};

impl Engine {
    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout), unless another call comes first.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Time> {
        let connecting = match self.phase {
            Phase::New | Phase::Closed => return None,
            Phase::Connecting { until, .. } => Some(until).filter(|_| !self.options.retry_initial_connect),
            Phase::Running | Phase::Draining(_) => None,
        };
        let links = self.links.values().filter_map(link_due).min();
        let pings = self.waiting_pings.iter().map(|(_, _, until)| *until).min();
        let clogged = self.is_clogged.then(|| self.now + LOOK_AGAIN);
        let is_parked = self.links.values().any(|link| link.parked.is_some());
        let offline = is_parked.then(|| self.now + LOOK_FOR_NETWORK);
        [
            connecting,
            links,
            pings,
            clogged,
            offline,
            self.kept_until(),
            self.held.due(self.now),
            self.requests.next_deadline(),
            self.selector.poll_timeout(),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// Does the work that is due at `now`. Early or repeated calls do nothing.
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
        if matches!(self.phase, Phase::New | Phase::Closed) {
            return;
        }
        self.report_progress();
        self.selector.handle_timeout(self.now);
        self.end_what_took_too_long();
        self.retire_what_is_due();
        self.expire_requests();
        self.expire_kept();
        self.give_up_connecting(self.now);
        self.pump();
    }

    /// The host slept: what is being opened starts anew, and the selector measures again. A link that stays silent
    /// over several wake-ups is dead: where timers are throttled to one a minute, every one of them is a wake-up.
    pub(super) fn wake(&mut self) {
        let is_told = self.woken_at == Some(self.now);
        if is_told || matches!(self.phase, Phase::New | Phase::Closed) {
            return;
        }
        self.woken_at = Some(self.now);
        let (now, dial, probe) =
            (self.now, self.options.config.dial.timeout, self.options.config.probe.timeout);
        if let Phase::Connecting { until, has_napped: false } = self.phase
            && until < now + dial
        {
            self.phase = Phase::Connecting { until: now + dial, has_napped: true };
        }
        let mut dead = Vec::new();
        for (socket, link) in self.links.iter_mut() {
            if link.step != Step::Live || link.conn().is_none() {
                link.deadline = now + if link.conn().is_some() { dial } else { probe };
            } else if link.is_silent_again(now) {
                dead.push(*socket);
            }
        }
        // If its own timer is late, the selector finds out by itself.
        let stall = self.options.config.watch.stall;
        match self.selector.poll_timeout() {
            Some(due) if now.since(due) > stall => self.selector.handle_timeout(now),
            _ => self.tell(Event::Resumed),
        }
        if self.is_online {
            self.open_parked();
        }
        for socket in dead {
            self.end_link(
                socket,
                End::Reset("silent for too long, over several wake-ups of the host".into()),
            );
        }
    }

    fn report_progress(&mut self) {
        let now = self.now;
        let moving = self.links.values_mut().filter(|link| link.step == Step::Live).filter_map(|link| {
            let conn = link.conn()?;
            link.has_progress(now).then_some(conn)
        });
        for conn in moving.collect::<Vec<_>>() {
            self.tell(Event::Progress { conn });
        }
    }

    fn end_what_took_too_long(&mut self) {
        for socket in self.links_where(&|_, link| is_limited(link) && link.deadline <= self.now) {
            let has_failed = self.links.get(&socket).is_some_and(|link| link.has_failed);
            self.end_link(socket, if has_failed { End::Blocked } else { End::TimedOut });
        }
    }
}

impl Link {
    /// Returns whether this is one of several wake-ups without a byte in between.
    fn is_silent_again(&mut self, now: Time) -> bool {
        let (since, count) = self.silent_wakes.get_or_insert((now, 0));
        *count += 1;
        *count >= SILENT_WAKES && now.since(*since) >= SILENT_FOR
    }
}

/// A link that is not live, or only a probe, has a time limit.
fn is_limited(link: &Link) -> bool {
    link.step != Step::Live || link.conn().is_none()
}

fn link_due(link: &Link) -> Option<Time> {
    if is_limited(link) {
        return Some(link.deadline);
    }
    let retiring = link.retiring?;
    Some(if retiring.stage == Stage::Overlap { retiring.until } else { retiring.end })
}

/// When a socket is full: no event tells that it has room again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// While a dial waits for the network: a service worker is not told when it comes back.
const LOOK_FOR_NETWORK: Duration = Duration::from_secs(1);

/// After each wake-up a PING goes out. Two without an answer may be the two sides of one nap.
const SILENT_WAKES: u32 = 3;

/// A computer that goes back to sleep at once can wake three times within a second.
const SILENT_FOR: Duration = Duration::from_secs(20);
