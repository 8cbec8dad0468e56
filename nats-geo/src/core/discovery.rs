//! Stage 1: which endpoints there are, and what is known about each.

use std::time::Duration;

use super::estimate::BaseRtt;
use super::rng::rendezvous_score;
use super::sorted::SortedMap;
use super::{Endpoint, EndpointId, RankConfig, Region, ServerIdentity, Source, Time};

/// All known endpoints.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    /// Which client this is: its scores of the endpoints depend on it.
    client: u64,
    records: SortedMap<EndpointId, Record>,
    /// Each once, so that a ranking needs no search for them; and how many records are in it. Those without any may be
    /// given to others.
    regions: Vec<(Region, u32)>,
    /// Places in `records`, the best score first: the ranking needs no sort then.
    by_score: Vec<usize>,
}

/// One endpoint and what probes and links have taught about it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) endpoint: Endpoint,
    pub(crate) identity: Option<ServerIdentity>,
    pub(crate) region: Region,
    /// Among those of the roster.
    region_number: u16,
    pub(crate) base: BaseRtt,
    /// Good probes since the last failure, and since when.
    pub(crate) streak: Option<Streak>,
    /// Not to be chosen before this moment, unless it answers earlier.
    unhealthy_until: Option<Time>,
    /// No longer offered; kept while a link leads there.
    withdrawn: bool,
    /// Another endpoint leads to the same server and stands for it.
    alias: bool,
    /// Breaks ties between the servers of a region.
    score: f64,
    /// Announced its end. Holds until a new connection is answered: a server in lame duck mode has closed
    /// its listener, so it is another process by then, or an operator only asked this client to move.
    pub(crate) lame_duck: bool,
}

/// Good probes in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streak {
    pub(crate) good: u32,
    pub(crate) since: Time,
}

impl Roster {
    /// The roster of the client that `seed` names.
    pub(crate) fn of_client(seed: u64) -> Self {
        Self { client: seed, ..Self::default() }
    }

    /// Adds or updates an endpoint. Returns whether it is a new one; beyond the bound it is ignored.
    pub(crate) fn discovered(&mut self, endpoint: Endpoint) -> bool {
        let id = endpoint.id;
        let is_known = self.records.contains_key(&id);
        if !is_known && self.records.len() >= ENDPOINTS_MAX {
            return false;
        }
        let score = rendezvous_score(self.client, endpoint.address.as_bytes(), endpoint.weight);
        let is_back = match self.records.get_mut(&id) {
            Some(record) => {
                record.enter(Region::of(&endpoint, record.identity.as_ref()), &mut self.regions);
                record.endpoint = endpoint;
                record.score = score;
                std::mem::take(&mut record.withdrawn)
            }
            None => {
                self.records.insert(id, Record::new(endpoint, score, &mut self.regions));
                true
            }
        };
        self.order_by_score(id, is_known);
        self.mark_aliases(id);
        is_back
    }

    /// The endpoint is no longer offered. Those that `is_linked` says a link leads to stay known.
    pub(crate) fn withdrawn(&mut self, id: EndpointId, is_linked: impl Fn(EndpointId) -> bool) {
        if let Some(record) = self.records.get_mut(&id) {
            record.withdrawn = true;
        }
        self.mark_aliases(id);
        let is_kept = |id: &EndpointId, record: &Record| !record.withdrawn || is_linked(*id);
        let mut kept = 0..;
        let place = |(id, record)| if is_kept(id, record) { kept.next() } else { None };
        let places: Vec<_> = self.records.iter().map(place).collect();
        self.by_score = self.by_score.iter().filter_map(|place| places[*place]).collect();
        let regions = &mut self.regions;
        self.records.retain(|id, record| {
            let is_kept = is_kept(id, record);
            regions[record.region_number()].1 -= u32::from(!is_kept);
            is_kept
        });
    }

    /// Whether it may be dialled.
    pub(crate) fn is_offered(&self, id: EndpointId) -> bool {
        self.get(id).is_some_and(|record| !record.withdrawn)
    }

    pub(crate) fn get(&self, id: EndpointId) -> Option<&Record> {
        self.records.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: EndpointId) -> Option<&mut Record> {
        self.records.get_mut(&id)
    }

    /// In the order of their numbers; there may be some that no endpoint is in any more.
    pub(crate) fn regions(&self) -> impl Iterator<Item = &Region> {
        self.regions.iter().map(|(region, _)| region)
    }

