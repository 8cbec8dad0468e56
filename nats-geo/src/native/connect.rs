//! The first connection of a client, and its errors.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::hub::lock;
use super::{CredentialsError, ServerUrlError, TlsError, WithoutEffect};
use crate::core::{ConfigError, OpenError, ProbeError};

/// Reason why `connect` failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The list of servers is not valid.
    #[error(transparent)]
    Servers(#[from] ServerUrlError),
    /// The configuration has a value that is out of bounds.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// An option in [`GeoOptions::customize`](super::GeoOptions::customize) would have no effect.
    #[error(transparent)]
    WithoutEffect(#[from] WithoutEffect),
    /// The credentials are not valid.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The TLS options are not valid.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// Another client uses the decision log.
    #[error("another client uses the decision log: give each client a `DecisionLog` of its own")]
    DecisionLogInUse,
    /// A health check ([`HealthCheck`](super::HealthCheck)) has options that cannot work.
    #[error("the health check `{name}` cannot work: {problem}")]
    HealthCheck {
        /// The name of the health check.
        name: String,
        /// The problem, with a remedy.
        problem: String,
    },
    /// Every region refused the credentials; or two regions refused them, and no other region answered within the time
    /// limit of a dial (3 s).
    #[error("every region that answered refused the credentials{}", listed(.failures))]
    Auth {
        /// The refusal of each server that the client tried.
        failures: Vec<ServerFailure>,
    },
    /// The client could connect to no server in time.
    #[error("no connection to any server within {waited:?} (`connect_timeout`){}", listed(.failures))]
    TimedOut {
        /// The limit of [`GeoOptions::connect_timeout`](super::GeoOptions::connect_timeout).
        waited: Duration,
        /// The last failure of each server that the client tried.
        failures: Vec<ServerFailure>,
    },
}

/// The last failure of one server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerFailure {
    /// The server's `host:port`.
    pub address: String,
    /// The failure.
    pub failure: Failure,
}

/// Failure of a probe, of a dial, or of a DNS lookup.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// A probe of the server failed.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// A dial failed.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A DNS lookup failed.
    #[error("{0}")]
    Resolver(String),
}

impl fmt::Display for ServerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.failure)
    }
}

/// Reports from the driver to the task that waits for the first link.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    failures: Arc<Mutex<BTreeMap<String, Failure>>>,
    refused: watch::Sender<bool>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { failures: Arc::default(), refused: watch::Sender::new(false) }
    }

    /// A server could not be used.
    pub(crate) fn failed(&self, address: String, failure: Failure) {
        let mut failures = lock(&self.failures);
        if failures.len() < FAILURES_MAX || failures.contains_key(&address) {
            failures.insert(address, failure);
        }
    }

    /// A server can be used.
    pub(crate) fn succeeded(&self, address: &str) {
        lock(&self.failures).remove(address);
    }

    /// Returns the last failure of a server; `None` if it succeeded since.
    pub(crate) fn failure(&self, address: &str) -> Option<Failure> {
        lock(&self.failures).get(address).cloned()
    }

    /// No region takes the credentials.
    pub(crate) fn credentials_refused(&self) {
        self.refused.send_replace(true);
    }

    /// Returns once no region takes the credentials.
    pub(crate) async fn refused(&self) -> ConnectError {
        // The sender is in `self`.
        let _ = self.refused.subscribe().wait_for(|refused| *refused).await;
        let mut failures = self.all();
        failures.retain(|server| matches!(server.failure, Failure::Open(OpenError::Auth(_))));
        ConnectError::Auth { failures }
    }

    pub(crate) fn timed_out(&self, waited: Duration) -> ConnectError {
        ConnectError::TimedOut { waited, failures: self.all() }
    }

    fn all(&self) -> Vec<ServerFailure> {
        let failures = lock(&self.failures);
        let failure = |(address, failure): (&String, &Failure)| ServerFailure {
            address: address.clone(),
            failure: failure.clone(),
        };
        failures.iter().map(failure).collect()
    }
}

/// More servers than anybody reads about in an error.
const FAILURES_MAX: usize = 128;

fn listed(failures: &[ServerFailure]) -> String {
    let lines: Vec<_> = failures.iter().map(|failure| format!("\n  {failure}")).collect();
    if lines.is_empty() { String::new() } else { format!(":{}", lines.concat()) }
}
