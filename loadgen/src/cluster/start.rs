//! The start of a super-cluster, from the options until all servers are ready.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write as _};
use std::net::Ipv4Addr;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::binary::{FindServerError, NatsServer, VersionError};
use super::emulation::Emulation;
use super::guard::Guard;
use super::links::{CutPairs, LinkFaults};
use super::paths::{LayPathsError, Paths};
use super::ports::{PortPool, ServerPorts};
use super::ready::{self, NotReadyError};
use super::server::Server;
use super::settings::ServerSettings;
use super::streams::{self, CreateStreamsError};
use super::tls_files::{self, MadeFiles, MakeCertificatesError};
use super::wiring::{ConfigChanges, Wires};
use super::{DNS_NAME, SuperCluster, limits};
use crate::clock;
use crate::secret::{self, Secret};
use crate::topology::credentials::{Credentials, KeyError};
use crate::topology::render::{auth_files, server};
use crate::topology::{RttTable, ServerName, Topology};
use crate::wan::netns::NetnsError;
use crate::wan::{Backend, ReservePortError, StartWanError, Wan, WanChoice};

/// What [`SuperCluster::start`] starts.
#[derive(Clone, Debug)]
pub struct StartOptions {
    /// Which servers.
    pub topology: Topology,
    /// How far the regions are from each other.
    pub rtt: RttTable,
    /// What the servers have in common.
    pub settings: ServerSettings,
    /// Password of all users that have none of their own; `None`: each has a random one.
    pub password: Option<Secret>,
    /// Which nats-server; `None` looks on PATH, then fetches it.
    pub nats_server: Option<PathBuf>,
    /// The first of a row of ports; `None` takes any free ones.
    pub base_port: Option<u16>,
    /// Whether the folder with configurations, logs and stores is left behind.
    pub keep: bool,
    /// Folder into which a play copies the servers' logs at its end; `None`: they go with the servers.
    pub logs: Option<PathBuf>,
    /// How long to wait for readiness, here and after each heal.
    pub ready_limit: Duration,
    /// The emulation of the WAN.
    pub wan: WanChoice,
    /// Address of this machine at which clients reach the servers. One that is not 127.0.0.1 lets clients of other machines in, and
    /// needs [`WanChoice::Proxy`].
    pub clients_at: Ipv4Addr,
}

impl StartOptions {
    /// The defaults for a topology.
    pub fn new(topology: Topology) -> Self {
        Self {
            rtt: topology.distances().clone(),
            topology,
            settings: ServerSettings::default(),
            password: None,
            nats_server: None,
            base_port: None,
            keep: false,
            logs: None,
            // A start takes about 2 s, or 10 s with an unlucky election; the rest is for a busy machine.
            ready_limit: Duration::from_secs(30),
            wan: WanChoice::default(),
            clients_at: Ipv4Addr::LOCALHOST,
        }
    }
}

