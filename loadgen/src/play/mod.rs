//! Plays scenarios on a real super-cluster: clients, workloads and faults by the timeline.
//!
//! This folder owns the order of a play. Its parts, each of which knows only the parts before it, are: `counts` (the
//! fate of messages), `workload` (the traffic), `population` (the clients), `agent` (plays them by orders), `faults`
//! (the faults). Besides these, `users` has the logins of clients, `routes` their paths to servers, and `dialer` their
//! connections; `phases` and `recording` have the records. This folder must not judge: `outcome` makes figures and the
//! verdict from a recording.

mod agent;
mod counts;
mod dialer;
pub(crate) mod faults;
mod phases;
mod population;
mod recording;
mod routes;
mod users;
mod workload;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::{sleep, sleep_until};

use nats_geo::ServerUrlError;

pub use recording::{
    ClientRecord, DeliveriesRecord, FaultRecord, MessagesRecord, Observer, Recording, StoreRecord,
};

use crate::clients::{Access, Browsers, ConnectError};
use crate::clock;
use crate::cluster::faults::FaultError;
use crate::cluster::{
    CheckLeaksError, CopyLogsError, LoginError, MadeFiles, StartError, StartOptions, SuperCluster,
    UnknownNameError, WaitForServicesError,
};
use crate::machine::ProcessorTime;
use crate::name_server::{NameServerError, NameServers};
use crate::ops::ChannelError;
use crate::progress::Progress;
use crate::scenario::{Scenario, WorkloadKind};
use crate::topology::credentials::KeyError;
use crate::wan::{Backend, WanChoice};

pub use agent::Controller;
use agent::orders::Order;
pub(crate) use agent::serve;
use agent::{Agents, Finished, Timebase};
pub(crate) use agent::{Ask, Reply};
use dialer::{Dialer, Hosts};
use faults::inject::Injector;
use faults::schedule::{Action, schedule};
use phases::Phases;
use routes::Routes;
use workload::objects;
use workload::receivers::Receivers;
use workload::responders::Responders;
pub use workload::streams::Sabotage;
use workload::streams::Streams;

/// Why a scenario could not be played.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// No super-cluster.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Too few instances of a service.
    #[error(transparent)]
    Services(#[from] WaitForServicesError),
    /// A client does not connect at the start.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No such name in the super-cluster.
    #[error(transparent)]
    UnknownName(#[from] UnknownNameError),
    /// A fault was not injected or not undone.
    #[error("`{fault}`: {error}")]
    Fault {
        /// Which.
        fault: String,
        /// What happened.
        error: Box<FaultError>,
    },
    /// The monitoring endpoints do not answer.
    #[error(transparent)]
    Leaks(#[from] CheckLeaksError),
    /// A resolver does not start.
    #[error(transparent)]
    NameServer(#[from] NameServerError),
    /// The name of the servers cannot be looked up.
    #[error(transparent)]
    Discovery(#[from] ServerUrlError),
    /// The servers' logs cannot be copied.
    #[error(transparent)]
    Logs(#[from] CopyLogsError),
    /// loadgen itself cannot log in.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// A key cannot be made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A responder does not start.
    #[error("the responder in {region} cannot start: {reason}")]
    Responder {
        /// Where.
        region: String,
        /// The reason.
        reason: String,
    },
    /// A receiver of messages does not subscribe.
    #[error("the receiver of workload `{workload}` in {region} cannot subscribe: {reason}")]
    Receiver {
        /// The workload.
        workload: String,
        /// Where.
        region: String,
        /// The reason.
        reason: String,
    },
    /// Messages do not reach the receivers, though nothing is broken yet.
    #[error("before the workloads began, test messages from {server} did not reach every receiver: {reason}")]
    Interest {
        /// The server.
        server: String,
        /// The reason.
        reason: String,
    },
    /// Nobody plays the clients any more.
    #[error("the agent that plays the clients has ended")]
    AgentEnded,
    /// An agent of another machine failed.
    #[error("agent {agent}: {reason}")]
    Agent {
        /// Its name.
        agent: String,
        /// The reason.
        reason: String,
    },
    /// No agent of another machine is left.
    #[error("all agents are lost, so no process plays the clients any more: {reasons}")]
    AgentsLost {
        /// The reasons.
        reasons: String,
    },
    /// Not enough agents are there.
    #[error(
        "{there} agents are connected, and none of them plays clients of {missing}: start `loadgen agent --region REGION` for each of \
         these regions, or wait longer with --agents-wait"
    )]
    NoAgents {
        /// How many there are for other regions.
        there: usize,
        /// Regions without one.
        missing: String,
    },
    /// Each region has an agent, and the operator wants more.
    #[error(
        "{there} agents are connected for the regions of the scenario: start more, or choose a smaller number than --agents={wanted}"
    )]
    FewAgents {
        /// How many there are.
        there: usize,
        /// How many the operator wants.
        wanted: usize,
    },
    /// Agents of other processes cannot reach the servers.
    #[error("agents cannot reach servers in network namespaces: choose `--wan proxy` or `--wan none`")]
    AgentsOutside,
    /// A browser cannot reach the servers.
    #[error("a browser cannot reach servers in network namespaces: choose `--wan proxy` or `--wan none`")]
    BrowserOutside,
    /// The back channel failed.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The certificates of clients cannot be read.
    #[error("cannot read the certificates of the clients: {0}")]
    Certificates(std::io::Error),
    /// The self-test cannot spoil a stream.
    #[error("the self-test cannot change the messages of stream `{stream}`: {reason}")]
    Sabotage {
        /// The stream.
        stream: String,
        /// The reason.
        reason: String,
    },
    /// A stream of a workload cannot be made.
    #[error("the stream of workload `{workload}` cannot be created in {region}: {reason}")]
    Stream {
        /// The workload.
        workload: String,
        /// Where.
        region: String,
        /// The reason.
        reason: String,
    },
}

/// What a play has besides its scenario.
#[derive(Debug)]
pub struct Cast<'a> {
    /// Spoils the play, for the self-test.
    pub sabotage: Sabotage,
    /// Gives orders to agents of other processes; `None`: this process plays all clients.
    pub controller: Option<&'a Controller>,
    /// The browser for clients that run in one.
    pub browsers: &'a Browsers,
}

