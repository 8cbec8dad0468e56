//! A real NATS super-cluster on one machine: regions of nats-server processes, joined by gateways, with every link
//! between regions and to clients emulated by [`crate::wan`].
//!
//! ```text
//! client in lon --[lon->ams-2]--> ams-2 --[ams->dal gateway]--> dal-1
//! ```
//!
//! [`SuperCluster::start`] finds (or fetches) nats-server, starts all processes, and waits until they are linked. The
//! operations in [`faults`] break and repair it.

pub mod faults;

mod binary;
mod client_network;
mod client_orders;
mod emulation;
mod fetch;
mod guard;
mod health;
mod leaks;
mod limits;
mod links;
mod login;
mod logs;
mod meta;
mod monitor;
mod paths;
mod ports;
mod process;
mod ready;
mod reload;
mod server;
mod services;
mod settings;
mod start;
mod stream_leader;
mod streams;
mod tls_files;
mod versions;
mod wiring;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

pub use binary::{FindServerError, NatsServer, Origin, Version, VersionError};
pub use client_network::{ClientNetwork, DNS_NAME};
pub use client_orders::ClientOrderError;
pub use fetch::FetchError;
pub use health::{MemberHealth, MemberStatus};
pub use leaks::CheckLeaksError;
pub use login::LoginError;
pub(crate) use login::login_options;
pub use logs::CopyLogsError;
pub use meta::MoveLeaderError;
pub(crate) use meta::OWN_NAME;
pub use monitor::{
    Connection, Connz, Gateway, Gatewayz, Healthz, Jsz, Leaf, Leafz, MetaCluster, Monitor, MonitorError,
    Replica, Route, Routez, Varz,
};
pub use paths::LayPathsError;
pub use ready::NotReadyError;
pub use reload::ReloadError;
pub use services::WaitForServicesError;
pub use settings::{Auth, ServerSettings, ServerTls};
pub use start::{StartError, StartOptions};
pub use stream_leader::{StepDownError, StreamLeaderMoved};
pub use streams::CreateStreamsError;
pub(crate) use tls_files::make as make_certificates;
pub use tls_files::{CertAndKey, ClientFiles, MadeFiles, MakeCertificatesError};

pub(crate) use guard::Guard;
use links::{CutPairs, LinkFaults, PathRef};
use paths::Paths;
use server::Server;
use wiring::ConfigChanges;

use crate::topology::credentials::{Credentials, KeyError, Login};
use crate::topology::{ServerName, Topology};
use crate::wan::Wan;

/// A running super-cluster. Dropping it ends every process and listener and removes its folder.
#[derive(Debug)]
pub struct SuperCluster {
    topology: Topology,
    servers: BTreeMap<ServerName, Server>,
    paths: Paths,
    /// Why the emulation is not by network namespaces, although the operator would have taken them.
    wan_fallback: Option<String>,
    link_faults: LinkFaults,
    nats_server: NatsServer,
    /// Those of servers for which the topology names another version.
    other_versions: BTreeMap<ServerName, NatsServer>,
    settings: ServerSettings,
    credentials: Credentials,
    tls: Option<MadeFiles>,
    config_changes: ConfigChanges,
    ready_limit: Duration,
    // What follows must outlive the servers: fields are dropped in this order.
    guard: Guard,
    /// Its thread runs the paths.
    _wan: Wan,
    folder: tempfile::TempDir,
}

/// How a client reaches one server.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize, schemars::JsonSchema)]
pub struct Endpoint {
    /// The server.
    pub server: ServerName,
    /// `nats://...`, through the emulated link.
    pub tcp_url: String,
    /// `ws://...`, through the emulated link.
    pub websocket_url: String,
}

/// What has passed over some links.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Traffic {
    /// In both directions.
    pub bytes: u64,
    /// That reached a server.
    pub connections: u64,
}

/// A name that the topology does not have.
#[derive(Debug, thiserror::Error)]
#[error("there is no `{name}`: choose one of {}", known.join(", "))]
pub struct UnknownNameError {
    name: String,
    known: Vec<String>,
}

impl SuperCluster {
    /// Starts all servers and waits until they are ready.
    pub async fn start(options: StartOptions) -> Result<Self, StartError> {
        start::start(options).await
    }

    /// Ends everything, off the async threads: processes are waited for.
    pub async fn shutdown(self) {
        if let Err(error) = tokio::task::spawn_blocking(move || drop(self)).await {
            tracing::error!(%error, "the super-cluster's shutdown panicked");
        }
    }

