//! This module checks and publishes messages.

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::client::traits;
use async_nats::message::OutboundMessage;
use async_nats::subject::ToSubject;
use async_nats::{HeaderMap, HeaderName, HeaderValue, PublishErrorKind, Subject};
use bytes::Bytes;
use futures_util::TryFutureExt as _;

use super::GeoClient;
use super::hub::NotSent;
use super::lines::{TooLong, check_publish, shown};

impl GeoClient {
    /// Publishes a message on the active link. `Ok` means that the message is in the queue to the server, as in
    /// async-nats. [`flush`](Self::flush) waits until the server has received the message.
    ///
    /// While the client is offline, the call waits for at most [`GeoOptions::publish_wait`](super::GeoOptions::publish_wait).
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
    /// let client = nats_geo::connect("nats://lon-1:4222,nats://ams-1:4222").await?;
    /// client.publish("orders.new", "one lamp".into()).await?;
    /// client.flush().await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The server would refuse the subject or the payload, or no link could accept the message in time.
    pub async fn publish(&self, subject: impl ToSubject, payload: Bytes) -> Result<(), PublishError> {
        self.publish_message(outbound(subject, None, None, payload)).await
    }

    /// Publishes with a reply subject, like [`publish`](Self::publish).
    ///
    /// # Errors
    /// The same as [`publish`](Self::publish).
    pub async fn publish_with_reply(
        &self,
        subject: impl ToSubject,
        reply: impl ToSubject,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        self.publish_message(outbound(subject, Some(reply.to_subject()), None, payload)).await
    }

    /// Publishes with headers, like [`publish`](Self::publish).
    ///
    /// # Errors
    /// The same as [`publish`](Self::publish).
    pub async fn publish_with_headers(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        self.publish_message(outbound(subject, None, Some(headers), payload)).await
    }

    /// Publishes with a reply subject and headers, like [`publish`](Self::publish).
    ///
    /// # Errors
    /// The same as [`publish`](Self::publish).
    pub async fn publish_with_reply_and_headers(
        &self,
        subject: impl ToSubject,
        reply: impl ToSubject,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<(), PublishError> {
        self.publish_message(outbound(subject, Some(reply.to_subject()), Some(headers), payload)).await
    }

    /// Publishes a complete message, like [`publish`](Self::publish).
    ///
    /// # Errors
    /// The same as [`publish`](Self::publish).
    pub async fn publish_message(&self, message: OutboundMessage) -> Result<(), PublishError> {
        let hub = self.hub();
        check(&message, hub.max_control_line())?;
        let mut slot = Some(message);
        hub.send(&mut slot)
            .await
            .map_err(|why| PublishError::new(why, slot.as_ref().map_or(0, size), hub.limits.publish_wait))?;
        hub.counters.published.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

impl traits::Publisher for GeoClient {
    async fn publish_with_reply<S: ToSubject, R: ToSubject>(
        &self,
        subject: S,
        reply: R,
        payload: Bytes,
    ) -> Result<(), async_nats::PublishError> {
        Ok(Self::publish_with_reply(self, subject, reply, payload).await?)
    }

    fn publish_message(
        &self,
        message: OutboundMessage,
    ) -> impl Future<Output = Result<(), async_nats::PublishError>> {
        Self::publish_message(self, message).err_into()
    }
}

/// Reason why a message was not published. The client sent no part of the message.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// For the whole `publish_wait`, no link was live, or the live link accepted no message.
    #[error("no server took the message within {waited:?}; try again later, or wait longer (`publish_wait`)")]
    Unavailable {
        /// The limit: [`GeoOptions::publish_wait`](super::GeoOptions::publish_wait), or the time limit of a request, if
        /// that is shorter.
        waited: Duration,
    },
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
    /// The subject is empty, or contains white space.
    #[error("`{subject}` is not a valid subject to publish to: it is empty or has white space; correct it")]
    BadSubject {
        /// The subject.
        subject: String,
    },
    /// The subject, together with the reply subject, is longer than the limit of servers (`max_control_line`).
    #[error(transparent)]
    TooLong(#[from] Box<TooLong>),
    /// No client could read the header. A header name must have only visible ASCII characters except `:`. A value must
    /// have no line break.
    #[error(
        "the header `{name}` is not valid: a name must have visible ASCII characters except `:`, and a value must not have line breaks"
    )]
    BadHeader {
        /// The first 48 characters of the header's name.
        name: String,
    },
    /// The buffer of unconfirmed publishes stayed full for the whole `publish_wait`. This error occurs only with
    /// [`GeoOptions::at_least_once`](super::GeoOptions::at_least_once).
    #[error(
        "the buffer of unconfirmed publishes ({max_bytes} bytes) stayed full for {waited:?}; publish less, allow more \
         (`AtLeastOnce::max_bytes`), or drop the oldest (`Overflow::DropOldest`)"
    )]
    TooManyUnconfirmed {
        /// The limit of [`AtLeastOnce::max_bytes`](super::AtLeastOnce::max_bytes).
        max_bytes: usize,
        /// The limit of [`GeoOptions::publish_wait`](super::GeoOptions::publish_wait).
        waited: Duration,
    },
    /// The message alone is larger than the buffer of unconfirmed publishes.
    #[error(
        "a message of {size} bytes does not fit into the buffer of unconfirmed publishes, which has {max_bytes} bytes; \
         allow more (`AtLeastOnce::max_bytes`)"
    )]
    TooLargeToKeep {
        /// The size of headers and payload, in bytes.
        size: usize,
        /// The limit of [`AtLeastOnce::max_bytes`](super::AtLeastOnce::max_bytes).
        max_bytes: usize,
    },
    /// Headers and payload are larger than the server accepts.
    #[error(
        "a message of {size} bytes exceeds the server's limit of {limit} (`max_payload`); send less, or raise the limit"
    )]
    TooLarge {
        /// Size of headers and payload, in bytes.
        size: usize,
        /// The server's `max_payload`, in bytes.
        limit: usize,
    },
}

