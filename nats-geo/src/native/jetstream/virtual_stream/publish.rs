//! This module publishes to the region where the client is.

use async_nats::subject::ToSubject;
use async_nats::{HeaderMap, Subject};
use bytes::Bytes;

use super::VirtualStream;
use crate::native::jetstream::publish::Way;
use crate::native::jetstream::{self, Ack};

/// Reason why a region did not acknowledge a message.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The subject does not belong to the virtual stream. The client sent nothing.
    #[error("`{subject}` is no subject of virtual stream `{stream}`: its subjects begin with `{prefix}.`")]
    BadSubject {
        /// The subject.
        subject: String,
        /// The stream.
        stream: String,
        /// The first tokens of the stream's subjects.
        prefix: String,
    },
    /// The write stream of the region did not acknowledge the message, but it may have stored the message.
    #[error(transparent)]
    NotAcknowledged(#[from] jetstream::PublishError),
}

impl VirtualStream {
    /// Publishes a message to the client's region, and waits until that region has stored it. Like
    /// [`Context::publish`](jetstream::Context::publish), it resends the message with the same id until a stream has
    /// acknowledged it. Each try goes to the region where the client is at this moment. So after a move, two regions may
    /// have the message.
    ///
    /// ```no_run
    /// # async fn example(
    /// #     orders: nats_geo::jetstream::VirtualStream,
    /// # ) -> Result<(), nats_geo::jetstream::virtual_stream::PublishError> {
    /// let ack = orders.publish("orders.new", "one lamp".into()).await?;
    /// println!("{} of {}", ack.sequence, ack.stream); // such as 7 of orders-write-lon
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The subject does not belong to the stream, or no acknowledgement arrived in time.
    pub async fn publish(&self, subject: impl ToSubject, payload: Bytes) -> Result<Ack, PublishError> {
        self.publish_with_headers(subject, HeaderMap::new(), payload).await
    }

    /// Publishes with headers, like [`publish`](Self::publish). With your own `Nats-Msg-Id`, your application can repeat
    /// a publish safely within the duplicate window, in every region.
    ///
    /// # Errors
    /// The same as [`publish`](Self::publish).
    pub async fn publish_with_headers(
        &self,
        subject: impl ToSubject,
        headers: HeaderMap,
        payload: Bytes,
    ) -> Result<Ack, PublishError> {
        let subject = subject.to_subject();
        let (prefix, name) = (&self.config.prefix, &self.config.name);
        let rest = subject.strip_prefix(prefix.as_str()).and_then(|rest| rest.strip_prefix('.'));
        let rest = rest.filter(|rest| !rest.is_empty()).ok_or_else(|| PublishError::BadSubject {
            subject: subject.to_string(),
            stream: name.clone(),
            prefix: prefix.clone(),
        })?;
        Ok(self.context.publish_by(&ToWhereWeAre { stream: self, rest }, headers, payload).await?)
    }
}

struct ToWhereWeAre<'a> {
    stream: &'a VirtualStream,
    rest: &'a str,
}

impl Way for ToWhereWeAre<'_> {
    async fn subject(&self) -> Subject {
        let region = self.stream.region().await;
        format!("{}.{region}.{}", self.stream.config.prefix, self.rest).into()
    }
}
