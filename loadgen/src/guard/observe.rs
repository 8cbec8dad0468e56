//! Looks at a super-cluster: a connection to one server of each region, client ports, streams.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::join_all;

use super::GuardError;
use super::certificate;
use super::facts::{CertificateSeen, CopySeen, Observations, SERVERS, STREAMS, ServerSeen, View};
use super::rules::{Condition, Rule};
use crate::clock;
use crate::look::answers::Statsz;
use crate::look::connect::apart::ClientPort;
use crate::look::connect::{Connection, Login, OpenError};
use crate::look::gather::{Gathered, System};
use crate::look::stream_list::{self, Domains};
use crate::look::streams::StreamsReport;

/// The things that the rules need beside the servers.
#[derive(Clone, Debug)]
pub(super) struct Needs {
    /// Whether a rule is about certificates.
    pub(super) certificates: bool,
    /// The login of the account whose streams a rule is about.
    pub(super) streams: Option<Login>,
}

impl Needs {
    /// Returns whether a rule is about streams.
    pub(super) fn streams(rules: &[Rule]) -> Option<&Rule> {
        rules.iter().find(|rule| matches!(rule.condition, Condition::StreamLag { .. }))
    }

    /// Returns whether a rule is about certificates.
    pub(super) fn certificates(rules: &[Rule]) -> bool {
        rules.iter().any(|rule| matches!(rule.condition, Condition::CertificateExpires { .. }))
    }
}

/// The connections by which guard looks.
#[derive(Debug)]
pub(super) struct Observer {
    login: Login,
    needs: Needs,
    /// Time that one connection or one request takes at most.
    timeout: Duration,
    /// The servers of the login.
    candidates: Vec<Candidate>,
    /// By region.
    viewpoints: BTreeMap<String, System>,
    streams: Option<Connection>,
    /// Names of servers by their addresses, as certificates were read there.
    names: BTreeMap<ClientPort, String>,
    certificates: Vec<CertificateSeen>,
    /// Certificates that could not be read, with the reasons.
    unread: BTreeMap<String, String>,
    certificates_read: Option<Instant>,
}

/// A server of the login.
#[derive(Debug)]
struct Candidate {
    login: Login,
    /// Its region, once a connection has told it.
    region: Option<String>,
}

/// Pause between two handshakes with the same server: certificates live for days.
const CERTIFICATES_EVERY: Duration = Duration::from_secs(60);

impl Observer {
    /// Connects, and looks once, so that wrong credentials are an error at once. Returns that look, too.
    ///
    /// # Errors
    /// No server can be reached, or the user does not belong to the system account.
    pub(super) async fn open(
        login: Login,
        needs: Needs,
        timeout: Duration,
    ) -> Result<(Self, Observations), GuardError> {
        // The error of a single connection names all servers and the remedy.
        let mut first = System::new(login.open().await?, timeout).await?;
        first.ask::<Statsz>(None).await?;
        let candidates =
            login.apart().await?.into_iter().map(|login| Candidate { login, region: None }).collect();
        let mut observer = Self {
            login,
            needs,
            timeout,
            candidates,
            viewpoints: BTreeMap::new(),
            streams: None,
            names: BTreeMap::new(),
            certificates: Vec::new(),
            unread: BTreeMap::new(),
            certificates_read: None,
        };
        if let Some(login) = &observer.needs.streams {
            observer.streams = Some(login.open().await?);
        }
        let seen = observer.look().await;
        Ok((observer, seen))
    }

    /// Looks once.
    pub(super) async fn look(&mut self) -> Observations {
        let mut unseen = self.connect().await;
        let mut seen = Observations { views: self.views(&mut unseen).await, ..Observations::default() };
        if self.viewpoints.is_empty() {
            self.refresh_candidates(&mut unseen).await;
        }
        if self.needs.certificates {
            self.read_certificates().await;
            seen.certificates = self.certificates.clone();
            seen.unseen.extend(self.unread.clone());
        }
        if self.needs.streams.is_some() {
            match self.list_streams().await {
                Ok(report) => add_copies(&mut seen, report),
                Err(reason) => {
                    // The next look connects anew: the servers may have moved.
                    self.streams = None;
                    seen.unseen.insert(STREAMS.to_owned(), reason);
                }
            }
        }
        if seen.views.is_empty() {
            let reasons: BTreeSet<_> = unseen.into_iter().collect();
            let reasons = reasons.into_iter().collect::<Vec<_>>().join("; ");
            seen.unseen.insert(SERVERS.to_owned(), reasons);
        }
        seen
    }

    /// Connects to each region without a viewpoint. Returns the reasons why that failed.
    async fn connect(&mut self) -> Vec<String> {
        let is_without = |candidate: &&mut Candidate| {
            candidate.region.as_ref().is_none_or(|region| !self.viewpoints.contains_key(region))
        };
        let without: Vec<_> = self.candidates.iter_mut().filter(is_without).collect();
        let timeout = self.timeout;
        let dialled = without.into_iter().map(async |candidate| {
            let opened = open(&candidate.login, timeout).await;
            if let Ok((region, _)) = &opened {
                candidate.region = Some(region.clone());
            }
            opened
        });
        let mut reasons = Vec::new();
        for opened in join_all(dialled).await {
            match opened {
                // Several servers of a region: the first stays, the other connections end here.
                Ok((region, system)) => _ = self.viewpoints.entry(region).or_insert(system),
                Err(reason) => reasons.push(reason),
            }
        }
        reasons
    }