    /// Which servers there are.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// Where configurations, logs and stores are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How clients in `region` reach each server from this machine's own network. The delay depends on both, so every region has
    /// its own list. Clients of this process do better with [`SuperCluster::client_network`].
    pub fn endpoints(&self, region: &str) -> Result<Vec<Endpoint>, UnknownNameError> {
        self.check_region(region)?;
        let paths = self.paths.of_clients_in(region).map(|(server, paths)| Endpoint {
            server: server.clone(),
            tcp_url: format!("nats://{}", paths.tcp.addr()),
            websocket_url: format!("ws://{}", paths.websocket.addr()),
        });
        Ok(paths.collect())
    }

    /// The address of every server, past the emulation: for what does not belong to the world that is measured.
    pub fn server_urls(&self) -> BTreeMap<String, String> {
        self.servers
            .iter()
            .map(|(name, server)| (name.to_string(), format!("nats://{}", server.client_addr())))
            .collect()
    }

    /// The undelayed address of each server: the one that clients of its own region use.
    ///
    /// # Errors
    /// See [`UnknownNameError`].
    pub fn home_urls(&self) -> Result<BTreeMap<String, String>, UnknownNameError> {
        let mut urls = BTreeMap::new();
        for region in self.topology.regions() {
            let endpoints = self.endpoints(region)?.into_iter();
            let home = endpoints.filter(|endpoint| endpoint.server.region() == region);
            urls.extend(home.map(|endpoint| (endpoint.server.to_string(), endpoint.tcp_url)));
        }
        Ok(urls)
    }

    /// How a client is a user of the system account. No server knows it if [`ServerSettings::auth`] is [`Auth::Custom`].
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn system_login(&self) -> Result<Login, KeyError> {
        self.credentials.system_login(&self.topology)
    }

    /// What has passed between clients in `from` and the servers of `to` so far.
    pub fn client_traffic(&self, from: &str, to: &str) -> Result<Traffic, UnknownNameError> {
        self.check_region(from)?;
        self.check_region(to)?;
        let servers = self.paths.of_clients_in(from).filter(|(server, _)| server.region() == to);
        let paths = servers.flat_map(|(_, paths)| [&paths.tcp, &paths.websocket]);
        Ok(paths.fold(Traffic::default(), |sum, path| Traffic {
            bytes: sum.bytes + path.bytes(),
            connections: sum.connections + path.connections(),
        }))
    }

    /// The monitoring endpoint of a server, undelayed.
    pub fn monitor(&self, server: &str) -> Result<Monitor, UnknownNameError> {
        Ok(self.servers[&self.find(server)?].monitor())
    }