    pub(crate) const fn len(&self) -> usize {
        self.records.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    pub(crate) fn region(&self, id: EndpointId) -> Option<&Region> {
        self.get(id).map(|record| &record.region)
    }

    /// When time alone changes whether a server counts as healthy.
    pub(crate) fn health_holds_until(&self, now: Time) -> Time {
        let terms = self.iter().filter_map(|record| record.unhealthy_until);
        terms.filter(|until| *until > now).min().unwrap_or(Time::NEVER)
    }

    /// The region failed: what its servers answered before says nothing about whether it is steady again.
    pub(crate) fn region_failed(&mut self, region: &Region) {
        for record in self.records.values_mut().filter(|record| record.region == *region) {
            record.streak = None;
        }
    }

    /// Records who answered at this endpoint. Returns whether that is news.
    pub(crate) fn identified(&mut self, id: EndpointId, identity: ServerIdentity) -> bool {
        let Some(record) = self.records.get_mut(&id) else { return false };
        if record.identity.as_ref() == Some(&identity) {
            return false;
        }
        record.enter(Region::of(&record.endpoint, Some(&identity)), &mut self.regions);
        let before = record.identity.replace(identity);
        self.mark_aliases(id);
        if let Some(before) = before {
            self.mark_aliases_of(&before.server_id);
        }
        true
    }

    /// Every server once: endpoints that lead to one server are one, and the first of them stands for it.
    /// Gossiped endpoints count once a probe has answered there.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &Record> {
        self.iter().filter(|record| record.is_server())
    }

    /// The servers in the order of this client's preference among equals.
    pub(crate) fn servers_by_score(&self) -> impl Iterator<Item = &Record> {
        self.by_score.iter().filter_map(|place| self.records.nth(*place)).filter(|record| record.is_server())
    }

    /// The same roster as another client would rank it.
    #[cfg(test)]
    pub(crate) fn seen_by(&self, client: u64) -> Self {
        let mut other = Self { client, ..self.clone() };
        let endpoints: Vec<_> = self.iter().map(|record| record.endpoint.clone()).collect();
        for endpoint in endpoints {
            other.discovered(endpoint);
        }
        other
    }

    fn order_by_score(&mut self, id: EndpointId, is_known: bool) {
        let Some((place, record)) = self.records.position(&id) else { return };
        let score = record.score;
        if is_known {
            self.by_score.retain(|other| *other != place);
        } else {
            // Those behind it have moved on by one.
            self.by_score.iter_mut().filter(|other| **other >= place).for_each(|other| *other += 1);
        }
        let records = &self.records;
        // Of two with one score, the one that is known longer comes first.
        let is_before = |other: &usize| {
            records.nth(*other).is_some_and(|record| (record.score, place) >= (score, *other))
        };
        let at = self.by_score.partition_point(is_before);
        self.by_score.insert(at, place);
    }

    fn mark_aliases(&mut self, id: EndpointId) {
        let server_id = self.get(id).and_then(|record| record.identity.as_ref());
        if let Some(server_id) = server_id.map(|identity| identity.server_id.clone()) {
            self.mark_aliases_of(&server_id);
        }
    }

    fn mark_aliases_of(&mut self, server_id: &str) {
        let mut is_alias = false;
        for record in self.records.values_mut().filter(|record| !record.withdrawn) {
            if record.identity.as_ref().is_some_and(|identity| identity.server_id == server_id) {
                record.alias = std::mem::replace(&mut is_alias, true);
            }
        }
    }
}

impl Record {
    fn new(endpoint: Endpoint, score: f64, regions: &mut Vec<(Region, u32)>) -> Self {
        let region = Region::of(&endpoint, None);
        Self {
            region_number: number_of(&region, regions),
            region,
            endpoint,
            identity: None,
            base: BaseRtt::default(),
            streak: None,
            unhealthy_until: None,
            withdrawn: false,
            alias: false,
            score,
            lame_duck: false,
        }
    }

    /// It is in this region from now on.
    fn enter(&mut self, region: Region, regions: &mut Vec<(Region, u32)>) {
        if region != self.region {
            regions[self.region_number()].1 -= 1;
            self.region_number = number_of(&region, regions);
            self.region = region;
            // At start each endpoint is a region of its own.
            while regions.pop_if(|(_, records)| *records == 0).is_some() {}
            regions.shrink_to_fit();
        }
    }

    /// The number of its region.
    pub(crate) const fn region_number(&self) -> usize {
        self.region_number as usize
    }

    /// Whether it stands for a server.
    fn is_server(&self) -> bool {
        let is_known = self.identity.is_some() || self.endpoint.source == Source::Configured;
        !self.withdrawn && !self.alias && is_known
    }

