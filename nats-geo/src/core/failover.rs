//! Stage 7a: decides which servers to dial when the live link is lost or silent, and whether the region counts as lost.

use std::time::Duration;

use super::connect::Lane;
use super::herd::Herd;
use super::rank::{Ranked, Ranking};
use super::rng::Rng;
use super::sorted::{SortedMap, SortedSet};
use super::{Cause, Config, DialConfig, EndpointId, MoveCause, Reason, Region, ServerRef, Time};

/// The time without a live, unsuspected link.
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    pub(crate) cause: OutageCause,
    /// The link that was lost or is silent; `None` before the first.
    pub(crate) from: Option<ServerRef>,
    /// When which siblings of the lost server refused.
    sibling_failures: SortedMap<EndpointId, Time>,
    /// An endpoint outside the lost region was silent before any answered: the trouble may be ours.
    others_silent: bool,
    others_answered: bool,
    /// Others that lost the same region were seen.
    pub(crate) herd: Option<Herd>,
    /// When the standby takes over unless a sibling answers first.
    pub(crate) promote_standby_at: Option<Time>,
    /// `Notice::Offline` was given.
    pub(crate) told_offline: bool,
    /// Regions that refused the credentials.
    pub(crate) refusals: Refusals,
}

/// Which regions refused the credentials in one outage.
#[derive(Clone, Debug)]
pub(crate) struct Refusals {
    pub(crate) regions: SortedSet<Region>,
    /// The first one.
    pub(crate) since: Option<Time>,
    /// `Notice::CredentialsRefused` was given.
    pub(crate) told: bool,
}

impl Refusals {
    pub(crate) fn add(&mut self, region: Region, now: Time) {
        self.regions.insert(region);
        self.since.get_or_insert(now);
    }

    /// When those that have neither taken nor refused the credentials are not waited for any longer: two regions that
    /// agree are believed, after the time of one dial.
    pub(crate) fn believed_at(&self, config: &DialConfig) -> Option<Time> {
        const ENOUGH: usize = 2;
        self.since.filter(|_| !self.told && self.regions.len() >= ENOUGH).map(|since| since + config.timeout)
    }
}

/// The reason why a client has no working link.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum OutageCause {
    /// Nothing has been live yet.
    Start,
    /// The link fell silent; it may still be open.
    Silent,
    /// The link ended.
    Ended,
    /// The server ended it because of the credentials.
    Auth,
    /// We closed it, because a connection limit forbids to open its successor first.
    Limit(MoveCause),
}

impl OutageCause {
    /// What the end of a link means; `None` for a link given up as silent.
    pub(crate) const fn of(cause: Option<&Cause>) -> Self {
        match cause {
            None => Self::Silent,
            Some(Cause::Auth(_)) => Self::Auth,
            Some(Cause::Requested | Cause::Eof | Cause::Reset(_) | Cause::ServerError(_)) => Self::Ended,
        }
    }
}

impl Outage {
    pub(crate) const fn new(cause: OutageCause, from: Option<ServerRef>) -> Self {
        Self {
            cause,
            from,
            sibling_failures: SortedMap::new(),
            others_silent: false,
            herd: None,
            others_answered: false,
            promote_standby_at: None,
            told_offline: false,
            refusals: Refusals { regions: SortedSet::new(), since: None, told: false },
        }
    }

    pub(crate) fn region(&self) -> Option<&Region> {
        self.from.as_ref().map(|place| &place.region)
    }

    /// An endpoint of `region` did not answer. Returns whether that proves the lost region down.
    pub(crate) fn failed(
        &mut self,
        (endpoint, region): (EndpointId, &Region),
        silent: bool,
        now: Time,
        config: &DialConfig,
    ) -> bool {
        let Some(from) = self.from.as_ref().filter(|from| from.region == *region) else {
            self.others_silent |= silent && !self.others_answered;
            return false;
        };
        if silent || from.endpoint == endpoint {
            return false;
        }
        self.promote_standby_at = self.promote_standby_at.map(|at| at.min(now));
        self.sibling_failures.retain(|_, at| now.since(*at) <= config.siblings_down_within);
        self.sibling_failures.insert(endpoint, now);
        self.sibling_failures.len() >= config.siblings_down
    }