    /// Asks all servers from each viewpoint at the same time. One without an answer is given up: the next look dials its region anew.
    async fn views(&mut self, unseen: &mut Vec<String>) -> Vec<View> {
        let own: Vec<_> =
            self.viewpoints.values().map(server_of).chain(self.streams.iter().map(id)).collect();
        let asked = self
            .viewpoints
            .iter_mut()
            .map(async |(region, system)| (region.clone(), system.ask::<Statsz>(None).await));
        let mut views = Vec::new();
        for (region, answer) in join_all(asked).await {
            match answer {
                Ok(answers) => views.push(view(region, answers, &own)),
                Err(error) => {
                    self.viewpoints.remove(&region);
                    unseen.push(format!("{region}: {error}"));
                }
            }
        }
        views
    }

    /// The super-cluster that is up may have been started again, at other addresses.
    async fn refresh_candidates(&mut self, unseen: &mut Vec<String>) {
        match self.login.apart().await {
            Ok(logins) => {
                let candidates = logins.into_iter().map(|login| Candidate { login, region: None });
                self.candidates = candidates.collect();
            }
            Err(error) => unseen.push(error.to_string()),
        }
    }

    /// Reads the certificates of all known client ports, if the last time is long enough ago.
    async fn read_certificates(&mut self) {
        let now = clock::now();
        if self.certificates_read.is_some_and(|last| now.duration_since(last) < CERTIFICATES_EVERY) {
            return;
        }
        self.certificates_read = Some(now);
        let mut ports: BTreeSet<_> =
            self.candidates.iter().flat_map(|candidate| candidate.login.client_ports()).collect();
        for system in self.viewpoints.values() {
            let info = system.client().server_info();
            ports.extend(
                info.connect_urls.iter().filter_map(|address| self.candidate_login().announced(address)),
            );
        }
        let limit = self.timeout;
        let read = ports.into_iter().map(async |port| (certificate::read(&port, limit).await, port));
        let (mut certificates, mut unread) = (BTreeMap::new(), BTreeMap::new());
        for (result, port) in join_all(read).await {
            let address = format!("{}:{}", port.host, port.port);
            match result {
                Ok(None) => {}
                Ok(Some(read)) => {
                    let known = self.names.get(&port).cloned();
                    let server = read.server.or(known).unwrap_or(address);
                    self.names.insert(port, server.clone());
                    // A server with several addresses shows the same certificate at each.
                    certificates.insert(server, read.not_after);
                }
                Err(error) => {
                    let server = self.names.get(&port).unwrap_or(&address);
                    unread.insert(format!("the certificate of {server}"), format!("{address}: {error}"));
                }
            }
        }
        let seen = |(server, not_after)| CertificateSeen { server, not_after };
        self.certificates = certificates.into_iter().map(seen).collect();
        self.unread = unread;
    }

    /// The options of TLS are the same for each candidate.
    fn candidate_login(&self) -> &Login {
        self.candidates.first().map_or(&self.login, |candidate| &candidate.login)
    }

    /// Lists the streams of all domains.
    async fn list_streams(&mut self) -> Result<StreamsReport, String> {
        if let (None, Some(login)) = (&self.streams, &self.needs.streams) {
            let opened = tokio::time::timeout(self.timeout, login.open()).await;
            let opened = opened.map_err(|_| silence(self.timeout))?;
            self.streams = Some(opened.map_err(|error| error.to_string())?);
        }
        let Some(connection) = &self.streams else { return Err(silence(self.timeout)) };
        let system = self.viewpoints.values_mut().next();
        let domains = if system.is_some() { Domains::All } else { Domains::Named(Vec::new()) };
        let report = stream_list::look(connection, &domains, system, self.timeout).await;
        report.map_err(|error| error.to_string())
    }
}

/// Adds the mirrors and sources of a list, and the streams that are missing from it.
fn add_copies(seen: &mut Observations, report: StreamsReport) {
    let copies = report.replication.into_iter().map(|row| CopySeen {
        domain: row.domain,
        stream: row.stream,
        source: row.source,
        lag: row.lag,
    });
    seen.copies = Some(copies.collect());
    for failed in report.failed {
        seen.unlisted.push(CopySeen::prefix(&failed.domain, failed.stream.as_deref()));
        let what = match &failed.stream {
            Some(stream) => format!("the stream {stream}"),
            None => format!("the streams of domain `{}`", failed.domain),
        };
        seen.unseen.insert(what, failed.to_string());
    }
}

/// Connects to one server, and returns its region.
async fn open(login: &Login, timeout: Duration) -> Result<(String, System), String> {
    let opened = async {
        let connection = login.open().await.map_err(|error: OpenError| error.to_string())?;
        let info = connection.client.server_info();
        let region = info.cluster.filter(|cluster| !cluster.is_empty()).unwrap_or(info.server_name);
        let system = System::new(connection, timeout).await.map_err(|error| error.to_string())?;
        Ok((region, system))
    };
    tokio::time::timeout(timeout, opened).await.unwrap_or_else(|_| Err(silence(timeout)))
}

fn silence(timeout: Duration) -> String {
    format!("no connection within {} ms", timeout.as_millis())
}

fn server_of(system: &System) -> String {
    system.client().server_info().server_id
}

fn id(connection: &Connection) -> String {
    connection.client.server_info().server_id
}

fn view(region: String, answers: Gathered<Statsz>, own: &[String]) -> View {
    let server = |answer: crate::look::gather::Answered<Statsz>| {
        let (server, data) = (answer.server, answer.data);
        let connections_of_guard = own.iter().filter(|id| **id == server.id).count() as u64;
        let name = if server.name.is_empty() { server.id.clone() } else { server.name };
        ServerSeen {
            region: if server.cluster.is_empty() { name.clone() } else { server.cluster },
            name,
            connections: data.connections.saturating_sub(connections_of_guard),
            slow_consumers: data.slow_consumers,
            id: server.id,
        }
    };
    View { region, servers: answers.answers.into_iter().map(server).collect() }
}
