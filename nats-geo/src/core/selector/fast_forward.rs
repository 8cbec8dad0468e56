//! This module skips quiet time in simulations of many clients. In quiet time, servers answer all PINGs and probes, and
//! nothing else happens.

use std::time::Duration;

use super::super::record::Fingerprint;
use super::super::{EndpointId, ProbeId, Time};
use super::{LinkState, Selector, Start};

/// Who answers a selector in quiet time.
pub(crate) trait QuietWorld {
    /// How long the answer to a PING takes; `None` if none comes.
    fn pong_after(&self, endpoint: EndpointId) -> Option<Duration>;

    /// What a probe would learn; `None` if it would fail.
    fn info(&self, endpoint: EndpointId) -> Option<QuietInfo>;

    /// A probe went out.
    fn probe_sent(&mut self, probe: QuietProbe);
}

/// A probe that went out in quiet time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuietProbe {
    pub(crate) at: Time,
    pub(crate) probe: ProbeId,
    pub(crate) endpoint: EndpointId,
    pub(crate) timeout: Duration,
    /// Its answer was taken in. If not, the world is to give it.
    pub(crate) is_answered: bool,
}

/// What a probe learns.
#[derive(Clone, Copy, Debug)]
pub(crate) struct QuietInfo {
    pub(crate) time_to_info: Duration,
    pub(crate) rtt: Duration,
    pub(crate) fingerprint: Fingerprint,
}

/// A probe that will be answered.
struct OnItsWay {
    answered_at: Time,
    probe: ProbeId,
    rtt: Duration,
}

impl Selector {
    /// Does what a driver does that waits for what is due before `until`, as long as that is PINGs, each answered before
    /// the next one is due, and probes that bring no news: afterwards the state is the same to the last bit. When anything
    /// else is going on, nothing is done.
    pub(crate) fn skip_quiet_time(&mut self, until: Time, world: &mut impl QuietWorld) {
        if self.due.is_none_or(|due| due >= until) || !self.is_quiet() {
            return;
        }
        let until = until.min(self.due_besides_watching().unwrap_or(Time::NEVER));
        let until = until.min(self.probes_bring_no_news_until(until, world));
        let interval = self.config.watch.ping_interval;
        let Some(rtts) = self.rtts_of_links(interval, world) else { return };
        let end = self.end_of_whole_pings(until, &rtts);
        let mut skipped = Vec::with_capacity(rtts.len());
        for (link, rtt) in self.links.values().zip(&rtts) {
            match link.watch.after_answered_pings(end, *rtt, &self.config.watch) {
                Some(after) => skipped.push(after),
                None => return,
            }
        }
        let mut last_pong = Time::ZERO;
        for (link, (watch, pings, its_last_pong)) in self.links.values_mut().zip(skipped) {
            link.watch = watch;
            self.next_ping += pings;
            last_pong = last_pong.max(its_last_pong);
        }
        self.play_probes(end, world);
        self.now = self.now.max(last_pong);
        self.due = self.next_due();
    }

    /// Nothing is under way but watching links that work, and probes.
    fn is_quiet(&self) -> bool {
        let works = |state| matches!(state, LinkState::Active | LinkState::Standby);
        matches!(self.start, Start::Over)
            && self.outage.is_none()
            && self.planned.is_none()
            && self.reselecting.is_none()
            && self.review.is_none()
            && self.actions.is_empty()
            && self.links.values().all(|link| works(link.state) && link.watch.is_idle())
    }

    /// Probes that are sent and answered before this moment change nothing but their own schedule and histories.
    fn probes_bring_no_news_until(&self, until: Time, world: &impl QuietWorld) -> Time {
        let config = &self.config.probe;
        let lost = self.prober.expires().unwrap_or(Time::NEVER);
        // How much of the budget there is depends, by a rounding error, on when it is asked for, be it in vain.
        let first = self.prober.asks_budget_at(config).unwrap_or(Time::NEVER).min(lost);
        if first >= until {
            return first;
        }
        if !self.unhealthy.is_empty() || !self.prober.has_budget_for_all(config) {
            return first;
        }
        let calm_until = if self.is_calm_for_good() { Time::NEVER } else { self.review_holds_until };
        let may_be_news = |endpoint| !self.is_as_known(endpoint, world);
        let news = self.prober.waiting().filter(|(_, due)| *due < until);
        let news = news.filter(|(endpoint, _)| may_be_news(*endpoint)).map(|(_, due)| due).min();
        calm_until.min(lost).min(news.unwrap_or(Time::NEVER)).max(first)
    }

    /// A probe would learn what is known.
    fn is_as_known(&self, endpoint: EndpointId, world: &impl QuietWorld) -> bool {
        let (Some(record), Some(info)) = (self.roster.get(endpoint), world.info(endpoint)) else {
            return false;
        };
        let is_in_time = info.time_to_info < self.config.probe.timeout;
        is_in_time && record.fingerprint() == Some(info.fingerprint) && record.expects(info.rtt)
    }

    /// Probes as they become due before `end`, and their answers.
    fn play_probes(&mut self, end: Time, world: &mut impl QuietWorld) {
        let mut on_their_way: Vec<OnItsWay> = Vec::new();
        loop {
            let sent_at = self.prober.asks_budget_at(&self.config.probe).filter(|due| *due < end);
            // Of two at one moment, the one that was sent first.
            let next = (0..on_their_way.len()).min_by_key(|place| on_their_way[*place].answered_at);
            let is_next = |place: &usize| sent_at.is_none_or(|at| on_their_way[*place].answered_at <= at);
            match (next.filter(is_next), sent_at) {
                (Some(next), _) => {
                    self.take_in(&on_their_way.remove(next));
                    self.send_probes(end, &mut on_their_way, world);
                }
                (None, Some(at)) => {
                    self.now = self.now.max(at);
                    if !self.send_probes(end, &mut on_their_way, world) {
                        return;
                    }
                }
                (None, None) => return,
            }
        }
    }

    /// Those that are due now. Returns whether there were any.
    fn send_probes(
        &mut self,
        end: Time,
        on_their_way: &mut Vec<OnItsWay>,
        world: &mut impl QuietWorld,
    ) -> bool {
        let (at, timeout) = (self.now, self.config.probe.timeout);
        let mut any = false;
        while let Some((probe, endpoint, _)) = self.prober.poll(at, &self.config.probe) {
            any = true;
            let info = world.info(endpoint).filter(|info| at + info.time_to_info < end);
            on_their_way.extend(info.map(|info| OnItsWay {
                answered_at: at + info.time_to_info,
                probe,
                rtt: info.rtt,
            }));
            world.probe_sent(QuietProbe { at, probe, endpoint, timeout, is_answered: info.is_some() });
        }
        any
    }

    /// An answer that brings no news.
    fn take_in(&mut self, answer: &OnItsWay) {
        self.now = self.now.max(answer.answered_at);
        let finished = self.prober.finished(answer.probe, self.now, &self.config.probe, &mut self.rng);
        let Some((endpoint, period)) = finished else { return };
        if let Some(record) = self.roster.get_mut(endpoint) {
            record.base.record(answer.rtt, period, self.now, &self.config.rank);
            record.answered(self.now);
        }
    }

    /// `None` if some PING is not answered before the next one of its link.
    fn rtts_of_links(&self, interval: Duration, world: &impl QuietWorld) -> Option<Vec<Duration>> {
        let rtt = |endpoint| world.pong_after(endpoint).filter(|rtt| *rtt < interval);
        self.links.values().map(|link| rtt(link.endpoint)).collect()
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
