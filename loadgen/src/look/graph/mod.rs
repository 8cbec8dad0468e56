//! `loadgen graph`: the regions of a super-cluster, their servers, and the links between them.
//!
//! This file makes the model from answers, `layout.rs` finds places for boxes, lines and labels, and `svg.rs` draws them. All
//! three are pure: the same answers give the same drawing, byte by byte.

mod layout;
mod svg;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::answers::{Gatewayz, Leafz, ServerInfo, Statsz};
use super::gather::{Answered, GatherError, System};
use super::table::count;

/// A super-cluster as regions and links.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Graph {
    /// By name.
    pub regions: Vec<Region>,
    /// By the names of both ends.
    pub gateways: Vec<GatewayLink>,
    /// By the names of both ends.
    pub leafs: Vec<LeafLink>,
    /// Servers that the others know, but that did not answer in time.
    pub silent: usize,
    /// Answers that are none, with their servers.
    pub failed: Vec<String>,
}

/// A cluster, or a server outside of any cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Region {
    /// The cluster's name, or the server's.
    pub name: String,
    /// The servers that answered, by name; empty if a link is all that is known of this region.
    pub servers: Vec<RegionServer>,
}

/// A server of a region.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct RegionServer {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The gateways between two clusters.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct GatewayLink {
    /// A cluster.
    pub a: String,
    /// The other one; its name comes later in the alphabet.
    pub b: String,
    /// Servers of `a` that are connected to `b`.
    pub from_a: usize,
    /// Servers of `b` that are connected to `a`.
    pub from_b: usize,
    /// Whether all servers that answered are connected to the other cluster.
    pub complete: bool,
    /// The shortest of the round-trip times that the servers measured; `None` if none did.
    pub rtt_ms: Option<f64>,
}

/// The links between a hub and a leaf node, or a cluster of leaf nodes.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct LeafLink {
    /// The region that accepted the connections; the first one by name if that is not known.
    pub hub: String,
    /// The region of the leaf nodes.
    pub leaf: String,
    /// Whether a server said which end is the hub. nats-server 2.9 does not.
    pub hub_is_known: bool,
    /// Accounts that they join, as the hub calls them if it answered.
    pub accounts: Vec<String>,
    /// The shortest of the round-trip times that the servers measured; `None` if none did.
    pub rtt_ms: Option<f64>,
}

impl Graph {
    /// Asks all servers.
    ///
    /// # Errors
    /// As those of [`System::ask`].
    pub async fn look(system: &mut System) -> Result<Self, GatherError> {
        let stats = system.ask::<Statsz>(None).await?;
        let number = Some(stats.answers.len());
        let gateways = system.ask::<Gatewayz>(number).await?;
        let leafs = system.ask::<Leafz>(number).await?;
        let failed = [stats.failures(), gateways.failures(), leafs.failures()].concat();
        let servers: Vec<_> = stats.answers.into_iter().map(|answer| answer.server).collect();
        let graph = Self::new(&servers, &gateways.answers, &leafs.answers);
        Ok(Self { silent: stats.silent, failed, ..graph })
    }

    /// Makes the graph of these answers.
    pub fn new(servers: &[ServerInfo], gateways: &[Answered<Gatewayz>], leafs: &[Answered<Leafz>]) -> Self {
        let mut regions = BTreeMap::<String, BTreeSet<RegionServer>>::new();
        for server in servers {
            let one = RegionServer { name: server.name.clone(), version: server.version.clone() };
            regions.entry(region_of(server)).or_default().insert(one);
        }
        let gateways = gateway_links(&regions, gateways);
        let leafs = leaf_links(servers, leafs);
        let ends = gateways.iter().flat_map(|link| [&link.a, &link.b]);
        for end in ends.chain(leafs.iter().flat_map(|link| [&link.hub, &link.leaf])) {
            regions.entry(end.clone()).or_default();
        }
        let regions = regions
            .into_iter()
            .map(|(name, servers)| Region { name, servers: servers.into_iter().collect() });
        Self { regions: regions.collect(), gateways, leafs, silent: 0, failed: Vec::new() }
    }

    /// Draws it. The drawing follows the reader's light or dark theme, and describes itself to screen readers.
    pub fn to_svg(&self) -> String {
        svg::draw(self)
    }

    /// One line of numbers.
    pub fn summary(&self) -> String {
        let servers = self.regions.iter().map(|region| region.servers.len()).sum();
        let absent = match self.silent + self.failed.len() {
            0 => String::new(),
            absent => format!("; {absent} without an answer"),
        };
        format!(
            "{} with {}, {}, {}{absent}",
            count(self.regions.len(), "region"),
            count(servers, "server"),
            count(self.gateways.len(), "gateway"),
            count(self.leafs.len(), "leaf node link"),
        )
    }
}

