//! How connecting goes, and why it may fail.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::watch;

use super::hub::lock;
use super::{CredentialsError, ServerUrlError, TlsError};
use crate::core::{ConfigError, OpenError, ProbeError};

/// Why no client could be made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The list of servers cannot be used.
    #[error(transparent)]
    Servers(#[from] ServerUrlError),
    /// The configuration cannot work.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The credentials cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The TLS options cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// A decision log is for one client, and another one has it.
    #[error("the decision log is in use: give every client a `DecisionLog` of its own")]
    DecisionLogInUse,
    /// A health gate cannot work.
    #[error("the gate `{gate}` cannot work: {problem}")]
    Gate {
        /// Its name.
        gate: String,
        /// What is wrong with it.
        problem: String,
    },
    /// A server refused the credentials; the others know the same account.
    #[error("{address} refused the credentials: {text}")]
    Auth {
        /// `host:port` of the server.
        address: String,
        /// In its words.
        text: String,
    },
    /// No server could be used in time.
    #[error("no server could be used within {waited:?}{}", listed(.failures))]
    TimedOut {
        /// The limit of [`GeoOptions::connect_timeout`](super::GeoOptions::connect_timeout).
        waited: Duration,
        /// What went wrong last, for each server that was tried.
        failures: Vec<ServerFailure>,
    },
}

/// What went wrong at one server.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ServerFailure {
    /// Its `host:port`.
    pub address: String,
    /// What went wrong last.
    pub failure: Failure,
}

/// What went wrong with a probe or a dial.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Failure {
    /// It did not answer a probe.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// It could not be connected to.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A name could not be looked up.
    #[error("{0}")]
    Resolver(String),
}

impl fmt::Display for ServerFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.address, self.failure)
    }
}

/// What the driver tells whoever waits for the first link.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    failures: Arc<Mutex<BTreeMap<String, Failure>>>,
    refused: watch::Sender<Option<(String, String)>>,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { failures: Arc::default(), refused: watch::Sender::new(None) }
    }

    /// A server could not be used.
    pub(crate) fn failed(&self, address: String, failure: Failure) {
        if let Failure::Open(OpenError::Auth(text)) = &failure {
            self.refused.send_replace(Some((address.clone(), text.clone())));
        }
        let mut failures = lock(&self.failures);
        if failures.len() < FAILURES_MAX || failures.contains_key(&address) {
            failures.insert(address, failure);
        }
    }

    /// A server can be used.
    pub(crate) fn succeeded(&self, address: &str) {
        lock(&self.failures).remove(address);
    }

    /// What went wrong last at a server, unless something has gone well since.
    pub(crate) fn failure(&self, address: &str) -> Option<Failure> {
        lock(&self.failures).get(address).cloned()
    }

    /// Returns once a server has refused the credentials.
    pub(crate) async fn refused(&self) -> ConnectError {
        let mut refused = self.refused.subscribe();
        let refusal = refused.wait_for(Option::is_some).await.map(|refusal| refusal.clone());
        match refusal {
            Ok(Some((address, text))) => ConnectError::Auth { address, text },
            // The sender is in `self`.
            _ => std::future::pending().await,
        }
    }

    pub(crate) fn timed_out(&self, waited: Duration) -> ConnectError {
        let failures = lock(&self.failures)
            .iter()
            .map(|(address, failure)| ServerFailure { address: address.clone(), failure: failure.clone() })
            .collect();
        ConnectError::TimedOut { waited, failures }
    }
}

/// More servers than anybody reads about in an error.
const FAILURES_MAX: usize = 128;

fn listed(failures: &[ServerFailure]) -> String {
    let lines: Vec<_> = failures.iter().map(|failure| format!("\n  {failure}")).collect();
    if lines.is_empty() { String::new() } else { format!(":{}", lines.concat()) }
}
