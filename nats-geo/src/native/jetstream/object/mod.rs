//! Object stores with the conventions of NATS, which continue when the client moves.
//!
//! ```no_run
//! # async fn example(client: nats_geo::GeoClient) -> Result<(), Box<dyn std::error::Error>> {
//! use futures_util::StreamExt as _;
//!
//! let films = client.jetstream().object_store("films").await?;
//! films.put("trailer.mp4", &mut tokio::io::empty()).await?;
//!
//! let mut film = films.get("trailer.mp4").await?; // continues after moves, and checks the digest at the end
//! while let Some(bytes) = film.next().await {
//!     println!("{} bytes", bytes?.len());
//! }
//! # Ok(())
//! # }
//! ```

use std::collections::BTreeSet;
use std::ops::Range;

use async_nats::jetstream::consumer::DeliverPolicy;
use async_nats::jetstream::message::StreamMessage;
use async_nats::jetstream::stream;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;

pub use async_nats::jetstream::object_store::{
    Config, ObjectInfo, ObjectLink, ObjectMetadata, ObjectOptions,
};

use super::api::{check_bucket, parse};
use super::consumers::{Read, Reader};
use super::{ApiError, Context, OrderedOptions, Stream};

mod error;
pub use error::{DeleteError, GetError, ObjectReadError, PutError};

mod put;

mod read;
pub use read::Object;

/// A bucket of objects. [`Context::object_store`] and [`Context::create_object_store`] return it.
#[derive(Clone, Debug)]
pub struct Store {
    stream: Stream,
    bucket: String,
}

impl Context {
    /// Returns the object store of this name.
    ///
    /// # Errors
    /// The object store does not exist ([`ApiError::is_not_found`]), or no answer arrives in time.
    pub async fn object_store(&self, bucket: &str) -> Result<Store, ApiError> {
        check_bucket(bucket)?;
        Ok(Store { stream: self.get_stream(format!("OBJ_{bucket}")).await?, bucket: bucket.to_owned() })
    }

    /// Creates an object store, in the home region of this client unless `config` has a placement: see
    /// [`create_stream`](Self::create_stream). If the store exists already, in any region, this call returns the existing
    /// store.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), nats_geo::jetstream::ApiError> {
    /// use nats_geo::jetstream::object::Config;
    ///
    /// let config = Config { bucket: "films".into(), num_replicas: 3, ..Config::default() };
    /// let films = client.jetstream().create_object_store(config).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The name is not valid, the server refuses the configuration, or no answer arrives in time.
    pub async fn create_object_store(&self, config: Config) -> Result<Store, ApiError> {
        check_bucket(&config.bucket)?;
        let bucket = config.bucket.clone();
        Ok(Store { stream: self.create_stream(stream_config(config)).await?, bucket })
    }

    /// Deletes an object store with all its objects.
    ///
    /// # Errors
    /// The store does not exist, or no answer arrives in time.
    pub async fn delete_object_store(&self, bucket: &str) -> Result<(), ApiError> {
        check_bucket(bucket)?;
        self.delete_stream(&format!("OBJ_{bucket}")).await
    }
}

impl Store {
    /// Returns the store's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// Returns the stream that stores the objects.
    pub const fn stream(&self) -> &Stream {
        &self.stream
    }

    /// Returns the description of an object; `None` if it does not exist or was deleted. The nearest server that has the
    /// store answers, so the description may be slightly older than the last write.
    ///
    /// # Errors
    /// The store no longer exists, or no server answers in time.
    pub async fn info(&self, name: &str) -> Result<Option<ObjectInfo>, ApiError> {
        Ok(self.find(name).await?.map(|found| found.info))
    }

    /// Reads an object, as a stream of its bytes. The client follows links. As with [`info`](Self::info), the
    /// description may be slightly older than the last write.
    ///
    /// # Errors
    /// The object does not exist ([`GetError::NotFound`]), the store does not exist, or no answer arrives in time.
    pub async fn get(&self, name: &str) -> Result<Object, GetError> {
        let (store, found) = self.resolve(name).await?;
        Object::open(&store, found, None).await
    }

    /// Reads a range of bytes of an object. The client cannot check the digest, because the digest covers the whole
    /// object.
    ///
    /// ```no_run
    /// # async fn example(films: nats_geo::jetstream::object::Store) -> Result<(), Box<dyn std::error::Error>> {
    /// let head = films.get_range("trailer.mp4", 0..1024).await?.read_all().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`GetError::OutOfRange`] if the object is shorter; otherwise the same as [`get`](Self::get).
    pub async fn get_range(&self, name: &str, range: Range<u64>) -> Result<Object, GetError> {
        let (store, found) = self.resolve(name).await?;
        let size = found.info.size as u64;
        if range.start > range.end || range.end > size {
            return Err(GetError::OutOfRange { name: name.to_owned(), range, size });
        }
        Object::open(&store, found, Some(range)).await
    }

