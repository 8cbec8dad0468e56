//! Buckets of keys and values, and object stores, behind the same interface for all kinds of clients.

use bytes::Bytes;
use tokio::io::AsyncReadExt as _;

use super::{BrowserBucket, Client, Kind, Outcome, REQUEST_DEADLINE};

/// A bucket of keys and values, as one client sees it.
#[derive(Clone, Debug)]
pub enum Bucket {
    /// Of nats-geo.
    Geo(nats_geo::jetstream::kv::Store),
    /// Of nats-geo in a browser.
    Browser(BrowserBucket),
    /// Of async-nats.
    Stock(async_nats::jetstream::kv::Store),
}

/// An object store, as one client sees it.
#[derive(Clone)]
pub enum Objects {
    /// Of nats-geo.
    Geo(nats_geo::jetstream::object::Store),
    /// Of async-nats.
    Stock(async_nats::jetstream::object_store::ObjectStore),
}

/// Names the kind of client: the store of async-nats has nothing to show.
impl std::fmt::Debug for Objects {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(match self {
            Self::Geo(_) => "Objects::Geo",
            Self::Stock(_) => "Objects::Stock",
        })
    }
}

impl Client {
    /// Opens a bucket.
    ///
    /// # Errors
    /// No server answers, or there is no such bucket.
    pub async fn bucket(&self, name: &str) -> Result<Bucket, Outcome> {
        match &self.kind {
            Kind::Geo(geo) => limited(geo.jetstream().key_value(name)).await.map(Bucket::Geo),
            Kind::Browser(browser) => Ok(Bucket::Browser(browser.bucket(name))),
            Kind::Stock(stock) => limited(stock.jetstream().get_key_value(name)).await.map(Bucket::Stock),
        }
    }

    /// Opens an object store.
    ///
    /// # Errors
    /// No server answers, or there is no such store.
    pub async fn objects(&self, name: &str) -> Result<Objects, Outcome> {
        match &self.kind {
            Kind::Geo(geo) => limited(geo.jetstream().object_store(name)).await.map(Objects::Geo),
            // The checks of scenarios let no browser have this workload.
            Kind::Browser(_) => Err(Outcome::Failed),
            Kind::Stock(stock) => limited(stock.jetstream().get_object_store(name)).await.map(Objects::Stock),
        }
    }
}

impl Bucket {
    /// Sets the value of a key, and returns its revision.
    ///
    /// # Errors
    /// The bucket did not acknowledge the value.
    pub async fn put(&self, key: &str, value: Bytes) -> Result<u64, Outcome> {
        match self {
            Self::Geo(store) => limited(store.put(key, value)).await,
            Self::Browser(bucket) => limited(bucket.put(key, &value)).await,
            Self::Stock(store) => limited(store.put(key, value)).await,
        }
    }

    /// Reads a key, and returns the revision of its value; `None` for a key without a value.
    ///
    /// # Errors
    /// No answer.
    pub async fn get(&self, key: &str) -> Result<Option<u64>, Outcome> {
        match self {
            Self::Geo(store) => Ok(limited(store.entry(key)).await?.map(|entry| entry.revision)),
            Self::Browser(bucket) => limited(bucket.get(key)).await,
            Self::Stock(store) => Ok(limited(store.entry(key)).await?.map(|entry| entry.revision)),
        }
    }
}

impl Objects {
    /// Writes an object, in the place of an earlier one of its name.
    ///
    /// # Errors
    /// The store did not acknowledge a part.
    pub async fn put(&self, name: &str, content: &[u8]) -> Result<(), Outcome> {
        let mut reader = content;
        match self {
            Self::Geo(store) => limited(store.put(name, &mut reader)).await.map(drop),
            Self::Stock(store) => limited(store.put(name, &mut reader)).await.map(drop),
        }
    }

    /// Reads an object. The client compares its digest with that of the store.
    ///
    /// # Errors
    /// There is no such object, a part did not come, or the digest differs.
    pub async fn get(&self, name: &str) -> Result<Bytes, Outcome> {
        match self {
            Self::Geo(store) => {
                limited(async { store.get(name).await.map_err(drop)?.read_all().await.map_err(drop) }).await
            }
            Self::Stock(store) => {
                limited(async {
                    let mut object = store.get(name).await.map_err(drop)?;
                    let mut content = Vec::new();
                    object.read_to_end(&mut content).await.map_err(drop)?;
                    Ok::<_, ()>(content.into())
                })
                .await
            }
        }
    }
}

/// Waits at most until the deadline of the load generator.
async fn limited<T, E>(operation: impl Future<Output = Result<T, E>>) -> Result<T, Outcome> {
    match tokio::time::timeout(REQUEST_DEADLINE, operation).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(_)) => Err(Outcome::Failed),
        Err(_) => Err(Outcome::TimedOut),
    }
}
