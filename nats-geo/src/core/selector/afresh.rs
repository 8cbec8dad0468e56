//! The first choice made again: because the user asks for it, after a change of place or of the servers, or because it was
//! made within milliseconds, on what had answered by then.

use super::super::{EndpointId, MoveCause, Reason, Time};
use super::Selector;

/// The choice is being made again.
#[derive(Clone, Copy, Debug)]
pub(super) struct Afresh {
    pub(super) since: Time,
    /// Nobody asked for it: the first choice is looked at once more.
    pub(super) is_review: bool,
}

/// Samples of an endpoint before the first choice is looked at once more: one may be late by chance.
const REVIEW_SAMPLES: usize = 2;

impl Selector {
    pub(super) fn choose_afresh(&mut self) {
        if self.active.is_none() {
            return self.dialer.retry_now(self.now);
        }
        self.afresh = Some(Afresh { since: self.now, is_review: false });
        self.prober.all_again(self.now);
    }

    /// The first link is live. Its choice is looked at once more when every endpoint has been measured twice.
    pub(super) fn review_first_choice(&mut self) {
        let has_alternatives = || self.region_order().regions().nth(1).is_some();
        if self.config.probe.start_review.is_zero() || !has_alternatives() {
            return;
        }
        self.afresh = Some(Afresh { since: self.now, is_review: true });
        let is_poor = |samples: usize| (1..REVIEW_SAMPLES).contains(&samples);
        let poor = self.roster.iter().filter(|record| is_poor(record.base.samples()));
        for endpoint in poor.map(|record| record.id).collect::<Vec<EndpointId>>() {
            self.prober.again(endpoint, self.now);
        }
    }

    /// Samples that are taken of each endpoint while a choice is being made.
    pub(super) fn samples_wanted(&self) -> usize {
        match self.afresh {
            Some(Afresh { is_review: true, .. }) => REVIEW_SAMPLES,
            _ => self.config.probe.start_samples,
        }
    }

    /// When the choice is made with what is known by then; earlier if all have answered.
    pub(super) fn afresh_due(&self) -> Option<Time> {
        let probe = &self.config.probe;
        let patience = |is_review| if is_review { probe.start_review } else { probe.timeout };
        let afresh = self.afresh.filter(|_| self.is_settled())?;
        Some(afresh.since + patience(afresh.is_review))
    }

    /// Chooses once all endpoints have been measured, or have had their time.
    pub(super) fn choose_if_measured(&mut self) {
        let is_time = self.afresh_due().is_some_and(|due| due <= self.now || self.prober.is_idle(self.now));
        if !is_time {
            return;
        }
        let Some(afresh) = self.afresh.take() else { return };
        let ranking = self.ranking();
        let here = self.active.and_then(|active| self.region_of(active));
        let best = ranking.order().regions().find(|region| ranking.order().base(region).is_some());
        let Some(best) = best.filter(|best| Some(*best) != here).cloned() else { return };
        if !afresh.is_review {
            return self.plan(best, MoveCause::Requested);
        }
        let is_as_near = |reason: &Reason| matches!(reason, Reason::Nearest | Reason::Tied { .. });
        let is_near =
            here.is_some_and(|here| ranking.in_region(here).any(|server| is_as_near(&server.reason)));
        // A client returns with care to a region that failed meanwhile, not by this.
        if self.fail_back.regions_left() == 0 && !is_near {
            self.plan(best, MoveCause::Faster);
        }
    }
}
