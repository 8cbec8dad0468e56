//! This module breaks and repairs links.

use std::time::{Duration, Instant};

use super::{FaultError, LinkFault, LinkFaultId, LinkScope, Links, Recovery};
use crate::clock;
use crate::cluster::{SuperCluster, UnknownNameError};

impl SuperCluster {
    /// Checks a fault of links without beginning it.
    ///
    /// # Errors
    /// As [`SuperCluster::break_links`].
    pub fn check_link_fault(&self, fault: &LinkFault) -> Result<(), FaultError> {
        self.check_scope(&fault.links.scope)?;
        fault.effect.check()?;
        self.wan().check(fault.effect)?;
        if self.paths.selected(&fault.links).next().is_none() {
            return Err(FaultError::NoLinks(fault.links.clone()));
        }
        Ok(())
    }

    /// Begins a fault of links, beside those that are active: on a path with several, silence dominates, delays add up, and
    /// the smallest bandwidth holds (see [`Conditions::of`](crate::wan::Conditions::of)). Returns its id, and when it began.
    ///
    /// # Errors
    /// The scope names no region or server of the topology, the topology has no such link, a delay is above 60 s, or the
    /// emulation of this run does not have the effect.
    pub fn break_links(&mut self, fault: LinkFault) -> Result<(LinkFaultId, Instant), FaultError> {
        self.check_link_fault(&fault)?;
        let id = self.link_faults.begin(fault);
        Ok((id, self.impose_link_faults()))
    }

    /// Ends a fault of links, and returns when. Connections that lived through a silence are reset, as they would be by a far
    /// side that gave up meanwhile. It does not wait for the servers to link: [`SuperCluster::wait_recovered`] does.
    ///
    /// # Errors
    /// The fault is not active.
    pub fn mend_links(&mut self, id: LinkFaultId) -> Result<Instant, FaultError> {
        self.link_faults.end(id).ok_or(FaultError::NotActive(id))?;
        Ok(self.impose_link_faults())
    }

    /// The active faults of links, in the order in which they began.
    pub fn link_faults(&self) -> impl Iterator<Item = (LinkFaultId, &LinkFault)> {
        self.link_faults.iter()
    }

    /// Returns whether a region is silent after [`SuperCluster::blackhole_region`].
    pub fn is_silent(&self, region: &str) -> Result<bool, UnknownNameError> {
        self.check_region(region)?;
        Ok(self.link_faults.contains(&LinkFault::blackhole(region)))
    }

    /// Returns whether a server is silent after [`SuperCluster::blackhole_server`].
    pub fn is_server_silent(&self, server: &str) -> bool {
        self.link_faults.contains(&LinkFault::blackhole_server(server))
    }

    /// Silences the servers of a region towards every client, those in the same region included, and through all
    /// gateways. Nothing is closed; within the region they still hear each other.
    ///
    /// # Errors
    /// There is no such region.
    pub fn blackhole_region(&mut self, region: &str) -> Result<Instant, FaultError> {
        self.break_once(region, LinkFault::blackhole(region))
    }

    /// Silences a server towards every client, and the gateways that other regions opened to it. The routes in its region and
    /// the gateways that the server opened itself stay.
    ///
    /// # Errors
    /// There is no such server.
    pub fn blackhole_server(&mut self, server: &str) -> Result<Instant, FaultError> {
        self.find(server)?;
        Ok(self.begin_once(LinkFault::blackhole_server(server)))
    }

    /// Ends [`SuperCluster::blackhole_server`]. Waits until the servers are linked.
    ///
    /// # Errors
    /// There is no such server, or something is missing after the ready limit.
    pub async fn heal_server(&mut self, server: &str) -> Result<Recovery, FaultError> {
        self.find(server)?;
        self.link_faults.end_all(&[LinkFault::blackhole_server(server)]);
        let undone_at = self.impose_link_faults();
        self.recovered(undone_at).await
    }

    /// Silences the gateways of a region: its servers answer their clients, and hear no other region.
    ///
    /// # Errors
    /// There is no such region.
    pub fn isolate_region(&mut self, region: &str) -> Result<Instant, FaultError> {
        self.break_once(region, LinkFault::isolation(region))
    }

    /// Silences a region towards all others: through all gateways, to clients elsewhere, and for its own clients the
    /// servers elsewhere. Within the region everybody hears each other: of a split brain, this is the smaller part.
    ///
    /// # Errors
    /// There is no such region.
    pub fn cut_off_region(&mut self, region: &str) -> Result<Instant, FaultError> {
        self.break_once(region, LinkFault::cut_off(region))
    }

    /// Ends [`SuperCluster::blackhole_region`], [`SuperCluster::isolate_region`] and [`SuperCluster::cut_off_region`],
    /// [`SuperCluster::blackhole_server`] of its servers, and the same faults of [`SuperCluster::break_links`]; all other
    /// link faults stay. Waits until the servers are linked.
    ///
    /// # Errors
    /// There is no such region, or something is missing after the ready limit.
    pub async fn heal_region(&mut self, region: &str) -> Result<Recovery, FaultError> {
        self.heal_regions(&[region]).await
    }

    /// The same for several regions at once: where all were silent, none comes back without another one.
    ///
    /// # Errors
    /// As [`SuperCluster::heal_region`].
    pub async fn heal_regions(&mut self, regions: &[&str]) -> Result<Recovery, FaultError> {
        for region in regions {
            self.check_region(region)?;
        }
        for region in regions {
            let of_region =
                [LinkFault::blackhole(region), LinkFault::isolation(region), LinkFault::cut_off(region)];
            let servers =
                self.topology().servers_of(region).map(|it| LinkFault::blackhole_server(it.as_str()));
            let all: Vec<_> = servers.chain(of_region).collect();
            self.link_faults.end_all(&all);
        }
        let undone_at = self.impose_link_faults();
        self.recovered(undone_at).await
    }

    /// Changes the distance of two regions, as a round-trip time for clients and between servers, from now on. A
    /// [`Latency`](crate::wan::Latency) is a fault on top of that.
    ///
    /// # Errors
    /// There is no such region.
    pub fn set_rtt(&self, a: &str, b: &str, rtt: Duration) -> Result<(), UnknownNameError> {
        let scope = LinkScope::Between(a.to_owned(), b.to_owned());
        self.check_scope(&scope)?;
        self.paths.selected(&Links::of(scope)).for_each(|path| path.set_rtt(rtt));
        Ok(())
    }

    /// A second call changes nothing.
    fn break_once(&mut self, region: &str, fault: LinkFault) -> Result<Instant, FaultError> {
        self.check_region(region)?;
        Ok(self.begin_once(fault))
    }

    fn begin_once(&mut self, fault: LinkFault) -> Instant {
        if !self.link_faults.contains(&fault) {
            self.link_faults.begin(fault);
        }
        self.impose_link_faults()
    }

    fn impose_link_faults(&self) -> Instant {
        for (ends, path) in self.paths.all() {
            path.impose(self.link_faults.conditions(ends));
        }
        clock::now()
    }

    fn check_scope(&self, scope: &LinkScope) -> Result<(), UnknownNameError> {
        match scope {
            LinkScope::Region(region) | LinkScope::Border(region) => self.check_region(region),
            LinkScope::Server(server) => self.find(server).map(drop),
            LinkScope::Between(a, b) | LinkScope::Dials { from: a, to: b } => {
                self.check_region(a)?;
                self.check_region(b)
            }
        }
    }
}
