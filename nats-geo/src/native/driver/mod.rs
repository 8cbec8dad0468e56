//! The task that runs the selector: the task reports facts to the selector, and carries out the decisions of the
//! selector.
//!
//! This task manages the links of a client from the dial to the end. It also performs the steps of a handover in the
//! right order. Only this task calls the selector. This module must not use JetStream, services or the content of
//! messages.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::ServerInfo;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};

use super::clock::Clock;
use super::connect::Progress;
use super::found::Finding;
use super::health::{HealthChecks, Verdict};
use super::hub::{Hub, lock};
use super::link::{self, Ended, Link, Report, Reports};
use super::observe::events::event;
use super::observe::{Observed, Recorder};
use super::prober::Answer;
use super::resend;
use super::servers::ServerUrl;
use crate::core::{
    Call, ConnId, EndpointId, Event, Notice, NoticeKind, OpenError, PingId, ProbeError, ProbeId, Selector,
    ServerIdentity,
};

mod decider;
mod endpoints;
mod entry;
mod finding;
mod handover;
mod health;
mod perform;
mod reported;

pub(crate) use decider::Decider;
pub(crate) use endpoints::Endpoints;
use entry::Entry;

/// Performs the selector's decisions. Nothing it does itself ever waits: what takes time is a task, whose
/// result comes back through `tasks`.
#[derive(Debug)]
pub(crate) struct Driver {
    decider: Decider,
    selector: Arc<Mutex<Selector>>,
    clock: Clock,
    hub: Arc<Hub>,
    endpoints: Endpoints,
    settings: link::Settings,
    links: BTreeMap<ConnId, Entry>,
    dials: BTreeMap<ConnId, AbortHandle>,
    tasks: JoinSet<Done>,
    reports: mpsc::Receiver<(ConnId, Report)>,
    reporter: Reports,
    findings: mpsc::Receiver<Finding>,
    lists: mpsc::Receiver<Vec<ServerUrl>>,
    /// Notices of other parts than the selector.
    news: mpsc::Receiver<NoticeKind>,
    /// Names that cannot be looked up, by origin.
    unresolved: BTreeSet<usize>,
    notices: broadcast::Sender<Notice>,
    progress: Progress,
    observed: Arc<Observed>,
    health_checks: HealthChecks,
    #[cfg(feature = "metrics")]
    exporter: super::observe::Exporter,
}

/// What a driver is made of, besides what it makes itself.
#[derive(Debug)]
pub(crate) struct Parts {
    pub(crate) selector: Arc<Mutex<Selector>>,
    pub(crate) clock: Clock,
    pub(crate) hub: Arc<Hub>,
    pub(crate) endpoints: Endpoints,
    pub(crate) settings: link::Settings,
    /// News about names; without any, its sender is gone.
    pub(crate) findings: mpsc::Receiver<Finding>,
    /// Lists of servers that replace those before.
    pub(crate) lists: mpsc::Receiver<Vec<ServerUrl>>,
    pub(crate) notices: broadcast::Sender<Notice>,
    pub(crate) progress: Progress,
    pub(crate) observed: Arc<Observed>,
    /// The decision log, if one was asked for.
    pub(crate) recorder: Option<Recorder>,
    pub(crate) health_checks: HealthChecks,
}

/// The result of a task.
#[derive(Debug)]
enum Done {
    Probed {
        probe: ProbeId,
        endpoint: EndpointId,
        result: Result<Answer, ProbeError>,
    },
    Opened {
        conn: ConnId,
        endpoint: EndpointId,
        result: Result<(Link, ServerInfo), OpenError>,
    },
    Activated {
        conn: ConnId,
        result: Result<(), Ended>,
    },
    /// A link that a health check keeps from being activated.
    Unhealthy {
        conn: ConnId,
        why: String,
    },
    /// A live link that failed a health check.
    Condemned {
        conn: ConnId,
        verdict: Verdict,
    },
    Pong {
        conn: ConnId,
        ping: PingId,
        result: Result<Duration, Ended>,
    },
    Retired {
        conn: ConnId,
    },
    /// Nothing that anybody waits for.
    Other,
}

