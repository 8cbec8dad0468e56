//! The addresses by which servers on this machine reach each other: their own, and those of the emulated links.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::paths::Paths;
use super::ports::ServerPorts;
use super::settings::{Auth, ServerSettings};
use super::tls_files::MadeFiles;
use crate::topology::render::server::{Listen, Tls, Wiring};
use crate::topology::{Server, ServerName, Topology, file_stem};
use crate::wan::Backend;

/// Everything that the configurations of a run are made from.
pub(super) struct Wires<'a> {
    pub(super) topology: &'a Topology,
    pub(super) ports: BTreeMap<&'a ServerName, &'a ServerPorts>,
    pub(super) paths: &'a Paths,
    pub(super) settings: &'a ServerSettings,
    pub(super) tls: Option<&'a MadeFiles>,
    /// Changes that faults make.
    pub(super) changes: &'a ConfigChanges,
    /// Where the run keeps its files.
    pub(super) folder: &'a Path,
}

/// Changes that faults make to the configurations of servers.
pub(super) type ConfigChanges = BTreeMap<ServerName, ConfigChange>;

/// Changes of one server's configuration.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(super) struct ConfigChange {
    /// The most connections of clients at once; `None`: no change.
    pub(super) max_connections: Option<u32>,
    /// Whether it shows a certificate that has expired.
    pub(super) expired_certificate: bool,
}

/// Folders and files of one server.
pub(super) struct ServerFiles {
    pub(super) config: PathBuf,
    pub(super) log: PathBuf,
    store: PathBuf,
}

