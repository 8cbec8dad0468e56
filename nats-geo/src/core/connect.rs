//! Stage 5: decides which endpoint to dial at which time. A few dials run at the same time, and the client uses the
//! first link that is ready.

use std::collections::VecDeque;
use std::time::Duration;

use super::backoff::{Backoff, TokenBucket};
use super::rng::Rng;
use super::sorted::SortedMap;
use super::{ConnId, DialConfig, EndpointId, Time};

/// A race of dials. Candidates wait in lanes, which open at times of their own; the next of a lane starts
/// when one failed or took longer than its attempt delay. Who wins is not decided here.
#[derive(Clone, Debug)]
pub(crate) struct Dialer {
    lanes: Vec<Lane>,
    in_flight: SortedMap<ConnId, InFlight>,
    budget: TokenBucket,
    backoff: Backoff,
    retry_at: Option<Time>,
}

/// Candidates in order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Lane {
    /// Who is next.
    pub(crate) queue: VecDeque<EndpointId>,
    /// Not before this moment.
    pub(crate) opens: Time,
    /// If a dial of the lane before fails, this lane opens that much later, if that is sooner.
    pub(crate) opens_after_failure: Option<Duration>,
}

impl Lane {
    pub(crate) fn new(candidates: impl IntoIterator<Item = EndpointId>, opens: Time) -> Self {
        Self { queue: candidates.into_iter().collect(), opens, opens_after_failure: None }
    }

    pub(crate) const fn or_after_failure(mut self, delay: Duration) -> Self {
        self.opens_after_failure = Some(delay);
        self
    }
}

#[derive(Clone, Copy, Debug)]
struct InFlight {
    endpoint: EndpointId,
    lane: usize,
}

/// A candidate whose turn it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Turn {
    pub(crate) endpoint: EndpointId,
    lane: usize,
}

impl Dialer {
    pub(crate) fn new(config: &DialConfig, now: Time) -> Self {
        Self {
            lanes: Vec::new(),
            in_flight: SortedMap::new(),
            budget: TokenBucket::new(config.budget_burst, config.budget_per_second, now),
            backoff: Backoff::default(),
            retry_at: None,
        }
    }

    /// Starts a race. Dials of an earlier race that are still in flight take part.
    pub(crate) fn race(&mut self, mut lanes: Vec<Lane>) {
        let racing: Vec<_> = self.in_flight.values().map(|dial| dial.endpoint).collect();
        for lane in &mut lanes {
            lane.queue.retain(|candidate| !racing.contains(candidate));
        }
        for dial in self.in_flight.values_mut() {
            dial.lane = 0;
        }
        self.lanes = lanes;
        self.retry_at = None;
    }

    /// Ends the race. Returns the dials still in flight, which are to be closed.
    #[must_use]
    pub(crate) fn stop(&mut self) -> Vec<ConnId> {
        self.lanes = Vec::new();
        self.retry_at = None;
        std::mem::take(&mut self.in_flight).into_iter().map(|(conn, _)| conn).collect()
    }

    /// The next candidate that may be dialled now; to be answered by [`Dialer::dialled`].
    pub(crate) fn poll(&mut self, now: Time, config: &DialConfig) -> Option<Turn> {
        if self.in_flight.len() >= config.in_flight_max {
            return None;
        }
        let lane = self.lanes.iter().position(|lane| lane.opens <= now && !lane.queue.is_empty())?;
        if !self.budget.take(now) {
            return None;
        }
        let endpoint = self.lanes[lane].queue.pop_front()?;
        Some(Turn { endpoint, lane })
    }

    /// The candidate is being dialled on `conn`; unless it answers, the next of its lane follows after
    /// `attempt_delay`.
    pub(crate) fn dialled(&mut self, turn: Turn, conn: ConnId, attempt_delay: Duration, now: Time) {
        self.in_flight.insert(conn, InFlight { endpoint: turn.endpoint, lane: turn.lane });
        if let Some(lane) = self.lanes.get_mut(turn.lane) {
            lane.opens = now + attempt_delay;
        }
    }

    /// A dial failed: the next of its lane has its turn at once if there is `no_need_to_wait`, and the lane behind may open.
    pub(crate) fn failed(&mut self, conn: ConnId, no_need_to_wait: bool, now: Time) {
        let Some(dial) = self.in_flight.remove(&conn) else { return };
        if let Some(lane) = self.lanes.get_mut(dial.lane).filter(|_| no_need_to_wait) {
            lane.opens = lane.opens.min(now);
        }
        if let Some(behind) = self.lanes.get_mut(dial.lane + 1)
            && let Some(delay) = behind.opens_after_failure.take()
        {
            behind.opens = behind.opens.min(now + delay);
        }
    }

