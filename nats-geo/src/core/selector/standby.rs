//! The warm standby: a second connection, to another region, without subscriptions.

use super::super::backoff::Backoff;
use super::super::{ConnId, NoticeKind, Time};
use super::moves::Phase;
use super::{LinkState, Selector};

/// The standby connection.
#[derive(Clone, Debug, Default)]
pub(super) struct Standby {
    /// Open or being dialled.
    conn: Option<ConnId>,
    retry_at: Option<Time>,
    backoff: Backoff,
}

impl Selector {
    /// The standby, if it is open and not suspected itself.
    pub(super) fn standby_conn(&self) -> Option<ConnId> {
        let conn = self.standby.conn?;
        let link = self.links.get(&conn)?;
        (link.state == LinkState::Standby && !link.watch.is_suspect()).then_some(conn)
    }

    pub(super) fn standby_due(&self) -> Option<Time> {
        self.standby.retry_at.filter(|_| self.wants_standby())
    }

    /// Opens a standby if one is wanted and missing; drops one that traffic has moved next to.
    pub(super) fn keep_standby(&mut self) {
        if !self.config.warm_standby || !self.is_settled() {
            return;
        }
        if let Some(conn) = self.standby_conn()
            && self.active.is_some_and(|active| self.region_of(active) == self.region_of(conn))
        {
            self.standby.conn = None;
            self.drop_link(conn);
        }
        if !self.wants_standby() || self.standby.retry_at.is_some_and(|at| at > self.now) {
            return;
        }
        let here = self.active.and_then(|active| self.region_of(active)).cloned();
        let ranking = self.ranking();
        let elsewhere =
            ranking.servers().find(|(region, server)| Some(*region) != here.as_ref() && server.is_usable());
        match elsewhere.map(|(_, server)| server.endpoint) {
            Some(endpoint) => self.standby.conn = Some(self.open(endpoint, LinkState::DialingStandby)),
            None => self.standby_failed(),
        }
    }

    pub(super) fn standby_opened(&mut self, conn: ConnId) {
        self.standby.retry_at = None;
        self.standby.backoff.reset();
        self.notify_place(conn, NoticeKind::StandbyReady);
        if self.outage.is_some() && self.active.is_none() {
            self.promote_standby();
        }
    }

    pub(super) fn standby_failed(&mut self) {
        let dial = &self.config.dial;
        let wait = self.standby.backoff.next(dial.backoff_base, dial.backoff_cap, &mut self.rng);
        // At least a base interval: a standby is in no hurry, and U(0, x) may be nothing.
        self.standby = Standby {
            conn: None,
            retry_at: Some(self.now + dial.backoff_base + wait),
            backoff: self.standby.backoff.clone(),
        };
    }

    /// The standby ended, fell silent for too long, or its server is about to end.
    pub(super) fn standby_lost(&mut self, conn: ConnId) {
        self.drop_link(conn);
        self.standby_failed();
    }

    /// New traffic goes to the standby at once. Returns whether there is one.
    pub(super) fn promote_standby(&mut self) -> bool {
        let Some(conn) = self.standby_conn() else { return false };
        self.standby_taken(conn);
        self.take_over(conn);
        true
    }

    pub(super) fn promote_standby_if_due(&mut self) {
        let at = self.outage.as_ref().and_then(|outage| outage.promote_standby_at);
        if at.is_some_and(|at| at <= self.now) {
            self.promote_standby();
        }
    }

    pub(super) fn standby_taken(&mut self, conn: ConnId) {
        if self.standby.conn == Some(conn) {
            self.standby.conn = None;
        }
    }

    fn wants_standby(&self) -> bool {
        // The next one depends on where the client will be.
        let is_moving = self.planned.as_ref().is_some_and(|planned| planned.phase == Phase::Activating);
        self.config.warm_standby && self.standby.conn.is_none() && self.is_settled() && !is_moving
    }
}
