//! Key-value stores with the conventions of NATS KV, which continue when the client moves.
//!
//! ```no_run
//! # async fn example(client: nats_geo::GeoClient) -> Result<(), Box<dyn std::error::Error>> {
//! use futures_util::StreamExt as _;
//!
//! let lamps = client.jetstream().key_value("lamps").await?;
//! lamps.put("hall.colour", "red".into()).await?;
//! println!("{:?}", lamps.get("hall.colour").await?);
//!
//! let mut changes = lamps.watch("hall.>").await?; // continues after moves and lost regions
//! while let Some(entry) = changes.next().await {
//!     let entry = entry?;
//!     println!("{}: {:?}", entry.key, entry.value);
//! }
//! # Ok(())
//! # }
//! ```

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID, NATS_ROLLUP};
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream::{self, SubjectTransform};
use bytes::Bytes;

pub use async_nats::jetstream::kv::{Config, Entry, Operation};

use super::api::check_bucket;
use super::{ApiError, Context, LastTry, PublishError, Stream};

mod key;
use key::{Keyspace, OPERATION};

mod watch;
pub use watch::{Include, Watch, WatchOptions};

mod error;
pub use error::{ReadError, WriteError};

/// A bucket of keys and values. [`Context::key_value`] and [`Context::create_key_value`] return it.
#[derive(Clone, Debug)]
pub struct Store {
    stream: Stream,
    keys: Keyspace,
}

impl Context {
    /// Returns the bucket of this name.
    ///
    /// # Errors
    /// The bucket does not exist ([`ApiError::is_not_found`]), or no answer arrives in time.
    pub async fn key_value(&self, bucket: &str) -> Result<Store, ApiError> {
        check_bucket(bucket)?;
        Ok(Store::new(self.get_stream(format!("KV_{bucket}")).await?, bucket))
    }

    /// Creates a bucket, in the home region of this client unless `config` has a placement: see
    /// [`create_stream`](Self::create_stream). If the bucket exists already, in any region, this call returns the
    /// existing bucket.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), nats_geo::jetstream::ApiError> {
    /// use nats_geo::jetstream::kv::Config;
    ///
    /// let config = Config { bucket: "lamps".into(), history: 5, num_replicas: 3, ..Config::default() };
    /// let lamps = client.jetstream().create_key_value(config).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The name is not valid, the server refuses the configuration, or no answer arrives in time.
    pub async fn create_key_value(&self, config: Config) -> Result<Store, ApiError> {
        check_bucket(&config.bucket)?;
        let (bucket, history) = (config.bucket.clone(), config.history);
        if history > HISTORY_MAX {
            return Err(ApiError::HistoryTooLong { bucket, history, limit: HISTORY_MAX });
        }
        Ok(Store::new(self.create_stream(stream_config(config)).await?, &bucket))
    }

    /// Deletes a bucket with all its values.
    ///
    /// # Errors
    /// The bucket does not exist, or no answer arrives in time.
    pub async fn delete_key_value(&self, bucket: &str) -> Result<(), ApiError> {
        check_bucket(bucket)?;
        self.delete_stream(&format!("KV_{bucket}")).await
    }
}

impl Store {
    fn new(stream: Stream, bucket: &str) -> Self {
        let mirror = stream.cached_info().info.config.mirror.as_ref();
        let keys = Keyspace::new(bucket, mirror, &stream.context.api);
        Self { stream, keys }
    }

    /// Returns the bucket's name.
    pub fn bucket(&self) -> &str {
        &self.keys.bucket
    }

    /// Returns the stream that stores the bucket.
    pub const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Returns the value of a key; `None` if the key has no value, or the value was deleted. The nearest server that
    /// has the bucket answers, so the value may be slightly older than the last written value.
    ///
    /// # Errors
    /// The key is not valid, the bucket does not exist, or no answer arrives in time.
    pub async fn get(&self, key: &str) -> Result<Option<Bytes>, ReadError> {
        let entry = self.entry(key).await?;
        Ok(entry.filter(|entry| entry.operation == Operation::Put).map(|entry| entry.value))
    }

    /// Returns the last entry of a key, with the time of the write. If the key was deleted, the entry records the
    /// deletion.
    ///
    /// # Errors
    /// The same as [`get`](Self::get).
    pub async fn entry(&self, key: &str) -> Result<Option<Entry>, ReadError> {
        let subject = self.keys.subject(key).ok_or_else(|| bad_key(key))?;
        let last = self.stream.last(&subject).await?;
        Ok(last.and_then(|message| self.read(message)))
    }

