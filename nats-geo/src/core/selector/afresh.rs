//! The first choice made again, because the user asks for it: after a change of place, or of the servers.

use super::super::{MoveCause, Time};
use super::Selector;

impl Selector {
    pub(super) fn choose_afresh(&mut self) {
        if self.active.is_none() {
            return self.dialer.retry_now(self.now);
        }
        self.afresh = Some(self.now);
        self.prober.all_again(self.now);
    }

    /// When the choice is made with what is known by then; earlier if all have answered.
    pub(super) fn afresh_due(&self) -> Option<Time> {
        self.afresh.filter(|_| self.is_settled()).map(|since| since + self.config.probe.timeout)
    }

    /// Chooses once all endpoints have been measured, or have had their time.
    pub(super) fn choose_if_measured(&mut self) {
        let is_time = self.afresh_due().is_some_and(|due| due <= self.now || self.prober.is_idle(self.now));
        if !is_time {
            return;
        }
        self.afresh = None;
        let ranking = self.ranking();
        let here = self.active.and_then(|active| self.region_of(active));
        let best = ranking.order().regions().find(|region| ranking.order().base(region).is_some());
        if let Some(best) = best.filter(|best| Some(*best) != here).cloned() {
            self.plan(best, MoveCause::Requested);
        }
    }
}