/// Why the super-cluster did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is no nats-server.
    #[error(transparent)]
    Binary(#[from] FindServerError),
    /// A version that the topology names is not there.
    #[error("{server}: {error}")]
    Version {
        /// The server that should run it.
        server: ServerName,
        /// The problem.
        error: VersionError,
    },
    /// A port is missing.
    #[error(transparent)]
    Port(#[from] ReservePortError),
    /// The emulation did not start.
    #[error(transparent)]
    Wan(#[from] StartWanError),
    /// Network namespaces are asked for, and this machine does not allow them.
    #[error("`--wan netns`: {0}")]
    Netns(#[from] NetnsError),
    /// Only proxies can listen somewhere else than their servers.
    #[error("clients reach servers at {address} only with `--wan proxy`: use it in place of `--wan {wan}`")]
    ClientsAt {
        /// The address.
        address: Ipv4Addr,
        /// The emulation.
        wan: Backend,
    },
    /// A link is missing, most often its delay.
    #[error(transparent)]
    Paths(#[from] LayPathsError),
    /// Files or processes.
    #[error("cannot {what}: {error}")]
    Io {
        /// What was tried.
        what: String,
        /// Error of the operating system.
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
    /// No certificates.
    #[error(transparent)]
    Certificates(#[from] MakeCertificatesError),
    /// No keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// A stream of the topology is missing.
    #[error(transparent)]
    Streams(#[from] CreateStreamsError),
}

pub(super) async fn start(options: StartOptions) -> Result<SuperCluster, StartError> {
    limits::raise_open_files();
    let (nats_server, other_versions) = find_binaries(&options).await?;
    let mut cluster = prepare(&options, nats_server, other_versions)?;
    for (name, server) in &mut cluster.servers {
        let nats_server = cluster.other_versions.get(name).unwrap_or(&cluster.nats_server);
        server.spawn(&cluster.guard, &nats_server.path).map_err(io_error(|| format!("start {name}")))?;
    }
    let deadline = clock::now() + options.ready_limit;
    let (reachable, whole) = (cluster.reachable(), CutPairs::new());
    tokio::select! {
        ready = ready::wait_ready(&options.topology, &reachable, &whole, options.ready_limit) => ready?,
        died = first_death(&mut cluster.servers) => return Err(died),
    }
    streams::create(&cluster, deadline).await?;
    Ok(cluster)
}

/// The nats-server of the run, and those of servers that run another one.
async fn find_binaries(
    options: &StartOptions,
) -> Result<(NatsServer, BTreeMap<ServerName, NatsServer>), StartError> {
    let named = options.nats_server.clone();
    let servers = options.topology.all_servers().iter();
    let others: Vec<_> =
        servers.filter_map(|server| Some((server.name.clone(), server.version.clone()?))).collect();
    let look = move || {
        let mut found = BTreeMap::new();
        for (server, version) in others {
            let binary = NatsServer::of_topology(&version);
            found.insert(server.clone(), binary.map_err(|error| StartError::Version { server, error })?);
        }
        Ok((NatsServer::find(named.as_deref())?, found))
    };
    tokio::task::spawn_blocking(look).await.map_err(|error| StartError::Io {
        what: "look for nats-server".to_owned(),
        error: io::Error::other(error),
    })?
}

/// Everything but the processes.
fn prepare(
    options: &StartOptions,
    nats_server: NatsServer,
    other_versions: BTreeMap<ServerName, NatsServer>,
) -> Result<SuperCluster, StartError> {
    let topology = options.topology.clone();
    let mut folder = tempfile::Builder::new();
    let folder = folder.prefix("loadgen-").disable_cleanup(options.keep).tempdir();
    let folder = folder.map_err(io_error(|| "create a folder for the run".to_owned()))?;
    let seed = secret::random_seed().map_err(io_error(|| "read /dev/urandom".to_owned()))?;
    let credentials = Credentials::new(seed, options.password.clone());
    let mut pool = PortPool::new(options.base_port);
    let mut ports = BTreeMap::new();
    for server in topology.all_servers() {
        ports.insert(server.name.clone(), ServerPorts::take(&mut pool, server.ports)?);
    }
    let wan = Wan::start()?;
    let (emulation, wan_fallback) = Emulation::start(options.wan, &topology, options.clients_at)?;
    if emulation.clients_at() != options.clients_at {
        return Err(StartError::ClientsAt { address: options.clients_at, wan: emulation.backend() });
    }
    let paths = Paths::lay(&wan, emulation, &topology, &options.rtt, &ports, &mut pool)?;
    let tls = make_certificates(&topology, paths.emulation(), folder.path())?;
    let wires = Wires {
        topology: &topology,
        ports: ports.iter().collect(),
        paths: &paths,
        settings: &options.settings,
        tls: tls.as_ref(),
        changes: &ConfigChanges::new(),
        folder: folder.path(),
    };
    write_configs(&wires, &credentials)?;
    let files: BTreeMap<_, _> = ports.keys().map(|name| (name.clone(), wires.files(name))).collect();
    let servers = ports.into_iter().zip(files.into_values()).map(|((name, ports), files)| {
        let namespaces = paths.emulation().namespaces();
        let namespace = namespaces.map(|namespaces| namespaces.of_servers(name.region()));
        (name, Server::new(ports, files.config, files.log, namespace))
    });
    let servers = servers.collect();
    let guard = Guard::start((!options.keep).then_some(folder.path()));
    Ok(SuperCluster {
        servers,
        topology,
        paths,
        wan_fallback: wan_fallback.map(|reason| reason.to_string()),
        link_faults: LinkFaults::default(),
        nats_server,
        other_versions,
        settings: options.settings.clone(),
        credentials,
        tls,
        config_changes: ConfigChanges::new(),
        ready_limit: options.ready_limit,
        guard: guard.map_err(io_error(|| "start the guard of the servers".to_owned()))?,
        _wan: wan,
        folder,
    })
}

fn make_certificates(
    topology: &Topology,
    emulation: &Emulation,
    folder: &Path,
) -> Result<Option<MadeFiles>, MakeCertificatesError> {
    if topology.spec().tls.is_none() {
        return Ok(None);
    }
    let mut names: BTreeSet<_> = ["localhost", "127.0.0.1", "::1"].map(str::to_owned).into();
    names.extend([DNS_NAME.to_owned(), format!("*.{DNS_NAME}"), emulation.clients_at().to_string()]);
    names.extend(topology.servers().map(|server| emulation.server_address(&server).to_string()));
    tls_files::make(&folder.join("tls"), &names.into_iter().collect::<Vec<_>>()).map(Some)
}

/// Writes the servers' configurations, one folder for each region, and the files of users.
fn write_configs(wires: &Wires<'_>, credentials: &Credentials) -> Result<(), StartError> {
    for server in wires.topology.all_servers() {
        let Some(ports) = wires.ports.get(&server.name) else { continue };
        let text = server::config(wires.topology, server, &wires.of(server, ports), credentials)?;
        let file = wires.files(&server.name).config;
        write(&file, &text).map_err(io_error(|| format!("write {}", file.display())))?;
    }
    for (name, text) in auth_files(wires.topology, credentials)? {
        let file = wires.auth_dir().join(name);
        write(&file, text.expose()).map_err(io_error(|| format!("write {}", file.display())))?;
    }
    Ok(())
}

/// Only its owner may read it: a configuration holds passwords.
pub(super) fn write(file: &Path, text: &str) -> io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    let mut options = std::fs::OpenOptions::new();
    options.create(true).truncate(true).write(true).mode(0o600).open(file)?.write_all(text.as_bytes())
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
