//! The emulated links between servers, and from clients to servers.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use super::ports::{PortPool, ServerPorts};
use crate::topology::{RttTable, ServerName, Topology, UnknownPairError};
use crate::wan::{OpenPathError, Path, PathOptions, Wan};

/// Every emulated link of the super-cluster.
#[derive(Debug)]
pub(super) struct Paths {
    /// By (region of the client, server).
    clients: BTreeMap<(String, ServerName), ClientPaths>,
    /// By (region that dials, server that is dialled).
    gateways: BTreeMap<(String, ServerName), Path>,
    /// By (region of the leaf nodes, server of their hub).
    leaves: BTreeMap<(String, ServerName), Path>,
}

/// The ways of a client to one server.
#[derive(Debug)]
pub(super) struct ClientPaths {
    pub(super) tcp: Path,
    pub(super) websocket: Path,
}

/// Why the links could not be laid.
#[derive(Debug, thiserror::Error)]
pub enum LayPathsError {
    /// A delay is missing.
    #[error(transparent)]
    Rtt(#[from] UnknownPairError),
    /// A listener is missing.
    #[error(transparent)]
    Open(#[from] OpenPathError),
}

impl Paths {
    /// Opens a path from each region to each server for clients, also inside a region (without a delay there, but so
    /// that it can fall silent), one from each region to each server of the regions that its gateways lead to, and one from each
    /// region of leaf nodes to each server of its hub.
    pub(super) fn lay(
        wan: &Wan,
        topology: &Topology,
        rtt: &RttTable,
        ports: &BTreeMap<ServerName, ServerPorts>,
        pool: &mut PortPool,
    ) -> Result<Self, LayPathsError> {
        let mut paths = Self { clients: BTreeMap::new(), gateways: BTreeMap::new(), leaves: BTreeMap::new() };
        for (from, (server, own)) in
            topology.regions().iter().flat_map(|from| ports.iter().map(move |to| (from, to)))
        {
            let delay = rtt.rtt(from, server.region())?;
            let mut open = |kind: &str, upstream: SocketAddr| -> Result<Path, OpenPathError> {
                open(wan, pool, format!("{from}->{server} {kind}"), upstream, delay)
            };
            let key = (from.clone(), server.clone());
            let tcp = open("tcp", own.client.addr())?;
            let websocket = open("ws", own.websocket.addr())?;
            if topology.gateways_of(from).contains(&server.region()) {
                paths.gateways.insert(key.clone(), open("gateway", own.gateway.addr())?);
            }
            if topology.cluster(from).and_then(|cluster| cluster.leaf_of.as_deref()) == Some(server.region())
            {
                paths.leaves.insert(key.clone(), open("leaf", own.leaf.addr())?);
            }
            paths.clients.insert(key, ClientPaths { tcp, websocket });
        }
        Ok(paths)
    }

    /// How a client in `region` reaches each server.
    pub(super) fn of_clients_in(&self, region: &str) -> impl Iterator<Item = (&ServerName, &ClientPaths)> {
        let of_region = self.clients.iter().filter(move |((from, _), _)| from == region);
        of_region.map(|((_, server), paths)| (server, paths))
    }

    /// Returns the paths by which clients, gateways and leaf nodes of all regions reach `server`.
    pub(super) fn to_server(&self, server: &ServerName) -> impl Iterator<Item = &Path> {
        let between = self.between_servers().filter(move |((_, to), _)| to == server);
        self.clients_of(server).chain(between.map(|(_, path)| path))
    }

    /// Returns the paths by which servers reach servers of other regions.
    fn between_servers(&self) -> impl Iterator<Item = (&(String, ServerName), &Path)> {
        self.gateways.iter().chain(&self.leaves)
    }

    /// What clients of all regions use to reach `server`.
    pub(super) fn clients_of(&self, server: &ServerName) -> impl Iterator<Item = &Path> {
        let to_server = self.clients.iter().filter(move |((_, to), _)| to == server);
        to_server.flat_map(|(_, paths)| [&paths.tcp, &paths.websocket])
    }

    /// Makes the regions in `dark` silent and all others heard: towards every client, their own included, and through
    /// every gateway. Those in `isolated` are silent through gateways only; those in `cut_off` also towards clients elsewhere,
    /// and their own clients hear no other region. A gateway between two such regions stays silent until both are healed.
    pub(super) fn silence(
        &self,
        dark: &BTreeSet<String>,
        isolated: &BTreeSet<String>,
        cut_off: &BTreeSet<String>,
    ) {
        let set = |path: &Path, is_dark: bool| if is_dark { path.blackhole() } else { path.heal() };
        let is_cut = |from: &str, to: &str| from != to && (cut_off.contains(from) || cut_off.contains(to));
        for ((from, server), paths) in &self.clients {
            let is_dark = dark.contains(server.region()) || is_cut(from, server.region());
            set(&paths.tcp, is_dark);
            set(&paths.websocket, is_dark);
        }
        for ((from, server), path) in self.between_servers() {
            let is_silent = |region: &str| dark.contains(region) || isolated.contains(region);
            set(path, is_silent(from) || is_silent(server.region()) || is_cut(from, server.region()));
        }
    }

    /// The ports by which the servers of `from` dial the gateways of `to`.
    pub(super) fn gateway_ports(&self, from: &str, to: &str) -> Vec<u16> {
        let gateways = self.gateways.iter();
        let between = gateways.filter(|((dialler, server), _)| dialler == from && server.region() == to);
        between.map(|(_, path)| path.addr().port()).collect()
    }

    /// The ports by which the leaf nodes of `from` dial their hub.
    pub(super) fn leaf_ports(&self, from: &str) -> Vec<u16> {
        let of_region = self.leaves.iter().filter(|((dialler, _), _)| dialler == from);
        of_region.map(|(_, path)| path.addr().port()).collect()
    }

    /// The gateway path from one region to one server.
    pub(super) fn gateway(&self, from: &str, to: &ServerName) -> Option<&Path> {
        self.gateways.get(&(from.to_owned(), to.clone()))
    }

    /// The paths, for clients, gateways and leaf nodes, that connect two regions.
    pub(super) fn between(&self, a: &str, b: &str) -> impl Iterator<Item = &Path> {
        let joins = move |from: &str, to: &ServerName| {
            (from == a && to.region() == b) || (from == b && to.region() == a)
        };
        let clients = self.clients.iter().filter(move |((from, to), _)| joins(from, to));
        let servers = self.between_servers().filter(move |((from, to), _)| joins(from, to));
        clients.flat_map(|(_, paths)| [&paths.tcp, &paths.websocket]).chain(servers.map(|(_, path)| path))
    }
}

fn open(
    wan: &Wan,
    pool: &mut PortPool,
    label: String,
    upstream: SocketAddr,
    rtt: Duration,
) -> Result<Path, OpenPathError> {
    wan.open(PathOptions { label, listen: pool.take()?, upstream, rtt })
}
