//! The record of one endpoint. It uses little memory, because a simulation holds millions of records.

use std::num::NonZeroU32;
use std::time::Duration;

use xxhash_rust::xxh64::xxh64;

use super::estimate::BaseRtt;
use super::name::Name;
use super::region_table::{RegionNumber, RegionTable};
use super::{Endpoint, EndpointId, RankConfig, Region, ServerIdentity, Source, Time};

/// One endpoint and what probes and links have taught about it.
#[derive(Clone, Debug)]
pub(crate) struct Record {
    pub(crate) id: EndpointId,
    address: Name,
    answerer: Option<Answerer>,
    pub(crate) base: BaseRtt,
    /// Good probes since the last failure, and since when.
    pub(crate) streak: Option<Streak>,
    /// Not to be chosen before this moment, unless it answers earlier.
    unhealthy_until: Option<Time>,
    /// Breaks ties between the servers of a region.
    pub(super) score: f64,
    /// Its share of the clients, at least 1.
    pub(crate) weight: u32,
    region: RegionNumber,
    /// What the server calls its region, if it does: that is the region of an endpoint without a label.
    cluster: Option<RegionNumber>,
    source: Source,
    /// The user named its region.
    has_label: bool,
    /// No longer offered; kept while a link leads there.
    pub(super) withdrawn: bool,
    /// Another endpoint leads to the same server and stands for it.
    pub(super) alias: bool,
    /// How many answers go by until the address counts as that of one server again; see [`Record::is_shared`].
    shared: u8,
    /// Announced its end. Holds until a new connection is answered: a server in lame duck mode has closed
    /// its listener, so it is another process by then, or an operator only asked this client to move.
    pub(crate) lame_duck: bool,
}

/// Good probes in a row.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Streak {
    pub(crate) good: NonZeroU32,
    pub(crate) since: Time,
}

/// Who answers at an endpoint: its name is for people.
#[derive(Clone, Debug)]
struct Answerer {
    fingerprint: Fingerprint,
    name: Name,
}

/// What is kept of an identity to tell it from others. Among 4096 servers two have the same hash once in 10^12 rosters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Fingerprint {
    /// Of `server_id` alone: which server it is.
    pub(super) server: u64,
    /// Of the other fields: what it says about itself.
    other: u64,
}

impl Fingerprint {
    pub(crate) fn of(identity: &ServerIdentity) -> Self {
        let ServerIdentity { server_id, server_name, cluster, version } = identity;
        let hash = |seed: u64, text: &str| xxh64(text.as_bytes(), seed);
        // One that is missing is not one that is empty.
        let cluster = cluster.as_deref().map_or(0, |cluster| hash(1, cluster));
        Self { server: hash(0, server_id), other: hash(hash(cluster, server_name), version) }
    }
}

impl Record {
    pub(super) fn new(endpoint: Endpoint, score: f64, regions: &mut RegionTable) -> Self {
        let Endpoint { id, address, label, source, weight } = endpoint;
        let region = Region::new(label.as_deref().unwrap_or(&address));
        Self {
            id,
            address: Name::new(&address),
            answerer: None,
            base: BaseRtt::default(),
            streak: None,
            unhealthy_until: None,
            score,
            weight: weight.max(1),
            region: regions.enter(region),
            cluster: None,
            source,
            has_label: label.is_some(),
            withdrawn: false,
            alias: false,
            shared: 0,
            lame_duck: false,
        }
    }

    /// What is offered has changed.
    pub(super) fn offered_again(&mut self, endpoint: Endpoint, score: f64, regions: &mut RegionTable) {
        let Endpoint { address, label, source, weight, .. } = endpoint;
        self.address = Name::new(&address);
        (self.score, self.weight, self.source) = (score, weight.max(1), source);
        self.has_label = label.is_some();
        match label {
            Some(label) => self.enter(Region::new(label), regions),
            None => self.enter_unlabelled(regions),
        }
    }

    /// Takes in who answers. Returns the hash of the server that answered before, if that is news at all.
    pub(super) fn identified(
        &mut self,
        fingerprint: Fingerprint,
        identity: &ServerIdentity,
        regions: &mut RegionTable,
    ) -> Option<u64> {
        let name = Name::new(&identity.server_name);
        let before = self.answerer.replace(Answerer { fingerprint, name });
        let said_before = self.cluster.take();
        self.cluster = Region::named_by(identity).map(|cluster| regions.enter(cluster));
        said_before.into_iter().for_each(|number| regions.leave(number));
        if !self.has_label {
            self.enter_unlabelled(regions);
        }
        before.map(|before| before.fingerprint.server)
    }

    /// Forgets the server that answered: it is not the one that was meant.
    pub(super) fn forget_answerer(&mut self, regions: &mut RegionTable) {
        self.answerer = None;
        self.alias = false;
        self.base = BaseRtt::default();
        self.cluster.take().into_iter().for_each(|number| regions.leave(number));
        if !self.has_label {
            self.enter_unlabelled(regions);
        }
    }

    fn enter_unlabelled(&mut self, regions: &mut RegionTable) {
        let named = self.cluster.map(|cluster| regions.name(cluster).clone());
        self.enter(named.unwrap_or_else(|| Region::new(self.address())), regions);
    }

    /// It is in this region from now on.
    fn enter(&mut self, region: Region, regions: &mut RegionTable) {
        if region != *regions.name(self.region) {
            regions.leave(self.region);
            self.region = regions.enter(region);
            regions.trim();
        }
    }

