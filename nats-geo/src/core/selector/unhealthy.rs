//! The client leaves a region that failed a health check (make-before-break), if another region passes the check.

use super::super::failover;
use super::super::{Action, ConnId, MoveCause, NoticeKind, Region, ServerRef, Time};
use super::moves::{Phase, PlannedMove};
use super::{LinkState, Selector};

impl Selector {
    /// A health check of the application failed on this link.
    pub(super) fn failed_health_check(&mut self, conn: ConnId, why: String) {
        let Some(state) = self.links.get(&conn).map(|link| link.state) else { return };
        let Some(place) = self.place(conn) else { return };
        match state {
            LinkState::Active => self.leave_unhealthy(place, why),
            LinkState::Activating(_) => self.do_not_enter(place, why),
            // It carries no traffic, or is being left.
            _ => {}
        }
    }

    /// Handles a failure on the live link. The driver repeats the event while the check fails.
    fn leave_unhealthy(&mut self, place: ServerRef, why: String) {
        self.mark_unhealthy(&place, why);
        if !self.is_settled() || self.planned.is_some() {
            return self.review_ranks();
        }
        if self.is_there_better(&place) {
            self.fail_back.cancel();
            // The link works: there is time enough to spread the clients of the region.
            let due = self.now + self.rng.up_to(self.config.spread.region_lost_or_hint());
            self.planned = Some(PlannedMove {
                cause: MoveCause::Unhealthy,
                region: None,
                phase: Phase::ActionQueue(due),
            });
        } else {
            self.nothing_better(place);
        }
        self.review_ranks();
    }

    /// Handles a failure on the target of a planned move: the old link works on, and other regions may be healthy.
    fn do_not_enter(&mut self, place: ServerRef, why: String) {
        self.mark_unhealthy(&place, why);
        // Its servers answer. From now on they have to stay healthy as well.
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

    fn mark_unhealthy(&mut self, place: &ServerRef, why: String) {
        if self.unhealthy.mark(&place.region, self.now, &self.config) {
            self.notify(NoticeKind::Unhealthy { place: place.clone(), why });
        }
    }

    /// Said once for each place.
    fn nothing_better(&mut self, here: ServerRef) {
        if !std::mem::replace(&mut self.stranded, true) {
            self.notify(NoticeKind::NoHealthyAlternative(here));
        }
    }

    /// No other region took the client whose region is unhealthy. Returns when to try the others, if there are any left:
    /// each that is unhealthy, too, was marked.
    pub(super) fn race_from_unhealthy_is_lost(&mut self, was_entered: bool) -> Option<Time> {
        let here = self.active.and_then(|active| self.place(active))?;
        if was_entered && self.is_there_better(&here) {
            return Some(self.now);
        }
        self.nothing_better(here);
        None
    }

    /// The client has left the unhealthy region `from`, and returns to it as if it had been dead.
    pub(super) fn left_unhealthy(&mut self, from: &ServerRef, to: &ServerRef) {
        self.fail_back.arrived(&to.region, &self.roster);
        self.fail_back.left(from.region.clone());
        self.roster.region_failed(&from.region);
        self.charge(&from.region);
        self.review_ranks();
    }

    /// Returns whether a client whose own region is unhealthy may try this unhealthy region again.
    pub(super) fn may_try(&self, region: &Region) -> bool {
        self.unhealthy.may_try(region, self.now, &self.config)
    }

    fn is_there_better(&self, here: &ServerRef) -> bool {
        let ranking = self.ranking();
        failover::may_be_healthy(&ranking, &here.region, |region| self.may_try(region)).next().is_some()
    }
}
