//! This module slows dials down when many clients move away from the same lost region.

use std::time::Duration;

use super::super::estimate::RttTimer;
use super::super::herd::Herd;
use super::super::{EndpointId, OpenError};
use super::Selector;

impl Selector {
    /// Everybody who lost a region finds the same survivor nearest, and the same next one if that does not answer in time:
    /// a herd in step, of which no survivor can serve more than a few. So from the first dial that waits in vain on, each
    /// client goes on by chance, and more and more slowly. A client alone has no herd.
    pub(super) fn look_for_herds(&mut self) {
        let roster = &self.roster;
        let Some(lost) = self.outage.as_ref().and_then(|outage| outage.region()) else { return };
        let is_elsewhere = |endpoint| roster.region(endpoint).is_some_and(|region| region != lost);
        if self.dialer.waits_in_vain(self.now, is_elsewhere) {
            self.herd_is_seen();
        }
    }

    /// A survivor that says that it has too much to do is as good a sign; the next one is better asked later, too.
    pub(super) fn look_for_herd_at(&mut self, endpoint: EndpointId, error: &OpenError) {
        if error.is_overload() && self.is_survivor(endpoint) && self.herd_is_seen() {
            let gap = self.next_gap();
            self.dialer.hold(self.now + gap);
        }
    }

    /// Returns whether it is news.
    fn herd_is_seen(&mut self) -> bool {
        let is_one_of_many = !self.config.spread.region_lost.is_zero();
        let Some(outage) = self.outage.as_mut().filter(|outage| is_one_of_many && outage.herd.is_none())
        else {
            return false;
        };
        outage.herd = Some(Herd::default());
        self.scatter();
        true
    }

    /// Returns whether the next one is dialled at once after a dial that failed. One where nobody listens has nothing to do with
    /// the herd.
    pub(super) fn is_in_a_hurry_after(&self, error: &OpenError) -> bool {
        *error == OpenError::Refused || self.outage.as_ref().is_none_or(|outage| outage.herd.is_none())
    }

    /// What an attempt at this endpoint is given before the next one.
    pub(super) fn attempt_delay(&mut self, endpoint: EndpointId) -> Duration {
        // Where first attempts are spread, a client is one of many. The clients of a lost region come together and make
        // the survivors slow: racing them would ask for several handshakes per client, which they cannot do.
        let is_herd = !self.config.spread.region_lost_or_hint().is_zero();
        if is_herd && self.is_survivor(endpoint) {
            return self.config.dial.attempt_delay_max + self.next_gap();
        }
        let base = self.roster.get(endpoint).and_then(|record| record.base.get());
        let dial = &self.config.dial;
        RttTimer::seeded(base).attempt_delay().clamp(dial.attempt_delay_min, dial.attempt_delay_max)
    }

    /// None as long as no herd was seen.
    fn next_gap(&mut self) -> Duration {
        let herd = self.outage.as_mut().and_then(|outage| outage.herd.as_mut());
        herd.map(|herd| herd.next_gap(&self.config.spread, &mut self.rng)).unwrap_or_default()
    }

    /// It is outside the region that was lost.
    fn is_survivor(&self, endpoint: EndpointId) -> bool {
        let lost = self.outage.as_ref().and_then(|outage| outage.region());
        lost.is_some() && self.roster.region(endpoint) != lost
    }

    /// Who has not been dialled yet is from now on dialled by chance, the nearer the likelier.
    pub(super) fn scatter(&mut self) {
        let roster = &self.roster;
        let weight = |endpoint| {
            let base = roster.get(endpoint).and_then(|record| record.base.get()).unwrap_or(Duration::MAX);
            base.max(NEAR).as_secs_f64().recip()
        };
        self.dialer.scatter(weight, &mut self.rng);
    }
}

/// Regions nearer than this are as good as each other for somebody who flees. In the simulated herd (`loadgen simulate`),
/// when dials still followed each other without gaps, the last client was back after 6.5 s with it, after 7.8 s with 10 ms,
/// and after 18.5 s if everybody kept to the ranking.
const NEAR: Duration = Duration::from_millis(100);
