//! Stage 2: decides when to measure which endpoint. Probes use separate connections, and do not count towards the dial
//! budget.

use std::time::Duration;

use super::backoff::TokenBucket;
use super::rng::Rng;
use super::sorted::{SortedMap, SortedSet};
use super::time::earliest;
use super::{EndpointId, ProbeConfig, ProbeId, Time};

/// The probe schedule.
#[derive(Clone, Debug)]
pub(crate) struct Prober {
    slots: SortedMap<EndpointId, Slot>,
    in_flight: SortedMap<ProbeId, InFlight>,
    /// Endpoints that are probed at the away interval.
    away: SortedSet<EndpointId>,
    /// When the first slot that is not in flight is due: asked for at every event, changed by few.
    first_due: Option<Time>,
    budget: TokenBucket,
    next_id: u64,
}

#[derive(Clone, Debug)]
struct Slot {
    due: Time,
    /// How often its interval was doubled since ranks changed.
    stretched: u8,
    in_flight: bool,
    /// Some probe of it has gone out.
    tried: bool,
}

/// The interval of an endpoint after it was doubled so often.
fn stretched(times: u8, config: &ProbeConfig) -> Duration {
    (0..times).fold(config.interval, |interval, _| stretch(interval, config))
}

fn stretch(interval: Duration, config: &ProbeConfig) -> Duration {
    interval.saturating_mul(2).min(config.interval_max)
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    endpoint: EndpointId,
    /// The driver should have answered by now; afterwards the probe counts as lost.
    expires: Time,
}

impl Prober {
    pub(crate) fn new(config: &ProbeConfig, now: Time) -> Self {
        let per_second = f64::from(config.budget_per_minute) / 60.0;
        Self {
            slots: SortedMap::new(),
            in_flight: SortedMap::new(),
            away: SortedSet::new(),
            first_due: None,
            budget: TokenBucket::new(config.budget_per_minute, per_second, now),
            next_id: 0,
        }
    }

    /// A new endpoint is due at once.
    pub(crate) fn add(&mut self, endpoint: EndpointId, now: Time) {
        self.slots.insert(endpoint, Slot { due: now, stretched: 0, in_flight: false, tried: false });
        self.schedule_changed();
    }

    pub(crate) fn remove(&mut self, endpoint: EndpointId) {
        self.slots.remove(&endpoint);
        self.schedule_changed();
        self.away.remove(&endpoint);
        self.in_flight.retain(|_, probe| probe.endpoint != endpoint);
    }

    /// The next probe that may go out now, and whether it is the first of its endpoint.
    pub(crate) fn poll(&mut self, now: Time, config: &ProbeConfig) -> Option<(ProbeId, EndpointId, bool)> {
        if self.in_flight.len() >= config.in_flight_max {
            return None;
        }
        if self.first_due.is_none_or(|due| due > now) || !self.budget.take(now) {
            return None;
        }
        let (endpoint, slot) = self.most_overdue()?;
        slot.in_flight = true;
        let is_first = !std::mem::replace(&mut slot.tried, true);
        let probe = ProbeId(self.next_id);
        self.next_id += 1;
        self.in_flight.insert(probe, InFlight { endpoint, expires: now + config.timeout.saturating_mul(2) });
        Some((probe, endpoint, is_first))
    }

    /// Ends a probe. Returns its endpoint and the interval that it was taken at; `None` if it is unknown.
    pub(crate) fn finished(
        &mut self,
        probe: ProbeId,
        now: Time,
        config: &ProbeConfig,
        rng: &mut Rng,
    ) -> Option<(EndpointId, Duration)> {
        let endpoint = self.in_flight.remove(&probe)?.endpoint;
        self.in_flight.give_back_room();
        let is_away = self.away.contains(&endpoint);
        let slot = self.slots.get_mut(&endpoint)?;
        let usual = stretched(slot.stretched, config);
        let interval = if is_away { config.away_interval } else { usual };
        slot.in_flight = false;
        slot.due = now + rng.vary(interval, config.jitter);
        slot.stretched += u8::from(stretch(usual, config) != usual);
        self.first_due = earliest(self.first_due, Some(slot.due));
        Some((endpoint, interval))
    }

    /// The endpoint is due again at once.
    pub(crate) fn again(&mut self, endpoint: EndpointId, now: Time) {
        let Some(slot) = self.slots.get_mut(&endpoint) else { return };
        let before = std::mem::replace(&mut slot.due, now);
        if before < now {
            self.schedule_changed();
        } else if !slot.in_flight {
            self.first_due = earliest(self.first_due, Some(now));
        }
    }

