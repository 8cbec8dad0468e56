//! The address at which each server of a rendered super-cluster listens, and the addresses by which others reach it.

use std::collections::BTreeSet;
use std::time::Duration;

use super::super::model::{Server, Topology};
use super::super::spec::PortsSpec;
use super::names::Names;
use super::server::{Listen, Tls, Wiring};

/// One server and its addresses.
#[derive(Clone, Debug)]
pub struct Placed {
    /// The server.
    pub server: Server,
    /// Address at which it listens, as `HOST:PORT`.
    pub listen: Listen,
    /// Address at which others reach it, as `HOST:PORT`.
    pub reach: Listen,
    /// Address that it advertises to clients, if it does.
    pub client_advertise: Option<String>,
    /// Address that it advertises to servers of other clusters; `None`: its own address.
    pub gateway_advertise: Option<String>,
}

/// The servers of a topology, cluster by cluster, with their addresses.
#[derive(Clone, Debug)]
pub struct Addresses(pub Vec<Placed>);

/// Ports that cannot be counted.
#[derive(Debug, thiserror::Error)]
#[error("with the first port {base}, some ports would be above 65535: choose a first port of at most {}", 65535 - SPAN)]
pub struct PortsError {
    base: u16,
}

/// Distance between two kinds of ports: more than the 144 servers that a topology can have.
const STEP: u16 = 200;
/// All kinds of ports together.
const SPAN: u16 = 6 * STEP;

/// nats-server's usual ports, each on a host of its own.
pub const STANDARD: PortsSpec = PortsSpec {
    client: Some(4222),
    websocket: Some(8080),
    monitor: Some(8222),
    route: Some(6222),
    gateway: Some(7222),
    leaf: Some(7422),
};

/// How often rendered servers ping, unless the topology says otherwise: routers forget idle connections after a minute.
const PING_INTERVAL: Duration = Duration::from_secs(20);
const LAME_DUCK_GRACE: Duration = Duration::from_secs(10);

impl Addresses {
    /// All servers on 127.0.0.1, their ports counted from `base`: clients at `base` and up, WebSockets 200 higher, then
    /// monitoring, routes, gateways and leaf nodes. Ports that the topology says stay.
    ///
    /// # Errors
    /// The ports do not fit.
    pub fn local(topology: &Topology, base: u16) -> Result<Self, PortsError> {
        let placed = topology.all_servers().iter().zip(counted(topology, base)?).map(|(server, ports)| {
            let bind = server.bind.as_deref().unwrap_or("127.0.0.1");
            Placed::new(server, listen(bind, ports), listen("127.0.0.1", ports))
        });
        Ok(Self(placed.collect()))
    }

    /// Every server on a host of its own, with the usual ports unless the topology says others. In `template`, `{server}` and
    /// `{cluster}` stand for their names.
    pub fn hosts(topology: &Topology, template: &str) -> Self {
        let names = Names::of(topology);
        let placed = topology.all_servers().iter().map(|server| {
            let ports = or(server.ports, STANDARD);
            let bind = server.bind.as_deref().unwrap_or("0.0.0.0");
            let mut placed =
                Placed::new(server, listen(bind, ports), listen(&names.host(template, server), ports));
            // Clients reach every server at its own name, so they may learn it.
            let own = placed.reach.client.clone();
            placed.client_advertise.get_or_insert(own);
            placed
        });
        Self(placed.collect())
    }

    /// The servers of one cluster.
    pub fn of<'a>(&'a self, cluster: &'a str) -> impl Iterator<Item = &'a Placed> {
        self.0.iter().filter(move |placed| placed.server.name.region() == cluster)
    }

    /// Host names of all servers, for their certificate.
    pub fn hosts_of_all(&self) -> Vec<String> {
        let all = self
            .0
            .iter()
            .flat_map(|placed| [&placed.reach.client, &placed.reach.route, &placed.reach.gateway]);
        let hosts: BTreeSet<_> =
            all.filter_map(|address| Some(address.rsplit_once(':')?.0.to_owned())).collect();
        let local = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        local.iter().cloned().chain(hosts.into_iter().filter(|host| !local.contains(host))).collect()
    }

    /// How one server is wired. The folders are those that its configuration names.
    pub fn wiring(&self, topology: &Topology, placed: &Placed, folders: &Folders) -> Wiring {
        let region = placed.server.name.region();
        let others = topology.gateways_of(region).into_iter();
        let gateways = others.map(|other| {
            (other.to_owned(), unique(self.of(other).map(|placed| placed.reach.gateway.clone())))
        });
        let hub = topology.cluster(region).and_then(|cluster| cluster.leaf_of.as_deref());
        let hub = hub.map(|hub| unique(self.of(hub).map(|placed| placed.reach.leaf.clone())));
        Wiring {
            max_connections: None,
            listen: placed.listen.clone(),
            client_advertise: placed.client_advertise.clone(),
            gateway_advertise: placed.gateway_advertise.clone(),
            is_alone: self.of(region).count() == 1,
            routes: self.routes(placed),
            gateways: gateways.collect(),
            hub: hub.unwrap_or_default(),
            store_dir: folders.store.clone(),
            auth_dir: folders.users.clone(),
            access: None,
            tls: topology.spec().tls.as_ref().map(|spec| {
                let file = |name: &str| format!("{}/{name}", folders.tls);
                Tls {
                    cert: file("server.pem"),
                    key: file("server.key"),
                    client_ca: spec.mutual.then(|| file("ca.pem")),
                    handshake_first: spec.handshake_first,
                    trusted: Some(file("ca.pem")),
                }
            }),
            ping_interval: PING_INTERVAL,
            lame_duck_grace: LAME_DUCK_GRACE,
        }
    }

