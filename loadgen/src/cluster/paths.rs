//! The emulated links between servers, and from clients to servers.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use super::emulation::{Emulation, Way};
use super::links::{LinkKind, Links, PathRef};
use super::ports::{PortPool, ServerPorts};
use crate::topology::{RttTable, ServerName, Topology, UnknownPairError};
use crate::wan::netns::Namespace;
use crate::wan::{OpenPathError, Path, PathOptions, ReservedPort, Wan};

/// Every emulated link of the super-cluster.
#[derive(Debug)]
pub(super) struct Paths {
    /// By (region of the client, server).
    clients: BTreeMap<(String, ServerName), ClientPaths>,
    /// By (region that dials, server that is dialled).
    gateways: BTreeMap<(String, ServerName), Way>,
    /// By (region of the leaf nodes, server of their hub).
    leaves: BTreeMap<(String, ServerName), Way>,
    /// With network namespaces: the ways of loadgen itself to the servers, which are no links of the emulated WAN.
    management: BTreeMap<ServerName, Vec<Path>>,
    emulation: Emulation,
}

/// The ways of a client to one server.
#[derive(Debug)]
pub(super) struct ClientPaths {
    pub(super) tcp: Way,
    pub(super) websocket: Way,
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
        emulation: Emulation,
        topology: &Topology,
        rtt: &RttTable,
        ports: &BTreeMap<ServerName, ServerPorts>,
        pool: &mut PortPool,
    ) -> Result<Self, LayPathsError> {
        let mut paths = Self {
            clients: BTreeMap::new(),
            gateways: BTreeMap::new(),
            leaves: BTreeMap::new(),
            management: manage(wan, &emulation, ports)?,
            emulation,
        };
        for (from, (server, own)) in
            topology.regions().iter().flat_map(|from| ports.iter().map(move |to| (from, to)))
        {
            let mut layer = Layer {
                wan,
                pool,
                emulation: &paths.emulation,
                from,
                to: server,
                rtt: rtt.rtt(from, server.region())?,
            };
            let key = (from.clone(), server.clone());
            let tcp = layer.lay(LinkKind::Tcp, &own.client)?;
            let websocket = layer.lay(LinkKind::WebSocket, &own.websocket)?;
            if topology.gateways_of(from).contains(&server.region()) {
                paths.gateways.insert(key.clone(), layer.lay(LinkKind::Gateway, &own.gateway)?);
            }
            if topology.cluster(from).and_then(|cluster| cluster.leaf_of.as_deref()) == Some(server.region())
            {
                paths.leaves.insert(key.clone(), layer.lay(LinkKind::Leaf, &own.leaf)?);
            }
            paths.clients.insert(key, ClientPaths { tcp, websocket });
        }
        Ok(paths)
    }

    /// The emulation of the WAN.
    pub(super) fn emulation(&self) -> &Emulation {
        &self.emulation
    }

    /// How a client in `region` reaches each server.
    pub(super) fn of_clients_in(&self, region: &str) -> impl Iterator<Item = (&ServerName, &ClientPaths)> {
        let of_region = self.clients.iter().filter(move |((from, _), _)| from == region);
        of_region.map(|((_, server), paths)| (server, paths))
    }

    /// Every path, with its ends.
    pub(super) fn all(&self) -> impl Iterator<Item = (PathRef<'_>, &Way)> {
        let clients = self.clients.iter().flat_map(|((from, to), paths)| {
            let of_client = |kind, path| (PathRef { kind, from, to }, path);
            [of_client(LinkKind::Tcp, &paths.tcp), of_client(LinkKind::WebSocket, &paths.websocket)]
        });
        let gateways = between_servers(LinkKind::Gateway, &self.gateways);
        clients.chain(gateways).chain(between_servers(LinkKind::Leaf, &self.leaves))
    }

    /// The paths that `links` mean.
    pub(super) fn selected(&self, links: &Links) -> impl Iterator<Item = &Way> {
        self.all().filter(|(ends, _)| links.select(*ends)).map(|(_, path)| path)
    }

    /// Closes the proxies that lead to `server`, because it is down.
    pub(super) fn refuse(&self, server: &ServerName) {
        self.to_server(server).for_each(Way::refuse);
        self.management.get(server).into_iter().flatten().for_each(Path::refuse);
    }

    /// Opens them as soon as `server` answers.
    pub(super) fn accept(&self, server: &ServerName) {
        self.to_server(server).for_each(Way::accept);
        self.management.get(server).into_iter().flatten().for_each(Path::accept);
    }

    /// Returns the paths by which clients, gateways and leaf nodes of all regions reach `server`.
    fn to_server(&self, server: &ServerName) -> impl Iterator<Item = &Way> {
        self.all().filter(move |(ends, _)| ends.to == server).map(|(_, path)| path)
    }

    /// What clients of all regions use to reach `server`.
    pub(super) fn clients_of(&self, server: &ServerName) -> impl Iterator<Item = &Way> {
        let to_server = self.clients.iter().filter(move |((_, to), _)| to == server);
        to_server.flat_map(|(_, paths)| [&paths.tcp, &paths.websocket])
    }

    /// The addresses by which the servers of `from` dial the gateways of `to`.
    pub(super) fn gateway_addrs(&self, from: &str, to: &str) -> Vec<SocketAddr> {
        let gateways = self.gateways.iter();
        let between = gateways.filter(|((dialler, server), _)| dialler == from && server.region() == to);
        between.map(|(_, path)| path.addr()).collect()
    }

    /// Returns the ways by which leaf nodes of all regions reach `server`.
    pub(super) fn leaves_of(&self, server: &ServerName) -> impl Iterator<Item = &Way> {
        let of_server = self.leaves.iter().filter(move |((_, to), _)| to == server);
        of_server.map(|(_, way)| way)
    }

    /// The addresses by which the leaf nodes of `from` dial their hub.
    pub(super) fn leaf_addrs(&self, from: &str) -> Vec<SocketAddr> {
        let of_region = self.leaves.iter().filter(|((dialler, _), _)| dialler == from);
        of_region.map(|(_, path)| path.addr()).collect()
    }

    /// The proxy of gateways from one region to one server.
    pub(super) fn gateway_proxy(&self, from: &str, to: &ServerName) -> Option<&Path> {
        self.gateways.get(&(from.to_owned(), to.clone()))?.proxy()
    }
}