    /// The regions have other numbers now.
    pub(super) fn renumber(&mut self, numbers: &[RegionNumber]) {
        self.region = numbers[self.region.place()];
        self.cluster = self.cluster.map(|cluster| numbers[cluster.place()]);
    }

    /// It is no longer known.
    pub(super) fn leave(&self, regions: &mut RegionTable) {
        regions.leave(self.region);
        self.cluster.into_iter().for_each(|number| regions.leave(number));
    }

    /// The number of its region in the roster.
    pub(crate) const fn region(&self) -> RegionNumber {
        self.region
    }

    /// Nobody named its region, so it is called like its address.
    pub(crate) const fn is_region_of_its_own(&self) -> bool {
        !self.has_label && self.cluster.is_none()
    }

    /// The number of what its server calls its region, if it does.
    pub(super) const fn cluster(&self) -> Option<RegionNumber> {
        self.cluster
    }

    /// Returns whether a server advertised it.
    pub(crate) const fn is_gossiped(&self) -> bool {
        matches!(self.source, Source::Gossiped)
    }

    /// Returns whether the user named its region.
    pub(crate) const fn has_label(&self) -> bool {
        self.has_label
    }

    /// Its `host:port`.
    pub(crate) fn address(&self) -> &str {
        self.address.as_str()
    }

    /// The name of the server, once one has answered.
    pub(crate) fn server_name(&self) -> Option<&str> {
        self.answerer.as_ref().map(|answerer| answerer.name.as_str())
    }

    pub(crate) fn fingerprint(&self) -> Option<Fingerprint> {
        self.answerer.as_ref().map(|answerer| answerer.fingerprint)
    }

    /// Returns whether several servers answer there in turns, as behind a load balancer: what one of them says is not true of
    /// the others.
    pub(crate) const fn is_shared(&self) -> bool {
        self.shared > 0
    }

    /// Takes in that this server answered. Returns whether it is another one than the known one, which goes on to be
    /// there: as is certain if `is_proven`, and likely for some time afterwards.
    pub(super) fn answered_by_another(&mut self, fingerprint: Fingerprint, is_proven: bool) -> bool {
        let is_other = self.fingerprint().is_some_and(|known| known.server != fingerprint.server);
        self.shared = if is_other && is_proven { SHARED_FOR } else { self.shared.saturating_sub(1) };
        is_other && self.is_shared()
    }

    /// Returns whether it stands for a server.
    pub(super) const fn is_server(&self) -> bool {
        let is_known = self.answerer.is_some() || matches!(self.source, Source::Configured);
        !self.withdrawn && !self.alias && is_known
    }

    /// What a probe can change of its place in the ranking, besides the identity.
    pub(crate) fn rank_inputs(&self) -> (Option<Duration>, Option<Time>, bool) {
        (self.base.get(), self.unhealthy_until, self.lame_duck)
    }

    /// Until when it is not to be chosen, as far as it failed since it answered last.
    pub(super) const fn unhealthy_until(&self) -> Option<Time> {
        self.unhealthy_until
    }

    /// It failed lately, and whether it still counts as unhealthy depends on the time.
    pub(crate) const fn has_failed(&self) -> bool {
        self.unhealthy_until.is_some()
    }

    /// An answer after this long would be no news.
    #[cfg(feature = "sim")]
    pub(crate) fn expects(&self, rtt: Duration) -> bool {
        self.unhealthy_until.is_none() && !self.lame_duck && self.base.is(rtt)
    }

    /// A link to it is open.
    pub(crate) const fn link_opened(&mut self) {
        self.unhealthy_until = None;
    }

    pub(crate) fn answered(&mut self, now: Time) {
        self.unhealthy_until = None;
        self.lame_duck = false;
        self.streak = Some(match self.streak {
            Some(Streak { good, since }) => Streak { good: good.saturating_add(1), since },
            None => Streak { good: NonZeroU32::MIN, since: now },
        });
    }

    pub(crate) fn failed(&mut self, now: Time, config: &RankConfig) {
        self.streak = None;
        self.unhealthy_until = Some(now + config.unhealthy_for);
    }

    /// A server that did not answer at its last opportunity stays out for a while.
    pub(crate) fn is_healthy(&self, now: Time) -> bool {
        self.unhealthy_until.is_none_or(|until| until <= now)
    }

    /// Returns whether probes have answered well for long enough to come back to it.
    pub(crate) fn is_steady(&self, good: u32, for_at_least: Duration, now: Time) -> bool {
        let steady = |streak: Streak| streak.good.get() >= good && now.since(streak.since) >= for_at_least;
        !self.lame_duck && self.streak.is_some_and(steady)
    }
}

/// Of two servers in turns by chance, the same one answers so often in a row once in a thousand times.
const SHARED_FOR: u8 = 10;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_record_takes_no_more_room_than_a_handful_of_strings() {
        assert!(size_of::<Record>() <= 160, "{}", size_of::<Record>());
    }

    fn identity() -> impl Strategy<Value = ServerIdentity> {
        ("[ab]{0,3}", "[ab]{0,2}", prop::option::of("[ab]{0,2}"), "[ab]{0,2}").prop_map(
            |(server_id, server_name, cluster, version)| ServerIdentity {
                server_id,
                server_name,
                cluster,
                version,
            },
        )
    }

    proptest! {
        #[test]
        fn fingerprints_differ_where_identities_do(a in identity(), b in identity()) {
            let (of_a, of_b) = (Fingerprint::of(&a), Fingerprint::of(&b));
            prop_assert_eq!(of_a == of_b, a == b);
            prop_assert_eq!(of_a.server == of_b.server, a.server_id == b.server_id);
        }
    }
}