    /// Returns all objects, in the order in which they were written.
    ///
    /// # Errors
    /// The store does not exist, or no answer arrives in time.
    pub async fn list(&self) -> Result<Vec<ObjectInfo>, ObjectReadError> {
        let subject = format!("$O.{}.M.>", self.bucket);
        let options = OrderedOptions::new().subject(subject.clone()).from(DeliverPolicy::LastPerSubject);
        let mut reader = Reader::begin(&self.stream, options).await?;
        let mut infos = Vec::new();
        while reader.pending > 0 {
            match reader.next().await.ok_or(ObjectReadError::Closed)?? {
                Read::CaughtUp => break,
                Read::Message(message, _) => infos.push(parse(&subject, &message.payload)?),
            }
        }
        Ok(last_of_each(infos))
    }

    /// Where the bytes of an object are: here, or where a link leads.
    async fn resolve(&self, name: &str) -> Result<(Self, Found), GetError> {
        let not_found = |name: &str| GetError::NotFound { name: name.to_owned() };
        let found = self.find(name).await?.ok_or_else(|| not_found(name))?;
        let Some(link) = found.info.options.as_ref().and_then(|options| options.link.as_ref()) else {
            return Ok((self.clone(), found));
        };
        let Some(target) = &link.name else {
            return Err(GetError::LinkToStore { name: name.to_owned(), bucket: link.bucket.clone() });
        };
        let store = self.stream.context.object_store(&link.bucket).await?;
        let found = store.find(target).await?.ok_or_else(|| not_found(target))?;
        // Links to links are forbidden, so a circle ends here.
        match found.info.options.as_ref().and_then(|options| options.link.as_ref()) {
            Some(_) => Err(not_found(target)),
            None => Ok((store, found)),
        }
    }

    async fn find(&self, name: &str) -> Result<Option<Found>, ApiError> {
        let subject = self.meta_subject(name);
        self.stream.last(&subject).await.and_then(|last| Found::read(&subject, last))
    }

    /// As [`find`](Self::find), for who is about to write: the nearest copy may be behind.
    async fn find_at_leader(&self, name: &str) -> Result<Option<Found>, ApiError> {
        let subject = self.meta_subject(name);
        self.stream.last_at_leader(&subject).await.and_then(|last| Found::read(&subject, last))
    }

    fn meta_subject(&self, name: &str) -> String {
        format!("$O.{}.M.{}", self.bucket, URL_SAFE.encode(name))
    }

    fn chunk_subject(&self, nuid: &str) -> String {
        format!("$O.{}.C.{nuid}", self.bucket)
    }
}

/// What is known of an object, and where in the stream that is written: right behind its bytes.
#[derive(Clone, Debug)]
struct Found {
    info: ObjectInfo,
    sequence: u64,
}

impl Found {
    /// `None` of what was deleted.
    fn read(subject: &str, message: Option<StreamMessage>) -> Result<Option<Self>, ApiError> {
        let Some(StreamMessage { payload, sequence, .. }) = message else { return Ok(None) };
        let info: ObjectInfo = parse(subject, &payload)?;
        Ok((!info.deleted).then_some(Self { info, sequence }))
    }
}

/// An object store as a stream, by the conventions of all NATS clients.
fn stream_config(config: Config) -> stream::Config {
    let bucket = &config.bucket;
    stream::Config {
        name: format!("OBJ_{bucket}"),
        subjects: vec![format!("$O.{bucket}.C.>"), format!("$O.{bucket}.M.>")],
        description: config.description,
        max_age: config.max_age,
        max_bytes: config.max_bytes,
        storage: config.storage,
        num_replicas: config.num_replicas.max(1),
        discard: stream::DiscardPolicy::New,
        allow_rollup: true,
        allow_direct: true,
        compression: config.compression.then_some(stream::Compression::S2),
        placement: config.placement,
        ..stream::Config::default()
    }
}

/// What was written while it was being read comes twice: as it was, and as it is, which may be that it was deleted.
fn last_of_each(mut infos: Vec<ObjectInfo>) -> Vec<ObjectInfo> {
    let mut names = BTreeSet::new();
    infos.reverse();
    infos.retain(|info| names.insert(info.name.clone()) && !info.deleted);
    infos.reverse();
    infos
}

/// Other clients leave out the padding, or not.
fn is_digest(digest: &str, sha256: &[u8]) -> bool {
    let expected = format!("SHA-256={}", URL_SAFE.encode(sha256));
    digest.trim_end_matches('=') == expected.trim_end_matches('=')
}

/// What all clients cut objects into unless told.
const CHUNK_BYTES: usize = 128 << 10;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_while_it_was_listed_is_listed_once() {
        let info = |name: &str, nuid: &str, deleted| {
            let text = serde_json::json!({ "name": name, "bucket": "films", "nuid": nuid, "size": 0, "chunks": 0,
                "mtime": "2026-01-01T00:00:00Z", "digest": "", "deleted": deleted });
            serde_json::from_value::<ObjectInfo>(text).unwrap()
        };
        let infos =
            vec![info("a", "1", false), info("b", "2", false), info("a", "3", false), info("b", "4", true)];
        let left: Vec<_> = last_of_each(infos).into_iter().map(|info| (info.name, info.nuid)).collect();
        assert_eq!(left, [("a".to_owned(), "3".to_owned())]);
    }
}