    /// What was last done to a server, as in the messages of [`faults`].
    pub fn state(&mut self, server: &str) -> Result<&'static str, UnknownNameError> {
        let name = self.find(server)?;
        Ok(self.servers.get_mut(&name).map_or("unknown", |server| {
            server.note_ordered_end();
            server.state().as_str()
        }))
    }

    /// Servers whose processes have ended without an order of ours, each with its last words. From now on they are dead.
    pub fn reap(&mut self) -> Vec<(ServerName, String)> {
        let mut ended = Vec::new();
        for (name, server) in &mut self.servers {
            server.note_ordered_end();
            if let Some(reason) = server.end() {
                server.set_state(server::State::Dead);
                self.paths.refuse(name);
                ended.push((name.clone(), reason));
            }
        }
        ended
    }

    /// Where a server logs.
    pub fn log(&self, server: &str) -> Result<&Path, UnknownNameError> {
        Ok(self.servers[&self.find(server)?].log())
    }

    /// The process id of a server, unless it is dead.
    pub fn pid(&self, server: &str) -> Result<Option<u32>, UnknownNameError> {
        Ok(self.servers[&self.find(server)?].pid())
    }

    /// Passwords and keys of the users.
    pub fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Certificates that were made for this run, if the topology asks for TLS.
    pub fn tls(&self) -> Option<&MadeFiles> {
        self.tls.as_ref()
    }

    /// Connects loadgen itself as a user of the system account, past the emulation.
    ///
    /// # Errors
    /// No server takes the connection.
    pub async fn system_client(&self) -> Result<async_nats::Client, LoginError> {
        let login = self.system_login()?;
        login::connect(&self.admin_urls(), &login, self.tls.as_ref()).await
    }

    /// Connects as the topology's first application, past the emulation.
    ///
    /// # Errors
    /// No server takes the connection.
    pub async fn application_client(&self) -> Result<async_nats::Client, LoginError> {
        let login = self.credentials.application_login(&self.topology)?;
        login::connect(&self.admin_urls(), &login, self.tls.as_ref()).await
    }

    /// Waits until all servers that should be up and heard are linked and agree on a meta leader.
    pub async fn wait_ready(&self) -> Result<(), NotReadyError> {
        ready::wait_ready(&self.topology, &self.reachable(), &self.cut_pairs(), self.ready_limit).await
    }

    /// Returns the reasons why the super-cluster is not stable: servers that are not up, links, meta leaders, streams that do not hear
    /// their origins, instances of services. Nothing, if it is.
    pub async fn missing(&self) -> Vec<String> {
        let down = self.servers.iter().filter(|(_, server)| !server.is_up());
        let down = down.map(|(name, server)| (name.clone(), server.state().as_str())).collect();
        let mut missing = ready::missing_servers(&self.topology, &down);
        missing.extend(self.link_faults.iter().map(|(_, fault)| format!("a fault is active: {fault}")));
        missing.extend(ready::missing_now(&self.topology, &self.reachable(), &self.cut_pairs()).await);
        if missing.is_empty() {
            missing.extend(streams::silent_now(self).await);
            match services::missing(self).await {
                Ok(services) => missing.extend(services),
                Err(error) => missing.push(error.to_string()),
            }
        }
        missing
    }

    /// The health of every server, as it sees the others.
    pub async fn health(&self) -> Vec<MemberHealth> {
        health::report(self).await
    }

    /// Who leads JetStream's meta group of the regions that gateways join; `None` during an election.
    pub async fn meta_leader(&self) -> Option<ServerName> {
        ready::meta_leader(&meta::joined(self)).await
    }

    /// Moves the meta leader out of the regions `avoid`, so that a fault there does not add an election of 4 to 9 s
    /// to what is measured.
    pub async fn move_meta_leader(&self, avoid: &BTreeSet<&str>) -> Result<ServerName, MoveLeaderError> {
        meta::move_leader(self, avoid).await
    }

    /// Moves the meta leader to another region than the one where it is.
    ///
    /// # Errors
    /// It stays.
    pub async fn step_down_meta(&self) -> Result<(), MoveLeaderError> {
        meta::step_down_leader(self).await
    }

    /// Connections that bypass the emulated WAN. If there are any, what was measured is worthless.
    pub async fn leaks(&self) -> Result<Vec<String>, CheckLeaksError> {
        leaks::leaks(&self.reachable(), &self.paths).await
    }

    /// Returns all that configurations are made from.
    fn wires(&self) -> wiring::Wires<'_> {
        wiring::Wires {
            topology: &self.topology,
            ports: self.servers.iter().map(|(name, server)| (name, server.ports())).collect(),
            paths: &self.paths,
            settings: &self.settings,
            tls: self.tls.as_ref(),
            changes: &self.config_changes,
            folder: self.folder.path(),
        }
    }

    /// The servers that are up and heard: those that the others must be linked to.
    fn reachable(&self) -> BTreeMap<ServerName, Monitor> {
        let ends = self.path_ends();
        let separated = self.link_faults.separated_regions(&ends);
        let is_heard = |server: &ServerName| !separated.contains(server.region());
        let up = self.servers.iter().filter(|(name, server)| server.is_up() && is_heard(name));
        up.map(|(name, server)| (name.clone(), server.monitor())).collect()
    }

    /// The pairs of regions that link faults separate.
    fn cut_pairs(&self) -> CutPairs {
        self.link_faults.cut_pairs(&self.path_ends())
    }

    fn path_ends(&self) -> Vec<PathRef<'_>> {
        self.paths.all().map(|(ends, _)| ends).collect()
    }

    /// Direct addresses: loadgen itself stands outside of the emulated world.
    fn admin_urls(&self) -> Vec<String> {
        let names = self.reachable().into_keys();
        names.map(|name| format!("nats://{}", self.servers[&name].client_addr())).collect()
    }

    fn find(&self, server: &str) -> Result<ServerName, UnknownNameError> {
        let found = self.servers.keys().find(|name| name.to_string() == server);
        found.cloned().ok_or_else(|| UnknownNameError {
            name: server.to_owned(),
            known: self.topology.servers().map(|name| name.to_string()).collect(),
        })
    }

    fn check_region(&self, region: &str) -> Result<(), UnknownNameError> {
        let known = self.topology.regions();
        if known.iter().any(|name| name == region) {
            return Ok(());
        }
        Err(UnknownNameError { name: region.to_owned(), known: known.to_vec() })
    }
}