    /// A dial succeeded, or was taken out of the race.
    pub(crate) fn remove(&mut self, conn: ConnId) {
        self.in_flight.remove(&conn);
    }

    /// These are not to be dialled in this race any more.
    pub(crate) fn skip(&mut self, is_pointless: impl Fn(EndpointId) -> bool) {
        for lane in &mut self.lanes {
            lane.queue.retain(|candidate| !is_pointless(*candidate));
        }
    }

    /// Nobody is dialled before `until`.
    pub(crate) fn hold(&mut self, until: Time) {
        for lane in &mut self.lanes {
            lane.opens = lane.opens.max(until);
        }
    }

    /// Returns whether the next candidate would only be dialled because `is_slow` ones before it have not answered.
    pub(crate) fn waits_in_vain(&self, now: Time, is_slow: impl Fn(EndpointId) -> bool) -> bool {
        self.in_flight.values().filter(|dial| is_slow(dial.endpoint)).any(|dial| {
            self.lanes.get(dial.lane).is_some_and(|lane| lane.opens <= now && !lane.queue.is_empty())
        })
    }

    /// Who waits has its turn by chance from now on, in proportion to its weight (Efraimidis & Spirakis 2006).
    pub(crate) fn scatter(&mut self, weight: impl Fn(EndpointId) -> f64, rng: &mut Rng) {
        for lane in &mut self.lanes {
            let mut keyed: Vec<_> = lane
                .queue
                .drain(..)
                .map(|candidate| (rng.exponential() / weight(candidate), candidate))
                .collect();
            keyed.sort_by(|(a, _), (b, _)| a.total_cmp(b));
            lane.queue.extend(keyed.into_iter().map(|(_, candidate)| candidate));
        }
    }

