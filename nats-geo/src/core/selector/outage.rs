//! This module finds another server when the link of a client is lost or silent.

use super::super::failover::{self, Outage, OutageCause};
use super::super::{
    Action, Cause, ConnId, EndpointId, Handover, MoveCause, NoticeKind, OpenError, Region, ServerRef,
};
use super::{LinkState, Selector};

impl Selector {
    /// A PING is overdue.
    pub(super) fn suspected(&mut self, conn: ConnId) {
        let Some(place) = self.place(conn) else { return };
        if self.active != Some(conn) {
            return;
        }
        self.notify(NoticeKind::Suspected(place.clone()));
        self.outage = Some(Outage::new(OutageCause::Silent, Some(place.clone())));
        if self.take_over_by_target() || self.promote_standby() {
            return;
        }
        let ranking = self.ranking();
        let lanes = failover::race_on_suspicion(&ranking, &place, &self.config, self.now, &mut self.rng);
        self.begin_race(lanes);
    }

    /// A suspected link answered after all.
    pub(super) fn cleared(&mut self, conn: ConnId) {
        let Some(link) = self.links.get(&conn) else { return };
        match link.state {
            LinkState::Active => {
                self.notify_place(conn, NoticeKind::Cleared);
                self.outage = None;
                self.stop_race();
            }
            LinkState::Left => {
                self.notify_place(conn, NoticeKind::Cleared);
                self.recovered(conn);
            }
            _ => {}
        }
    }

    /// Silent for too long.
    pub(super) fn dead(&mut self, conn: ConnId) {
        let state = self.links.get(&conn).map(|link| link.state);
        // What carries no traffic is dropped, which closes it.
        if state != Some(LinkState::Standby) {
            self.close(conn);
        }
        match state {
            Some(LinkState::Active) => self.active_lost(conn, None),
            Some(LinkState::Standby) => self.standby_lost(conn),
            Some(LinkState::Activating(_)) => self.target_lost(conn),
            Some(LinkState::Left) => self.left_link_lost(conn, None),
            _ => {}
        }
    }

    /// The link that new traffic goes to is gone.
    pub(super) fn active_lost(&mut self, conn: ConnId, cause: Option<Cause>) {
        let Some(place) = self.place(conn) else { return };
        let was_stable = self.now.since(self.active_since) >= self.config.dial.stable_after;
        let lame_duck = self.links.get(&conn).is_some_and(|link| link.lame_duck);
        let outage_cause = OutageCause::of(cause.as_ref());
        self.notify(NoticeKind::Lost { place: place.clone(), cause });
        self.links.remove(&conn);
        self.active = None;
        if was_stable {
            self.dialer.stable();
        }
        self.review_is_stale();
        if let Some(record) =
            self.roster.get_mut(place.endpoint).filter(|_| outage_cause != OutageCause::Auth)
        {
            record.failed(self.now, &self.config.rank);
        }
        match &mut self.outage {
            // Already racing since the suspicion; an end adds the siblings to it.
            Some(outage) if matches!(outage_cause, OutageCause::Ended | OutageCause::Auth) => {
                return outage.cause = outage_cause;
            }
            Some(_) => return,
            None => {}
        }
        self.outage = Some(Outage::new(outage_cause, Some(place.clone())));
        if self.take_over_by_target() {
            return;
        }
        self.planned = None;
        self.race_after(outage_cause, &place, lame_duck);
    }

    fn race_after(&mut self, outage_cause: OutageCause, place: &ServerRef, lame_duck: bool) {
        let ranking = self.ranking();
        let lanes = match outage_cause {
            OutageCause::Auth => {
                let promote_at = self.now + self.config.dial.next_region_after;
                if let Some(outage) = &mut self.outage {
                    outage.promote_standby_at = Some(promote_at);
                }
                failover::race_by_turns(&ranking, Some(place), self.now)
            }
            OutageCause::Silent => {
                failover::race_on_suspicion(&ranking, place, &self.config, self.now, &mut self.rng)
            }
            OutageCause::Start | OutageCause::Ended | OutageCause::Limit(_) if lame_duck => {
                failover::race_to_leave(&ranking, place, self.now)
            }
            OutageCause::Start | OutageCause::Ended | OutageCause::Limit(_) => {
                let (lanes, promote_at) =
                    failover::race_after_end(&ranking, place, &self.config, self.now, &mut self.rng);
                if let Some(outage) = &mut self.outage {
                    outage.promote_standby_at = Some(promote_at);
                }
                lanes
            }
        };
        self.begin_race(lanes);
    }

    /// A dial for new traffic succeeded.
    pub(super) fn candidate_opened(&mut self, conn: ConnId) {
        self.notify_place(conn, NoticeKind::Opened);
        self.dialer.remove(conn);
        if self.outage.is_some() {
            self.take_over(conn);
        } else if self.planned_is_dialing() {
            self.hand_over(conn);
        } else {
            self.drop_link(conn);
        }
    }

    /// A dial for new traffic failed.
    pub(super) fn candidate_failed(&mut self, endpoint: EndpointId, error: &OpenError) {
        match error {
            OpenError::Auth(_) => self.credentials_refused(endpoint),
            // In a race after a loss it is a dial that failed: there is nothing to close first.
            OpenError::ConnectionLimit if self.outage.is_none() && self.planned_is_dialing() => {
                self.break_before_make();
            }
            _ if error.is_overload() => self.endpoint_overloaded(endpoint),
            _ => self.endpoint_failed(endpoint, error.is_silence()),
        }
    }

