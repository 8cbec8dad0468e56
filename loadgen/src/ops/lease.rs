//! The lease of the one controller that a back channel has.

use std::time::Duration;

use async_nats::jetstream::kv;
use futures_util::StreamExt as _;
use tokio::task::JoinHandle;

use super::addresses::BUCKET;
use super::channel::{Channel, ChannelError};

/// The right to give orders. It is renewed until it is dropped.
#[derive(Debug)]
pub struct Lease {
    renewing: JoinHandle<()>,
    store: kv::Store,
}

/// Why there is no lease.
#[derive(Debug, thiserror::Error)]
pub enum LeaseError {
    /// The back channel failed.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// Another controller gives orders.
    #[error(
        "another controller gives orders over this back channel: {0}; wait until that run has ended, or use another back channel with --ops"
    )]
    Taken(String),
}

impl Lease {
    /// Takes the lease for a controller that others see as `holder`. That of a controller that was killed is free after a while.
    ///
    /// # Errors
    /// See [`LeaseError`].
    pub async fn take(channel: &Channel, holder: &str) -> Result<Self, LeaseError> {
        let failed = |error: &dyn std::fmt::Display| {
            ChannelError::failed("store the controller's lease, which needs JetStream,", error)
        };
        let config = kv::Config { bucket: BUCKET.to_owned(), history: 1, ..kv::Config::default() };
        // Creating a bucket that is there with the same settings does nothing.
        let store = channel.jetstream.create_key_value(config).await.map_err(|error| failed(&error))?;
        let content = bytes::Bytes::from(holder.to_owned());
        let revision = match store.create(KEY, content.clone()).await {
            Ok(revision) => revision,
            Err(_) => take_over(&store, content.clone()).await?,
        };
        let renewing = tokio::spawn(renew(store.clone(), content, revision));
        Ok(Self { renewing, store })
    }

    /// Gives the lease back, so that the next controller need not wait.
    pub async fn release(self) {
        self.renewing.abort();
        if let Err(error) = self.store.purge(KEY).await {
            tracing::debug!(%error, "the lease runs out by itself");
        }
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.renewing.abort();
    }
}

/// Waits whether the holder renews its lease.
async fn take_over(store: &kv::Store, content: bytes::Bytes) -> Result<u64, LeaseError> {
    let failed = |error: &dyn std::fmt::Display| ChannelError::failed("read the controller's lease", error);
    let entry = store.entry(KEY).await.map_err(|error| failed(&error))?;
    let Some(entry) = entry.filter(|entry| entry.operation == kv::Operation::Put) else {
        return store.create(KEY, content).await.map_err(|error| failed(&error).into());
    };
    let holder = || LeaseError::Taken(String::from_utf8_lossy(&entry.value).into_owned());
    let mut changes =
        store.watch_from_revision(KEY, entry.revision + 1).await.map_err(|error| failed(&error))?;
    if tokio::time::timeout(LEASE, changes.next()).await.is_ok() {
        return Err(holder());
    }
    store.update(KEY, content, entry.revision).await.map_err(|_| holder())
}

async fn renew(store: kv::Store, content: bytes::Bytes, mut revision: u64) {
    loop {
        tokio::time::sleep(RENEW_EVERY).await;
        match store.update(KEY, content.clone(), revision).await {
            Ok(renewed) => revision = renewed,
            // The back channel may be away for a while, or have taken the renewal without an answer.
            Err(error) => {
                tracing::debug!(%error, "the lease was not renewed");
                if let Ok(Some(entry)) = store.entry(KEY).await
                    && entry.value == content
                {
                    revision = entry.revision;
                }
            }
        }
    }
}

/// The key of the lease.
const KEY: &str = "controller";

/// A lease that nobody renews for so long is free.
const LEASE: Duration = Duration::from_secs(10);

/// Three times in a lease.
const RENEW_EVERY: Duration = Duration::from_secs(3);