/// Plays one scenario once: starts the super-cluster, goes through the timeline, undoes every fault, and ends everything.
///
/// # Errors
/// Anything that leaves nothing to measure.
pub async fn play(
    scenario: &Scenario,
    mut start: StartOptions,
    seed: u64,
    progress: &Progress,
    Cast { sabotage, controller, browsers }: Cast<'_>,
) -> Result<Recording, PlayError> {
    start.wan = reachable(start.wan, scenario, controller.is_some())?;
    progress.doing("starting the super-cluster");
    let logs = start.logs.take();
    start.topology = users::add(scenario, start.topology);
    let mut cluster = SuperCluster::start(start).await?;
    cluster.wait_for_services().await?;
    check_faults(scenario, &cluster, seed).await?;
    let (nats_servers, (wan, wan_fallback)) = (nats_servers(&cluster), wan_in_use(&cluster, progress));
    let access = access(&cluster)?;
    let has_service = scenario.workloads.iter().any(|workload| workload.kind == WorkloadKind::Service);
    let responders = Responders::start(&cluster, &access, has_service).await?;
    let streams = Streams::create(scenario, &cluster).await?;
    progress.doing("connecting the clients");
    let (scenario, phases) = (Arc::new(scenario.clone()), Phases::default());
    let name_servers = NameServers::start(&scenario.resolvers, &cluster).await?;
    let (routes, runtimes) = Routes::find(&scenario, &cluster, &name_servers)?;
    let (plan, origin) = (Arc::new(scenario.client_plan()), clock::now());
    let hosts = Hosts { runtimes, browsers: browsers.clone() };
    let dialer = Dialer::new(Arc::clone(&plan), routes.clone(), hosts.clone(), seed)?;
    let receivers = Receivers::start(&scenario, &cluster.server_urls(), &dialer, (&phases, origin)).await?;
    let playing = ((*plan).clone(), routes, seed);
    let agents = Agents::gather(controller, playing, (Timebase::exact(origin), hosts), progress).await?;
    agents.obey(Order::Connect).await?;
    let mut leaks = cluster.leaks().await?;

    let before = ProcessorTime::now();
    let started = clock::now() + agents.head_start();
    let subjects = streams.subjects().chain(receivers.subjects()).collect();
    agents.obey(Order::Begin { at: started.saturating_duration_since(origin), subjects }).await?;
    let brakes = receivers.brakes().clone();
    let mut injector = Injector::new(&scenario, &name_servers, brakes, (seed, origin));
    let playing = (&*scenario, &phases, (origin, started));
    go_through(playing, progress, &mut cluster, &agents, &mut injector).await?;
    let end = clock::now();
    let after = ProcessorTime::now();
    progress.doing("waiting for the last messages and answers");
    let Finished { seen, lines, lost, clock_error } = agents.finish().await?;
    let (received, deliveries) = receivers.finish(&seen.counted.sent).await;
    streams.sabotage(&cluster, sabotage).await?;
    let mut messages = streams.verify(&cluster, &seen.counted.sent).await;
    messages.extend(received);
    messages.extend(
        objects::verify(&cluster, &scenario.workloads, (seen.counted.stored, &seen.counted.sent)).await,
    );
    leaks.extend(cluster.leaks().await?);
    responders.end().await;
    let logs = logs.map(|folder| cluster.copy_logs(&folder)).transpose()?.unwrap_or_default();
    cluster.shutdown().await;
    let (faults, mut notes) = injector.finish();
    notes.extend(lost);
    Ok(Recording {
        start: started,
        end,
        phases: phases.spans(),
        faults,
        notes,
        clients: seen.clients,
        messages,
        deliveries,
        stores: seen.counted.stores,
        leaks,
        idle: after.zip(before).and_then(|(after, before)| after.idle_share_since(before)),
        nats_servers,
        wan,
        wan_fallback,
        logs,
        agents: lines,
        clock_error,
    })
}

