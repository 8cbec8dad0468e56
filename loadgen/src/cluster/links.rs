//! Faults of links: the paths that each fault selects, and the combined effect of all faults on one path. No I/O.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::topology::ServerName;
use crate::wan::{Conditions, LinkEffect, Silence};

/// An effect on some links of a super-cluster.
///
/// ```
/// use loadgen::cluster::faults::{LinkFault, LinkKind, LinkScope, Links};
/// use loadgen::wan::LinkEffect;
///
/// let to_lon = Links::of(LinkScope::Region("lon".to_owned())).only([LinkKind::Tcp, LinkKind::WebSocket]);
/// let fault = LinkFault { links: to_lon.from_other_regions(), effect: LinkEffect::Refuse };
/// assert_eq!(fault.to_string(), "new connections are refused on tcp and ws links of region `lon` from other regions");
/// ```
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LinkFault {
    /// Which links.
    pub links: Links,
    /// Their effect.
    pub effect: LinkEffect,
}

/// Links of a super-cluster, as the directed paths that loadgen emulates: from a region that dials to a server that is dialled.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Links {
    /// Where they lead.
    pub scope: LinkScope,
    /// What they carry.
    pub kinds: BTreeSet<LinkKind>,
    /// Whether links of clients to servers of their own region are among them.
    pub own_clients: bool,
}

/// Where links lead.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum LinkScope {
    /// Links by which clients reach the servers of this region, and all links between its servers and other regions.
    Region(String),
    /// Links by which this server is dialled. Its own dials share their links with the other servers of its region, so
    /// they are not among them.
    Server(String),
    /// Links with one end in this region and the other one outside, those of its own clients to other regions included.
    Border(String),
    /// Links between two regions, whichever of them dials.
    Between(String, String),
    /// Links by which one region dials another.
    Dials {
        /// The region of the clients, or of the servers that dial.
        from: String,
        /// The region of the servers that are dialled.
        to: String,
    },
}

/// What a link carries.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum LinkKind {
    /// Clients over TCP.
    Tcp,
    /// Clients over WebSocket.
    WebSocket,
    /// Gateways between regions.
    Gateway,
    /// Leaf nodes and their hub.
    Leaf,
}

impl LinkKind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Tcp, Self::WebSocket, Self::Gateway, Self::Leaf];
    /// Links of clients.
    pub const CLIENTS: [Self; 2] = [Self::Tcp, Self::WebSocket];
    /// Links between servers of different regions.
    pub const SERVERS: [Self; 2] = [Self::Gateway, Self::Leaf];

    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::WebSocket => "ws",
            Self::Gateway => "gateway",
            Self::Leaf => "leaf-node",
        }
    }
}

/// The name of an active link fault, unique in its super-cluster.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct LinkFaultId(u64);

impl fmt::Display for LinkFaultId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl Links {
    /// All links of a scope.
    pub fn of(scope: LinkScope) -> Self {
        Self { scope, kinds: LinkKind::ALL.into(), own_clients: true }
    }

    /// Those of them that carry one of `kinds`.
    pub fn only(self, kinds: impl IntoIterator<Item = LinkKind>) -> Self {
        Self { kinds: kinds.into_iter().collect(), ..self }
    }

    /// Those of them that cross the border of a region.
    pub fn from_other_regions(self) -> Self {
        Self { own_clients: false, ..self }
    }

    /// Returns whether a path is one of them.
    pub(super) fn select(&self, path: PathRef<'_>) -> bool {
        let PathRef { kind, from, to } = path;
        let is_own = from == to.region();
        let joins = |a: &str, b: &str| from == a && to.region() == b;
        let is_in_scope = match &self.scope {
            LinkScope::Region(region) => {
                to.region() == region || from == region && LinkKind::SERVERS.contains(&kind)
            }
            LinkScope::Server(server) => to.as_str() == server,
            LinkScope::Border(region) => !is_own && (from == region || to.region() == region),
            LinkScope::Between(a, b) => joins(a, b) || joins(b, a),
            LinkScope::Dials { from, to } => joins(from, to),
        };
        is_in_scope && self.kinds.contains(&kind) && (self.own_clients || !is_own)
    }
}

impl LinkFault {
    /// The fault of [`SuperCluster::blackhole_region`](super::SuperCluster::blackhole_region).
    pub fn blackhole(region: &str) -> Self {
        Self::silence(Links::of(LinkScope::Region(region.to_owned())))
    }

    /// The fault of [`SuperCluster::blackhole_server`](super::SuperCluster::blackhole_server).
    pub fn blackhole_server(server: &str) -> Self {
        Self::silence(Links::of(LinkScope::Server(server.to_owned())))
    }

    /// The fault of [`SuperCluster::isolate_region`](super::SuperCluster::isolate_region).
    pub fn isolation(region: &str) -> Self {
        Self::silence(Links::of(LinkScope::Region(region.to_owned())).only(LinkKind::SERVERS))
    }

