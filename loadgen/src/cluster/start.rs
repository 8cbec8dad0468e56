//! Starting a super-cluster, from options to ready.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::binary::{FindServerError, NatsServer};
use super::config::{ServerConfig, ServerSettings};
use super::guard::Guard;
use super::paths::{LayPathsError, Paths};
use super::ports::{PortPool, ServerPorts};
use super::ready::{self, NotReadyError};
use super::secret::Secret;
use super::server::Server;
use super::topology::{ServerName, Topology};
use super::{SuperCluster, limits};
use crate::wan::{ReservePortError, RttTable, StartWanError, Wan};

/// What [`SuperCluster::start`] starts.
#[derive(Clone, Debug)]
pub struct StartOptions {
    /// Which servers.
    pub topology: Topology,
    /// How far the regions are from each other.
    pub rtt: RttTable,
    /// What the servers have in common.
    pub settings: ServerSettings,
    /// Which nats-server; `None` looks on PATH, then fetches it.
    pub nats_server: Option<PathBuf>,
    /// The first of a row of ports; `None` takes any free ones.
    pub base_port: Option<u16>,
    /// Whether the folder with configurations, logs and stores is left behind.
    pub keep: bool,
    /// How long to wait for readiness, here and after each heal.
    pub ready_limit: Duration,
}

impl StartOptions {
    /// The defaults for a topology.
    pub fn new(topology: Topology) -> Self {
        Self {
            topology,
            rtt: RttTable::default(),
            settings: ServerSettings::default(),
            nats_server: None,
            base_port: None,
            keep: false,
            // A start takes about 2 s, or 10 s with an unlucky election; the rest is for a busy machine.
            ready_limit: Duration::from_secs(30),
        }
    }
}

/// Why the super-cluster did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no nats-server.
    #[error(transparent)]
    Binary(#[from] FindServerError),
    /// A port is missing.
    #[error(transparent)]
    Port(#[from] ReservePortError),
    /// The emulation did not start.
    #[error(transparent)]
    Wan(#[from] StartWanError),
    /// A link is missing, most often its delay.
    #[error(transparent)]
    Paths(#[from] LayPathsError),
    /// Files or processes.
    #[error("cannot {what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// What the operating system said.
        error: io::Error,
    },
    /// A server ended by itself.
    #[error("{server} ended during the start: {reason}")]
    Died {
        /// Which one.
        server: ServerName,
        /// Its status and last words.
        reason: String,
    },
    /// All servers run, but something is missing.
    #[error(transparent)]
    NotReady(#[from] NotReadyError),
}

pub(super) async fn start(options: StartOptions) -> Result<SuperCluster, StartError> {
    limits::raise_open_files();
    let nats_server = find_binary(options.nats_server.clone()).await?;
    let mut cluster = prepare(&options, nats_server)?;
    for (name, server) in &mut cluster.servers {
        server
            .spawn(&cluster.guard, &cluster.nats_server.path)
            .map_err(io_error(|| format!("start {name}")))?;
    }
    let reachable = cluster.reachable();
    tokio::select! {
        ready = ready::wait_ready(&reachable, options.ready_limit) => ready?,
        died = first_death(&mut cluster.servers) => return Err(died),
    }
    Ok(cluster)
}

async fn find_binary(named: Option<PathBuf>) -> Result<NatsServer, StartError> {
    let found = tokio::task::spawn_blocking(move || NatsServer::find(named.as_deref())).await;
    let found = found.map_err(|error| StartError::Io {
        what: "look for nats-server".to_owned(),
        error: io::Error::other(error),
    })?;
    Ok(found?)
}

/// Everything but the processes.
fn prepare(options: &StartOptions, nats_server: NatsServer) -> Result<SuperCluster, StartError> {
    let topology = options.topology.clone();
    let mut folder = tempfile::Builder::new();
    let folder = folder.prefix("loadgen-").disable_cleanup(options.keep).tempdir();
    let folder = folder.map_err(io_error(|| "create a folder for the run".to_owned()))?;
    let system_password = Secret::random().map_err(io_error(|| "read /dev/urandom".to_owned()))?;
    let mut pool = PortPool::new(options.base_port);
    let mut ports = BTreeMap::new();
    for server in topology.servers() {
        ports.insert(server, ServerPorts::take(&mut pool)?);
    }
    let wan = Wan::start()?;
    let paths = Paths::lay(&wan, &topology, &options.rtt, &ports, &mut pool)?;
    let plan = Plan { topology: &topology, ports: &ports, paths: &paths, settings: &options.settings };
    let configs = plan.write(folder.path(), &system_password)?;
    let servers = ports.into_iter().zip(configs).map(|((name, ports), config)| {
        let log = config.with_extension("log");
        (name, Server::new(ports, config, log))
    });
    let guard = Guard::start((!options.keep).then_some(folder.path()));
    Ok(SuperCluster {
        servers: servers.collect(),
        topology,
        paths,
        dark: BTreeSet::new(),
        isolated: BTreeSet::new(),
        cut_off: BTreeSet::new(),
        nats_server,
        system_password,
        ready_limit: options.ready_limit,
        guard: guard.map_err(io_error(|| "start the guard of the servers".to_owned()))?,
        _wan: wan,
        folder,
    })
}

/// What the configurations are made from.
struct Plan<'a> {
    topology: &'a Topology,
    ports: &'a BTreeMap<ServerName, ServerPorts>,
    paths: &'a Paths,
    settings: &'a ServerSettings,
}

impl Plan<'_> {
    /// Writes one file per server, in the order of `ports`.
    fn write(&self, folder: &Path, system_password: &Secret) -> Result<Vec<PathBuf>, StartError> {
        let mut files = Vec::new();
        for (number, (name, own)) in self.ports.iter().enumerate() {
            let stem = name.file_stem(number);
            let region_ports = self.ports.iter().filter(|(peer, _)| peer.region() == name.region());
            let others = self.topology.regions().iter().filter(|region| *region != name.region());
            let config = ServerConfig {
                name,
                ports: own,
                region_routes: region_ports.map(|(_, ports)| ports.route.port()).collect(),
                gateways: others
                    .map(|region| (region.as_str(), self.paths.gateway_ports(name.region(), region)))
                    .collect(),
                store_dir: &folder.join(&stem),
                settings: self.settings,
                system_password,
            };
            let file = folder.join(format!("{stem}.conf"));
            std::fs::write(&file, config.render())
                .map_err(io_error(|| format!("write {}", file.display())))?;
            files.push(file);
        }
        Ok(files)
    }
}

/// Ends when a server does.
async fn first_death(servers: &mut BTreeMap<ServerName, Server>) -> StartError {
    loop {
        for (name, server) in &mut *servers {
            if let Some(reason) = server.end() {
                return StartError::Died { server: name.clone(), reason };
            }
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// How often processes are asked whether they live: soon enough that a wrong configuration is told at once.
const ASK_AGAIN: Duration = Duration::from_millis(100);

fn io_error(what: impl FnOnce() -> String) -> impl FnOnce(io::Error) -> StartError {
    move |error| StartError::Io { what: what(), error }
}
