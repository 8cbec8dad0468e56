//! This module selects a server again when the application requests it, for example with a new list of servers. The
//! client first measures all endpoints again, and then moves to the best region.

use super::super::record::Record;
use super::super::{ConnId, MoveCause, Time};
use super::Selector;

impl Selector {
    pub(super) fn reselect(&mut self) {
        if self.active.is_none() {
            return self.dialer.retry_now(self.now);
        }
        self.reselecting = Some(self.now);
        self.prober.all_again(self.now);
    }

    /// When the choice is made with what is known by then; earlier if all have answered.
    pub(super) fn reselect_due(&self) -> Option<Time> {
        self.reselecting.filter(|_| self.is_settled()).map(|since| since + self.config.probe.timeout)
    }

    /// Chooses once all endpoints have been measured, or have had their time.
    pub(super) fn choose_if_measured(&mut self) {
        let has_measured = self.has_begun_to_reselect() && self.prober.is_idle(self.now);
        let is_time = self.reselect_due().is_some_and(|due| due <= self.now || has_measured);
        if !is_time {
            return;
        }
        self.reselecting = None;
        let ranking = self.ranking();
        let here = self.active.and_then(|active| self.region_of(active));
        let best = ranking.order().regions().find(|region| ranking.order().base(region).is_some());
        let may_stay = self.active.is_none_or(|active| self.leads_to_offered_server(active));
        match best.filter(|best| !may_stay || Some(*best) != here).cloned() {
            Some(best) => self.plan(best, MoveCause::Requested),
            None => self.leave_withdrawn_later(),
        }
    }

    /// A link to a server that is no longer on offer is kept until another one has taken over.
    pub(super) fn leave_withdrawn_later(&mut self) {
        if self.active.is_some_and(|active| !self.leads_to_offered_server(active)) {
            self.reselecting = Some(self.now + self.config.dial.timeout);
        }
    }

    /// Returns whether the choice is being made again, and not put off.
    pub(super) fn has_begun_to_reselect(&self) -> bool {
        self.reselecting.is_some_and(|since| since <= self.now)
    }

    /// The server of this link may be listed by another address.
    fn leads_to_offered_server(&self, conn: ConnId) -> bool {
        let Some(endpoint) = self.links.get(&conn).map(|link| link.endpoint) else { return false };
        let server = self.roster.get(endpoint).and_then(Record::fingerprint).map(|its| its.server);
        let is_same = |record: &Record| record.fingerprint().map(|its| its.server) == server;
        self.roster.is_offered(endpoint) || self.roster.servers().any(is_same)
    }
}