/// The versions of nats-server in use, and how many servers run each.
fn nats_servers(cluster: &SuperCluster) -> Vec<(String, usize)> {
    let versions = cluster.versions().into_iter();
    versions.map(|(version, servers)| (version.to_string(), servers)).collect()
}

/// The emulation of the WAN, and the reason why it is not the one that `--wan auto` prefers.
fn wan_in_use(cluster: &SuperCluster, progress: &Progress) -> (Backend, Option<String>) {
    let (wan, fallback) = (cluster.wan(), cluster.wan_fallback().map(str::to_owned));
    if let Some(reason) = &fallback {
        progress.note(&format!("--wan auto chooses {wan}: {reason}"));
    }
    (wan, fallback)
}

/// The emulation of the WAN whose servers every client can reach: agents and browsers are in no network namespace of loadgen.
fn reachable(choice: WanChoice, scenario: &Scenario, has_agents: bool) -> Result<WanChoice, PlayError> {
    match choice {
        WanChoice::Netns if has_agents => Err(PlayError::AgentsOutside),
        WanChoice::Netns if scenario.has_browsers() => Err(PlayError::BrowserOutside),
        WanChoice::Auto if has_agents || scenario.has_browsers() => Ok(WanChoice::Proxy),
        choice => Ok(choice),
    }
}

/// The credentials and certificates of clients without a user of their own.
fn access(cluster: &SuperCluster) -> Result<Access, KeyError> {
    let login = cluster.credentials().application_login(cluster.topology())?;
    Ok(Access { login: Some(login), tls: cluster.tls().map(MadeFiles::of_client) })
}

/// Refuses faults of links and versions that the super-cluster cannot have, before anything is measured. A server that restarts does not
/// wait for the download of its version either.
async fn check_faults(scenario: &Scenario, cluster: &SuperCluster, seed: u64) -> Result<(), PlayError> {
    for fault in &scenario.faults {
        let refused = |error| PlayError::Fault { fault: fault.to_string(), error: Box::new(error) };
        for link_fault in faults::links::faults(fault, cluster.topology(), seed) {
            cluster.check_link_fault(&link_fault).map_err(refused)?;
        }
        if let (Some(version), Some(server)) = (&fault.options.version, cluster.topology().servers().next()) {
            cluster.fetch_version(server.as_str(), version).await.map_err(refused)?;
        }
    }
    Ok(())
}

/// Does everything by its time, and undoes every fault in the end.
async fn go_through(
    (scenario, phases, (origin, started)): (&Scenario, &Phases, (Instant, Instant)),
    progress: &Progress,
    cluster: &mut SuperCluster,
    agents: &Agents,
    injector: &mut Injector<'_>,
) -> Result<(), PlayError> {
    // An undo waits until the servers are linked; what comes after it keeps its distance.
    let mut late = Duration::ZERO;
    let mut actions = schedule(scenario, injector.seed()).into_iter().peekable();
    while let Some((at, action)) = actions.next() {
        late = late.max(started.elapsed().saturating_sub(at));
        sleep_until((started + at + late).into()).await;
        progress.at(at.as_secs());
        if let Some(text) = action.text(scenario) {
            progress.note(&format!("{:>7.1} s  {text}", started.elapsed().as_secs_f64()));
        }
        match action {
            Action::Phase(phase) => {
                if scenario.phases[phase].new_clients {
                    agents.obey(Order::Renew).await?;
                    sleep(injector.part_of_a_second()).await;
                    // The phase begins when they are there, and lasts as long as it should.
                    late = started.elapsed().saturating_sub(at);
                }
                begin((phases, origin), agents).await?;
                progress.begin_phase(&scenario.phases[phase].name);
            }
            Action::Resize => agents.obey(Order::Resize(at)).await?,
            Action::Inject(fault) => injector.inject(fault, cluster, agents).await?,
            Action::Release(fault) => injector.release(fault, cluster, agents).await?,
            Action::Undo(fault) => {
                let is_undone_too =
                    |(then, next): &(Duration, Action)| *then == at && matches!(next, Action::Undo(_));
                let mut faults = vec![fault];
                while let Some((_, Action::Undo(other))) = actions.next_if(is_undone_too) {
                    faults.push(other);
                }
                injector.undo(&faults, cluster, agents).await?;
            }
            Action::End => begin((phases, origin), agents).await?,
        }
    }
    injector.undo_all(cluster, agents).await
}

/// The next phase begins now, or the last one ends.
async fn begin((phases, origin): (&Phases, Instant), agents: &Agents) -> Result<(), PlayError> {
    let now = clock::now();
    phases.begin(now);
    agents.obey(Order::Phase(now.saturating_duration_since(origin))).await
}

/// The longest that everything around the timeline takes, for progress displays.
pub(crate) fn steps(scenario: &Scenario) -> u64 {
    scenario.duration().as_secs().max(Duration::from_secs(1).as_secs())
}
