//! `loadgen up`: a super-cluster that keeps running, and the demo that breaks it.
//!
//! Owns the demo's content in NATS (`site`), its web server (`http`), the orders that break and heal regions (`control`), and the
//! state that the demo shows (`world`). Must not know measurements.

pub mod control;
pub mod http;
pub mod plan;
pub mod site;
pub mod world;

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};

use crate::cluster::{StartError, StartOptions, SuperCluster, UnknownNameError};
use crate::secret::Secret;

use plan::{ServePlan, UpPlan};
use site::{Site, SiteError};
use world::World;

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
        /// What the operating system said.
        error: std::io::Error,
    },
    /// No randomness for the token.
    #[error("cannot make a token from /dev/urandom: {0}")]
    Token(std::io::Error),
    /// The server for the demo ended.
    #[error("the server of the demo ended: {0}")]
    Serve(std::io::Error),
}

/// Starts the super-cluster, says where it is, and stays. Dropping the future ends everything.
///
/// # Errors
/// What did not start, or what ended by itself.
pub async fn run(plan: UpPlan) -> Result<(), UpError> {
    // Before the work, so that a taken port is known at once.
    let listener = match &plan.serve {
        Some(serve) => Some(listen(serve.port).await?),
        None => None,
    };
    eprintln!("starting the super-cluster");
    let mut cluster = SuperCluster::start(plan.start.clone()).await?;
    eprintln!(
        "{} servers of {} form the super-cluster",
        plan.start.topology.servers().count(),
        cluster.nats_server()
    );
    eprintln!("{}", addresses(&cluster, &plan.start)?);
    let _site = match &plan.serve {
        Some(serve) => {
            eprintln!("loading the demo into NATS");
            Some(Site::start(&cluster, &plan.start, &serve.web).await?)
        }
        None => None,
    };
    let (worlds, world) = watch::channel(World::of(&mut cluster, &plan.start)?);
    let (orders, received) = mpsc::channel(ORDERS_MAX);
    let obeying = control::obey(cluster, plan.start, received, worlds);
    let Some((listener, serve)) = listener.zip(plan.serve) else {
        eprintln!("Ctrl-C ends it.");
        obeying.await;
        return Ok(());
    };
    let serving = serve_demo(listener, serve, orders, world);
    tokio::select! {
        () = obeying => Ok(()),
        served = serving => served,
    }
}

async fn listen(port: u16) -> Result<TcpListener, UpError> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    TcpListener::bind(address).await.map_err(|error| UpError::Listen { port, error })
}

async fn serve_demo(
    listener: TcpListener,
    serve: ServePlan,
    orders: mpsc::Sender<control::Order>,
    world: watch::Receiver<World>,
) -> Result<(), UpError> {
    let token = Secret::random().map_err(UpError::Token)?;
    let address = listener.local_addr().map_err(UpError::Serve)?;
    // On standard output, alone: a script can open it. Whoever has the token may break this super-cluster.
    println!("http://{address}/?token={}", token.expose());
    eprintln!("Open that address in a browser. Ctrl-C ends it.");
    let router = http::router(serve.web, token, orders, world);
    axum::serve(listener, router).await.map_err(UpError::Serve)
}

/// Returns, for each region, the servers' addresses as its clients see them, and the command that kills its servers.
fn addresses(cluster: &SuperCluster, start: &StartOptions) -> Result<String, UnknownNameError> {
    let mut text = String::new();
    for region in start.topology.regions() {
        let endpoints = cluster.endpoints(region)?;
        let urls: Vec<_> = endpoints.into_iter().map(|endpoint| endpoint.tcp_url).collect();
        // Writing into a String cannot fail.
        let _ = writeln!(text, "as a client in {region}: {}", urls.join(","));
    }
    for region in start.topology.regions() {
        let mut pids = String::new();
        for server in start.topology.servers().filter(|server| server.region() == region) {
            if let Some(pid) = cluster.pid(&server.to_string())? {
                let _ = write!(pids, " {pid}");
            }
        }
        let _ = writeln!(text, "to kill {region}: kill -9{pids}");
    }
    Ok(text.trim_end().to_owned())
}

/// Orders that may wait; a person gives one at a time.
const ORDERS_MAX: usize = 16;
