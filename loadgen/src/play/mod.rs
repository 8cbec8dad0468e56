//! Plays scenarios on a real super-cluster: clients, workloads and faults by the timeline.
//!
//! Owns the clients of a play (`crowd`, `member`), what breaks (`inject`, `links`, `schedule`), the streams (`streams`), the
//! responders (`responders`) and what was seen (`recording`). Must not judge: `outcome` makes figures and the verdict from a recording.

mod crowd;
mod inject;
mod links;
mod member;
mod recording;
mod responders;
mod schedule;
mod streams;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

pub use recording::{ClientRecord, FaultRecord, MessagesRecord, Recording};

use crate::clients::{Access, ConnectError};
use crate::clock;
use crate::cluster::faults::FaultError;
use crate::cluster::{
    CheckLeaksError, LoginError, MoveLeaderError, StartError, StartOptions, StepDownError, SuperCluster,
    UnknownNameError,
};
use crate::machine::ProcessorTime;
use crate::progress::Progress;
use crate::scenario::Scenario;
use crate::topology::credentials::KeyError;

use crowd::Crowd;
use inject::Injector;
use responders::Responders;
use schedule::{Action, schedule};
pub use streams::Sabotage;
use streams::Streams;

/// Why a scenario could not be played.
#[derive(Debug, thiserror::Error)]
pub enum PlayError {
    /// No super-cluster.
    #[error(transparent)]
    Start(#[from] StartError),
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
    /// A leader does not step down.
    #[error(transparent)]
    Leader(#[from] MoveLeaderError),
    /// The same, of a stream.
    #[error(transparent)]
    StreamLeader(#[from] StepDownError),
    /// The monitoring endpoints do not answer.
    #[error(transparent)]
    Leaks(#[from] CheckLeaksError),
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
        /// Why.
        reason: String,
    },
    /// The self-test cannot spoil a stream.
    #[error("cannot spoil the stream `{stream}`: {reason}")]
    Sabotage {
        /// The stream.
        stream: String,
        /// Why.
        reason: String,
    },
    /// A stream of a workload cannot be made.
    #[error("the stream of workload `{workload}` cannot be created in {region}: {reason}")]
    Stream {
        /// The workload.
        workload: String,
        /// Where.
        region: String,
        /// Why.
        reason: String,
    },
}

/// Plays one scenario once: starts the super-cluster, goes through the timeline, undoes every fault, and ends everything.
///
/// # Errors
/// Anything that leaves nothing to measure.
pub async fn play(
    scenario: &Scenario,
    start: StartOptions,
    seed: u64,
    progress: &Progress,
    sabotage: Sabotage,
) -> Result<Recording, PlayError> {
    progress.doing("starting the super-cluster");
    let mut cluster = SuperCluster::start(start).await?;
    let nats_servers = versions(&cluster);
    let access = Access {
        login: Some(cluster.credentials().application_login(cluster.topology())?),
        tls: cluster.tls().cloned(),
    };
    let responders = Responders::start(&cluster, &access).await?;
    let streams = Streams::create(scenario, &cluster).await?;
    progress.doing("connecting the clients");
    let mut crowd = Crowd::new(scenario, &cluster, access, seed)?;
    crowd.connect_first().await?;
    let mut leaks = cluster.leaks().await?;

    let before = ProcessorTime::now();
    let started = clock::now();
    crowd.begin(started, &streams);
    let mut injector = Injector::new(scenario, seed);
    let phases = go_through(scenario, started, progress, &mut cluster, &mut crowd, &mut injector).await?;
    let end = clock::now();
    let after = ProcessorTime::now();
    progress.doing("waiting for what is on its way");
    let (clients, published) = crowd.finish().await;
    streams.sabotage(&cluster, sabotage).await?;
    let messages = streams.verify(&cluster, &published).await;
    leaks.extend(cluster.leaks().await?);
    responders.end().await;
    cluster.shutdown().await;
    let (faults, late) = injector.finish();
    Ok(Recording {
        start: started,
        end,
        phases,
        faults,
        late,
        clients,
        messages,
        leaks,
        idle: after.zip(before).and_then(|(after, before)| after.idle_share_since(before)),
        nats_servers,
    })
}

/// Does everything by its time, and undoes every fault in the end. Returns the begin and the end of each phase.
async fn go_through(
    scenario: &Scenario,
    started: Instant,
    progress: &Progress,
    cluster: &mut SuperCluster,
    crowd: &mut Crowd<'_>,
    injector: &mut Injector<'_>,
) -> Result<Vec<(Instant, Instant)>, PlayError> {
    // An undo waits until the servers are linked; what comes after it keeps its distance.
    let mut late = Duration::ZERO;
    let mut phases: Vec<Instant> = Vec::new();
    let mut actions = schedule(scenario).into_iter().peekable();
    while let Some((at, action)) = actions.next() {
        late = late.max(started.elapsed().saturating_sub(at));
        crowd.until(started + at + late).await;
        progress.at(at.as_secs());
        if let Some(text) = action.text(scenario) {
            progress.note(&format!("{:>7.1} s  {text}", started.elapsed().as_secs_f64()));
        }
        match action {
            Action::Phase(phase) => {
                phases.push(clock::now());
                progress.doing(&scenario.phases[phase].name);
            }
            Action::Resize => crowd.resize(at),
            Action::Inject(fault) => injector.inject(fault, cluster, crowd).await?,
            Action::Release(fault) => injector.release(fault, cluster, crowd).await?,
            Action::Undo(fault) => {
                let is_undone_too =
                    |(then, next): &(Duration, Action)| *then == at && matches!(next, Action::Undo(_));
                let mut faults = vec![fault];
                while let Some((_, Action::Undo(other))) = actions.next_if(is_undone_too) {
                    faults.push(other);
                }
                injector.undo(&faults, cluster, crowd).await?;
            }
            Action::End => phases.push(clock::now()),
        }
    }
    injector.undo_all(cluster, crowd).await?;
    Ok(phases.windows(2).map(|pair| (pair[0], pair[1])).collect())
}

fn versions(cluster: &SuperCluster) -> Vec<(String, usize)> {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for server in cluster.topology().servers() {
        *counts.entry(cluster.nats_server_of(&server).version.to_string()).or_default() += 1;
    }
    counts.into_iter().collect()
}

/// The longest that everything around the timeline takes, for progress displays.
pub(crate) fn steps(scenario: &Scenario) -> u64 {
    scenario.duration().as_secs().max(Duration::from_secs(1).as_secs())
}
