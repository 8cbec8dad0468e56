//! The emulated links between servers, and from clients to servers.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::links::{LinkKind, Links, PathRef};
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

    /// Every path, with its ends.
    pub(super) fn all(&self) -> impl Iterator<Item = (PathRef<'_>, &Path)> {
        let clients = self.clients.iter().flat_map(|((from, to), paths)| {
            let of_client = |kind, path| (PathRef { kind, from, to }, path);
            [of_client(LinkKind::Tcp, &paths.tcp), of_client(LinkKind::WebSocket, &paths.websocket)]
        });
        let gateways = between_servers(LinkKind::Gateway, &self.gateways);
        clients.chain(gateways).chain(between_servers(LinkKind::Leaf, &self.leaves))
    }

    /// The paths that `links` mean.
    pub(super) fn selected(&self, links: &Links) -> impl Iterator<Item = &Path> {
        self.all().filter(|(ends, _)| links.select(*ends)).map(|(_, path)| path)
    }

    /// Returns the paths by which clients, gateways and leaf nodes of all regions reach `server`.
    pub(super) fn to_server(&self, server: &ServerName) -> impl Iterator<Item = &Path> {
        self.all().filter(move |(ends, _)| ends.to == server).map(|(_, path)| path)
    }

    /// What clients of all regions use to reach `server`.
    pub(super) fn clients_of(&self, server: &ServerName) -> impl Iterator<Item = &Path> {
        let to_server = self.clients.iter().filter(move |((_, to), _)| to == server);
        to_server.flat_map(|(_, paths)| [&paths.tcp, &paths.websocket])
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
}

fn between_servers(
    kind: LinkKind,
    paths: &BTreeMap<(String, ServerName), Path>,
) -> impl Iterator<Item = (PathRef<'_>, &Path)> {
    paths.iter().map(move |((from, to), path)| (PathRef { kind, from, to }, path))
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