    /// As [`entry`](Self::entry), of who decides what may be written.
    async fn entry_at_leader(&self, key: &str) -> Result<Option<Entry>, ReadError> {
        let subject = self.keys.subject(key).ok_or_else(|| bad_key(key))?;
        let last = self.stream.last_at_leader(&subject).await?;
        Ok(last.and_then(|message| self.read(message)))
    }

    /// Returns the entry of a key at a revision, if the bucket still has it.
    ///
    /// # Errors
    /// The same as [`get`](Self::get).
    pub async fn entry_at(&self, key: &str, revision: u64) -> Result<Option<Entry>, ReadError> {
        self.keys.subject(key).ok_or_else(|| bad_key(key))?;
        let message = self.stream.get(revision).await?;
        // A revision may be that of another key.
        Ok(message.and_then(|message| self.read(message)).filter(|entry| entry.key == key))
    }

    /// Sets the value of a key, and returns the new revision of the key. The client resends the value after a move, and
    /// the bucket stores it once: see [`Context::publish`].
    ///
    /// # Errors
    /// The key is invalid, or the bucket did not acknowledge the value.
    pub async fn put(&self, key: &str, value: Bytes) -> Result<u64, WriteError> {
        self.write(key, value, HeaderMap::new()).await
    }

    /// Sets the value of a key that has no value, or whose value was deleted.
    ///
    /// # Errors
    /// [`WriteError::WrongRevision`] if the key has a value; otherwise the same as [`put`](Self::put).
    pub async fn create(&self, key: &str, value: Bytes) -> Result<u64, WriteError> {
        let error = match self.write(key, value.clone(), expecting(0)).await {
            Err(error @ WriteError::WrongRevision { .. }) => error,
            written => return written,
        };
        match self.entry_at_leader(key).await.map_err(WriteError::Read)? {
            // Its mark is what stood in the way.
            Some(Entry { operation: Operation::Delete | Operation::Purge, revision, .. }) => {
                self.write(key, value, expecting(revision)).await
            }
            _ => Err(error),
        }
    }

    /// Changes the value of a key if the revision of the key is still `revision`, and returns the new revision.
    ///
    /// # Errors
    /// [`WriteError::WrongRevision`] if the key has another revision; otherwise the same as [`put`](Self::put).
    pub async fn update(&self, key: &str, value: Bytes, revision: u64) -> Result<u64, WriteError> {
        self.write(key, value, expecting(revision)).await
    }

    /// Deletes the value of a key. The bucket keeps earlier values as history.
    ///
    /// # Errors
    /// The same as [`put`](Self::put).
    pub async fn delete(&self, key: &str) -> Result<u64, WriteError> {
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, "DEL");
        self.write(key, Bytes::new(), headers).await
    }

    /// Deletes the value of a key with its history.
    ///
    /// # Errors
    /// The same as [`put`](Self::put).
    pub async fn purge(&self, key: &str) -> Result<u64, WriteError> {
        let mut headers = HeaderMap::new();
        headers.insert(OPERATION, "PURGE");
        headers.insert(NATS_ROLLUP, "sub");
        self.write(key, Bytes::new(), headers).await
    }

    async fn write(&self, key: &str, value: Bytes, mut headers: HeaderMap) -> Result<u64, WriteError> {
        let bad = || WriteError::BadKey { key: key.to_owned() };
        let subject = self.keys.subject(key).ok_or_else(bad)?;
        let id = self.stream.context.fresh_name();
        headers.insert(NATS_MESSAGE_ID, id.as_str());
        let written = self.keys.written(&subject);
        let (refused, unconfirmed) =
            match self.stream.context.publish_with_headers(written, headers, value).await {
                Ok(ack) => return Ok(ack.sequence),
                Err(PublishError::Refused(refused)) if refused.is_wrong_sequence() => (refused, false),
                Err(PublishError::GaveUp { last: LastTry::Refused(refused), .. })
                    if refused.is_wrong_sequence() =>
                {
                    (refused, true)
                }
                Err(error) => return Err(WriteError::Publish(error)),
            };
        if unconfirmed
            && let Some(revision) = self.revision_of(&subject, &id).await.map_err(WriteError::Read)?
        {
            return Ok(revision);
        }
        Err(WriteError::WrongRevision { key: key.to_owned(), why: refused.description })
    }

    /// The last revision of a key, if it is that of our own message. A stream without replicas looks at the expected
    /// sequence before it looks at the message's id, so it refuses what it has stored at an earlier try.
    async fn revision_of(&self, subject: &str, id: &str) -> Result<Option<u64>, ReadError> {
        let last = self.stream.last_at_leader(subject).await?;
        let is_ours = |message: &StreamMessage| {
            message.headers.get(NATS_MESSAGE_ID).is_some_and(|found| found.as_str() == id)
        };
        Ok(last.filter(is_ours).map(|message| message.sequence))
    }

    fn read(&self, message: StreamMessage) -> Option<Entry> {
        let StreamMessage { subject, sequence, headers, payload, time } = message;
        Some(Entry {
            bucket: self.keys.bucket.clone(),
            key: self.keys.key(&subject)?.to_owned(),
            value: payload,
            revision: sequence,
            delta: 0,
            created: time,
            operation: key::operation(Some(&headers)),
            seen_current: true,
        })
    }
}