/// Reports of links that may wait for the driver; more make the links' watchers wait.
const REPORTS_MAX: usize = 256;

impl Driver {
    pub(crate) fn new(parts: Parts) -> Self {
        let Parts {
            selector,
            clock,
            hub,
            endpoints,
            settings,
            findings,
            lists,
            notices,
            progress,
            observed,
            recorder,
            health_checks,
        } = parts;
        let (reporter, reports) = mpsc::channel(REPORTS_MAX);
        Self {
            decider: Decider::new(Arc::clone(&selector), clock, recorder),
            #[cfg(feature = "metrics")]
            exporter: super::observe::Exporter::new(settings.name.as_deref()),
            selector,
            clock,
            news: hub.take_news().unwrap_or_else(|| mpsc::channel(1).1),
            hub,
            endpoints,
            settings,
            links: BTreeMap::new(),
            dials: BTreeMap::new(),
            tasks: JoinSet::new(),
            reports,
            reporter,
            findings,
            lists,
            unresolved: BTreeSet::new(),
            notices,
            progress,
            observed,
            health_checks,
        }
    }

    /// Runs until the last handle is dropped or the client is closed.
    pub(crate) async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let hub = Arc::clone(&self.hub);
        self.tasks.spawn(async move {
            hub.look_after_feeds().await;
            Done::Other
        });
        for event in self.endpoints.listed() {
            self.tell(event);
        }
        loop {
            self.perform_all();
            #[cfg(feature = "metrics")]
            self.exporter.export(&self.hub, &self.observed, self.clock.now());
            let wake = self.decider.poll_timeout();
            // What has happened goes before what time demands: a PONG may be among it.
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => break,
                Some((conn, report)) = self.reports.recv() => self.reported(conn, report),
                Some(done) = self.tasks.join_next() => match done {
                    Ok(done) => self.finished(done),
                    Err(error) if error.is_panic() => event!(TASK_PANICKED, %error, "a task of the driver panicked"),
                    // Aborted by us.
                    Err(_) => {}
                },
                Some(finding) = self.findings.recv() => self.found(finding),
                Some(servers) = self.lists.recv() => self.relist(servers),
                Some(kind) = self.news.recv() => self.notify(kind),
                () = self.clock.sleep_until(wake) => self.timer_fired(),
            }
        }
        self.shut_down().await;
    }

    fn tell(&mut self, event: Event) {
        let complete = lock(&self.observed.history).told(&event, self.clock.now());
        self.decider.call(Call::Event(event));
        self.move_complete(complete);
    }

    fn timer_fired(&mut self) {
        let mut alive = Vec::new();
        for (conn, entry) in self.links.iter_mut().filter(|(_, entry)| entry.pings > 0) {
            let traffic = entry.link.traffic();
            if traffic.is_progress_since(entry.traffic) {
                alive.push(*conn);
            }
            entry.traffic = traffic;
        }
        for conn in alive {
            self.tell(Event::Progress { conn });
        }
        self.decider.call(Call::Timeout);
    }

    fn perform_all(&mut self) {
        while let Some(action) = self.decider.next_action() {
            event!(DECIDED, ?action);
            self.perform(action);
        }
    }

    fn finished(&mut self, done: Done) {
        match done {
            Done::Probed { probe, endpoint, result } => self.probed(probe, endpoint, result),
            Done::Opened { conn, endpoint, result } => self.opened(conn, endpoint, result),
            Done::Activated { conn, result: Ok(()) } => self.tell(Event::Activated { conn }),
            Done::Activated { conn, result: Err(Ended) } => self.tell(Event::ActivateFailed { conn }),
            Done::Unhealthy { conn, why } => self.tell(Event::Unhealthy { conn, why }),
            Done::Condemned { conn, verdict } => self.condemned(conn, verdict),
            Done::Pong { conn, ping, result } => {
                if let Some(entry) = self.links.get_mut(&conn) {
                    entry.pings = entry.pings.saturating_sub(1);
                }
                // A link that has ended says so itself.
                if let Ok(rtt) = result {
                    lock(&self.observed.history).alive(conn, self.clock.now());
                    self.tell(Event::Pong { ping, rtt });
                }
            }
            Done::Retired { conn } => {
                if self.links.contains_key(&conn) {
                    self.kill(conn);
                }
            }
            Done::Other => {}
        }
    }

    fn probed(&mut self, probe: ProbeId, endpoint: EndpointId, result: Result<Answer, ProbeError>) {
        let result = result.and_then(|answer| {
            match self.endpoints.contradiction(endpoint, answer.info.cluster.as_deref()) {
                Some((expected, found)) => Err(ProbeError::OtherCluster { expected, found }),
                None => Ok(answer),
            }
        });
        match result {
            Ok(answer) => {
                self.progress.succeeded(&self.endpoints.address(endpoint));
                self.endpoints.reached(endpoint, answer.reached, &answer.info);
                self.settings.guard.lives(&answer.info.server_id);
                self.tell(Event::Probed { probe, result: Ok(answer.report) });
                self.hub.home.is_among(lock(&self.selector).home_clusters());
                self.advertised(endpoint, answer.info.cluster.as_deref(), &answer.info.connect_urls);
            }
            Err(error) => {
                if error == ProbeError::AwaitsTls {
                    self.endpoints.awaits_tls(endpoint);
                }
                self.progress.failed(self.endpoints.address(endpoint), error.clone().into());
                self.tell(Event::Probed { probe, result: Err(error) });
            }
        }
    }

    fn opened(&mut self, conn: ConnId, endpoint: EndpointId, result: Result<(Link, ServerInfo), OpenError>) {
        // Not asked for any more: a link that is dropped here closes.
        if self.dials.remove(&conn).is_none() {
            return;
        }
        let result = result.and_then(|(link, info)| {
            match self.endpoints.contradiction(endpoint, info.cluster.as_deref()) {
                Some((expected, found)) => {
                    link.kill();
                    Err(OpenError::OtherCluster { expected, found })
                }
                None => Ok((link, info)),
            }
        });
        match result {
            Ok((link, info)) => {
                self.progress.succeeded(&self.endpoints.address(endpoint));
                let entry = Entry::new(link);
                self.confirm_publishes(&entry.link);
                self.links.insert(conn, entry);
                self.tell(Event::Opened { conn, identity: identity(&info) });
                self.advertised(endpoint, info.cluster.as_deref(), &info.connect_urls);
            }
            Err(error) => {
                self.endpoints.not_opened(endpoint);
                self.progress.failed(self.endpoints.address(endpoint), error.clone().into());
                self.tell(Event::OpenFailed { conn, error });
            }
        }
    }

    /// Publishes that are kept until they are confirmed are confirmed as they are made.
    fn confirm_publishes(&mut self, link: &Arc<Link>) {
        let Some(kept) = self.hub.kept().map(Arc::clone) else { return };
        let link = Arc::clone(link);
        self.tasks.spawn(async move {
            resend::confirm(link, kept).await;
            Done::Other
        });
    }

    fn advertised(&mut self, by: EndpointId, cluster: Option<&str>, urls: &[String]) {
        for event in self.endpoints.advertised(by, cluster, urls) {
            self.tell(event);
        }
    }

    /// Lists other servers. The live link stays until a better one has taken over.
    fn relist(&mut self, servers: Vec<ServerUrl>) {
        for event in self.endpoints.relist(servers) {
            self.tell(event);
        }
        self.tell(Event::Reselect);
    }

    async fn shut_down(&mut self) {
        self.hub.close();
        for entry in std::mem::take(&mut self.links).into_values() {
            entry.link.kill();
        }
        self.tasks.shutdown().await;
        lock(&self.observed.history).closed(self.clock.now());
        #[cfg(feature = "metrics")]
        self.exporter.export(&self.hub, &self.observed, self.clock.now());
        self.decider.finish().await;
    }
}

fn identity(info: &ServerInfo) -> ServerIdentity {
    let mut identity = ServerIdentity::new(&info.server_id, info.cluster.as_deref());
    identity.server_name.clone_from(&info.server_name);
    identity.version.clone_from(&info.version);
    identity
}