    /// An endpoint of `region` answered.
    pub(crate) fn answered(&mut self, region: &Region) {
        self.others_answered |= self.region() != Some(region);
    }

    /// Returns whether the trouble may have been on our own side: then nobody is charged.
    pub(crate) const fn may_be_local(&self) -> bool {
        self.others_silent
    }

    /// Why traffic moves when it lands in `region`.
    pub(crate) fn move_cause(&self, region: &Region) -> MoveCause {
        match self.cause {
            OutageCause::Silent => MoveCause::Suspicion,
            OutageCause::Limit(cause) => cause,
            OutageCause::Start | OutageCause::Ended | OutageCause::Auth if self.region() == Some(region) => {
                MoveCause::ServerLost
            }
            OutageCause::Start | OutageCause::Ended | OutageCause::Auth => MoveCause::RegionLost,
        }
    }
}

/// The first race after a link ended: its siblings, and a little later the next regions.
/// Returns also when a standby takes over.
pub(crate) fn race_after_end(
    ranking: &Ranking,
    from: &ServerRef,
    config: &Config,
    now: Time,
    rng: &mut Rng,
) -> (Vec<Lane>, Time) {
    let opens = now + rng.up_to(config.spread.server_lost);
    let promote_at = opens + config.dial.next_region_after;
    let spread = rng.up_to(config.spread.region_lost_or_hint());
    let siblings = Lane::new(siblings_first(ranking, from), opens);
    let others = Lane::new(others(ranking, &from.region), promote_at + spread).or_after_failure(spread);
    (vec![siblings, others], promote_at)
}

/// The race on suspicion: the next regions (siblings are probably dark too, so they come last), and a
/// fresh connection to the same server, which tells a dead connection from a dead server.
pub(crate) fn race_on_suspicion(
    ranking: &Ranking,
    from: &ServerRef,
    config: &Config,
    now: Time,
    rng: &mut Rng,
) -> Vec<Lane> {
    let opens = now + rng.up_to(config.spread.region_lost_or_hint());
    let siblings = siblings_first(ranking, from).filter(|id| *id != from.endpoint);
    let others = Lane::new(others(ranking, &from.region).chain(siblings), opens);
    vec![others, Lane::new([from.endpoint], opens)]
}

/// Leaving a server that still works: its siblings, then the next regions, one at a time.
pub(crate) fn race_to_leave(ranking: &Ranking, from: &ServerRef, now: Time) -> Vec<Lane> {
    let siblings = siblings_first(ranking, from).filter(|id| *id != from.endpoint);
    vec![Lane::new(siblings.chain(others(ranking, &from.region)), now)]
}

/// Leaving an unhealthy region: the regions that may be healthy, one server at a time.
pub(crate) fn race_to_another_region(
    ranking: &Ranking,
    from: &ServerRef,
    may_try: impl Fn(&Region) -> bool,
    now: Time,
) -> Vec<Lane> {
    vec![Lane::new(may_be_healthy(ranking, &from.region, may_try), now)]
}

/// Where a client may go whose region is unhealthy. A damped region fails too often, which is better than
/// always; one that was unhealthy, too, may be healthy by now.
pub(crate) fn may_be_healthy<'a>(
    ranking: &'a Ranking,
    here: &'a Region,
    may_try: impl Fn(&Region) -> bool + 'a,
) -> impl Iterator<Item = EndpointId> + 'a {
    let may_be = move |region: &Region, server: &Ranked| match server.reason {
        Reason::UnhealthyRegion { .. } => may_try(region),
        Reason::Damped { .. } => true,
        _ => server.is_usable(),
    };
    let others = ranking.servers().filter(move |(its, server)| *its != here && may_be(its, server));
    others.map(|(_, server)| server.endpoint)
}

