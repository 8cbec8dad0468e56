//! This module checks the first choice a second time. The client made the first choice within milliseconds, from few
//! answers.

use super::super::{EndpointId, MoveCause, Reason, Time};
use super::Selector;

/// Samples of an endpoint before the first choice is looked at once more: one may be late by chance.
const REVIEW_SAMPLES: usize = 2;

impl Selector {
    /// The first link is live: every endpoint is measured twice, and then the choice is looked at once more.
    pub(super) fn review_first_choice(&mut self) {
        let has_alternatives = || self.region_order().regions().nth(1).is_some();
        if self.config.probe.start_review.is_zero() || !has_alternatives() {
            return;
        }
        self.review = Some(self.now);
        let is_poor = |samples: usize| (1..REVIEW_SAMPLES).contains(&samples);
        let poor = self.roster.iter().filter(|record| is_poor(record.base.samples()));
        for endpoint in poor.map(|record| record.id).collect::<Vec<EndpointId>>() {
            self.prober.again(endpoint, self.now);
        }
    }

    /// Returns whether an endpoint with so many samples is to be measured again before that look.
    pub(super) fn review_wants_another_of(&self, samples: usize) -> bool {
        self.review.is_some() && samples < REVIEW_SAMPLES
    }

    /// When the look is taken with what is known by then; earlier if all have answered.
    pub(super) fn review_due(&self) -> Option<Time> {
        self.review.filter(|_| self.is_settled()).map(|since| since + self.config.probe.start_review)
    }

    /// Moves to the nearest region if the first choice turns out to be farther away.
    pub(super) fn review_if_measured(&mut self) {
        let is_time = self.review_due().is_some_and(|due| due <= self.now || self.prober.is_idle(self.now));
        if !is_time {
            return;
        }
        self.review = None;
        let ranking = self.ranking();
        let here = self.active.and_then(|active| self.region_of(active));
        let is_as_near = |reason: &Reason| matches!(reason, Reason::Nearest | Reason::Tied { .. });
        let is_near =
            here.is_some_and(|here| ranking.in_region(here).any(|server| is_as_near(&server.reason)));
        let best = ranking.order().regions().find(|region| ranking.order().base(region).is_some());
        let best = best.filter(|best| !is_near && Some(*best) != here).cloned();
        // A client returns with care to a region that failed meanwhile, not by this. A choice that the user asks for is
        // made anyway.
        if let Some(best) = best.filter(|_| self.fail_back.regions_left() == 0 && self.reselecting.is_none())
        {
            self.plan(best, MoveCause::Faster);
        }
    }
}
