//! The WAN emulation of a run: its start with the operator's options, and the path of each link through it.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use super::monitor::Connection;
use crate::topology::{ServerName, Topology};
use crate::wan::netns::{Namespace, NetnsError, Network, Route};
use crate::wan::{Backend, Conditions, Path, WanChoice};

/// The emulation of a run.
#[derive(Debug)]
pub(super) enum Emulation {
    /// By proxies.
    Proxy {
        /// The address of this machine at which clients find the proxies.
        clients_at: Ipv4Addr,
    },
    /// By network namespaces.
    Netns(Namespaces),
    /// None at all.
    None,
}

/// Network namespaces, by the names of a topology.
#[derive(Debug)]
pub(super) struct Namespaces {
    network: Network,
    regions: Vec<String>,
    servers: BTreeMap<ServerName, Ipv4Addr>,
}

impl Emulation {
    /// Starts it. Returns also why it is not the best one, if the operator left the choice.
    pub(super) fn start(
        choice: WanChoice,
        topology: &Topology,
        clients_at: Ipv4Addr,
    ) -> Result<(Self, Option<NetnsError>), NetnsError> {
        let proxy = Self::Proxy { clients_at };
        match choice {
            WanChoice::Proxy => Ok((proxy, None)),
            WanChoice::None => Ok((Self::None, None)),
            WanChoice::Netns => Ok((Self::Netns(Namespaces::start(topology)?), None)),
            WanChoice::Auto => Ok(match Namespaces::start(topology) {
                Ok(namespaces) => (Self::Netns(namespaces), None),
                Err(reason) => (proxy, Some(reason)),
            }),
        }
    }

    pub(super) fn backend(&self) -> Backend {
        match self {
            Self::Proxy { .. } => Backend::Proxy,
            Self::Netns(_) => Backend::Netns,
            Self::None => Backend::None,
        }
    }

    pub(super) fn namespaces(&self) -> Option<&Namespaces> {
        match self {
            Self::Netns(namespaces) => Some(namespaces),
            Self::Proxy { .. } | Self::None => None,
        }
    }

    /// The address of this machine at which clients find proxies and resolvers.
    pub(super) const fn clients_at(&self) -> Ipv4Addr {
        match self {
            Self::Proxy { clients_at } => *clients_at,
            Self::Netns(_) | Self::None => Ipv4Addr::LOCALHOST,
        }
    }

    /// Where a server listens, in the network of the servers.
    pub(super) fn server_address(&self, server: &ServerName) -> Ipv4Addr {
        self.namespaces().map_or(Ipv4Addr::LOCALHOST, |namespaces| namespaces.address(server))
    }
}

impl Namespaces {
    fn start(topology: &Topology) -> Result<Self, NetnsError> {
        let regions = topology.regions().to_vec();
        let counts: Vec<_> = regions.iter().map(|region| topology.servers_of(region).count()).collect();
        let network = Network::start(&counts)?;
        let mut servers = BTreeMap::new();
        for (number, region) in regions.iter().enumerate() {
            let of_region = topology.servers_of(region).enumerate();
            servers.extend(of_region.map(|(index, name)| (name, network.server_address(number, index))));
        }
        Ok(Self { network, regions, servers })
    }

    fn address(&self, server: &ServerName) -> Ipv4Addr {
        // Each server of the topology has one.
        self.servers.get(server).copied().unwrap_or(Ipv4Addr::LOCALHOST)
    }

    fn number(&self, region: &str) -> usize {
        self.regions.iter().position(|known| known == region).unwrap_or_default()
    }

    /// The namespace of the servers of a region.
    pub(super) fn of_servers(&self, region: &str) -> Namespace {
        self.network.servers(self.number(region)).clone()
    }

    /// The namespace of the clients of a region.
    pub(super) fn of_clients(&self, region: &str) -> Namespace {
        self.network.clients(self.number(region)).clone()
    }

    /// Runs clients of a region.
    pub(super) fn client_runtime(&self, region: &str) -> Option<tokio::runtime::Handle> {
        self.network.client_runtime(self.number(region))
    }

    /// Lets packets pass from a region to a port of a server.
    pub(super) fn open(&self, label: String, from: &str, to: &ServerName, port: u16, rtt: Duration) -> Route {
        let server = SocketAddrV4::new(self.address(to), port);
        self.network.open(label, self.number(from), server, rtt)
    }

    /// Returns whether a connection came from clients of any region.
    pub(super) fn is_of_clients(&self, connection: &Connection) -> bool {
        let regions = 0..self.regions.len();
        regions.map(|region| self.network.dialler_address(region, true)).any(|ip| connection.is_from(ip))
    }

    /// Returns whether a connection came from servers of `region`.
    pub(super) fn is_of_servers(&self, region: &str, connection: &Connection) -> bool {
        connection.is_from(self.network.dialler_address(self.number(region), false))
    }

    /// Returns whether a connection leads to a server of `region`.
    pub(super) fn leads_to(&self, region: &str, connection: &Connection) -> bool {
        let mut of_region = self.servers.iter().filter(|(name, _)| name.region() == region);
        of_region.any(|(_, ip)| connection.is_from(*ip))
    }
}

/// One link of the super-cluster, as the emulation has it.
#[derive(Debug)]
pub(super) struct Way {
    /// The listener in the machine's own network: the emulated link itself, or the entrance to one of packets.
    proxy: Option<Path>,
    /// The path of packets, with network namespaces.
    route: Option<Route>,
    /// Where the server itself listens, in its own network.
    server: SocketAddr,
}

impl Way {
    pub(super) fn new(proxy: Option<Path>, route: Option<Route>, server: SocketAddr) -> Self {
        Self { proxy, route, server }
    }

    /// Where to dial in the machine's own network, or in that of the servers where no proxy is between them.
    pub(super) fn addr(&self) -> SocketAddr {
        self.proxy.as_ref().map_or(self.server, Path::addr)
    }

    /// Where to dial from the network of the region.
    pub(super) fn inner_addr(&self) -> SocketAddr {
        if self.route.is_some() { self.server } else { self.addr() }
    }

    /// The proxy that carries its connections, or lets them in.
    pub(super) fn proxy(&self) -> Option<&Path> {
        self.proxy.as_ref()
    }

    /// Its server is down.
    pub(super) fn refuse(&self) {
        if let Some(proxy) = &self.proxy {
            proxy.refuse();
        }
    }

    /// Its server is up again.
    pub(super) fn accept(&self) {
        if let Some(proxy) = &self.proxy {
            proxy.accept();
        }
    }

    /// Replaces the state that link faults give it.
    pub(super) fn impose(&self, conditions: Conditions) {
        match (&self.route, &self.proxy) {
            (Some(route), _) => route.impose(conditions),
            (None, Some(proxy)) => proxy.impose(conditions),
            (None, None) => {}
        }
    }

    pub(super) fn set_rtt(&self, rtt: Duration) {
        match (&self.route, &self.proxy) {
            (Some(route), _) => route.set_rtt(rtt),
            (None, Some(proxy)) => proxy.set_rtt(rtt),
            (None, None) => {}
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        match (&self.route, &self.proxy) {
            (Some(route), _) => route.bytes(),
            (None, proxy) => proxy.as_ref().map_or(0, Path::bytes),
        }
    }

    pub(super) fn connections(&self) -> u64 {
        match (&self.route, &self.proxy) {
            (Some(route), _) => route.connections(),
            (None, proxy) => proxy.as_ref().map_or(0, Path::connections),
        }
    }
}
