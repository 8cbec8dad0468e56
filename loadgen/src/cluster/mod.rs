//! A real NATS super-cluster on one machine: regions of nats-server processes, joined by gateways, with every link
//! between regions and to clients emulated by [`crate::wan`].
//!
//! ```text
//! client in lon --[lon->ams-2]--> ams-2 --[ams->dal gateway]--> dal-1
//! ```
//!
//! [`SuperCluster::start`] finds (or fetches) nats-server, starts all processes and waits until they are linked;
//! the operations in [`faults`] break it and mend it.

pub mod faults;

mod binary;
mod config;
mod fetch;
mod guard;
mod leaks;
mod limits;
mod meta;
mod monitor;
mod paths;
mod ports;
mod process;
mod ready;
mod secret;
mod server;
mod start;
mod topology;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

pub use binary::{FindServerError, NatsServer, Origin, Version, VersionError};
pub use config::{Auth, ServerSettings, ServerTls};
pub use fetch::FetchError;
pub use leaks::CheckLeaksError;
pub use meta::MoveLeaderError;
pub(crate) use meta::OWN_NAME;
pub use monitor::{
    Connection, Connz, Gateway, Gatewayz, Healthz, Jsz, MetaCluster, Monitor, MonitorError, Replica, Route,
    Routez, Varz,
};
pub use paths::LayPathsError;
pub use ready::NotReadyError;
pub use secret::Secret;
pub use start::{StartError, StartOptions};
pub use topology::{ServerName, Topology, TopologyError};

use guard::Guard;
use paths::Paths;
use server::Server;

use crate::wan::Wan;

/// A running super-cluster. Dropping it ends every process and listener and removes its folder.
#[derive(Debug)]
pub struct SuperCluster {
    topology: Topology,
    servers: BTreeMap<ServerName, Server>,
    paths: Paths,
    /// Regions that are silent.
    dark: BTreeSet<String>,
    /// Those whose gateways are silent.
    isolated: BTreeSet<String>,
    /// Regions that are silent towards all others.
    cut_off: BTreeSet<String>,
    nats_server: NatsServer,
    system_password: Secret,
    ready_limit: Duration,
    // What follows must outlive the servers: fields are dropped in this order.
    guard: Guard,
    /// Its thread runs the paths.
    _wan: Wan,
    folder: tempfile::TempDir,
}

/// How a client reaches one server.
#[derive(Clone, Debug, Eq, PartialEq)]
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

    /// What runs.
    pub fn nats_server(&self) -> &NatsServer {
        &self.nats_server
    }

    /// Where configurations, logs and stores are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// How clients in `region` reach each server. The delay depends on both, so every region has its own list.
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

    /// The user and the password of the system account. No server knows them if [`ServerSettings::auth`] is
    /// [`Auth::Custom`].
    pub fn system_login(&self) -> (&'static str, &Secret) {
        (config::SYSTEM_USER, &self.system_password)
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
            server.bury_lame_duck();
            server.state().as_str()
        }))
    }

    /// Whether a region is silent.
    pub fn is_silent(&self, region: &str) -> Result<bool, UnknownNameError> {
        self.check_region(region)?;
        Ok(self.dark.contains(region))
    }

    /// Where a server logs.
    pub fn log(&self, server: &str) -> Result<&Path, UnknownNameError> {
        Ok(self.servers[&self.find(server)?].log())
    }

    /// The process id of a server, unless it is dead.
    pub fn pid(&self, server: &str) -> Result<Option<u32>, UnknownNameError> {
        Ok(self.servers[&self.find(server)?].pid())
    }

    /// Waits until all servers that should be up and heard are linked and agree on a meta leader.
    pub async fn wait_ready(&self) -> Result<(), NotReadyError> {
        ready::wait_ready(&self.reachable(), self.ready_limit).await
    }

    /// Who leads JetStream's meta group; `None` during an election.
    pub async fn meta_leader(&self) -> Option<ServerName> {
        ready::meta_leader(&self.reachable()).await
    }

    /// Moves the meta leader out of the regions `avoid`, so that a fault there does not add an election of 4 to 9 s
    /// to what is measured.
    pub async fn move_meta_leader(&self, avoid: &BTreeSet<&str>) -> Result<ServerName, MoveLeaderError> {
        let servers = self.reachable();
        meta::move_leader(&servers, &self.admin_urls(), &self.system_password, avoid, self.ready_limit).await
    }

    /// Connections that bypass the emulated WAN. If there are any, what was measured is worthless.
    pub async fn leaks(&self) -> Result<Vec<String>, CheckLeaksError> {
        leaks::leaks(&self.reachable(), &self.paths).await
    }

    /// Changes the round-trip time between two regions, for clients and gateways, from now on.
    pub fn set_rtt(&self, a: &str, b: &str, rtt: Duration) -> Result<(), UnknownNameError> {
        self.check_region(a)?;
        self.check_region(b)?;
        self.paths.between(a, b).for_each(|path| path.set_rtt(rtt));
        Ok(())
    }

    /// The servers that are up and heard: those that the others must be linked to.
    fn reachable(&self) -> BTreeMap<ServerName, Monitor> {
        let is_heard = |region: &str| !self.dark.contains(region) && !self.cut_off.contains(region);
        let up = self.servers.iter().filter(|(name, server)| server.is_up() && is_heard(name.region()));
        up.map(|(name, server)| (name.clone(), server.monitor())).collect()
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