/// The same after a connection limit had the old link closed first: if nobody takes the client in, it goes back.
pub(crate) fn race_on_limit(ranking: &Ranking, from: &ServerRef, now: Time) -> Vec<Lane> {
    let siblings = siblings_first(ranking, from);
    vec![Lane::new(others(ranking, &from.region).chain(siblings), now)]
}

/// Moving to a region.
pub(crate) fn race_to_region(ranking: &Ranking, region: &Region, now: Time) -> Vec<Lane> {
    let usable = ranking.in_region(region).filter(|server| server.is_usable());
    vec![Lane::new(usable.map(|server| server.endpoint), now)]
}

/// One server of each region, then the next of each: after credentials were refused. The region that was lost comes
/// first, and others in order of rank.
pub(crate) fn race_by_turns(ranking: &Ranking, from: Option<&ServerRef>, now: Time) -> Vec<Lane> {
    let own = from.map(|from| siblings_first(ranking, from).collect());
    let others = ranking.order().regions().filter(|region| from.is_none_or(|from| from.region != **region));
    let others = others.map(|region| ranking.in_region(region).map(|server| server.endpoint).collect());
    let regions: Vec<Vec<_>> = own.into_iter().chain(others).collect();
    let turns = regions.iter().map(Vec::len).max().unwrap_or_default();
    let queue =
        (0..turns).flat_map(|turn| regions.iter().filter_map(move |region| region.get(turn).copied()));
    vec![Lane::new(queue, now)]
}

/// Everybody in order of rank: at start, and when nobody of the first choice answered. Damped regions and
/// silent servers stand at the end of the ranking, but they are in it.
pub(crate) fn race_for_everybody(ranking: &Ranking, now: Time) -> Vec<Lane> {
    vec![Lane::new(ranking.servers().map(|(_, server)| server.endpoint), now)]
}

/// How long subscriptions on two links overlap, so that interest has crossed the gateways.
pub(crate) fn overlap(ranking: &Ranking, config: &Config) -> Duration {
    let largest = ranking.servers().filter_map(|(_, server)| server.base).max().unwrap_or_default();
    (2 * largest).clamp(config.handover.overlap_min, config.handover.overlap_max)
}

/// The servers of the region, the one that was left last: it may merely have closed the connection.
fn siblings_first<'a>(ranking: &'a Ranking, from: &'a ServerRef) -> impl Iterator<Item = EndpointId> + 'a {
    let siblings = ranking.in_region(&from.region).map(|server| server.endpoint);
    siblings.filter(|id| *id != from.endpoint).chain([from.endpoint])
}

fn others<'a>(ranking: &'a Ranking, region: &'a Region) -> impl Iterator<Item = EndpointId> + 'a {
    ranking.servers().filter(move |(its, _)| *its != region).map(|(_, server)| server.endpoint)
}

#[cfg(test)]
mod tests {
    use super::super::ConnId;
    use super::*;

    fn ranking() -> Ranking {
        Ranking::of_usable(&[("lon", &[1, 2, 3]), ("ams", &[11]), ("dal", &[113])])
    }

    fn from() -> ServerRef {
        let (conn, endpoint, region) = (ConnId(7), EndpointId(2), Region::new("lon"));
        ServerRef { conn, endpoint, address: "lon-2:4222".into(), server: None, region }
    }

    fn queue(lane: &Lane) -> Vec<u64> {
        lane.queue.iter().map(|id| id.0).collect()
    }

    #[test]
    fn after_an_end_siblings_first_and_the_next_region_100_ms_later() {
        let config = Config::interactive();
        let (lanes, promote_at) = race_after_end(&ranking(), &from(), &config, Time::ZERO, &mut Rng::new(1));
        assert_eq!((queue(&lanes[0]), lanes[0].opens), (vec![1, 3, 2], Time::ZERO));
        assert_eq!((queue(&lanes[1]), lanes[1].opens), (vec![11, 113], Time::from_millis(100)));
        assert_eq!(lanes[1].opens_after_failure, Some(Duration::ZERO));
        assert_eq!(promote_at, Time::from_millis(100));
    }

