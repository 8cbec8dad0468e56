//! `loadgen control`, `loadgen agent`, `loadgen agents` and `loadgen push`: the ends of the back channel, each as its
//! own process.
//!
//! This folder owns their options (`opts`), the text that they print, the health of agents (`health`), files for agents
//! (`push`) and the agent's folder of them (`files`), and the description of the back channel as an API (`api`). It
//! must not know the meaning of an order: `play` knows it.

mod api;
mod files;
mod health;
pub mod opts;
mod push;

use std::thread::available_parallelism;
use std::time::Duration;

use crate::clients::{Browsers, FindBrowserError};
use crate::exporter::{Exporter, ExporterError, Source};
use crate::ops::{
    AgentCard, AgentInfo, Channel, ChannelError, ListenAddress, OpsServer, OpsServerError, Post, roster,
};
use crate::play::serve;
use crate::progress::Progress;
use crate::stdout::print_or_warn;
use crate::store::Host;
use crate::text_table::{add, table};
pub use api::ops_api;
use health::Members;
use opts::{AgentOpts, AgentsOpts, ControlOpts};
pub use push::{PushError, push};

/// Reason why an agent does not take orders.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// The back channel failed.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// There is no browser for clients that run in one.
    #[error(transparent)]
    Browser(#[from] FindBrowserError),
    /// Prometheus cannot scrape it.
    #[error(transparent)]
    Exporter(#[from] ExporterError),
}

/// Plays clients by orders until the process is ended.
///
/// # Errors
/// See [`AgentError`].
pub async fn agent(opts: AgentOpts) -> Result<(), AgentError> {
    let cores = available_parallelism().map_or(1, std::num::NonZero::get);
    let (host, pid) = (Host::this(cores).name, std::process::id());
    let name = opts.name.unwrap_or_else(|| format!("{}-{host}-{pid}", opts.region));
    let channel =
        Channel::connect(&opts.ops, opts.ops_creds.as_deref(), &format!("loadgen agent {name}")).await?;
    let version = env!("CARGO_PKG_VERSION").to_owned();
    let card = AgentCard { name, region: opts.region, host, pid, cores, version };
    let exporter = match opts.metrics {
        Some(address) => {
            let source = Source::Agent { name: card.name.clone(), region: card.region.clone() };
            Some(Exporter::start(address, source).await?)
        }
        None => None,
    };
    let board = exporter.as_ref().map(Exporter::board).unwrap_or_default();
    let (post, files) = Post::open(&channel, &card).await?;
    eprintln!("agent {} of region {} takes orders over {}", card.name, card.region, opts.ops);
    let (progress, browsers) = (Progress::lines(), Browsers::new(opts.browsers));
    browsers.invite().await?;
    tokio::join!(
        serve(&channel, post, &browsers, (&board, &progress)),
        files::take(&channel, files, opts.files.as_deref())
    );
    Ok(())
}

/// Keeps a back channel running until the process is ended.
///
/// # Errors
/// It does not start.
pub async fn control(opts: ControlOpts) -> Result<(), OpsServerError> {
    let server = OpsServer::start(opts.nats_server.as_deref(), opts.port, opts.listen.ip()).await?;
    // For `eval`, and for people to copy: only the owner of the terminal sees it.
    print_or_warn(&format!("export LOADGEN_OPS={}", server.url().expose()));
    eprintln!("the back channel is up. In other terminals, with LOADGEN_OPS set as above:");
    eprintln!("  loadgen agent --region lon     # and one for each other region");
    let run = "loadgen run region-outage --agents";
    if opts.listen == ListenAddress::default() {
        eprintln!("  {run}");
    } else {
        eprintln!("  {run} --listen {}     # on this machine", opts.listen);
    }
    std::future::pending().await
}

/// Lists the agents that are there. With an interval, it prints their health until the process is ended.
///
/// # Errors
/// The back channel fails.
pub async fn agents(opts: AgentsOpts) -> Result<String, ChannelError> {
    let channel = Channel::connect(&opts.ops, opts.ops_creds.as_deref(), "loadgen agents").await?;
    if let Some(every) = opts.health_report {
        return report_health(&channel, Duration::from_secs(every.into())).await;
    }
    let agents = roster(&channel).await?;
    if opts.json {
        // Texts and numbers have a JSON form.
        return Ok(serde_json::to_string_pretty(&agents).unwrap_or_default());
    }
    if agents.is_empty() {
        return Ok(
            "no agents: start one for each region with `loadgen agent --ops URL --region REGION`".to_owned()
        );
    }
    let mut rows = table(&["agent", "region", "host", "process", "cores", "loadgen"]);
    for AgentInfo { card, .. } in agents {
        let (pid, cores) = (card.pid.to_string(), card.cores.to_string());
        add(&mut rows, vec![card.name, card.region, card.host, pid, cores, card.version]);
    }
    Ok(rows.to_string())
}

async fn report_health(channel: &Channel, every: Duration) -> Result<String, ChannelError> {
    let mut members = Members::default();
    let mut next = tokio::time::interval(every);
    loop {
        next.tick().await;
        for member in members.report(&roster(channel).await?) {
            // A record of texts and numbers is JSON.
            print_or_warn(&serde_json::to_string(&member).unwrap_or_default());
        }
    }
}