    /// All endpoints are due again at once.
    pub(crate) fn all_again(&mut self, now: Time) {
        for slot in self.slots.values_mut() {
            slot.due = now;
        }
        self.schedule_changed();
    }

    /// Probes that the driver never answered: to be treated as silent.
    pub(crate) fn expired(&self, now: Time) -> Option<ProbeId> {
        // The oldest expires first.
        self.in_flight.first().filter(|(_, probe)| probe.expires <= now).map(|(id, _)| *id)
    }

    /// Sets which endpoints are probed at the away interval; newly added ones come forward.
    pub(crate) fn set_away(
        &mut self,
        away: SortedSet<EndpointId>,
        now: Time,
        config: &ProbeConfig,
        rng: &mut Rng,
    ) {
        if away == self.away {
            return;
        }
        for endpoint in away.iter().filter(|endpoint| !self.away.contains(endpoint)) {
            if let Some(slot) = self.slots.get_mut(endpoint) {
                slot.due = slot.due.min(now + rng.vary(config.away_interval, config.jitter));
            }
        }
        self.away = away;
        self.schedule_changed();
    }

    /// No endpoint is probed at the away interval.
    pub(crate) const fn is_calm(&self) -> bool {
        self.away.is_empty()
    }

    /// Ranks changed: look often again.
    pub(crate) fn ranks_changed(&mut self, now: Time, config: &ProbeConfig, rng: &mut Rng) {
        for slot in self.slots.values_mut() {
            slot.stretched = 0;
            if slot.due <= now {
                // Whatever is drawn, it is due before.
                rng.skip();
            } else {
                slot.due = slot.due.min(now + rng.vary(config.interval, config.jitter));
            }
        }
        self.schedule_changed();
    }

    /// Forgets what is in flight (its timing is worthless after a stall) and looks again soon.
    pub(crate) fn restart(&mut self, now: Time, config: &ProbeConfig, rng: &mut Rng) {
        self.in_flight.clear();
        for slot in self.slots.values_mut() {
            slot.in_flight = false;
            slot.stretched = 0;
            slot.due = slot.due.min(now + rng.up_to(config.away_interval));
        }
        self.schedule_changed();
    }

    /// Whether a first probe of every endpoint has gone out, or no more may: those that are not known yet wait for a place
    /// in flight, which an answer makes, but the budget comes back slowly.
    pub(crate) fn all_tried(&self, now: Time) -> bool {
        self.budget.available_at() > now || self.slots.values().all(|slot| slot.tried)
    }

    /// Returns whether every endpoint has been probed at least once and nothing is in flight or due.
    pub(crate) fn is_idle(&self, now: Time) -> bool {
        self.in_flight.is_empty() && self.first_due.is_none_or(|due| due > now)
    }

    pub(crate) fn poll_timeout(&self, config: &ProbeConfig) -> Option<Time> {
        earliest(self.expires(), self.asks_budget_at(config).map(|due| due.max(self.budget.available_at())))
    }

    /// When the oldest probe in flight counts as lost.
    pub(crate) fn expires(&self) -> Option<Time> {
        self.in_flight.first().map(|(_, probe)| probe.expires)
    }

    /// When the next probe goes out if the budget allows it; `None` if one that is in flight has to end before.
    pub(crate) fn asks_budget_at(&self, config: &ProbeConfig) -> Option<Time> {
        self.first_due.filter(|_| self.in_flight.len() < config.in_flight_max)
    }

    /// The endpoints that wait for their next probe, and when it is due.
    #[cfg(feature = "sim")]
    pub(crate) fn waiting(&self) -> impl Iterator<Item = (EndpointId, Time)> {
        let waiting = self.slots.iter().filter(|(_, slot)| !slot.in_flight);
        waiting.map(|(endpoint, slot)| (*endpoint, slot.due))
    }

    /// Whether no probe has to wait for the budget as long as ranks hold: it has one for each endpoint and one to spare, and
    /// earns more than they take, each at its shortest interval.
    #[cfg(feature = "sim")]
    pub(crate) fn has_budget_for_all(&self, config: &ProbeConfig) -> bool {
        let endpoints = self.slots.len() as f64;
        let least = self.slots.values().map(|slot| slot.stretched).min().unwrap_or_default();
        let shortest = stretched(least, config);
        let per_second =
            |probes: f64, interval: Duration| probes / ((1.0 - config.jitter) * interval.as_secs_f64());
        let taken =
            per_second(endpoints, shortest) + per_second(self.away.len() as f64, config.away_interval);
        self.budget.has(endpoints + 1.0) && self.budget.earns(taken)
    }

