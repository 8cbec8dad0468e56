//! This module moves the client away from a link that still works (make-before-break). The reason is a lame duck, a
//! fail back, a faster region, or a false suspicion.

use super::super::failback::{self, Here};
use super::super::failover;
use super::super::record::Record;
use super::super::time::earliest;
use super::super::{Action, ConnId, Handover, MoveCause, NoticeKind, Region, Time};
use super::{LinkState, Selector};

/// A move away from a link that works.
#[derive(Clone, Debug)]
pub(super) struct PlannedMove {
    pub(super) cause: MoveCause,
    /// Where to; `None` for "anywhere but here".
    pub(super) region: Option<Region>,
    pub(super) phase: Phase,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    /// Begins at this moment.
    ActionQueue(Time),
    Dialing,
    /// The target is open and waits for its barrier.
    Activating,
    /// The old link is being closed first.
    Breaking,
}

impl Selector {
    /// The server of this link announced its end.
    pub(super) fn lame_duck(&mut self, conn: ConnId) {
        let Some(link) = self.links.get_mut(&conn).filter(|link| link.state.is_open() && !link.lame_duck)
        else {
            return;
        };
        link.lame_duck = true;
        let (endpoint, state) = (link.endpoint, link.state);
        if let Some(record) = self.roster.get_mut(endpoint) {
            record.lame_duck = true;
        }
        self.review_is_stale();
        match state {
            LinkState::Standby => self.standby_lost(conn),
            LinkState::Active => self.leave_lame_duck(conn),
            // The target of a move: it is left as soon as it is reached.
            _ => {}
        }
    }

    fn leave_lame_duck(&mut self, conn: ConnId) {
        self.notify_place(conn, NoticeKind::LameDuck);
        if self.planned.as_ref().is_some_and(|planned| planned.phase == Phase::Activating) {
            return;
        }
        let due = self.now + self.rng.up_to(self.config.spread.lame_duck);
        self.stop_planned_race();
        self.planned =
            Some(PlannedMove { cause: MoveCause::LameDuck, region: None, phase: Phase::ActionQueue(due) });
    }

    pub(super) fn planned_due(&self) -> Option<Time> {
        let waiting = match self.planned.as_ref().map(|planned| planned.phase) {
            Some(Phase::ActionQueue(due)) => Some(due),
            _ => None,
        };
        let considered = self.fail_back.pending().map(|pending| pending.due);
        let considered = considered.filter(|_| self.planned.is_none() && self.is_settled());
        earliest(waiting.filter(|_| self.is_settled()), considered)
    }

    /// Starts a move whose time has come.
    pub(super) fn planned_moves(&mut self) {
        if self.planned_due().is_none_or(|due| due > self.now) {
            return;
        }
        if let Some(pending) = self.fail_back.pending().cloned() {
            self.plan(pending.region, pending.cause);
        }
        let ranking = self.ranking();
        let here = self.active.and_then(|active| self.place(active));
        let (Some(planned), Some(here)) = (&mut self.planned, here) else { return };
        planned.phase = Phase::Dialing;
        let (cause, target) = (planned.cause, planned.region.clone());
        let lanes = match &target {
            Some(region) => failover::race_to_region(&ranking, region, self.now),
            None if cause == MoveCause::Unhealthy => {
                failover::race_to_another_region(&ranking, &here, |region| self.may_try(region), self.now)
            }
            None => failover::race_to_leave(&ranking, &here, self.now),
        };
        let standby = self.standby_conn().filter(|standby| match self.region_of(*standby) {
            Some(region) if cause == MoveCause::Unhealthy => {
                *region != here.region && ranking.order().base(region).is_some()
            }
            region => region.is_some() && region == target.as_ref(),
        });
        match standby {
            Some(standby) => self.hand_over(standby),
            None => self.begin_race(lanes),
        }
    }

    /// Decides for a move to `region`, at once, unless one is under way.
    pub(super) fn plan(&mut self, region: Region, cause: MoveCause) {
        if self.planned.is_none() {
            self.fail_back.cancel();
            let phase = Phase::ActionQueue(self.now);
            self.planned = Some(PlannedMove { cause, region: Some(region), phase });
        }
    }

    pub(super) fn planned_is_dialing(&self) -> bool {
        self.planned.as_ref().is_some_and(|planned| planned.phase == Phase::Dialing)
    }

    /// The target is open: subscriptions there, a barrier, and only then new traffic.
    pub(super) fn hand_over(&mut self, conn: ConnId) {
        self.stop_race();
        if let Some(planned) = &mut self.planned {
            planned.phase = Phase::Activating;
        }
        self.standby_taken(conn);
        if let Some(link) = self.links.get_mut(&conn) {
            // The driver gets as long as for a dial: a barrier takes one round trip less.
            link.state = LinkState::Activating(self.now + self.config.dial.timeout);
            self.push(Action::Activate { conn, handover: Handover::AfterBarrier });
        }
    }

