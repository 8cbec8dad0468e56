//! Leaves a region that failed a health check: make before break, and only for a region that passes.

use super::super::failover;
use super::super::{Action, ConnId, MoveCause, NoticeKind, Place, Region, Time};
use super::moves::{Phase, PlannedMove};
use super::{LinkState, Selector};

impl Selector {
    /// A check of the application says that this link is of no use.
    pub(super) fn unusable(&mut self, conn: ConnId, why: String) {
        let Some(state) = self.links.get(&conn).map(|link| link.state) else { return };
        let Some(place) = self.place(conn) else { return };
        match state {
            LinkState::Active => self.leave_unusable(place, why),
            LinkState::Activating(_) => self.do_not_enter(place, why),
            // It carries no traffic, or is being left.
            _ => {}
        }
    }

    /// The live link. This is said again and again for as long as it is so.
    fn leave_unusable(&mut self, place: Place, why: String) {
        self.mark_useless(&place, why);
        if !self.is_settled() || self.planned.is_some() {
            return self.review_ranks();
        }
        if self.is_there_better(&place) {
            self.fail_back.cancel();
            // The link works: there is time enough to spread the clients of the region.
            let due = self.now + self.rng.up_to(self.config.spread.region_lost_or_hint());
            self.planned =
                Some(PlannedMove { cause: MoveCause::Unhealthy, region: None, phase: Phase::Waiting(due) });
        } else {
            self.nothing_better(place);
        }
        self.review_ranks();
    }

    /// The target of a planned move: the old link works on, and other regions may be of use.
    fn do_not_enter(&mut self, place: Place, why: String) {
        self.mark_useless(&place, why);
        // Its servers answer. What has to be steady from now on is that they are of use.
        self.roster.region_failed(&place.region);
        if self.planned.as_ref().is_some_and(|planned| planned.cause == MoveCause::Recovered) {
            // It carried traffic before it fell silent.
            let overlap = failover::overlap(&self.ranking(), &self.config);
            self.push(Action::Close { conn: place.conn, overlap, drain: self.config.handover.drain });
        } else {
            self.close(place.conn);
        }
        self.links.remove(&place.conn);
        self.planned_race_is_lost();
        self.review_ranks();
    }

    fn mark_useless(&mut self, place: &Place, why: String) {
        if self.useless.mark(&place.region, self.now, &self.config) {
            self.notify(NoticeKind::Unhealthy { place: place.clone(), why });
        }
    }

    /// Said once for each place.
    fn nothing_better(&mut self, here: Place) {
        if !std::mem::replace(&mut self.stranded, true) {
            self.notify(NoticeKind::NoHealthyAlternative(here));
        }
    }

    /// Nobody took in the client whose region is of no use. Returns when to try the others, if there are any left: each
    /// that is of no use either was marked.
    pub(super) fn useless_race_is_lost(&mut self, was_entered: bool) -> Option<Time> {
        let here = self.active.and_then(|active| self.place(active))?;
        if was_entered && self.is_there_better(&here) {
            return Some(self.now);
        }
        self.nothing_better(here);
        None
    }

    /// The client has left `from` because it is of no use: it is returned to as if it had been dead.
    pub(super) fn left_useless(&mut self, from: &Place, to: &Place) {
        self.fail_back.arrived(&to.region, &self.roster);
        self.fail_back.left(from.region.clone());
        self.roster.region_failed(&from.region);
        self.charge(&from.region);
        self.review_ranks();
    }

    /// Whether a region of no use may be tried again by a client whose own is of no use either.
    pub(super) fn may_try(&self, region: &Region) -> bool {
        self.useless.may_try(region, self.now, &self.config)
    }

    fn is_there_better(&self, here: &Place) -> bool {
        let ranking = self.ranking();
        failover::may_be_of_use(&ranking, &here.region, |region| self.may_try(region)).next().is_some()
    }
}
