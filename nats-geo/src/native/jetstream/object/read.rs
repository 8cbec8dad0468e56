//! This module reads objects. A read continues after moves and after the loss of a region.

use std::fmt;
use std::ops::Range;
use std::pin::{Pin, pin};
use std::task::{Context as Waking, Poll};
use std::time::Duration;

use async_nats::jetstream::consumer::DeliverPolicy;
use bytes::{Bytes, BytesMut};
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _};
use sha2::{Digest as _, Sha256};

use super::{CHUNK_BYTES, Found, GetError, ObjectInfo, ObjectReadError, Store, is_digest};
use crate::native::jetstream::consumers::{Read, Reader};
use crate::native::jetstream::{ApiError, Delivery, OrderedOptions, PullOptions};

/// The bytes of an object, in parts, as a stream that continues when the client moves. [`Store::get`] creates it.
///
/// While the store cannot be reached, this stream of bytes waits, and then continues at the next byte. At the end of a
/// whole object, the client checks the digest. Trust the bytes only after this check. The stream ends with an error if
/// the object is deleted or replaced during the read.
#[must_use = "the client requests bytes only while the application reads them"]
pub struct Object {
    info: ObjectInfo,
    bytes: BoxStream<'static, Result<Bytes, ObjectReadError>>,
}

struct State {
    store: Store,
    found: Found,
    /// `None` of an object without bytes.
    reader: Option<Reader>,
    /// The part that comes next, and how many bytes from its beginning on are not wanted.
    chunk: u64,
    skip: u64,
    /// Bytes to come.
    left: u64,
    /// Of a whole object.
    sha256: Option<Sha256>,
    has_ended: bool,
}

impl Object {
    pub(super) async fn open(
        store: &Store,
        found: Found,
        range: Option<Range<u64>>,
    ) -> Result<Self, GetError> {
        let info = found.info.clone();
        let size = info.size as u64;
        let chunk_bytes = chunk_bytes(&info);
        let Range { start, end } = range.clone().unwrap_or(0..size);
        // Some clients cut objects into parts of any length up to the largest.
        let is_regular = info.chunks as u64 == size.div_ceil(chunk_bytes);
        let (chunk, skip) = if is_regular { (start / chunk_bytes, start % chunk_bytes) } else { (0, start) };
        let mut state = State {
            store: store.clone(),
            reader: None,
            chunk,
            skip,
            left: end - start,
            sha256: (end - start == size).then(Sha256::new),
            has_ended: false,
            found,
        };
        if state.left > 0 {
            // The info is written right behind the bytes, so that they are found at once unless somebody wrote between.
            let first = state.found.sequence.saturating_sub(info.chunks as u64).saturating_add(chunk).max(1);
            let from = match chunk {
                0 => DeliverPolicy::All,
                _ => DeliverPolicy::ByStartSequence { start_sequence: first },
            };
            let mut reader = state.begin(from).await?;
            let found = (info.chunks as u64).saturating_sub(reader.pending);
            if found > chunk && chunk > 0 {
                reader = state.begin(DeliverPolicy::All).await?;
            }
            state.reader = Some(reader);
        }
        let next = async |mut state: State| Some((state.next().await?, state));
        Ok(Self { info, bytes: stream::unfold(state, next).boxed() })
    }

    /// Returns the description of the object.
    pub const fn info(&self) -> &ObjectInfo {
        &self.info
    }

    /// Reads all bytes that have not been read yet.
    ///
    /// # Errors
    /// The bytes do not arrive, or their digest is wrong.
    pub async fn read_all(mut self) -> Result<Bytes, ObjectReadError> {
        let mut all = BytesMut::new();
        while let Some(bytes) = self.bytes.next().await {
            all.extend_from_slice(&bytes?);
        }
        Ok(all.freeze())
    }
}

impl State {
    async fn begin(&self, from: DeliverPolicy) -> Result<Reader, ApiError> {
        let wanted = (self.skip + self.left).div_ceil(chunk_bytes(&self.found.info));
        let at_once = (AHEAD_BYTES / chunk_bytes(&self.found.info)).clamp(2, AHEAD_MESSAGES_MAX).min(wanted);
        let pull = PullOptions::new().max_messages(usize::try_from(at_once).unwrap_or(usize::MAX));
        let subject = self.store.chunk_subject(&self.found.info.nuid);
        let options = OrderedOptions::new().subject(subject).from(from).pull(pull);
        Reader::begin(&self.store.stream, options).await
    }

