//! Instances of services that run in a super-cluster, as they answer `$SRV.PING` (ADR-32).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures_util::StreamExt as _;
use serde::Deserialize;

use super::{LoginError, SuperCluster, login};
use crate::clock;

/// Why the services of a topology are not there.
#[derive(Debug, thiserror::Error)]
pub enum WaitForServicesError {
    /// loadgen cannot log in.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// Too few instances answer.
    #[error(
        "the services of the topology are not ready after {} s: {missing}; start them while loadgen waits, or wait longer with \
         --stabilise-timeout", limit.as_secs()
    )]
    Missing {
        /// How long loadgen waited.
        limit: Duration,
        /// The services with too few instances.
        missing: String,
    },
}

impl SuperCluster {
    /// Returns the services of the topology that have too few instances now, as sentences.
    ///
    /// # Errors
    /// loadgen cannot log in.
    pub async fn missing_services(&self) -> Result<Vec<String>, LoginError> {
        missing(self).await
    }

    /// Waits until enough instances of each service of the topology answer.
    ///
    /// # Errors
    /// See [`WaitForServicesError`].
    pub async fn wait_for_services(&self) -> Result<(), WaitForServicesError> {
        let (limit, started) = (self.ready_limit, clock::now());
        loop {
            let missing = missing(self).await?;
            if missing.is_empty() {
                return Ok(());
            }
            if started.elapsed() >= limit {
                return Err(WaitForServicesError::Missing { limit, missing: missing.join(", ") });
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

/// The used part of an instance's PING response.
#[derive(Deserialize)]
struct Pong {
    name: String,
    id: String,
}

/// The services of the topology that too few instances run of, such as `service device-server: 1 of 3 instances answer`.
pub(super) async fn missing(cluster: &SuperCluster) -> Result<Vec<String>, LoginError> {
    let wanted = &cluster.topology.spec().services;
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let answering = answering(cluster).await?;
    let count = |name: &str| answering.get(name).map_or(0, BTreeSet::len);
    let missing = wanted.iter().filter(|(name, least)| count(name) < usize::from(**least));
    Ok(missing
        .map(|(name, least)| format!("service {name}: {} of {least} instances answer", count(name)))
        .collect())
}

/// The ids of all instances that answer, by service.
async fn answering(cluster: &SuperCluster) -> Result<BTreeMap<String, BTreeSet<String>>, LoginError> {
    let login = cluster.credentials.application_login(&cluster.topology)?;
    let client = login::connect(&cluster.admin_urls(), &login, cluster.tls.as_ref()).await?;
    let inbox = client.new_inbox();
    let mut found: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    let Ok(mut answers) = client.subscribe(inbox.clone()).await else { return Ok(found) };
    if client.publish_with_reply("$SRV.PING", inbox, "".into()).await.is_err() {
        return Ok(found);
    }
    // How many there are is what is asked: the end is a while without an answer.
    while let Ok(Some(answer)) = tokio::time::timeout(QUIET, answers.next()).await {
        if let Ok(Pong { name, id }) = serde_json::from_slice(&answer.payload) {
            found.entry(name).or_default().insert(id);
        }
    }
    Ok(found)
}

/// Longer than the longest emulated round trip, so that no instance is missed.
const QUIET: Duration = Duration::from_millis(700);

/// An operator who starts an instance does not notice this pause.
const ASK_AGAIN: Duration = Duration::from_millis(250);