    pub(super) fn activated(&mut self, conn: ConnId) {
        let Some(link) = self.links.get(&conn) else { return };
        let is_target = matches!(link.state, LinkState::Activating(_));
        let (Some(planned), true) = (self.planned.clone(), is_target) else { return };
        let (Some(from), Some(to)) = (self.active.and_then(|old| self.place(old)), self.place(conn)) else {
            return;
        };
        self.planned = None;
        let overlap = failover::overlap(&self.ranking(), &self.config);
        self.links.remove(&from.conn);
        self.set_active(conn);
        self.push(Action::Close { conn: from.conn, overlap, drain: self.config.handover.drain });
        self.notify(NoticeKind::Moved {
            from: from.clone(),
            to: to.clone(),
            cause: planned.cause,
            overlap: true,
        });
        // A planned move waits for the health checks.
        self.review_is_stale();
        self.unhealthy.clear(&to.region);
        match planned.cause {
            MoveCause::Unhealthy => self.left_unhealthy(&from, &to),
            _ => self.arrived(&to.region),
        }
        if self.links.get(&conn).is_some_and(|link| link.lame_duck) {
            self.leave_lame_duck(conn);
        }
    }

    pub(super) fn activate_failed(&mut self, conn: ConnId) {
        let Some(link) = self.links.get(&conn) else { return };
        match link.state {
            LinkState::Activating(_) => {
                self.close(conn);
                self.target_lost(conn);
            }
            LinkState::Active => {
                self.close(conn);
                self.active_lost(
                    conn,
                    Some(super::Cause::Reset("its subscriptions could not be installed".into())),
                );
            }
            _ => {}
        }
    }

    /// The target of a planned move is gone; the old link still works.
    pub(super) fn target_lost(&mut self, conn: ConnId) {
        let Some(link) = self.links.remove(&conn) else { return };
        self.endpoint_failed(link.endpoint, false);
        self.planned_race_is_lost();
    }

    /// Nobody took the client in. A lame duck must be left all the same; other moves are off.
    pub(super) fn planned_race_is_lost(&mut self) {
        let Some(planned) = &mut self.planned else { return };
        match planned.cause {
            MoveCause::LameDuck if !matches!(planned.phase, Phase::ActionQueue(_)) => {
                let wait = self.rng.up_to(self.config.dial.backoff_base);
                planned.phase = Phase::ActionQueue(self.now + wait);
            }
            MoveCause::LameDuck => {}
            MoveCause::Unhealthy => {
                let was_entered = planned.phase == Phase::Activating;
                match self.race_from_unhealthy_is_lost(was_entered) {
                    Some(again) => self.planned_again(again),
                    None => self.planned = None,
                }
            }
            _ => {
                self.planned = None;
                self.leave_withdrawn_later();
            }
        }
    }

    fn planned_again(&mut self, at: Time) {
        if let Some(planned) = &mut self.planned {
            planned.phase = Phase::ActionQueue(at);
        }
    }

    /// If a planned move has its target open, that is the quickest way out of an outage.
    pub(super) fn take_over_by_target(&mut self) -> bool {
        let activating = |state| matches!(state, LinkState::Activating(_));
        let usable = self.links.iter().find(|(_, link)| activating(link.state) && !link.watch.is_suspect());
        let Some(conn) = usable.map(|(conn, _)| *conn) else { return false };
        self.take_over(conn);
        true
    }

    /// A false alarm: traffic goes back to the link that it left, which still has its subscriptions.
    pub(super) fn recovered(&mut self, conn: ConnId) {
        let Some(old) = self.place(conn) else { return };
        let here = self.active.and_then(|active| self.place(active));
        if here.as_ref().is_some_and(|here| here.region != old.region) {
            // Traffic left and would come back: a region that falls silent again and again for less than a verdict
            // takes must not be returned to each time.
            self.charge(&old.region);
        }
        let ranking = self.ranking();
        let place_of = |region: &Region| ranking.order().place(region).unwrap_or(usize::MAX);
        let is_better = here.as_ref().is_some_and(|here| place_of(&old.region) < place_of(&here.region));
        let lame_duck = self.links.get(&conn).is_some_and(|link| link.lame_duck);
        if !is_better || lame_duck || self.planned.is_some() || self.outage.is_some() {
            self.links.remove(&conn);
            let overlap = failover::overlap(&ranking, &self.config);
            self.push(Action::Close { conn, overlap, drain: self.config.handover.drain });
            return;
        }
        let region = Some(old.region);
        self.planned = Some(PlannedMove { cause: MoveCause::Recovered, region, phase: Phase::Activating });
        self.hand_over(conn);
    }