fn region_of(server: &ServerInfo) -> String {
    if server.cluster.is_empty() { server.name.clone() } else { server.cluster.clone() }
}

type Regions = BTreeMap<String, BTreeSet<RegionServer>>;

fn gateway_links(regions: &Regions, answers: &[Answered<Gatewayz>]) -> Vec<GatewayLink> {
    let mut links = BTreeMap::<(String, String), GatewayLink>::new();
    for answer in answers {
        let from = region_of(&answer.server);
        for (to, gateway) in &answer.data.outbound_gateways {
            let is_forward = from < *to;
            let (a, b) = if is_forward { (&from, to) } else { (to, &from) };
            let link = links.entry((a.clone(), b.clone())).or_default();
            *(if is_forward { &mut link.from_a } else { &mut link.from_b }) += 1;
            link.rtt_ms = shortest(link.rtt_ms, gateway.connection.rtt);
        }
    }
    let size = |name: &str| regions.get(name).map_or(0, BTreeSet::len);
    let finish = |((a, b), link): ((String, String), GatewayLink)| {
        let complete = link.from_a >= size(&a) && link.from_b >= size(&b);
        GatewayLink { a, b, complete, ..link }
    };
    links.into_iter().map(finish).collect()
}

/// A link, as both ends describe it.
#[derive(Default)]
struct LeafEnds {
    hub: Option<String>,
    of_hub: BTreeSet<String>,
    of_leaf: BTreeSet<String>,
    rtt_ms: Option<f64>,
    /// The region of the server that calls the other end by its address only, as nats-server 2.9 does.
    only_from: Option<String>,
}

impl LeafEnds {
    /// Returns whether this is a view of the same link, with names: a link of the region that knows an address only.
    fn names(&self, (a, b): &(String, String), nameless: &Self) -> bool {
        let is_same = nameless.only_from.as_ref().is_some_and(|region| region == a || region == b);
        let accounts = |ends: &Self| ends.of_hub.union(&ends.of_leaf).cloned().collect::<BTreeSet<_>>();
        self.only_from.is_none() && is_same && accounts(nameless).is_subset(&accounts(self))
    }
}

fn leaf_links(servers: &[ServerInfo], answers: &[Answered<Leafz>]) -> Vec<LeafLink> {
    let known: BTreeMap<&str, String> =
        servers.iter().map(|server| (server.name.as_str(), region_of(server))).collect();
    let mut links = BTreeMap::<(String, String), LeafEnds>::new();
    for answer in answers {
        let here = region_of(&answer.server);
        for leaf in &answer.data.leafs {
            let name = if leaf.name.is_empty() { &leaf.ip } else { &leaf.name };
            let there = known.get(name.as_str()).unwrap_or(name).clone();
            if here == there {
                continue;
            }
            let key =
                if here < there { (here.clone(), there.clone()) } else { (there.clone(), here.clone()) };
            let ends = links.entry(key).or_default();
            ends.only_from = leaf.name.is_empty().then(|| here.clone());
            let accounts = if leaf.is_spoke == Some(true) { &mut ends.of_leaf } else { &mut ends.of_hub };
            accounts.insert(leaf.account.clone());
            ends.rtt_ms = shortest(ends.rtt_ms, leaf.rtt);
            if let Some(is_spoke) = leaf.is_spoke {
                ends.hub = Some(if is_spoke { there } else { here.clone() });
            }
        }
    }
    let is_named = |nameless: &LeafEnds| links.iter().any(|(ends, link)| link.names(ends, nameless));
    let twice: Vec<_> =
        links.iter().filter(|(_, link)| is_named(link)).map(|(ends, _)| ends.clone()).collect();
    for ends in twice {
        links.remove(&ends);
    }
    let finish = |((a, b), ends): ((String, String), LeafEnds)| {
        let hub_is_known = ends.hub.is_some();
        let (hub, leaf) = if ends.hub.as_ref() == Some(&b) { (b, a) } else { (a, b) };
        let accounts = if ends.of_hub.is_empty() { ends.of_leaf } else { ends.of_hub };
        LeafLink { hub, leaf, hub_is_known, accounts: accounts.into_iter().collect(), rtt_ms: ends.rtt_ms }
    };
    links.into_iter().map(finish).collect()
}

fn shortest(known: Option<f64>, measured: Option<Duration>) -> Option<f64> {
    let measured = measured.map(|rtt| rtt.as_secs_f64() * 1e3);
    match (known, measured) {
        (Some(known), Some(measured)) => Some(known.min(measured)),
        (one, other) => one.or(other),
    }
}

#[cfg(test)]
mod tests;