fn between_servers(
    kind: LinkKind,
    paths: &BTreeMap<(String, ServerName), Way>,
) -> impl Iterator<Item = (PathRef<'_>, &Way)> {
    paths.iter().map(move |((from, to), path)| (PathRef { kind, from, to }, path))
}

/// Lays the links from one region to one server.
struct Layer<'a> {
    wan: &'a Wan,
    pool: &'a mut PortPool,
    emulation: &'a Emulation,
    from: &'a str,
    to: &'a ServerName,
    rtt: Duration,
}

impl Layer<'_> {
    fn lay(&mut self, kind: LinkKind, port: &ReservedPort) -> Result<Way, OpenPathError> {
        let Self { wan, emulation, from, to, rtt, .. } = *self;
        let label = format!("{from}->{to} {}", kind.as_str());
        let server = SocketAddr::from((emulation.server_address(to), port.port()));
        // Servers dial each other on loopback, wherever clients are.
        let is_of_clients = LinkKind::CLIENTS.contains(&kind);
        let at = if is_of_clients { emulation.clients_at() } else { Ipv4Addr::LOCALHOST };
        let mut open = |label: String, rtt: Duration, dial_from: Option<Namespace>| {
            wan.open(PathOptions { label, listen: self.pool.take_at(at)?, upstream: server, rtt, dial_from })
        };
        Ok(match emulation {
            Emulation::None => Way::new(None, None, server),
            Emulation::Proxy { .. } => Way::new(Some(open(label, rtt, None)?), None, server),
            Emulation::Netns(namespaces) => {
                let route = namespaces.open(label.clone(), from, to, port.port(), rtt);
                // Processes outside, such as browsers, come in here.
                let door =
                    is_of_clients.then(|| open(label, Duration::ZERO, Some(namespaces.of_clients(from))));
                Way::new(door.transpose()?, Some(route), server)
            }
        })
    }
}

/// Opens the ways of loadgen itself to servers in network namespaces: to clients' and monitoring ports, at the same ports of
/// this machine.
fn manage(
    wan: &Wan,
    emulation: &Emulation,
    ports: &BTreeMap<ServerName, ServerPorts>,
) -> Result<BTreeMap<ServerName, Vec<Path>>, OpenPathError> {
    let Some(namespaces) = emulation.namespaces() else { return Ok(BTreeMap::new()) };
    let of_server = |(server, own): (&ServerName, &ServerPorts)| {
        let open = |port: &ReservedPort| {
            wan.open(PathOptions {
                label: format!("management of {server}"),
                listen: ReservedPort::exactly(port.port())?,
                upstream: (emulation.server_address(server), port.port()).into(),
                rtt: Duration::ZERO,
                dial_from: Some(namespaces.of_servers(server.region())),
            })
        };
        Ok((server.clone(), [&own.client, &own.monitor].map(open).into_iter().collect::<Result<_, _>>()?))
    };
    ports.iter().map(of_server).collect()
}