impl PublishError {
    pub(crate) fn new(why: NotSent, size: usize, waited: Duration) -> Self {
        match why {
            NotSent::Waited => Self::Unavailable { waited },
            NotSent::Closed => Self::Closed,
            NotSent::TooLarge { limit } => Self::TooLarge { size, limit },
            NotSent::TooManyUnconfirmed { max_bytes } => Self::TooManyUnconfirmed { max_bytes, waited },
            NotSent::TooLargeToKeep { max_bytes } => Self::TooLargeToKeep { size, max_bytes },
        }
    }
}

impl From<PublishError> for async_nats::PublishError {
    fn from(error: PublishError) -> Self {
        let kind = match error {
            PublishError::Unavailable { .. }
            | PublishError::Closed
            | PublishError::BadHeader { .. }
            | PublishError::TooManyUnconfirmed { .. } => PublishErrorKind::Send,
            PublishError::BadSubject { .. } | PublishError::TooLong(_) => PublishErrorKind::InvalidSubject,
            PublishError::TooLarge { .. } | PublishError::TooLargeToKeep { .. } => {
                PublishErrorKind::MaxPayloadExceeded
            }
        };
        Self::with_source(kind, error)
    }
}

pub(crate) fn outbound(
    subject: impl ToSubject,
    reply: Option<Subject>,
    headers: Option<HeaderMap>,
    payload: Bytes,
) -> OutboundMessage {
    OutboundMessage { subject: subject.to_subject(), reply, headers, payload }
}

/// The bytes that count against the server's `max_payload`, for messages to people.
pub(crate) fn size(message: &OutboundMessage) -> usize {
    message.payload.len() + message.headers.as_ref().map_or(0, headers_size)
}

/// As they are on the wire.
pub(crate) fn headers_size(headers: &HeaderMap) -> usize {
    let line = |name: &HeaderName, value: &HeaderValue| {
        let name: &[u8] = name.as_ref();
        name.len() + ": ".len() + value.as_str().len() + "\r\n".len()
    };
    let lines = headers.iter().flat_map(|(name, values)| values.iter().map(move |value| line(name, value)));
    "NATS/1.0\r\n\r\n".len() + lines.sum::<usize>()
}

/// Refuses a message for which a server would close the connection, or which receivers could not read. Links check nothing
/// of this kind any more.
pub(crate) fn check(message: &OutboundMessage, max_control_line: usize) -> Result<(), PublishError> {
    if let Some(name) = message.headers.as_ref().and_then(bad_header) {
        return Err(PublishError::BadHeader { name: shown(&name) });
    }
    check_publish(message, max_control_line)?;
    // Without a branch per byte: this is on the fast path.
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let framed = |subject: &Subject| {
        !subject.is_empty() && !subject.as_bytes().iter().fold(false, |any, byte| any | blank(byte))
    };
    match [Some(&message.subject), message.reply.as_ref()].into_iter().flatten().find(|it| !framed(it)) {
        Some(subject) => Err(PublishError::BadSubject { subject: subject.to_string() }),
        None => Ok(()),
    }
}

/// The name of a header that breaks the header block. async-nats checks headers that are made from text, but neither names
/// that are made by `from_static` nor what is deserialised.
pub(crate) fn bad_header(headers: &HeaderMap) -> Option<String> {
    let is_bad = |name: &HeaderName, values: &[HeaderValue]| {
        let name: &[u8] = name.as_ref();
        let is_name = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic() && *byte != b':');
        !is_name || values.iter().any(|value| value.as_str().contains(['\r', '\n']))
    };
    headers.iter().find(|(name, values)| is_bad(name, values)).map(|(name, _)| name.to_string())
}