/// By the conventions of all NATS clients (ADR-8).
const HISTORY_MAX: i64 = 64;

fn bad_key(key: &str) -> ReadError {
    ReadError::BadKey { key: key.to_owned() }
}

fn expecting(revision: u64) -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, revision.to_string());
    headers
}

/// Servers let a mirror with `mirror_direct` answer for every stream that has its origin's name. A mirror of another domain or
/// account would answer for its origin's namesake beside it, and its origin is asked elsewhere.
const fn is_of_this_api(origin: &stream::Source) -> bool {
    origin.domain.is_none() && origin.external.is_none()
}

/// A bucket as a stream, by the conventions of all NATS clients.
fn stream_config(config: Config) -> stream::Config {
    let store_of = |mut source: stream::Source| {
        if !source.name.starts_with("KV_") {
            source.name.insert_str(0, "KV_");
        }
        source
    };
    let subjects = format!("$KV.{}.>", config.bucket);
    // Their keys become keys of this bucket.
    let source_of = |source: stream::Source| {
        let mut source = store_of(source);
        if source.subject_transforms.is_empty() && source.filter_subject.is_none() {
            let from = source.name.strip_prefix("KV_").unwrap_or_default();
            let transform =
                SubjectTransform { source: format!("$KV.{from}.>"), destination: subjects.clone() };
            source.subject_transforms.push(transform);
        }
        source
    };
    stream::Config {
        name: format!("KV_{}", config.bucket),
        description: Some(config.description).filter(|text| !text.is_empty()),
        subjects: if config.mirror.is_some() { Vec::new() } else { vec![subjects.clone()] },
        max_messages_per_subject: config.history.max(1),
        max_bytes: config.max_bytes,
        max_age: config.max_age,
        max_message_size: config.max_value_size,
        storage: config.storage,
        republish: config.republish,
        allow_rollup: true,
        deny_delete: true,
        allow_direct: true,
        mirror_direct: config.mirror_direct || config.mirror.as_ref().is_some_and(is_of_this_api),
        mirror: config.mirror.map(store_of),
        sources: config.sources.map(|sources| sources.into_iter().map(source_of).collect()),
        num_replicas: config.num_replicas.max(1),
        discard: stream::DiscardPolicy::New,
        compression: config.compression.then_some(stream::Compression::S2),
        placement: config.placement,
        allow_message_ttl: config.limit_markers.is_some(),
        subject_delete_marker_ttl: config.limit_markers,
        ..stream::Config::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_mirror_beside_its_origin_answers_for_it() {
        let bucket = |origin: stream::Source| {
            stream_config(Config { bucket: "near".into(), mirror: Some(origin), ..Config::default() })
        };
        let here = || stream::Source { name: "lamps".into(), ..Default::default() };
        assert!(bucket(here()).mirror_direct);
        assert!(!bucket(stream::Source { domain: Some("hub".into()), ..here() }).mirror_direct);
        let external = stream::External { api_prefix: "$JS.hub.API".into(), delivery_prefix: None };
        assert!(!bucket(stream::Source { external: Some(external), ..here() }).mirror_direct);
    }
}