    #[test]
    fn a_fleet_spreads_its_first_attempts_over_250_ms_and_2_s() {
        let config = Config::fleet();
        let opens = |seed| {
            let (lanes, _) = race_after_end(&ranking(), &from(), &config, Time::ZERO, &mut Rng::new(seed));
            [lanes[0].opens.since_start(), lanes[1].opens.since(lanes[0].opens)]
        };
        let all: Vec<_> = (0..500).map(opens).collect();
        let ms = |index: usize, pick: fn(std::vec::IntoIter<Duration>) -> Option<Duration>| {
            pick(all.iter().map(|opens| opens[index]).collect::<Vec<_>>().into_iter()).unwrap().as_millis()
        };
        assert!(ms(0, Iterator::min) < 10 && (240..250).contains(&ms(0, Iterator::max)));
        assert!(ms(1, Iterator::min) < 130 && (2_050..2_100).contains(&ms(1, Iterator::max)));
    }

    #[test]
    fn on_suspicion_the_next_region_and_the_same_server_at_once() {
        let config = Config::interactive();
        let lanes = race_on_suspicion(&ranking(), &from(), &config, Time::ZERO, &mut Rng::new(1));
        assert_eq!((queue(&lanes[0]), lanes[0].opens), (vec![11, 113, 1, 3], Time::ZERO));
        assert_eq!((queue(&lanes[1]), lanes[1].opens), (vec![2], Time::ZERO));
    }

    #[test]
    fn two_siblings_refused_within_a_second_prove_the_region_down() {
        let config = Config::interactive().dial;
        let lon = Region::new("lon");
        let mut outage = Outage::new(OutageCause::Ended, Some(from()));
        let mut failed = |id, region: &Region, silent, ms| {
            outage.failed((EndpointId(id), region), silent, Time::from_millis(ms), &config)
        };
        assert!(!failed(1, &lon, false, 0));
        assert!(!failed(3, &lon, false, 1_001), "too far apart");
        assert!(!failed(3, &lon, false, 1_010), "the same one again");
        assert!(!failed(2, &lon, false, 1_020), "the lost server itself");
        assert!(!failed(1, &lon, true, 1_100), "silence proves nothing");
        assert!(!failed(11, &Region::new("ams"), false, 1_200), "another region");
        assert!(failed(1, &lon, false, 1_300));
    }

    #[test]
    fn if_others_are_silent_too_the_trouble_may_be_ours() {
        let config = Config::interactive().dial;
        let ams = Region::new("ams");
        let mut outage = Outage::new(OutageCause::Silent, Some(from()));
        let ams_1 = (EndpointId(11), &ams);
        outage.failed(ams_1, false, Time::ZERO, &config);
        assert!(!outage.may_be_local(), "a refusal came from there");
        outage.failed(ams_1, true, Time::ZERO, &config);
        assert!(outage.may_be_local());
        let mut outage = Outage::new(OutageCause::Silent, Some(from()));
        outage.answered(&ams);
        outage.failed(ams_1, true, Time::ZERO, &config);
        assert!(!outage.may_be_local(), "the world was there");
    }

    #[test]
    fn the_overlap_is_two_round_trips_to_the_farthest_within_its_bounds() {
        let config = Config::fleet();
        assert_eq!(overlap(&ranking(), &config), Duration::from_millis(250));
        let overlap_at = |base_ms| overlap(&Ranking::of_usable(&[("far", &[base_ms])]), &config);
        assert_eq!(overlap_at(400), Duration::from_millis(800));
        assert_eq!(overlap_at(4_000), Duration::from_secs(2));
    }
}