impl Wires<'_> {
    /// A server's files: one folder for each region.
    pub(super) fn files(&self, name: &ServerName) -> ServerFiles {
        let regions = self.topology.regions();
        let region = regions.iter().position(|region| region == name.region()).unwrap_or_default();
        let folder = self.folder.join(file_stem(name.region(), region));
        let stem = file_stem(name.as_str(), name.number().into());
        ServerFiles {
            config: folder.join(format!("{stem}.conf")),
            log: folder.join(format!("{stem}.log")),
            store: folder.join(format!("{stem}-store")),
        }
    }

    /// Where the files of users are.
    pub(super) fn auth_dir(&self) -> PathBuf {
        self.folder.join("users")
    }

    /// How one server is wired.
    pub(super) fn of(&self, server: &Server, own: &ServerPorts) -> Wiring {
        let region = server.name.region();
        let emulation = self.paths.emulation();
        let address = emulation.server_address(&server.name);
        let local = |port: u16| format!("{address}:{port}");
        // In a namespace nobody else could reach the server at another address.
        let bind = server.bind.as_deref().filter(|_| emulation.namespaces().is_none());
        let open = |port: u16| bind.map_or_else(|| local(port), |bind| format!("{bind}:{port}"));
        let others = self.topology.gateways_of(region).into_iter();
        Wiring {
            listen: Listen {
                client: open(own.client.port()),
                websocket: open(own.websocket.port()),
                monitor: open(own.monitor.port()),
                route: local(own.route.port()),
                gateway: local(own.gateway.port()),
                leaf: local(own.leaf.port()),
            },
            client_advertise: server.announce.clone(),
            // Proxies differ by the region that dials, so servers may not advertise one: any address would do that refuses.
            gateway_advertise: (emulation.backend() == Backend::Proxy).then(|| "127.0.0.1:1".to_owned()),
            is_alone: self.topology.servers_of(region).count() == 1,
            routes: self.routes(region, own),
            gateways: others.map(|other| (other.to_owned(), self.gateways(region, other))).collect(),
            hub: self.paths.leaf_addrs(region).iter().map(SocketAddr::to_string).collect(),
            store_dir: self.files(&server.name).store.display().to_string(),
            auth_dir: self.auth_dir().display().to_string(),
            access: match &self.settings.auth {
                Auth::Topology => None,
                Auth::Custom(text) => Some(text.clone()),
            },
            tls: self.tls(&server.name),
            max_connections: self.changes.get(&server.name).and_then(|change| change.max_connections),
            ping_interval: self.settings.ping_interval,
            lame_duck_grace: self.settings.lame_duck_grace,
        }
    }

    /// A server alone in its region names itself, because JetStream does not cluster without any route.
    fn routes(&self, region: &str, own: &ServerPorts) -> Vec<String> {
        let of_region = self.ports.iter().filter(|(peer, _)| peer.region() == region);
        let peers: Vec<_> = of_region.map(|(peer, ports)| (peer, ports.route.port())).collect();
        let alone = peers.len() == 1;
        let peers = peers.into_iter().filter(|(_, port)| alone || *port != own.route.port());
        let address = |peer| self.paths.emulation().server_address(peer);
        peers.map(|(peer, port)| format!("{}:{port}", address(peer))).collect()
    }

    /// A server also tells other regions the addresses by which *it* dials a region, and they would dial those of the
    /// wrong pair. An address with a zone is spared: it is gossiped unescaped, which the receiver cannot parse and
    /// skips. On an IPv4-mapped address a zone means nothing else (tried with 2.15.1). Without proxies, addresses do not
    /// differ by pair.
    fn gateways(&self, from: &str, to: &str) -> Vec<String> {
        let addrs = self.paths.gateway_addrs(from, to).into_iter();
        let text = |addr: SocketAddr| match self.paths.emulation().backend() {
            Backend::Proxy => format!("[::ffff:{}%25wan]:{}", addr.ip(), addr.port()),
            Backend::Netns | Backend::None => addr.to_string(),
        };
        addrs.map(text).collect()
    }

    fn tls(&self, server: &ServerName) -> Option<Tls> {
        let text = |path: &Path| path.display().to_string();
        if let Some(own) = &self.settings.tls {
            return Some(Tls {
                cert: text(&own.cert_file),
                key: text(&own.key_file),
                client_ca: own.client_ca_file.as_deref().map(text),
                handshake_first: own.handshake_first,
                trusted: None,
            });
        }
        let (spec, files) = (self.topology.spec().tls.as_ref()?, self.tls?);
        let expired = self.changes.get(server).is_some_and(|change| change.expired_certificate);
        let own = if expired { &files.expired } else { &files.server };
        Some(Tls {
            cert: text(&own.cert),
            key: text(&own.key),
            client_ca: spec.mutual.then(|| text(&files.ca)),
            handshake_first: spec.handshake_first,
            trusted: Some(text(&files.ca)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::emulation::Emulation;
    use super::super::ports::PortPool;
    use super::*;
    use crate::secret::Secret;
    use crate::topology::credentials::Credentials;
    use crate::topology::render::server;
    use crate::wan::Wan;

    fn render(regions: &[&str], servers_per_region: u16, settings: &ServerSettings) -> Vec<String> {
        let topology = Topology::new(regions.to_vec(), servers_per_region).unwrap();
        let mut pool = PortPool::new(None);
        let mut ports = BTreeMap::new();
        for server in topology.all_servers() {
            ports.insert(server.name.clone(), ServerPorts::take(&mut pool, server.ports).unwrap());
        }
        let wan = Wan::start().unwrap();
        let emulation = Emulation::Proxy { clients_at: std::net::Ipv4Addr::LOCALHOST };
        let mut rtt = topology.distances().clone();
        rtt.set_other(std::time::Duration::from_millis(5));
        let paths = Paths::lay(&wan, emulation, &topology, &rtt, &ports, &mut pool).unwrap();
        let folder = Path::new("/tmp/run");
        let wires = Wires {
            topology: &topology,
            ports: ports.iter().collect(),
            paths: &paths,
            settings,
            tls: None,
            changes: &ConfigChanges::new(),
            folder,
        };
        let credentials = Credentials::new([1; 32], None);
        let texts = topology.all_servers().iter().map(|server| {
            let wiring = wires.of(server, &ports[&server.name]);
            server::config(&topology, server, &wiring, &credentials).unwrap()
        });
        texts.collect()
    }

    #[test]
    fn a_lone_server_routes_to_itself() {
        let text = render(&["lon", "ams"], 1, &ServerSettings::default()).remove(0);
        assert_eq!(text.matches("nats-route://127.0.0.1:").count(), 1, "{text}");
        let text = render(&["lon", "ams"], 3, &ServerSettings::default()).remove(0);
        assert_eq!(text.matches("nats-route://127.0.0.1:").count(), 2, "{text}");
        assert_eq!(text.matches("nats://[::ffff:127.0.0.1%25wan]:").count(), 3, "{text}");
        assert!(text.contains("no_auth_user: \"app\""), "{text}");
    }

    #[test]
    fn one_region_has_no_gateways() {
        let text = render(&["lon"], 3, &ServerSettings::default()).remove(0);
        assert!(!text.contains("gateway {"), "{text}");
    }

    #[test]
    fn custom_access_replaces_the_accounts() {
        let auth = Auth::Custom(Secret::new("authorization { token: \"t0k3n\" }"));
        let text = render(&["lon"], 1, &ServerSettings { auth, ..ServerSettings::default() }).remove(0);
        assert!(text.contains("t0k3n") && !text.contains("accounts {"), "{text}");
    }

    #[test]
    fn each_region_has_a_folder() {
        let text = render(&["us-east-1", "a/b"], 1, &ServerSettings::default());
        assert!(text[0].contains("store_dir: \"/tmp/run/us-east-1/us-east-1-1-store\""), "{}", text[0]);
        assert!(text[1].contains("store_dir: \"/tmp/run/1.a_b/1.a_b-1-store\""), "{}", text[1]);
    }
}