    /// New traffic goes to `conn` at once.
    pub(super) fn take_over(&mut self, conn: ConnId) {
        let Some(to) = self.place(conn) else { return };
        self.stop_race();
        self.planned = None;
        self.active = None;
        // The target of a move that is off has subscriptions too, and is silent, else it would have been the quickest
        // way out: like the old link it ends in order as soon as it answers.
        for link in self.links.values_mut() {
            if matches!(link.state, LinkState::Active | LinkState::Activating(_)) {
                link.state = LinkState::Left;
            }
        }
        self.set_active(conn);
        self.push(Action::Activate { conn, handover: Handover::Pipelined });
        let Some(outage) = self.outage.take() else { return };
        // Before the loss is noted: a home that only ties with the new place is to be returned to as well.
        self.fail_back.arrived(&to.region, &self.roster);
        let cause = outage.move_cause(&to.region);
        match outage.from.clone() {
            Some(from) => {
                let overlap = self.links.contains_key(&from.conn);
                let failed = matches!(
                    outage.cause,
                    OutageCause::Silent
                        | OutageCause::Ended
                        | OutageCause::Auth
                        | OutageCause::Limit(MoveCause::Unhealthy)
                );
                // Credentials that are refused come and go with a roll-out: that is no flapping.
                let is_loss = outage.cause != OutageCause::Auth;
                if failed && from.region != to.region {
                    self.fail_back.left(from.region.clone());
                    self.roster.region_failed(&from.region);
                    // While the silent link is open, the verdict is too: it may answer yet.
                    if is_loss && !overlap && !outage.may_be_local() {
                        self.charge(&from.region);
                    }
                }
                self.notify(NoticeKind::Moved { from, to: to.clone(), cause, overlap });
            }
            None => {
                self.note_regions_missed(&to.region);
                self.notify(NoticeKind::Connected(to.clone()));
                self.review_first_choice();
            }
        }
        self.review_ranks();
    }

    /// A link that fell silent, and that traffic has left, is gone for good.
    pub(super) fn left_link_lost(&mut self, conn: ConnId, cause: Option<Cause>) {
        let Some(place) = self.place(conn) else { return };
        self.links.remove(&conn);
        self.notify(NoticeKind::Lost { place: place.clone(), cause });
        self.review_is_stale();
        if let Some(record) = self.roster.get_mut(place.endpoint) {
            record.failed(self.now, &self.config.rank);
        }
        let here = self.active.and_then(|active| self.place(active));
        if here.is_some_and(|here| here.region != place.region) {
            // Another region answered, else traffic would not have moved: the trouble was over there.
            self.charge(&place.region);
            self.review_ranks();
        }
    }

    /// Traffic left `region` because it failed, and not because of trouble on our side.
    pub(super) fn charge(&mut self, region: &Region) {
        self.review_is_stale();
        if let Some(until) = self.damping.charge(region, self.now, &self.config.damping) {
            self.notify(NoticeKind::Damped { region: region.clone(), until });
        }
    }

    /// An endpoint did not answer a probe or a dial. A live link to it knows better than a refused listener
    /// (a lame duck closes that first).
    pub(super) fn endpoint_failed(&mut self, endpoint: EndpointId, silent: bool) {
        if self.links.values().any(|link| link.endpoint == endpoint && link.state.is_open()) {
            return;
        }
        self.review_is_stale();
        self.note_missed(endpoint);
        let Some(record) = self.roster.get_mut(endpoint) else { return };
        record.failed(self.now, &self.config.rank);
        let Some(outage) = &mut self.outage else { return };
        let Some(region) = self.roster.region(endpoint).cloned() else { return };
        if !outage.failed((endpoint, &region), silent, self.now, &self.config.dial) {
            return;
        }
        let roster = &self.roster;
        self.dialer.skip(|candidate| roster.region(candidate) == Some(&region));
        self.roster.region_down(&region, self.now, &self.config.rank);
    }

    /// It has no room now, which proves nothing about its region: others may have.
    fn endpoint_overloaded(&mut self, endpoint: EndpointId) {
        self.review_is_stale();
        if let Some(record) = self.roster.get_mut(endpoint) {
            record.failed(self.now, &self.config.rank);
        }
    }

    pub(super) fn region_answered(&mut self, endpoint: EndpointId) {
        if let (Some(outage), Some(region)) = (&mut self.outage, self.roster.region(endpoint)) {
            outage.answered(region);
        }
    }

    /// Everybody had a turn in vain.
    pub(super) fn race_is_lost(&mut self) {
        if !self.dialer.is_exhausted() || self.dialer.retry_at().is_some() {
            return;
        }
        self.tell_refusal_if_certain();
        if let Some(outage) = &mut self.outage {
            if self.active.is_none() && !outage.told_offline {
                outage.told_offline = true;
                self.notify(NoticeKind::Offline);
            }
            self.dialer.back_off(self.now, &self.config.dial, &mut self.rng);
        } else if self.planned_is_dialing() {
            self.planned_race_is_lost();
        }
    }

    /// After the back-off: everybody again, whatever their reputation.
    pub(super) fn next_round(&mut self) {
        let ranking = self.ranking();
        let lanes = match &self.outage {
            Some(outage) if outage.cause == OutageCause::Auth || outage.refusals.since.is_some() => {
                failover::race_by_turns(&ranking, outage.from.as_ref(), self.now)
            }
            _ => failover::race_for_everybody(&ranking, self.now),
        };
        self.begin_race(lanes);
        if self.outage.as_ref().is_some_and(|outage| outage.herd.is_some()) {
            self.scatter();
        }
    }
}
