//! Looking at a super-cluster that runs somewhere: `loadgen servers`, `clusters`, `streams` and `graph`. The dashboard shows all
//! of them at once (`overview`).
//!
//! This folder owns the connection of an operator, the requests to the system account, and the tables and drawings made of
//! the answers. It must not know how a super-cluster is started (`crate::cluster`) or measured. All that it needs is a URL
//! and credentials, so it works with servers that loadgen never saw. It only reads: it changes nothing in the servers. It takes
//! two things from elsewhere: the name of loadgen's own connections, which a measurement does not count, and the way into the
//! super-cluster that is up here (`running`), by the control socket.

pub mod answers;
mod auth;
pub mod clusters;
pub mod connect;
pub mod context;
pub mod gather;
pub mod go_duration;
pub mod graph;
pub mod jetstream;
pub mod opts;
pub mod overview;
mod running;
pub mod servers;
pub mod stream_list;
pub mod streams;

pub(crate) mod table;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use crate::plan::PlanError;
use clusters::ClustersReport;
use connect::{Connection, Login, LoginError, OpenError};
use gather::{GatherError, System};
use graph::Graph;
use opts::{GraphOpts, OverviewOpts, StreamsOpts};
use servers::ServersReport;
use stream_list::{Domains, ListError};

/// A look at a super-cluster, with checked options.
#[derive(Clone, Debug)]
pub struct LookPlan {
    login: Login,
    view: View,
    /// Time that one request waits for answers.
    timeout: Duration,
    json: bool,
    /// Interval of the repetitions; `None`: once.
    watch: Option<Duration>,
}

/// The part of a super-cluster that is shown.
#[derive(Clone, Debug)]
enum View {
    Servers,
    Clusters,
    Streams {
        domains: Domains,
        /// The login that finds the domains.
        system: Option<Box<Login>>,
    },
    Graph {
        svg: Option<PathBuf>,
    },
}

/// Reason why a look failed.
#[derive(Debug, thiserror::Error)]
pub enum LookError {
    /// No connection.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The system account did not answer.
    #[error(transparent)]
    Gather(#[from] GatherError),
    /// JetStream did not answer.
    #[error(transparent)]
    List(#[from] ListError),
    /// The drawing could not be written.
    #[error("cannot write `{}`: {error}; choose another file with --svg", path.display())]
    Svg {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        error: std::io::Error,
    },
    /// Nobody reads the standard output any more.
    #[error("the standard output is closed")]
    Closed,
    /// The standard output does not take the text.
    #[error("cannot write to the standard output: {0}")]
    Output(std::io::Error),
}

impl LookPlan {
    /// Checks the options of `loadgen servers`.
    ///
    /// # Errors
    /// The login is incomplete, or a file of it cannot be read.
    pub fn servers(opts: OverviewOpts) -> Result<Self, PlanError> {
        let (login, timeout) = (Login::of(&opts.connect)?, opts.connect.timeout());
        Ok(Self { login, timeout, view: View::Servers, json: opts.json, watch: seconds(opts.watch) })
    }

    /// Checks the options of `loadgen clusters`.
    ///
    /// # Errors
    /// The login is incomplete, or a file of it cannot be read.
    pub fn clusters(opts: OverviewOpts) -> Result<Self, PlanError> {
        let (login, timeout) = (Login::of(&opts.connect)?, opts.connect.timeout());
        Ok(Self { login, timeout, view: View::Clusters, json: opts.json, watch: seconds(opts.watch) })
    }

    /// Checks the options of `loadgen streams`.
    ///
    /// # Errors
    /// A login is incomplete, a file of it cannot be read, or `--all-domains` has no system credentials.
    pub fn streams(opts: StreamsOpts) -> Result<Self, PlanError> {
        let (login, timeout) = (Login::of(&opts.connect)?.as_application(), opts.connect.timeout());
        let named = opts.system.login(&login, &|name| std::env::var(name).ok())?;
        let running = || login.as_system().filter(|_| opts.all_domains);
        let system = named.or_else(running).map(Box::new);
        let domains = match (opts.all_domains, &system) {
            (true, None) => return Err(LoginError::NoSystem.into()),
            (true, Some(_)) => Domains::All,
            (false, _) => Domains::Named(opts.js_domain),
        };
        let view = View::Streams { domains, system };
        Ok(Self { login, timeout, view, json: opts.json, watch: seconds(opts.watch) })
    }

    /// Checks the options of `loadgen graph`.
    ///
    /// # Errors
    /// The login is incomplete, or a file of it cannot be read.
    pub fn graph(opts: GraphOpts) -> Result<Self, PlanError> {
        let (login, timeout) = (Login::of(&opts.connect)?, opts.connect.timeout());
        let view = View::Graph { svg: opts.svg };
        Ok(Self { login, timeout, view, json: opts.json, watch: seconds(opts.watch) })
    }
}

fn seconds(watch: Option<u32>) -> Option<Duration> {
    watch.map(|seconds| Duration::from_secs(seconds.into()))
}

/// Looks, and prints; goes on until the process ends if the plan watches.
///
/// # Errors
/// The first look failed. While watching, later failures are printed and the next look follows.
pub async fn run(plan: LookPlan) -> Result<(), LookError> {
    let connection = plan.login.open().await?;
    match &plan.view {
        View::Streams { domains, system } => {
            let mut all = None;
            if let Some(login) = system {
                all = Some(System::new(login.open().await?, plan.timeout).await?);
            }
            watch::repeat(plan.watch, async || {
                look_at_streams(&plan, &connection, domains, all.as_mut()).await
            })
            .await
        }
        _ => {
            let mut system = System::new(connection, plan.timeout).await?;
            watch::repeat(plan.watch, async || look_at_system(&plan, &mut system).await).await
        }
    }
}

async fn look_at_streams(
    plan: &LookPlan,
    connection: &Connection,
    domains: &Domains,
    system: Option<&mut System>,
) -> Result<String, LookError> {
    let report = stream_list::look(connection, domains, system, plan.timeout).await?;
    Ok(plan.text(&report, || report.render()))
}

async fn look_at_system(plan: &LookPlan, system: &mut System) -> Result<String, LookError> {
    match &plan.view {
        View::Clusters => {
            let report = ClustersReport::new(&ServersReport::look(system).await?);
            Ok(plan.text(&report, || report.render()))
        }
        View::Graph { svg } => {
            let graph = Graph::look(system).await?;
            let drawn = graph.to_svg();
            if let Some(path) = svg {
                std::fs::write(path, &drawn).map_err(|error| LookError::Svg { path: path.clone(), error })?;
                return Ok(plan.text(&graph, || format!("{} drawn into {}", graph.summary(), path.display())));
            }
            Ok(plan.text(&graph, || drawn))
        }
        View::Servers | View::Streams { .. } => {
            let report = ServersReport::look(system).await?;
            Ok(plan.text(&report, || report.render()))
        }
    }
}

impl LookPlan {
    /// The JSON of a report or its table. A watch prints one line of JSON per look.
    fn text(&self, report: &impl Serialize, table: impl FnOnce() -> String) -> String {
        if !self.json {
            return table();
        }
        let json = if self.watch.is_some() {
            serde_json::to_string(report)
        } else {
            serde_json::to_string_pretty(report)
        };
        // Numbers, texts and lists with text keys always have a JSON form.
        json.unwrap_or_default()
    }
}