    /// A server alone in its cluster names itself, because JetStream does not cluster without any route.
    fn routes(&self, placed: &Placed) -> Vec<String> {
        let region = placed.server.name.region();
        let alone = self.of(region).count() == 1;
        let peers = self.of(region).filter(|peer| alone || peer.server.name != placed.server.name);
        peers.map(|peer| peer.reach.route.clone()).collect()
    }
}

impl Placed {
    /// A server that tells clients what the topology says.
    pub fn new(server: &Server, listen: Listen, reach: Listen) -> Self {
        let client_advertise = server.announce.clone();
        Self { server: server.clone(), listen, reach, client_advertise, gateway_advertise: None }
    }
}

/// Folders that a configuration names.
#[derive(Clone, Debug)]
pub struct Folders {
    /// JetStream's store.
    pub store: String,
    /// Files of users.
    pub users: String,
    /// Certificates.
    pub tls: String,
}

/// The addresses at one host. A port that is missing is 0; [`counted`] and [`STANDARD`] leave none out.
pub fn listen(host: &str, ports: PortsSpec) -> Listen {
    let at = |port: Option<u16>| format!("{host}:{}", port.unwrap_or_default());
    Listen {
        client: at(ports.client),
        websocket: at(ports.websocket),
        monitor: at(ports.monitor),
        route: at(ports.route),
        gateway: at(ports.gateway),
        leaf: at(ports.leaf),
    }
}

/// Ports of all servers, counted from `base`. Those that the topology says stay, and no other server gets them.
///
/// # Errors
/// The ports do not fit.
pub fn counted(topology: &Topology, base: u16) -> Result<Vec<PortsSpec>, PortsError> {
    if base > u16::MAX - SPAN || base == 0 {
        return Err(PortsError { base });
    }
    let servers = topology.all_servers();
    let mut taken: BTreeSet<u16> =
        servers.iter().flat_map(|server| server.ports.given().map(|(_, port)| port)).collect();
    let mut next = |kind: u16| {
        let port = (base + kind * STEP..=u16::MAX).find(|port| !taken.contains(port));
        taken.extend(port);
        port
    };
    let ports = servers.iter().map(|server| {
        let given = server.ports;
        PortsSpec {
            client: given.client.or_else(|| next(0)),
            websocket: given.websocket.or_else(|| next(1)),
            monitor: given.monitor.or_else(|| next(2)),
            route: given.route.or_else(|| next(3)),
            gateway: given.gateway.or_else(|| next(4)),
            leaf: given.leaf.or_else(|| next(5)),
        }
    });
    Ok(ports.collect())
}

fn or(given: PortsSpec, other: PortsSpec) -> PortsSpec {
    PortsSpec {
        client: given.client.or(other.client),
        websocket: given.websocket.or(other.websocket),
        monitor: given.monitor.or(other.monitor),
        route: given.route.or(other.route),
        gateway: given.gateway.or(other.gateway),
        leaf: given.leaf.or(other.leaf),
    }
}

/// Several servers may share one address, such as that of a load balancer.
fn unique(addresses: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    addresses.filter(|address| seen.insert(address.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::topology::Preset;

    #[test]
    fn ports_are_counted_from_the_base() {
        let topology = Preset::named("accounts").unwrap().topology().unwrap();
        let ports = counted(&topology, 10000).unwrap();
        assert_eq!(
            ports.iter().filter_map(|ports| ports.client).collect::<Vec<_>>(),
            (10000..10006).collect::<Vec<_>>()
        );
        assert_eq!(ports[5].leaf, Some(11005));
        assert!(counted(&topology, 64335).is_ok());
        assert!(counted(&topology, 64336).unwrap_err().to_string().contains("at most 64335"));
    }

    #[test]
    fn a_lone_server_routes_to_itself() {
        let topology = Topology::new(["lon", "ams"], 1).unwrap();
        let addresses = Addresses::hosts(&topology, "{server}.example.net");
        let folders = Folders { store: "s".into(), users: "u".into(), tls: "t".into() };
        let wiring = addresses.wiring(&topology, &addresses.0[0], &folders);
        assert_eq!(wiring.routes, ["lon-1.example.net:6222"]);
        assert_eq!(wiring.gateways, [("ams".to_owned(), vec!["ams-1.example.net:7222".to_owned()])]);
        assert_eq!(wiring.client_advertise.as_deref(), Some("lon-1.example.net:4222"));
    }
}