    /// Returns whether there is nobody left to dial and nothing in flight.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.in_flight.is_empty() && self.lanes.iter().all(|lane| lane.queue.is_empty())
    }

    /// Schedules the next race after one in which everybody failed.
    pub(crate) fn back_off(&mut self, now: Time, config: &DialConfig, rng: &mut Rng) {
        if self.retry_at.is_none() {
            let wait = self.backoff.next(config.backoff_base, config.backoff_cap, rng);
            self.retry_at = Some(now + wait);
        }
    }

    /// What made everybody fail may be over: the next race may begin at once.
    pub(crate) fn retry_now(&mut self, now: Time) {
        self.retry_at = self.retry_at.map(|at| at.min(now));
    }

    pub(crate) const fn retry_at(&self) -> Option<Time> {
        self.retry_at
    }

    /// A link has been live for long enough: failures before it no longer count.
    pub(crate) const fn stable(&mut self) {
        self.backoff.reset();
    }

    pub(crate) fn poll_timeout(&self, config: &DialConfig) -> Option<Time> {
        if self.retry_at.is_some() {
            return self.retry_at;
        }
        if self.in_flight.len() >= config.in_flight_max {
            return None;
        }
        let waiting = self.lanes.iter().filter(|lane| !lane.queue.is_empty());
        let opens = waiting.map(|lane| lane.opens).min()?;
        Some(opens.max(self.budget.available_at()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Config;
    use super::*;

    const DELAY: Duration = Duration::from_millis(100);

    struct Race {
        dialer: Dialer,
        config: DialConfig,
        conns: u64,
    }

    impl Race {
        fn new(lanes: Vec<Lane>) -> Self {
            let config = Config::fleet().dial;
            let mut dialer = Dialer::new(&config, Time::ZERO);
            dialer.race(lanes);
            Self { dialer, config, conns: 0 }
        }

        /// Dials whoever has a turn at `ms`; the conn of the n-th dial is n.
        fn run(&mut self, ms: u64) -> Vec<u64> {
            let now = Time::from_millis(ms);
            let mut dialled = Vec::new();
            while let Some(turn) = self.dialer.poll(now, &self.config) {
                self.dialer.dialled(turn, ConnId(self.conns), DELAY, now);
                self.conns += 1;
                dialled.push(turn.endpoint.0);
            }
            dialled
        }

        fn fail(&mut self, conn: u64, ms: u64) {
            self.dialer.failed(ConnId(conn), true, Time::from_millis(ms));
        }
    }

    fn lane(ids: &[u64], opens_ms: u64) -> Lane {
        Lane::new(ids.iter().copied().map(EndpointId), Time::from_millis(opens_ms))
    }

    #[test]
    fn a_lane_races_by_attempt_delay_with_three_in_flight() {
        let mut race = Race::new(vec![lane(&[1, 2, 3, 4], 0)]);
        assert_eq!(race.run(0), [1]);
        assert_eq!(race.run(99), [0; 0]);
        assert_eq!(race.run(100), [2]);
        assert_eq!(race.run(200), [3]);
        assert_eq!(race.run(300), [0; 0], "three in flight");
        assert_eq!(race.dialer.poll_timeout(&race.config), None);
        race.fail(0, 310);
        assert_eq!(race.run(310), [4]);
    }

    #[test]
    fn who_is_in_no_hurry_waits_after_a_failure_too() {
        let mut race = Race::new(vec![lane(&[1, 2, 3], 0)]);
        assert_eq!(race.run(0), [1]);
        race.dialer.failed(ConnId(0), false, Time::from_millis(10));
        assert_eq!(race.run(99), [0; 0]);
        assert_eq!(race.run(100), [2]);
        race.dialer.hold(Time::from_millis(9_000));
        assert_eq!(race.run(8_999), [0; 0]);
        assert_eq!(race.run(9_000), [3]);
    }

    #[test]
    fn a_failure_gives_the_next_its_turn_and_opens_the_lane_behind() {
        let behind = lane(&[9], 100).or_after_failure(Duration::ZERO);
        let mut race = Race::new(vec![lane(&[1, 2], 0), behind]);
        assert_eq!(race.run(0), [1]);
        assert_eq!(race.dialer.poll_timeout(&race.config), Some(Time::from_millis(100)));
        race.fail(0, 2);
        assert_eq!(race.run(2), [2, 9]);
    }

    #[test]
    fn a_dial_waits_in_vain_when_the_next_has_its_turn_before_it_ends() {
        let mut race = Race::new(vec![lane(&[1, 2], 0)]);
        race.run(0);
        let waits =
            |race: &Race, ms| race.dialer.waits_in_vain(Time::from_millis(ms), |id| id == EndpointId(1));
        assert!(!waits(&race, 99));
        assert!(waits(&race, 100));
        assert!(!race.dialer.waits_in_vain(Time::from_millis(100), |_| false), "of those that count");
        race.fail(0, 100);
        assert!(!waits(&race, 100), "it has ended");
    }

    #[test]
    fn who_is_scattered_comes_first_in_proportion_to_its_weight() {
        let mut rng = Rng::new(1);
        let mut first = [0_u32; 4];
        for _ in 0..10_000 {
            let mut race = Race::new(vec![lane(&[0, 1, 2, 3], 0)]);
            race.dialer.scatter(|id| if id.0 == 3 { 3.0 } else { 1.0 }, &mut rng);
            let [winner] = race.run(0)[..] else { panic!("one at a time") };
            first[winner as usize] += 1;
        }
        assert!(first[..3].iter().all(|count| (1_500..1_850).contains(count)), "{first:?}");
        assert!((4_800..5_200).contains(&first[3]), "{first:?}");
    }

    #[test]
    fn the_budget_holds_across_races() {
        let ids: Vec<u64> = (0..30).collect();
        let mut race = Race::new(vec![lane(&ids, 0)]);
        for conn in 0..10 {
            assert_eq!(race.run(0), [conn]);
            race.fail(conn, 0);
        }
        race.dialer.race(vec![lane(&[77], 0)]);
        assert_eq!(race.run(0), [0; 0]);
        assert_eq!(race.dialer.poll_timeout(&race.config), Some(Time::from_millis(2_000)));
        assert_eq!(race.run(2_000), [77]);
    }

    #[test]
    fn a_new_race_keeps_the_dials_in_flight() {
        let mut race = Race::new(vec![lane(&[1, 2], 0)]);
        race.run(0);
        race.dialer.race(vec![lane(&[1, 3], 0)]);
        assert_eq!(race.run(0), [3], "1 is in flight already");
        race.dialer.race(vec![lane(&[3, 4], 0)]);
        assert_eq!(race.run(0), [4]);
        assert_eq!(race.dialer.stop(), [ConnId(0), ConnId(1), ConnId(2)]);
        assert!(race.dialer.is_exhausted());
    }
}
