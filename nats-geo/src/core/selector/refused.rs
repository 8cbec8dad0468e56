//! After servers refused the credentials, the client tries one server of each region, with growing pauses.

use super::super::{EndpointId, NoticeKind, Time};
use super::Selector;

impl Selector {
    /// One server's refusal speaks for its region, for now: the others of it are not asked in this race, so that no
    /// account is locked. Other regions may know the credentials already, or still.
    pub(super) fn credentials_refused(&mut self, endpoint: EndpointId) {
        self.review_is_stale();
        let Some(region) = self.roster.region(endpoint).cloned() else { return };
        let roster = &self.roster;
        self.dialer.skip(|candidate| roster.region(candidate) == Some(&region));
        self.roster.refused_by(endpoint);
        // Before a return the region must be steady anew: probes do not show whether it takes the credentials.
        self.roster.region_failed(&region);
        self.refusing.mark(&region, self.now, &self.config);
        if let Some(outage) = &mut self.outage {
            outage.refusals.add(region, self.now);
        }
    }

    /// A server of this region took the credentials.
    pub(super) fn credentials_taken(&mut self, endpoint: EndpointId) {
        self.roster.taken_by(endpoint);
        if let Some(region) = self.roster.region(endpoint) {
            self.refusing.clear(region);
        }
    }

    pub(super) fn refusal_believed_at(&self) -> Option<Time> {
        self.outage.as_ref().and_then(|outage| outage.refusals.believed_at(&self.config.dial))
    }

    /// Two regions have refused, and the others have had their time.
    pub(super) fn believe_refusal(&mut self) {
        if self.refusal_believed_at().is_some_and(|at| at <= self.now) {
            self.tell_refusal();
        }
    }

    /// A race was lost: the refusal is certain if every region has refused.
    pub(super) fn tell_refusal_if_certain(&mut self) {
        let Some(outage) = self.outage.as_ref().filter(|outage| !outage.refusals.told) else { return };
        let refused = &outage.refusals.regions;
        if !refused.is_empty() && self.roster.servers().all(|it| refused.contains(self.roster.region_of(it)))
        {
            self.tell_refusal();
        }
    }

    fn tell_refusal(&mut self) {
        let Some(outage) = &mut self.outage else { return };
        outage.refusals.told = true;
        let regions = outage.refusals.regions.iter().cloned().collect();
        self.notify(NoticeKind::CredentialsRefused { regions });
    }
}
