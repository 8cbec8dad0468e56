//! The results of agents, as a stream of the back channel. The stream outlives the agent, and a restart of the server.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream;
use bytes::Bytes;
use futures_util::StreamExt as _;

use super::addresses::{STREAM, parts_of};
use super::channel::{Channel, ChannelError};

impl Channel {
    /// Creates the stream, unless it is there.
    ///
    /// # Errors
    /// The back channel fails.
    pub(crate) async fn create_parts(&self) -> Result<(), ChannelError> {
        let config = stream::Config {
            name: STREAM.to_owned(),
            subjects: vec![parts_of("*", "*")],
            max_age: KEEP,
            ..stream::Config::default()
        };
        let created = self.jetstream.get_or_create_stream(config).await;
        created.map(drop).map_err(|error| {
            ChannelError::failed("create the stream LOADGEN_PARTS, which needs JetStream,", error)
        })
    }

    /// Adds the part with this number, once: one that comes again is dropped.
    ///
    /// # Errors
    /// The back channel fails, and does not say whether it has the part.
    pub(crate) async fn add_part(
        &self,
        subject: String,
        number: u64,
        part: Bytes,
    ) -> Result<(), ChannelError> {
        let failed =
            |error: &dyn std::fmt::Display| ChannelError::failed("store the results of an agent", error);
        let mut headers = async_nats::HeaderMap::new();
        headers.insert(async_nats::header::NATS_MESSAGE_ID, format!("{subject}.{number}"));
        let published = self.jetstream.publish_with_headers(subject, headers, part).await;
        published.map_err(|error| failed(&error))?.await.map(drop).map_err(|error| failed(&error))
    }

    /// Reads all parts of a subject, and removes them.
    ///
    /// # Errors
    /// The back channel fails.
    pub(crate) async fn take_parts(&self, subject: &str) -> Result<Vec<Bytes>, ChannelError> {
        let failed =
            |error: &dyn std::fmt::Display| ChannelError::failed("read the results of an agent", error);
        let stream = self.jetstream.get_stream(STREAM).await.map_err(|error| failed(&error))?;
        let config = pull::Config {
            filter_subject: subject.to_owned(),
            ack_policy: AckPolicy::None,
            memory_storage: true,
            ..pull::Config::default()
        };
        let mut consumer = stream.create_consumer(config).await.map_err(|error| failed(&error))?;
        let count = consumer.info().await.map_err(|error| failed(&error))?.num_pending;
        let mut parts = Vec::new();
        if count > 0 {
            let mut messages = consumer.messages().await.map_err(|error| failed(&error))?;
            while (parts.len() as u64) < count {
                let message = tokio::time::timeout(READ_LIMIT, messages.next()).await;
                let message =
                    message.map_err(|_| failed(&format!("{} of {count} parts came", parts.len())))?;
                let message = message.ok_or_else(|| failed(&"the reader ended"))?;
                parts.push(message.map_err(|error| failed(&error))?.message.payload);
            }
        }
        // They are read: what stays takes only room.
        if let Err(error) = stream.purge().filter(subject).await {
            tracing::debug!(%error, "parts stay in the back channel");
        }
        Ok(parts)
    }
}

/// A controller reads parts at the end of a play. Those of a controller that was killed vanish after a day.
const KEEP: Duration = Duration::from_secs(86_400);

/// A server nearby gives thousands of messages in this time.
const READ_LIMIT: Duration = Duration::from_secs(10);