    /// What a probe can change of its place in the ranking, besides the identity.
    pub(crate) const fn rank_inputs(&self) -> (Option<Duration>, Option<Time>, bool) {
        (self.base.get(), self.unhealthy_until, self.lame_duck)
    }

    /// It failed lately, and whether it still counts as unhealthy depends on the time.
    pub(crate) const fn has_failed(&self) -> bool {
        self.unhealthy_until.is_some()
    }

    pub(crate) fn answered(&mut self, now: Time) {
        self.unhealthy_until = None;
        self.lame_duck = false;
        let streak = self.streak.get_or_insert(Streak { good: 0, since: now });
        streak.good = streak.good.saturating_add(1);
    }

    pub(crate) fn failed(&mut self, now: Time, config: &RankConfig) {
        self.streak = None;
        self.unhealthy_until = Some(now + config.unhealthy_for);
    }

    /// A server that did not answer at its last opportunity stays out for a while.
    pub(crate) fn is_healthy(&self, now: Time) -> bool {
        self.unhealthy_until.is_none_or(|until| until <= now)
    }

    /// Whether probes have answered well for long enough to come back to it.
    pub(crate) fn is_steady(&self, good: u32, for_at_least: Duration, now: Time) -> bool {
        let steady = |streak: Streak| streak.good >= good && now.since(streak.since) >= for_at_least;
        !self.lame_duck && self.streak.is_some_and(steady)
    }
}

/// The number of a region that one more record is in.
fn number_of(region: &Region, regions: &mut Vec<(Region, u32)>) -> u16 {
    let known = regions.iter().position(|(known, records)| *records > 0 && known == region);
    let free = || regions.iter().position(|(_, records)| *records == 0);
    let number = known.or_else(free).unwrap_or(regions.len());
    match regions.get_mut(number) {
        Some((_, records)) if known.is_some() => *records += 1,
        Some(free) => *free = (region.clone(), 1),
        None => regions.push((region.clone(), 1)),
    }
    // As many regions as endpoints at most.
    u16::try_from(number).unwrap_or(u16::MAX)
}

/// Far beyond any super-cluster in use; a bound because gossip comes from the network.
const ENDPOINTS_MAX: usize = 4_096;

#[cfg(test)]
mod tests {
    use super::*;

    fn roster(ids: &[u64]) -> Roster {
        let mut roster = Roster::default();
        for id in ids {
            assert!(roster.discovered(Endpoint::new(EndpointId(*id), format!("host-{id}:4222"))));
        }
        roster
    }

    #[test]
    fn endpoints_of_one_server_count_once() {
        let mut roster = roster(&[1, 2, 3]);
        roster.identified(EndpointId(1), ServerIdentity::new("A", Some("lon")));
        roster.identified(EndpointId(2), ServerIdentity::new("A", Some("lon")));
        roster.identified(EndpointId(3), ServerIdentity::new("B", Some("lon")));
        let ids: Vec<_> = roster.servers().map(|record| record.endpoint.id.0).collect();
        assert_eq!(ids, [1, 3]);
    }

    #[test]
    fn a_gossiped_endpoint_counts_once_it_has_answered() {
        let mut roster = Roster::default();
        roster.discovered(Endpoint::new(EndpointId(1), "10.0.0.1:4222").gossiped());
        assert_eq!(roster.servers().count(), 0);
        roster.identified(EndpointId(1), ServerIdentity::new("A", Some("lon")));
        assert_eq!(roster.servers().count(), 1);
    }

    #[test]
    fn lame_duck_ends_when_a_new_connection_is_answered() {
        let mut roster = roster(&[1]);
        let record = roster.get_mut(EndpointId(1)).unwrap();
        record.lame_duck = true;
        record.failed(Time::ZERO, &super::super::Config::fleet().rank);
        assert!(record.lame_duck);
        record.answered(Time::ZERO);
        assert!(!record.lame_duck);
    }

    #[test]
    fn the_region_is_learned_and_the_roster_bounded() {
        let mut roster = roster(&[1]);
        roster.identified(EndpointId(1), ServerIdentity::new("A", Some("lon")));
        assert_eq!(roster.region(EndpointId(1)).unwrap().as_str(), "lon");
        assert!(!roster.discovered(Endpoint::new(EndpointId(1), "host-1:4222")), "known already");
        for id in 2..=ENDPOINTS_MAX as u64 + 10 {
            roster.discovered(Endpoint::new(EndpointId(id), "host"));
        }
        assert_eq!(roster.iter().count(), ENDPOINTS_MAX);
    }
}
