//! This module finds the home region of the client: the nearest known region, even while it is down.

use super::super::rank::Context;
use super::super::record::Record;
use super::super::{EndpointId, Region};
use super::Selector;

impl Selector {
    /// Returns the clusters that can be the client's home. If [`Config::home`](super::super::Config::home) is set, the
    /// result is the cluster of the home region. Otherwise the result is the nearest cluster that was ever measured,
    /// and all equally near clusters. The nearest cluster comes first, and unhealthy clusters count, too. Servers
    /// without a cluster name do not count.
    pub fn home_clusters(&self) -> Vec<String> {
        if let Some(home) = &self.config.home {
            let region = Region::new(home);
            let cluster = self.roster.servers_in(&region).find_map(|record| self.roster.cluster_of(record));
            return vec![cluster.unwrap_or(&region).as_str().to_owned()];
        }
        let measured = self.roster.servers().filter_map(|record| Some((record.base.get()?, record)));
        let mut by_distance: Vec<_> = measured.collect();
        by_distance.sort_by_key(|(base, _)| *base);
        let Some((nearest, _)) = by_distance.first().copied() else { return Vec::new() };
        let tied_up_to = nearest + Context::tie_window(&self.config.rank, nearest);
        let mut clusters: Vec<String> = Vec::new();
        for (_, record) in by_distance.into_iter().take_while(|(base, _)| *base <= tied_up_to) {
            let cluster = self.roster.cluster_of(record).map(Region::as_str);
            if let Some(cluster) = cluster.filter(|cluster| !clusters.iter().any(|known| known == cluster)) {
                clusters.push(cluster.to_owned());
            }
        }
        clusters
    }

    /// The first link leads to `here`. Regions that were found down before may be nearer.
    pub(super) fn note_regions_missed(&mut self, here: &Region) {
        let is_down = |region: &Region| {
            let mut servers = self.roster.servers_in(region).peekable();
            servers.peek().is_some()
                && servers.all(|record| {
                    !record.is_healthy(self.now) || self.refusing.until(region, self.now).is_some()
                })
        };
        let mut missed: Vec<_> = self.roster.regions().filter(|region| is_down(region)).cloned().collect();
        missed.extend(self.config.home.as_ref().map(Region::new));
        for region in missed.into_iter().filter(|region| region != here) {
            self.fail_back.missed(region);
        }
    }

    /// A server answers for the first time at an endpoint that counted as the region `before`.
    pub(super) fn turned_out(&mut self, before: &Region, endpoint: EndpointId) {
        let here = self.active.and_then(|active| self.region_of(active)).cloned();
        if let Some(region) = self.roster.region(endpoint).filter(|region| *region != before) {
            self.fail_back.turned_out(before, region, here.as_ref());
        }
    }

    /// Nobody has ever answered there, and now somebody was asked in vain.
    pub(super) fn note_missed(&mut self, endpoint: EndpointId) {
        // Servers advertise addresses that clients cannot reach: those are of no region.
        let is_unknown = |record: &Record| record.fingerprint().is_none() && !record.is_gossiped();
        let is_unknown = self.roster.get(endpoint).is_some_and(is_unknown);
        let here = self.active.and_then(|active| self.region_of(active));
        let region = self
            .roster
            .region(endpoint)
            .filter(|region| is_unknown && here.is_some_and(|here| here != *region));
        if let Some(region) = region.cloned() {
            self.fail_back.missed(region);
        }
    }
}
