//! Quiet time in one go, for simulations of very many clients: PINGs that are answered while nothing else happens.

use std::time::Duration;

use super::super::time::earliest;
use super::super::{EndpointId, Time};
use super::{LinkState, Selector, Start};

impl Selector {
    /// Does what a driver does that waits for what is due before `until`, as long as that is PINGs and each is answered before
    /// the next thing is due: afterwards the state is the same to the last bit. `rtt` says how long the answers of an
    /// endpoint take, or that none comes; then, and whenever anything else is going on, nothing is done.
    pub(crate) fn skip_quiet_pings(&mut self, until: Time, rtt: impl Fn(EndpointId) -> Option<Duration>) {
        let until = earliest(Some(until), self.due_besides_links()).unwrap_or(until);
        if self.due.is_none_or(|due| due >= until) || !self.is_quiet() {
            return;
        }
        let interval = self.config.watch.ping_interval;
        let Some(rtts) = self.rtts_of_links(interval, rtt) else { return };
        let end = self.end_of_whole_pings(until, &rtts);
        let mut skipped = Vec::with_capacity(rtts.len());
        for (link, rtt) in self.links.values().zip(&rtts) {
            match link.watch.after_answered_pings(end, *rtt, &self.config.watch) {
                Some(after) => skipped.push(after),
                None => return,
            }
        }
        for (link, (watch, pings, last_pong)) in self.links.values_mut().zip(skipped) {
            link.watch = watch;
            self.next_ping += pings;
            self.now = self.now.max(last_pong);
        }
        self.due = self.next_due();
    }

    /// Nothing is under way but watching links that work.
    fn is_quiet(&self) -> bool {
        let works = |state| matches!(state, LinkState::Active | LinkState::Standby);
        matches!(self.start, Start::Over)
            && self.outage.is_none()
            && self.planned.is_none()
            && self.afresh.is_none()
            && self.actions.is_empty()
            && self.links.values().all(|link| works(link.state) && link.watch.is_idle())
    }

    /// `None` if some PING is not answered before the next one of its link.
    fn rtts_of_links(
        &self,
        interval: Duration,
        rtt: impl Fn(EndpointId) -> Option<Duration>,
    ) -> Option<Vec<Duration>> {
        let rtts = self.links.values().map(|link| rtt(link.endpoint).filter(|rtt| *rtt < interval));
        rtts.collect()
    }

    /// The latest moment up to `until` at which no PING is on its way, if all are sent that are due before.
    fn end_of_whole_pings(&self, until: Time, rtts: &[Duration]) -> Time {
        let mut end = until;
        loop {
            let on_its_way = self.links.values().zip(rtts).filter_map(|(link, rtt)| {
                let last = link.watch.last_ping_before(end, &self.config.watch)?;
                (last + *rtt >= end).then_some(last)
            });
            match on_its_way.min() {
                Some(earlier) => end = earlier,
                None => return end,
            }
        }
    }
}