    async fn next(&mut self) -> Option<Result<Bytes, ObjectReadError>> {
        if self.has_ended {
            return None;
        }
        if self.left == 0 {
            self.has_ended = true;
            // It goes on asking otherwise, until the object itself is dropped.
            self.reader = None;
            return self.damage().map(Err);
        }
        let read = self.read().await;
        self.has_ended = read.is_err();
        Some(read)
    }

    /// The wanted bytes of the next part.
    async fn read(&mut self) -> Result<Bytes, ObjectReadError> {
        loop {
            let (message, delivery) = self.receive().await?;
            let chunk = self.number(&delivery)?;
            if chunk > self.chunk {
                return Err(self.incomplete());
            }
            if chunk < self.chunk {
                continue;
            }
            let part = message.payload;
            let start = usize::try_from(self.skip).unwrap_or(usize::MAX).min(part.len());
            let length = usize::try_from(self.left).unwrap_or(usize::MAX).min(part.len() - start);
            let bytes = part.slice(start..start + length);
            self.chunk += 1;
            self.skip -= start as u64;
            self.left -= length as u64;
            if let Some(sha256) = &mut self.sha256 {
                sha256.update(&bytes);
            }
            if !bytes.is_empty() {
                return Ok(bytes);
            }
            if self.chunk >= self.found.info.chunks as u64 {
                return Err(self.incomplete());
            }
        }
    }

    async fn receive(&mut self) -> Result<(async_nats::Message, Delivery), ObjectReadError> {
        let incomplete = self.incomplete();
        let Some(reader) = &mut self.reader else { return Err(incomplete) };
        if reader.pending == 0 {
            return Err(incomplete);
        }
        let mut next = pin!(reader.next());
        loop {
            match tokio::time::timeout(STALLED_AFTER, next.as_mut()).await {
                Ok(Some(Ok(Read::Message(message, delivery)))) => return Ok((message, delivery)),
                Ok(Some(Ok(Read::CaughtUp))) => return Err(incomplete),
                Ok(Some(Err(error))) => return Err(error.into()),
                Ok(None) => return Err(ObjectReadError::Closed),
                // The store may be out of reach, or the rest of the object gone.
                Err(_elapsed) => match self.store.find(&self.found.info.name).await {
                    Ok(Some(found)) if found.info.nuid == self.found.info.nuid => {}
                    Ok(_) => return Err(incomplete),
                    Err(error) if error.is_final() => return Err(error.into()),
                    Err(_) => {}
                },
            }
        }
    }

    /// Which part this is: the server says how many follow.
    fn number(&self, delivery: &Delivery) -> Result<u64, ObjectReadError> {
        let last = (self.found.info.chunks as u64).checked_sub(1);
        last.and_then(|last| last.checked_sub(delivery.pending)).ok_or_else(|| self.incomplete())
    }

    fn incomplete(&self) -> ObjectReadError {
        let ObjectInfo { name, chunks, .. } = &self.found.info;
        ObjectReadError::Incomplete { name: name.clone(), chunk: self.chunk, chunks: *chunks as u64 }
    }

    fn damage(&mut self) -> Option<ObjectReadError> {
        let sha256 = self.sha256.take()?.finalize();
        let ObjectInfo { name, digest, .. } = &self.found.info;
        // Links and very old objects have none.
        let is_wrong = digest.as_ref().is_some_and(|digest| !is_digest(digest, &sha256));
        is_wrong.then(|| ObjectReadError::WrongDigest { name: name.clone() })
    }
}

impl Stream for Object {
    type Item = Result<Bytes, ObjectReadError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Waking<'_>) -> Poll<Option<Self::Item>> {
        self.bytes.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Object").field("info", &self.info).finish_non_exhaustive()
    }
}

fn chunk_bytes(info: &ObjectInfo) -> u64 {
    let told = info.options.as_ref().and_then(|options| options.max_chunk_size);
    told.filter(|bytes| *bytes > 0).unwrap_or(CHUNK_BYTES) as u64
}

/// What may come in before it is wanted: 35 MB/s at 113 ms from the store.
const AHEAD_BYTES: u64 = 4 << 20;

/// The size of chunks is what somebody wrote about the object: if it is not true, this bounds what comes in. As many as
/// chunks of 16 KiB.
const AHEAD_MESSAGES_MAX: u64 = 256;

/// Twice what a consumer needs to show that it lives.
const STALLED_AFTER: Duration = Duration::from_secs(20);