    /// The account allows no second connection: close first, then open.
    pub(super) fn break_before_make(&mut self) {
        let Some(active) = self.active else { return };
        self.notify_place(active, NoticeKind::BreakBeforeMake);
        self.stop_race();
        if let Some(link) = self.links.get_mut(&active) {
            // Twice the drain: the driver is expected to say when it is done.
            link.state = LinkState::Closing(self.now + self.config.handover.drain.saturating_mul(2));
        }
        if let Some(planned) = &mut self.planned {
            planned.phase = Phase::Breaking;
        }
        self.push(Action::Close {
            conn: active,
            overlap: std::time::Duration::ZERO,
            drain: self.config.handover.drain,
        });
    }

    /// The old link is closed; now the new one may be opened.
    pub(super) fn closed_before_make(&mut self, conn: ConnId) {
        let Some(from) = self.place(conn) else { return };
        self.links.remove(&conn);
        self.active = None;
        let (cause, region) = match self.planned.take() {
            Some(planned) => (planned.cause, planned.region),
            None => (MoveCause::ServerLost, None),
        };
        let ranking = self.ranking();
        self.begin_race(match &region {
            Some(region) => failover::race_to_region(&ranking, region, self.now),
            None if cause == MoveCause::Unhealthy => failover::race_on_limit(&ranking, &from, self.now),
            None => failover::race_to_leave(&ranking, &from, self.now),
        });
        self.outage = Some(failover::Outage::new(failover::OutageCause::Limit(cause), Some(from)));
    }

    /// If no probe brings news, looking at the order of regions and at the way home again would find what it found before:
    /// nothing has changed since it was last looked at, or nothing depends on the time and no move is being considered.
    pub(super) fn is_calm(&self) -> bool {
        let nobody_is_avoided = self.unhealthy.is_empty() && self.refusing.is_empty();
        nobody_is_avoided && (self.now < self.review_holds_until || self.is_calm_for_good())
    }

    /// Nothing depends on the time and no move is being considered.
    pub(super) fn is_calm_for_good(&self) -> bool {
        let here = self.active.map(|active| self.region_of(active));
        let is_at_best = || here.is_none_or(|here| here == self.region_order.first());
        let nobody_is_avoided = || self.damping.is_empty() && !self.roster.iter().any(Record::has_failed);
        is_at_best() && self.fail_back.is_calm() && self.prober.is_calm() && nobody_is_avoided()
    }

    /// Something else than a probe told of an endpoint, or the place changed: another look may find something.
    pub(super) const fn review_is_stale(&mut self) {
        self.review_holds_until = Time::ZERO;
    }

    /// A probe ended or the place changed: look at the order of regions and at the way home.
    pub(super) fn review_ranks(&mut self) {
        let ranking = self.region_order();
        self.review_is_stale();
        if !ranking.regions().eq(&self.region_order) {
            self.region_order = ranking.regions().cloned().collect();
            self.prober.ranks_changed(self.now, &self.config.probe, &mut self.rng);
        }
        let Some(active) = self.active else { return };
        let (Some(here), Some(link)) = (self.place(active), self.links.get(&active)) else { return };
        let rttvar = link.watch.timer.rttvar();
        let regions_left = self.fail_back.regions_left();
        let away = self.fail_back.away(&self.roster, &ranking, &here.region);
        self.prober.set_away(away, self.now, &self.config.probe, &mut self.rng);
        if !self.is_settled() || self.planned.is_some() {
            return;
        }
        let base = failback::base_of(&self.roster, &here.region);
        let here = Here { region: &here.region, base, rttvar };
        let Self { fail_back, roster, config, now, rng, .. } = self;
        fail_back.evaluate(roster, &ranking, here, &config.fail_back, *now, rng);
        // What is no longer to be returned to is measured as often as before until the next look.
        let forgot = fail_back.regions_left() != regions_left;
        if !forgot && fail_back.waits(roster) && !failback::may_gain(&ranking, here, &config.fail_back) {
            let damping_holds_until = self.damping.holds_until(*now, &config.damping);
            self.review_holds_until = roster.health_holds_until(*now).min(damping_holds_until);
        }
    }

    pub(super) fn arrived(&mut self, region: &Region) {
        self.fail_back.arrived(region, &self.roster);
        self.review_ranks();
    }

    /// New traffic goes to a live link that is not suspected.
    pub(super) fn is_settled(&self) -> bool {
        let active = self.active.and_then(|active| self.links.get(&active));
        self.outage.is_none() && active.is_some_and(|link| link.state == LinkState::Active)
    }

    fn stop_planned_race(&mut self) {
        if self.planned_is_dialing() {
            self.stop_race();
        }
    }
}