    /// What was there only for the start is given back.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.slots.shrink_to_fit();
    }

    fn schedule_changed(&mut self) {
        self.first_due = self.slots.values().filter(|slot| !slot.in_flight).map(|slot| slot.due).min();
    }

    /// Of those that are due at one moment, the first. From now on the one behind it is due first.
    fn most_overdue(&mut self) -> Option<(EndpointId, &mut Slot)> {
        let mut waiting = self.slots.iter_mut().filter(|(_, slot)| !slot.in_flight);
        let mut first = waiting.next()?;
        let mut second = None;
        for other in waiting {
            let behind = if other.1.due < first.1.due { std::mem::replace(&mut first, other) } else { other };
            second = earliest(second, Some(behind.1.due));
        }
        self.first_due = second;
        Some((*first.0, first.1))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    fn prober(endpoints: u64) -> (Prober, ProbeConfig, Rng) {
        let config = Config::fleet().probe;
        let mut prober = Prober::new(&config, Time::ZERO);
        (0..endpoints).for_each(|id| prober.add(EndpointId(id), Time::ZERO));
        (prober, config, Rng::new(1))
    }

    fn drain(prober: &mut Prober, now: Time, config: &ProbeConfig) -> Vec<ProbeId> {
        std::iter::from_fn(|| prober.poll(now, config)).map(|(probe, ..)| probe).collect()
    }

    #[test]
    fn at_start_all_are_probed_in_parallel_up_to_the_bound() {
        let (mut prober, config, mut rng) = prober(40);
        let first = drain(&mut prober, Time::ZERO, &config);
        assert_eq!(first.len(), 32);
        prober.finished(first[0], Time::ZERO, &config, &mut rng);
        assert_eq!(drain(&mut prober, Time::ZERO, &config).len(), 1);
    }

    #[test]
    fn the_interval_stretches_from_30_s_to_5_min_and_back() {
        let (mut prober, config, mut rng) = prober(1);
        let mut now = Time::ZERO;
        let mut gaps = Vec::new();
        for _ in 0..6 {
            let (probe, ..) = prober.poll(now, &config).unwrap();
            prober.finished(probe, now, &config, &mut rng).unwrap();
            let due = prober.poll_timeout(&config).unwrap();
            gaps.push(due.since(now).as_secs_f64());
            now = due;
        }
        for (gap, expected) in gaps.iter().zip([30.0, 60.0, 120.0, 240.0, 300.0, 300.0]) {
            assert!((gap / expected - 1.0).abs() <= 0.2, "{gap} s, expected {expected} s within 20 %");
        }
        prober.ranks_changed(now, &config, &mut rng);
        let (probe, ..) = prober.poll(now, &config).unwrap();
        assert_eq!(prober.finished(probe, now, &config, &mut rng).unwrap().1, config.interval);
    }

    #[test]
    fn away_endpoints_are_probed_every_5_s() {
        let (mut prober, config, mut rng) = prober(2);
        for probe in drain(&mut prober, Time::ZERO, &config) {
            prober.finished(probe, Time::ZERO, &config, &mut rng);
        }
        prober.set_away([EndpointId(1)].into_iter().collect(), Time::ZERO, &config, &mut rng);
        let due = prober.poll_timeout(&config).unwrap().since_start();
        assert!((4.0..=6.0).contains(&due.as_secs_f64()), "{due:?}");
    }

    #[test]
    fn the_budget_bounds_probes_per_minute() {
        let (mut prober, mut config, mut rng) = prober(200);
        config.away_interval = Duration::from_millis(100);
        prober.set_away((0..200).map(EndpointId).collect(), Time::ZERO, &config, &mut rng);
        let mut sent = 0;
        for ms in (0..300_000).step_by(50) {
            let now = Time::from_millis(ms);
            for probe in drain(&mut prober, now, &config) {
                sent += 1;
                prober.finished(probe, now, &config, &mut rng);
            }
        }
        assert!((600..=721).contains(&sent), "{sent} probes in 5 min at 120 per min and a burst of 120");
    }

    #[test]
    fn a_probe_that_is_never_answered_expires() {
        let (mut prober, config, mut rng) = prober(1);
        let (probe, ..) = prober.poll(Time::ZERO, &config).unwrap();
        assert_eq!(prober.poll_timeout(&config), Some(Time::from_millis(4_000)));
        assert_eq!(prober.expired(Time::from_millis(3_999)), None);
        assert_eq!(prober.expired(Time::from_millis(4_000)), Some(probe));
        assert!(prober.finished(probe, Time::from_millis(4_000), &config, &mut rng).is_some());
        assert!(prober.finished(probe, Time::from_millis(4_001), &config, &mut rng).is_none(), "late");
    }
}
