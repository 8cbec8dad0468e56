//! The true state of the world, for the rules. Clients cannot read this state.

use std::time::Duration;

use super::World;
use super::transport::{Purpose, Stage};
use crate::core::{Config, Region, Snapshot, Time};

/// A path that loses more than this is not to be called well.
const LOSS_MAX: f64 = 0.05;

impl World {
    /// The time of the world.
    pub(crate) const fn now(&self) -> Time {
        self.now
    }

    /// How many clients there are.
    pub(crate) const fn clients(&self) -> usize {
        self.hosts.len()
    }

    /// The policy of a client.
    pub(crate) fn config(&self, client: usize) -> &Config {
        &self.hosts[client].log.config
    }

    /// Numbers of the regions.
    pub(crate) fn regions(&self) -> std::ops::Range<usize> {
        0..self.regions.len()
    }

    /// The number of a region.
    pub(crate) fn region(&self, region: &Region) -> Option<usize> {
        self.regions.iter().position(|name| *name == region.as_str())
    }

    /// The region of a server.
    pub(crate) fn region_of(&self, server: usize) -> usize {
        self.servers[server].region
    }

    /// Handshakes per second that the servers of a region can do together.
    pub(crate) fn accepts_per_second(&self, region: usize) -> f64 {
        self.servers.iter().filter(|server| server.region == region).map(|server| server.accept_rate()).sum()
    }

    /// Returns whether any server refuses the credentials. Clients then wait for each other's sake: they are the same everywhere.
    pub(crate) fn refuses_credentials(&self) -> bool {
        self.servers.iter().any(|server| server.locked)
    }

    /// The round trip from a client to a region that is well, as far as the client can tell: two of its servers
    /// (or all, if fewer) are, and the path is open both ways. `None` if it is not.
    pub(crate) fn round_trip(&self, client: usize, region: usize) -> Option<Duration> {
        let host = &self.hosts[client];
        let servers = self.servers.iter().filter(|server| server.region == region);
        let well = servers.clone().filter(|server| server.is_well()).count();
        let needed = host.log.config.fail_back.servers.min(servers.count()).max(1);
        let way = [&self.paths[host.site][region], &self.paths[region][host.site]];
        let is_open = way.iter().all(|path| !path.cut && path.loss.is_none_or(|loss| loss <= LOSS_MAX));
        let is_here = !host.is_cut_out(self.now) && !host.is_cut_in(self.now) && !host.is_stalled(self.now);
        (well >= needed && is_open && is_here).then(|| way[0].one_way() + way[1].one_way())
    }

    /// How many links a client holds: open or being opened, not those that it is closing.
    pub(crate) fn links(&self, client: usize) -> usize {
        let mine = self.flows.values().filter(|flow| flow.client == client);
        mine.filter(|flow| matches!(flow.purpose, Purpose::Link(_)) && flow.stage != Stage::Draining).count()
    }

    /// What a client thinks.
    pub(crate) fn snapshot(&self, client: usize) -> Snapshot {
        let host = &self.hosts[client];
        host.selector.snapshot(host.clock(self.now))
    }
}
