//! This module does all work that is due: PINGs, verdicts on silent links, probes and dials.

use super::super::failover::{self, Outage, OutageCause};
use super::super::time::earliest;
use super::super::watch::Due;
use super::super::{Action, ConnId, NoticeKind, OpenError, PingId, ProbeError, Time};
use super::{Link, LinkState, Selector, Start};

impl Selector {
    pub(super) fn do_what_is_due(&mut self) {
        if self.actions.len() >= ACTIONS_MAX {
            return;
        }
        self.expire();
        self.watch_links();
        self.choose_first();
        self.choose_if_measured();
        self.review_if_measured();
        self.planned_moves();
        self.keep_standby();
        self.promote_standby_if_due();
        self.believe_refusal();
        self.race();
        self.probe();
    }

    pub(super) fn next_due(&self) -> Option<Time> {
        let links = self.links.values().filter_map(|link| match link.state {
            LinkState::Dialing(expires) | LinkState::DialingStandby(expires) => Some(expires),
            LinkState::Activating(expires) => {
                earliest(Some(expires), link.watch.poll_timeout(&self.config.watch))
            }
            LinkState::Closing(expires) => Some(expires),
            _ => link.watch.poll_timeout(&self.config.watch),
        });
        earliest(links.min(), self.due_besides_links())
    }

    fn due_besides_links(&self) -> Option<Time> {
        earliest(self.due_besides_watching(), self.prober.poll_timeout(&self.config.probe))
    }

    /// Besides PINGs and probes.
    pub(super) fn due_besides_watching(&self) -> Option<Time> {
        let start = match self.start {
            // Before that, the answer that makes room for the next first probe is waited for.
            Start::ChooseAt(at, _) if self.prober.all_tried(self.now) => Some(at),
            _ => None,
        };
        let promote = self.outage.as_ref().and_then(|outage| outage.promote_standby_at);
        [
            start,
            promote.filter(|_| self.standby_conn().is_some()),
            self.reselect_due(),
            self.review_due(),
            self.planned_due(),
            self.standby_due(),
            self.dialer.poll_timeout(&self.config.dial),
            self.refusal_believed_at(),
        ]
        .into_iter()
        .fold(None, earliest)
    }

    /// What the driver should have answered long ago.
    fn expire(&mut self) {
        while let Some(probe) = self.prober.expired(self.now) {
            self.probed(probe, Err(ProbeError::TimedOut));
        }
        let late = |state| match state {
            LinkState::Dialing(at)
            | LinkState::DialingStandby(at)
            | LinkState::Activating(at)
            | LinkState::Closing(at) => at <= self.now,
            _ => false,
        };
        let expired: Vec<_> =
            self.links.iter().filter(|(_, link)| late(link.state)).map(|(id, _)| *id).collect();
        for conn in expired {
            self.close(conn);
            match self.links.get(&conn).map(|link| link.state) {
                Some(LinkState::Activating(_)) => self.target_lost(conn),
                Some(LinkState::Closing(_)) => self.closed_before_make(conn),
                _ => self.open_failed(conn, &OpenError::TimedOut),
            }
        }
    }

    fn watch_links(&mut self) {
        let config = &self.config.watch;
        let is_due = |link: &Link| link.watch.poll_timeout(config).is_some_and(|due| due <= self.now);
        let due = self.links.iter().filter(|(_, link)| link.state.is_open() && is_due(link));
        let due: Vec<_> = due.map(|(id, _)| *id).collect();
        for conn in due {
            let Some(link) = self.links.get_mut(&conn) else { continue };
            match link.watch.poll(self.now, &self.config.watch) {
                Some(Due::Ping) => self.ping(conn),
                Some(Due::Suspect) => self.suspected(conn),
                Some(Due::Dead) => self.dead(conn),
                None => {}
            }
        }
    }

    fn ping(&mut self, conn: ConnId) {
        let ping = PingId(self.next_ping);
        self.next_ping += 1;
        if let Some(link) = self.links.get_mut(&conn) {
            link.watch.pinged(ping, self.now, &self.config.watch);
            self.push(Action::Ping { conn, ping });
        }
    }

    /// The first choice: when its time has come, or when there is nothing to wait for.
    fn choose_first(&mut self) {
        let all_probed = self.prober.is_idle(self.now);
        let ready = match self.start {
            Start::Empty | Start::Over => false,
            Start::Probing(_) => all_probed,
            Start::ChooseAt(at, _) => all_probed || at <= self.now && self.prober.all_tried(self.now),
        };
        if !ready {
            return;
        }
        let anybody_answered = matches!(self.start, Start::ChooseAt(..));
        self.start = Start::Over;
        self.outage = Some(Outage::new(OutageCause::Start, None));
        let ranking = self.ranking();
        if anybody_answered {
            self.begin_race(failover::race_for_everybody(&ranking, self.now));
        }
    }

    /// Dials whoever has a turn; if everybody had one in vain, waits before the next round.
    fn race(&mut self) {
        if self.dialer.retry_at().is_some_and(|at| at <= self.now) {
            self.next_round();
        }
        self.look_for_herds();
        while let Some(turn) = self.dialer.poll(self.now, &self.config.dial) {
            let delay = self.attempt_delay(turn.endpoint);
            let conn = self.open(turn.endpoint, LinkState::Dialing);
            self.notify_place(conn, NoticeKind::Dialing);
            self.dialer.dialled(turn, conn, delay, self.now);
        }
        self.race_is_lost();
    }

    fn probe(&mut self) {
        while let Some((probe, endpoint, is_first)) = self.prober.poll(self.now, &self.config.probe) {
            if let Start::ChooseAt(at, window) = &mut self.start
                && is_first
            {
                // Of more endpoints than may be in flight at once, or of those that the first answer told of, one may be nearer.
                *at = (*at).max(self.now + *window);
            }
            self.actions.push_probe(probe, endpoint);
        }
    }
}

/// While this many decisions wait for the driver, no more are added on time alone.
pub(super) const ACTIONS_MAX: usize = 1_024;
