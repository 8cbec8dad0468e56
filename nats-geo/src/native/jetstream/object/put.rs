//! This module writes objects. The client waits for the acknowledgement of each part before it sends the next one, so
//! the parts keep their order.

use async_nats::HeaderMap;
use async_nats::header::NATS_ROLLUP;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE;
use bytes::{Bytes, BytesMut};
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt as _};

use super::{CHUNK_BYTES, DeleteError, ObjectInfo, ObjectMetadata, ObjectOptions, PutError, Store};
use crate::native::clock::today;
use crate::native::jetstream::api::check_name;
use crate::native::jetstream::{ApiError, PublishError};

impl Store {
    /// Writes an object, in place of an earlier object of the same name. If the client resends a part after a move, the
    /// store keeps the part only once. The object exists as soon as all parts are stored.
    ///
    /// Each part takes one round trip to the store's region. Larger parts (`chunk_size`) are faster, up to the server's
    /// `max_payload`. If the application drops the future early, the parts that the call has written stay in the store
    /// and use space.
    ///
    /// ```no_run
    /// # async fn example(films: nats_geo::jetstream::object::Store) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut bytes: &[u8] = b"not much of a film";
    /// let info = films.put("trailer.mp4", &mut bytes).await?;
    /// println!("{} bytes, {:?}", info.size, info.digest);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The source cannot be read, or the store did not acknowledge a part. An earlier object of that name is unchanged,
    /// unless the last part is [unconfirmed](PublishError::GaveUp). In this case, the name belongs to the earlier or to
    /// the new object, and that object is complete.
    pub async fn put(
        &self,
        object: impl Into<ObjectMetadata>,
        data: &mut (impl AsyncRead + Unpin),
    ) -> Result<ObjectInfo, PutError> {
        let object = object.into();
        if object.name.is_empty() {
            return Err(PutError::NoName);
        }
        let before = self.find_at_leader(&object.name).await?;
        let nuid = self.stream.context.fresh_name();
        let info = match self.write_parts(object, &nuid, data).await {
            Ok(info) => info,
            Err(error) => {
                self.forget(&nuid).await;
                return Err(error);
            }
        };
        if let Err(error) = self.announce(&info).await {
            // It may be there: without its bytes it would be neither what it was nor what it is to be.
            if !error.is_unconfirmed() {
                self.forget(&nuid).await;
            }
            return Err(match error {
                Announce::Api(error) => error.into(),
                Announce::Publish(error) => {
                    PutError::Publish { name: info.name, chunk: info.chunks as u64, error }
                }
            });
        }
        if let Some(before) = before {
            self.forget(&before.info.nuid).await;
        }
        Ok(info)
    }

    /// Deletes an object.
    ///
    /// # Errors
    /// The object does not exist, or the store did not acknowledge the deletion.
    pub async fn delete(&self, name: &str) -> Result<(), DeleteError> {
        let found = self.find_at_leader(name).await?;
        let found = found.ok_or_else(|| DeleteError::NotFound { name: name.to_owned() })?;
        let nuid = found.info.nuid.clone();
        let info = ObjectInfo { deleted: true, size: 0, chunks: 0, digest: None, ..found.info };
        self.announce(&info).await.map_err(|error| match error {
            Announce::Api(error) => DeleteError::Api(error),
            Announce::Publish(error) => DeleteError::Publish { name: name.to_owned(), error },
        })?;
        self.forget(&nuid).await;
        Ok(())
    }

    async fn write_parts(
        &self,
        object: ObjectMetadata,
        nuid: &str,
        data: &mut (impl AsyncRead + Unpin),
    ) -> Result<ObjectInfo, PutError> {
        let chunk_bytes = object.chunk_size.filter(|bytes| *bytes > 0).unwrap_or(CHUNK_BYTES);
        let subject = self.chunk_subject(nuid);
        let mut sha256 = Sha256::new();
        let (mut size, mut chunks) = (0, 0);
        loop {
            let read = read_chunk(data, chunk_bytes).await;
            let chunk = read.map_err(|error| PutError::Source { name: object.name.clone(), error })?;
            if chunk.is_empty() {
                break;
            }
            sha256.update(&chunk);
            size += chunk.len();
            let published = self.stream.context.publish(subject.clone(), chunk).await;
            let ack = published.map_err(|error| PutError::Publish {
                name: object.name.clone(),
                chunk: chunks as u64,
                error,
            })?;
            self.check_domain(&object.name, ack.domain)?;
            chunks += 1;
        }
        Ok(ObjectInfo {
            name: object.name.clone(),
            description: object.description.clone(),
            metadata: object.metadata.clone(),
            headers: object.headers.clone(),
            options: Some(ObjectOptions { link: None, max_chunk_size: Some(chunk_bytes) }),
            bucket: self.bucket.clone(),
            nuid: nuid.to_owned(),
            size,
            chunks,
            modified: Some(today()),
            digest: Some(format!("SHA-256={}", URL_SAFE.encode(sha256.finalize()))),
            deleted: false,
        })
    }

    /// Leaf nodes carry `$O.>` between domains, so a store of the same name in another domain takes the part, too.
    fn check_domain(&self, name: &str, found: Option<String>) -> Result<(), PutError> {
        let expected = self.stream.cached_info().domain.clone();
        match (expected, found) {
            (Some(domain), Some(found)) if domain != found => {
                let (name, bucket) = (name.to_owned(), self.bucket.clone());
                Err(PutError::OtherDomain { name, bucket, domain, found })
            }
            _ => Ok(()),
        }
    }

    /// Says what the object is, in place of what was said before.
    async fn announce(&self, info: &ObjectInfo) -> Result<(), Announce> {
        let subject = self.meta_subject(&info.name);
        let written = serde_json::to_vec(info).map_err(|error| {
            Announce::Api(ApiError::BadAnswer { subject: subject.clone(), why: error.to_string() })
        })?;
        let mut headers = HeaderMap::new();
        headers.insert(NATS_ROLLUP, "sub");
        let published = self.stream.context.publish_with_headers(subject, headers, written.into()).await;
        published.map(drop).map_err(Announce::Publish)
    }

    /// Removes bytes that belong to no object. If that fails they only take up room.
    async fn forget(&self, nuid: &str) {
        // Links have no bytes, and what others have written may be anything: a wildcard would be the bytes of all.
        if check_name("part", nuid).is_err() {
            return;
        }
        if let Err(error) = self.stream.purge(&self.chunk_subject(nuid)).await {
            tracing::warn!(target: "nats_geo", bucket = %self.bucket, nuid, %error, "bytes of no object are left");
        }
    }
}

enum Announce {
    Api(ApiError),
    Publish(PublishError),
}

impl Announce {
    const fn is_unconfirmed(&self) -> bool {
        matches!(self, Self::Publish(PublishError::GaveUp { unconfirmed: true, .. }))
    }
}

/// As many bytes as a part has; fewer at the end, and none behind it.
async fn read_chunk(data: &mut (impl AsyncRead + Unpin), chunk_bytes: usize) -> std::io::Result<Bytes> {
    let mut chunk = BytesMut::new();
    let mut data = data.take(chunk_bytes as u64);
    while data.read_buf(&mut chunk).await? > 0 {}
    Ok(chunk.freeze())
}
