//! `loadgen up`: a super-cluster that keeps running, and the demo that breaks it.
//!
//! This folder owns the demo's content in NATS (`site`), its web server (`http`), the orders that break and heal
//! regions (`control`), the faults of the catalogue (`injected`, `effect`), and the state that the demo and `loadgen
//! ctl` show (`world`). It must not know measurements.

pub mod access;
pub mod control;
pub mod effect;
pub mod http;
pub mod injected;
pub mod opts;
pub mod plan;
pub mod site;
pub mod socket;
pub mod topology_watch;
pub mod world;

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::cluster::{LoginError, StartError, SuperCluster, UnknownNameError};
use crate::secret::Secret;
use crate::stdout::print_or_warn;
use crate::topology::credentials::KeyError;

use access::Access;
use plan::UpPlan;
use site::{Site, SiteError};
use socket::{ControlSocket, SocketError, State};
use world::{RegionView, World};

/// Why `loadgen up` ended.
#[derive(Debug, thiserror::Error)]
pub enum UpError {
    /// No super-cluster.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The demo's content is not in NATS.
    #[error(transparent)]
    Site(#[from] SiteError),
    /// Not possible: the names are the super-cluster's own.
    #[error(transparent)]
    UnknownName(#[from] UnknownNameError),
    /// `--port` is taken, most likely.
    #[error("cannot serve at 127.0.0.1:{port}: {error}; choose another --port")]
    Listen {
        /// What was asked for.
        port: u16,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// No randomness for the token.
    #[error("cannot make a token from /dev/urandom: {0}")]
    Token(std::io::Error),
    /// Nobody could give orders.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// No credentials.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// loadgen cannot ask for the services of the topology.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The server for the demo ended.
    #[error("the server of the demo ended: {0}")]
    Serve(std::io::Error),
}

/// The servers, by version: a topology can name several.
fn servers_in_use(cluster: &SuperCluster) -> String {
    let versions = cluster.versions();
    let servers: usize = versions.iter().map(|(_, servers)| servers).sum();
    let parts: Vec<_> =
        versions.iter().map(|(version, servers)| format!("{servers} of version {version}")).collect();
    match (&parts[..], cluster.topology().servers().next()) {
        ([_], Some(first)) => {
            format!("{servers} servers of {} form the super-cluster", cluster.nats_server_of(&first))
        }
        _ => format!("{servers} servers form the super-cluster: {}", parts.join(", ")),
    }
}

/// Services that the topology asks for and that nobody has started yet: only now are there addresses to start them with.
async fn services_to_start(cluster: &SuperCluster) -> Result<Option<String>, LoginError> {
    let missing = cluster.missing_services().await?;
    let text =
        || format!("Start these services; `loadgen wait` ends when they answer:\n  {}", missing.join("\n  "));
    Ok((!missing.is_empty()).then(text))
}

fn wan_in_use(cluster: &SuperCluster) -> String {
    let mut text = format!("the emulation of the WAN is `{}`", cluster.wan());
    if let Some(reason) = cluster.wan_fallback() {
        text.push_str(&format!(", because `netns` does not work: {reason}"));
    }
    text
}

/// Starts the super-cluster, says where it is, and stays. Dropping the future ends everything.
///
/// # Errors
/// What did not start, or what ended by itself.
pub async fn run(plan: UpPlan) -> Result<(), UpError> {
    let token = Secret::random().map_err(UpError::Token)?;
    // Before the work, so that a taken name or port is known at once.
    let socket = ControlSocket::open(plan.start.topology.name(), plan.is_named)?;
    let listener = match &plan.serve {
        Some(serve) => Some(listen(serve.port).await?),
        None => None,
    };
    eprintln!("starting the super-cluster");
    let mut cluster = SuperCluster::start(plan.start.clone()).await?;
    eprintln!("{}", servers_in_use(&cluster));
    eprintln!("{}", wan_in_use(&cluster));
    let _site = match &plan.serve {
        Some(serve) => {
            eprintln!("loading the demo into NATS");
            Some(Site::start(&cluster, &plan.start, &serve.web).await?)
        }
        None => None,
    };
    let (worlds, world) = watch::channel(World::of(&mut cluster, &plan.start)?);
    let (accesses, access) = watch::channel(Access::of(&cluster)?);
    let (orders, received) = mpsc::channel(ORDERS_MAX);
    let served = listener.zip(plan.serve);
    if let Some((listener, _)) = &served {
        let address = listener.local_addr().map_err(UpError::Serve)?;
        // First on standard output: a script can open it. Whoever has the token may break this super-cluster.
        // A fragment is in no request, and so in no log and no referrer.
        print_or_warn(&format!("http://{address}/#token={}", token.expose()));
        eprintln!("Open that address in a browser.");
    }
    print_or_warn(&addresses(&world.borrow()));
    eprintln!("{}", hints(&world.borrow(), socket.deployment()));
    if let Some(services) = services_to_start(&cluster).await? {
        eprintln!("{services}");
    }
    let obeying = control::obey(cluster, plan.start, received, (worlds, accesses), plan.beside);
    let controlled = socket.serve(orders.clone(), State { world: world.clone(), access });
    let serving = async {
        match served {
            Some((listener, serve)) => {
                let router = http::router(serve.web, token, orders, world);
                axum::serve(listener, router).await.map_err(UpError::Serve)
            }
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = obeying => Ok(()),
        () = controlled => Ok(()),
        served = serving => served,
    }
}

async fn listen(port: u16) -> Result<TcpListener, UpError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.map_err(|error| UpError::Listen { port, error })
}

/// For each region two lines: how its clients reach all servers, nearest first, over TCP and over WebSocket.
fn addresses(world: &World) -> String {
    let lines = world.regions.iter().flat_map(|region| {
        let RegionView { name, tcp_urls, websocket_urls, .. } = region;
        [format!("{name} tcp {}", tcp_urls.join(",")), format!("{name} ws {}", websocket_urls.join(","))]
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// What else can be done now.
fn hints(world: &World, deployment: &str) -> String {
    let region = world.regions.first().map_or("REGION", |region| &region.name);
    format!(
        "The addresses after `{region} tcp` and `{region} ws` simulate the delays of a client in {region}.\n\
         The deployment `{deployment}` is up. To kill a region from another terminal: loadgen ctl kill {region}\n\
         To log in with the `nats` CLI: eval \"$(loadgen ctl env)\"\n\
         Ctrl-C ends the deployment."
    )
}

/// Orders that may wait; a person gives one at a time.
const ORDERS_MAX: usize = 16;
