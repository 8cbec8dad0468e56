//! Stage 1: stores the known endpoints, and the facts about each endpoint.

use super::record::{Fingerprint, Record};
use super::region_table::{RegionNumber, RegionTable};
use super::rng::rendezvous_score;
use super::sorted::{SortedMap, SortedSet};
use super::{Endpoint, EndpointId, RankConfig, Region, ServerIdentity, Time};

/// All known endpoints.
#[derive(Clone, Debug, Default)]
pub(crate) struct Roster {
    /// Which client this is: its scores of the endpoints depend on it.
    client: u64,
    records: SortedMap<EndpointId, Record>,
    regions: RegionTable,
    /// Which server answered before the one that is known now, where another one did.
    servers_before: SortedMap<EndpointId, u64>,
    /// Advertised endpoints where a server of another cluster answers.
    disowned: SortedSet<EndpointId>,
    /// Servers that refused the credentials when they were last asked, while a sibling has not been asked since.
    refused: SortedSet<EndpointId>,
    /// Places in `records`, the best score first: the ranking needs no sort then.
    by_score: Vec<u16>,
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
                record.offered_again(endpoint, score, &mut self.regions);
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
        self.by_score = self.by_score.iter().filter_map(|place| places[usize::from(*place)]).collect();
        let regions = &mut self.regions;
        self.records.retain(|id, record| {
            let is_kept = is_kept(id, record);
            if !is_kept {
                record.leave(regions);
            }
            is_kept
        });
        let records = &self.records;
        self.servers_before.retain(|id, _| records.contains_key(id));
        self.refused.retain(|id| records.contains_key(id));
        self.disowned.retain(|id| records.contains_key(id));
    }

    /// Returns whether it may be dialled.
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
        self.regions.iter()
    }

    /// The number of a region, if an endpoint is in it.
    pub(crate) fn number_of(&self, region: &Region) -> Option<RegionNumber> {
        self.regions.number(region)
    }

    /// The region that a record of this roster is in.
    pub(crate) fn region_of(&self, record: &Record) -> &Region {
        self.regions.name(record.region())
    }

    /// Returns the cluster of its server, if that names one.
    pub(crate) fn cluster_of(&self, record: &Record) -> Option<&Region> {
        record.cluster().map(|cluster| self.regions.name(cluster))
    }

    pub(crate) const fn len(&self) -> usize {
        self.records.len()
    }

    /// What was there only for the start is given back.
    pub(crate) fn shrink_to_fit(&mut self) {
        self.records.shrink_to_fit();
        self.by_score.shrink_to_fit();
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Record> {
        self.records.values()
    }

    pub(crate) fn region(&self, id: EndpointId) -> Option<&Region> {
        self.get(id).map(|record| self.region_of(record))
    }

    /// When time alone changes whether a server counts as healthy.
    pub(crate) fn health_holds_until(&self, now: Time) -> Time {
        let terms = self.iter().filter_map(|record| record.unhealthy_until());
        terms.filter(|until| *until > now).min().unwrap_or(Time::NEVER)
    }

    /// The region failed: what its servers answered before says nothing about whether it is steady again.
    pub(crate) fn region_failed(&mut self, region: &Region) {
        self.records_in(region).for_each(|record| record.streak = None);
    }

    /// A server of another cluster answers at this address, which was advertised: nobody is known there any more.
    /// Returns whether that is news.
    pub(crate) fn disowned(&mut self, id: EndpointId) -> bool {
        let known = self.get(id).and_then(Record::fingerprint);
        let Some(record) = self.records.get_mut(&id).filter(|record| record.is_gossiped()) else {
            return false;
        };
        record.forget_answerer(&mut self.regions);
        if let Some(known) = known {
            self.mark_aliases_of(known.server);
        }
        self.disowned.insert(id)
    }

    /// This server refused the credentials: its siblings have their turn before it, until all of them have refused.
    pub(crate) fn refused_by(&mut self, id: EndpointId) {
        let Some(region) = self.get(id).map(Record::region) else { return };
        self.refused.insert(id);
        let is_its = |record: &&Record| record.region() == region;
        if self.servers().filter(is_its).all(|record| self.refused.contains(&record.id)) {
            let records = &self.records;
            self.refused.retain(|id| records.get(id).is_some_and(|record| record.region() != region));
        }
    }

    /// This server took the credentials.
    pub(crate) fn taken_by(&mut self, id: EndpointId) {
        self.refused.remove(&id);
    }

    /// Returns whether its siblings have their turn before it; see [`refused_by`](Self::refused_by).
    pub(crate) fn has_refused(&self, id: EndpointId) -> bool {
        self.refused.contains(&id)
    }

    /// The region is down: its servers count as having failed.
    pub(crate) fn region_down(&mut self, region: &Region, now: Time, config: &RankConfig) {
        self.records_in(region).for_each(|record| record.failed(now, config));
    }

    /// Records who answered at this endpoint. Returns whether that is news.
    pub(crate) fn identified(
        &mut self,
        id: EndpointId,
        fingerprint: Fingerprint,
        identity: &ServerIdentity,
    ) -> bool {
        let Some(record) = self.records.get_mut(&id) else { return false };
        if record.fingerprint() == Some(fingerprint) {
            return false;
        }
        let before = record.identified(fingerprint, identity, &mut self.regions);
        self.disowned.remove(&id);
        if let Some(before) = before.filter(|before| *before != fingerprint.server) {
            self.servers_before.insert(id, before);
        }
        self.compact_regions();
        self.mark_aliases(id);
        if let Some(before) = before {
            self.mark_aliases_of(before);
        }
        true
    }

    /// Returns whether another server than the known one answers at this address while that one goes on to be there: certainly if
    /// `is_linked` says that a link to it lives, or if one that was there before answers again, as no restarted server
    /// does. Its distance and cluster say nothing about the known one.
    pub(crate) fn answered_by_another(
        &mut self,
        id: EndpointId,
        fingerprint: Fingerprint,
        is_linked: bool,
    ) -> bool {
        let is_back = self.servers_before.get(&id) == Some(&fingerprint.server);
        let record = self.records.get_mut(&id);
        record.is_some_and(|record| record.answered_by_another(fingerprint, is_linked || is_back))
    }

    /// At start each endpoint is a region of its own, and most of those numbers are not needed for long.
    fn compact_regions(&mut self) {
        if let Some(numbers) = self.regions.compact() {
            self.records.values_mut().for_each(|record| record.renumber(&numbers));
        }
    }

    fn records_in(&mut self, region: &Region) -> impl Iterator<Item = &mut Record> {
        let number = self.regions.number(region);
        self.records.values_mut().filter(move |record| Some(record.region()) == number)
    }

    /// Every server once: endpoints that lead to one server are one, and the first of them stands for it.
    /// Gossiped endpoints count once a probe has answered there.
    pub(crate) fn servers(&self) -> impl Iterator<Item = &Record> {
        self.iter().filter(|record| record.is_server())
    }

    /// Those of a region.
    pub(crate) fn servers_in(&self, region: &Region) -> impl Iterator<Item = &Record> {
        let number = self.number_of(region);
        self.servers().filter(move |record| Some(record.region()) == number)
    }

    /// The servers in the order of this client's preference among equals.
    pub(crate) fn servers_by_score(&self) -> impl Iterator<Item = &Record> {
        let by_score = self.by_score.iter().filter_map(|place| self.records.nth(usize::from(*place)));
        by_score.filter(|record| record.is_server())
    }

    /// A server of this name answered in this cluster.
    #[cfg(test)]
    pub(crate) fn answered_by(&mut self, id: EndpointId, server_id: &str, cluster: &str) {
        let identity = ServerIdentity::new(server_id, Some(cluster));
        self.identified(id, Fingerprint::of(&identity), &identity);
    }

    /// The same roster as another client would rank it.
    #[cfg(test)]
    pub(crate) fn seen_by(&self, client: u64) -> Self {
        let mut other = Self { client, ..self.clone() };
        for id in self.records.keys() {
            if let Some(record) = other.records.get_mut(id) {
                record.score = rendezvous_score(client, record.address().as_bytes(), record.weight);
            }
            other.order_by_score(*id, true);
        }
        other
    }

    fn order_by_score(&mut self, id: EndpointId, is_known: bool) {
        let Some((place, record)) = self.records.position(&id) else { return };
        let score = record.score;
        // As many as `ENDPOINTS_MAX` at most.
        let place = u16::try_from(place).unwrap_or(u16::MAX);
        if is_known {
            self.by_score.retain(|other| *other != place);
        } else {
            // Those behind it have moved on by one.
            self.by_score.iter_mut().filter(|other| **other >= place).for_each(|other| *other += 1);
        }
        let records = &self.records;
        // Of two with one score, the one that is known longer comes first.
        let is_before = |other: &u16| {
            records.nth(usize::from(*other)).is_some_and(|record| (record.score, place) >= (score, *other))
        };
        let at = self.by_score.partition_point(is_before);
        self.by_score.insert(at, place);
    }

    fn mark_aliases(&mut self, id: EndpointId) {
        let fingerprint = self.get(id).and_then(Record::fingerprint);
        if let Some(fingerprint) = fingerprint {
            self.mark_aliases_of(fingerprint.server);
        }
    }

    fn mark_aliases_of(&mut self, server: u64) {
        let mut is_alias = false;
        for record in self.records.values_mut().filter(|record| !record.withdrawn) {
            if record.fingerprint().is_some_and(|fingerprint| fingerprint.server == server) {
                record.alias = std::mem::replace(&mut is_alias, true);
            }
        }
    }
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
        roster.answered_by(EndpointId(1), "A", "lon");
        roster.answered_by(EndpointId(2), "A", "lon");
        roster.answered_by(EndpointId(3), "B", "lon");
        let ids: Vec<_> = roster.servers().map(|record| record.id.0).collect();
        assert_eq!(ids, [1, 3]);
    }

    #[test]
    fn a_gossiped_endpoint_counts_once_it_has_answered() {
        let mut roster = Roster::default();
        roster.discovered(Endpoint::new(EndpointId(1), "10.0.0.1:4222").gossiped());
        assert_eq!(roster.servers().count(), 0);
        roster.answered_by(EndpointId(1), "A", "lon");
        assert_eq!(roster.servers().count(), 1);
    }

    #[test]
    fn the_label_wins_over_the_cluster_and_the_cluster_over_the_address() {
        let region = |roster: &Roster| roster.region(EndpointId(1)).unwrap().as_str().to_owned();
        let offer = || Endpoint::new(EndpointId(1), "host-1:4222");
        let mut roster = roster(&[1]);
        assert_eq!(region(&roster), "host-1:4222");
        roster.answered_by(EndpointId(1), "A", "lon");
        assert_eq!(region(&roster), "lon");
        roster.discovered(offer().with_label("home"));
        assert_eq!(region(&roster), "home");
        roster.answered_by(EndpointId(1), "B", "ams");
        assert_eq!(region(&roster), "home");
        roster.discovered(offer());
        assert_eq!(region(&roster), "ams", "where the last one to answer is");
    }

    /// Their numbers change whenever most of them are not needed any more.
    #[test]
    fn every_endpoint_stays_in_its_region_in_whatever_order_they_answer() {
        let ids: Vec<u64> = (0..20).collect();
        let mut roster = roster(&ids);
        let mut expected: Vec<_> = ids.iter().map(|id| format!("host-{id}:4222")).collect();
        for answered in ids.iter().map(|id| (19 + 7 * id) % 20) {
            let cluster = ["lon", "ams", "dal"][answered as usize % 3];
            roster.answered_by(EndpointId(answered), &answered.to_string(), cluster);
            expected[answered as usize] = cluster.into();
            let regions: Vec<_> =
                ids.iter().map(|id| roster.region(EndpointId(*id)).unwrap().as_str()).collect();
            assert_eq!(regions, expected);
        }
        assert!(roster.regions().count() <= 6, "{:?}", roster.regions);
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
        roster.answered_by(EndpointId(1), "A", "lon");
        assert_eq!(roster.region(EndpointId(1)).unwrap().as_str(), "lon");
        assert!(!roster.discovered(Endpoint::new(EndpointId(1), "host-1:4222")), "known already");
        for id in 2..=ENDPOINTS_MAX as u64 + 10 {
            roster.discovered(Endpoint::new(EndpointId(id), "host"));
        }
        assert_eq!(roster.iter().count(), ENDPOINTS_MAX);
    }
}