    /// The fault of [`SuperCluster::cut_off_region`](super::SuperCluster::cut_off_region).
    pub fn cut_off(region: &str) -> Self {
        Self::silence(Links::of(LinkScope::Border(region.to_owned())))
    }

    fn silence(links: Links) -> Self {
        Self { links, effect: LinkEffect::Silence(Silence::Both) }
    }

    /// The region that it separates from all others, if it can separate one.
    fn separated_region(&self) -> Option<&str> {
        let is_between_servers = LinkKind::SERVERS.iter().any(|kind| self.links.kinds.contains(kind));
        match &self.links.scope {
            LinkScope::Region(region) | LinkScope::Border(region)
                if is_between_servers && self.effect.separates() =>
            {
                Some(region)
            }
            _ => None,
        }
    }
}

/// The two ends of an emulated path.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathRef<'a> {
    pub(super) kind: LinkKind,
    /// The region that dials.
    pub(super) from: &'a str,
    /// The server that is dialled.
    pub(super) to: &'a ServerName,
}

impl PathRef<'_> {
    fn is_between_servers(&self) -> bool {
        LinkKind::SERVERS.contains(&self.kind)
    }

    fn touches(&self, region: &str) -> bool {
        self.from == region || self.to.region() == region
    }
}

/// The active link faults of a super-cluster, in the order in which they began.
#[derive(Debug, Default)]
pub(super) struct LinkFaults {
    active: BTreeMap<LinkFaultId, LinkFault>,
    begun: u64,
}

/// Pairs of regions of which the first may have no connection to the second.
pub(super) type CutPairs = BTreeSet<(String, String)>;

impl LinkFaults {
    pub(super) fn begin(&mut self, fault: LinkFault) -> LinkFaultId {
        self.begun += 1;
        let id = LinkFaultId(self.begun);
        self.active.insert(id, fault);
        id
    }

    /// Ends a fault; `None` if it is not active.
    pub(super) fn end(&mut self, id: LinkFaultId) -> Option<LinkFault> {
        self.active.remove(&id)
    }

    /// Ends all faults that are one of `faults`.
    pub(super) fn end_all(&mut self, faults: &[LinkFault]) {
        self.active.retain(|_, active| !faults.contains(active));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (LinkFaultId, &LinkFault)> {
        self.active.iter().map(|(id, fault)| (*id, fault))
    }

    pub(super) fn contains(&self, fault: &LinkFault) -> bool {
        self.active.values().any(|active| active == fault)
    }

    /// The state of a path under all of them.
    pub(super) fn conditions(&self, path: PathRef<'_>) -> Conditions {
        let selecting = self.active.values().filter(|fault| fault.links.select(path));
        Conditions::of(selecting.map(|fault| &fault.effect))
    }

    /// The regions that no other one hears. Of two regions that lose each other, only the one that a fault names is meant.
    pub(super) fn separated_regions(&self, paths: &[PathRef<'_>]) -> BTreeSet<&str> {
        let named = self.active.values().filter_map(LinkFault::separated_region);
        let is_cut = |region: &str| {
            let joining = paths.iter().filter(|path| path.is_between_servers() && path.touches(region));
            joining.copied().all(|path| self.has(path, LinkEffect::separates))
        };
        named.filter(|region| is_cut(region)).collect()
    }

    /// The pairs of regions whose servers cannot open a connection in one direction, or cannot keep it.
    pub(super) fn cut_pairs(&self, paths: &[PathRef<'_>]) -> CutPairs {
        let mut whole = BTreeMap::new();
        for path in paths.iter().copied().filter(PathRef::is_between_servers) {
            let pair = (path.from.to_owned(), path.to.region().to_owned());
            *whole.entry(pair).or_insert(false) |= !self.has(path, LinkEffect::prevents_linking);
        }
        whole.into_iter().filter(|(_, is_whole)| !is_whole).map(|(pair, _)| pair).collect()
    }

    fn has(&self, path: PathRef<'_>, wanted: impl Fn(&LinkEffect) -> bool) -> bool {
        self.active.values().any(|fault| wanted(&fault.effect) && fault.links.select(path))
    }
}

impl fmt::Display for LinkFault {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} on {}", self.effect, self.links)
    }
}

impl fmt::Display for Links {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kinds: Vec<_> = self.kinds.iter().map(|kind| kind.as_str()).collect();
        let kinds = if kinds.len() == LinkKind::ALL.len() { "all".to_owned() } else { kinds.join(" and ") };
        write!(formatter, "{kinds} links {}", self.scope)?;
        if self.own_clients { Ok(()) } else { formatter.write_str(" from other regions") }
    }
}

impl fmt::Display for LinkScope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Region(region) => write!(formatter, "of region `{region}`"),
            Self::Server(server) => write!(formatter, "to server `{server}`"),
            Self::Border(region) => write!(formatter, "across the border of region `{region}`"),
            Self::Between(a, b) => write!(formatter, "between `{a}` and `{b}`"),
            Self::Dials { from, to } => write!(formatter, "from `{from}` to `{to}`"),
        }
    }
}

#[cfg(test)]
mod tests;
