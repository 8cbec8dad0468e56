//! Consumers of streams, which continue when the client moves.
//!
//! The module `pulling` sends pull requests. The messages arrive at an inbox that moves with the client. `messages` reads
//! durable consumers. `reader` and `ordered` read in order, and create a new consumer after a loss. `mark` detects streams
//! that were reset. This module must not use buckets or objects, because they use this module.

use async_nats::jetstream::consumer::{self, IntoConsumerConfig as _, pull};
use serde_json::json;

use super::api::{Patience, Repeat, check_name};
use super::streams::done_by_now;
use super::{ApiError, Context, Delivery, Stream};

mod options;
pub use options::PullOptions;

mod status;
pub use status::PullRefusal;

mod pulling;
pub(crate) use pulling::{Pull, Pulled};

mod mark;
pub(crate) use mark::Mark;

mod messages;
pub(crate) use messages::GONE_FOR;
pub use messages::{Messages, MessagesError};

mod ordered;
pub use ordered::{Ordered, OrderedError, OrderedOptions};

mod reader;
pub(crate) use reader::{Read, Reader};

/// A pull consumer of a stream. [`Stream::create_consumer`] and [`Stream::get_consumer`] return it.
#[derive(Clone, Debug)]
pub struct Consumer {
    context: Context,
    info: consumer::Info,
}

impl Stream {
    /// Creates a consumer, or changes the consumer of the same name. A consumer with a `durable_name` exists until it
    /// is deleted, and any number of clients may share it. Without a `durable_name`, the server deletes the consumer
    /// when no client has sent a pull request for `inactive_threshold`.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), Box<dyn std::error::Error>> {
    /// use futures_util::StreamExt as _;
    /// use nats_geo::jetstream::consumer::pull::Config;
    ///
    /// let orders = client.jetstream().get_stream("ORDERS").await?;
    /// let config = Config { durable_name: Some("workers".into()), ..Config::default() };
    /// let mut messages = orders.create_consumer(config).await?.messages().await?;
    /// while let Some(message) = messages.next().await {
    ///     let message = message?;
    ///     println!("{}: {:?}", message.subject, message.payload);
    ///     message.ack().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The name is not valid, the server refuses the configuration, or no answer arrives in time.
    pub async fn create_consumer(&self, config: pull::Config) -> Result<Consumer, ApiError> {
        self.context.create_consumer(self.name(), config.into_consumer_config(), Patience::Full).await
    }

    /// Returns the consumer of this name.
    ///
    /// # Errors
    /// The consumer does not exist ([`ApiError::is_not_found`]), or no answer arrives in time.
    pub async fn get_consumer(&self, name: &str) -> Result<Consumer, ApiError> {
        check_name("consumer", name)?;
        let subject = self.context.subject(format_args!("CONSUMER.INFO.{}.{name}", self.name()));
        let info = self.context.call(subject, &json!({}), Repeat::Harmless).await?;
        Ok(Consumer { context: self.context.clone(), info })
    }

    /// Deletes a consumer. Message streams that read this consumer end with an error.
    ///
    /// # Errors
    /// The consumer does not exist, or no server answers in time.
    pub async fn delete_consumer(&self, name: &str) -> Result<(), ApiError> {
        check_name("consumer", name)?;
        let subject = self.context.subject(format_args!("CONSUMER.DELETE.{}.{name}", self.name()));
        done_by_now(self.context.call_raw(subject, &json!({}), Repeat::Harmless).await.map(drop))
    }
}

impl Context {
    pub(crate) async fn create_consumer(
        &self,
        stream: &str,
        mut config: consumer::Config,
        patience: Patience,
    ) -> Result<Consumer, ApiError> {
        check_name("stream", stream)?;
        // Named by us, a consumer is made once, however often it is asked for.
        let name = config.name.clone().or_else(|| config.durable_name.clone());
        let name = name.unwrap_or_else(|| self.fresh_name());
        check_name("consumer", &name)?;
        config.name = Some(name.clone());
        let body = json!({ "stream_name": stream, "config": config });
        let filter = match config.filter_subject.as_str() {
            "" => String::new(),
            filter => format!(".{filter}"),
        };
        let subject = self.subject(format_args!("CONSUMER.CREATE.{stream}.{name}{filter}"));
        let info = match patience {
            Patience::Full => self.call(subject, &body, Repeat::Harmless).await?,
            Patience::Once => self.call_once(subject, &body).await?,
        };
        Ok(Consumer { context: self.clone(), info })
    }
}

impl Consumer {
    /// Returns the name of the consumer.
    pub fn name(&self) -> &str {
        &self.info.name
    }

    /// Returns the last known configuration and state, without a request.
    pub const fn cached_info(&self) -> &consumer::Info {
        &self.info
    }

    /// Requests the configuration and state from the server.
    ///
    /// # Errors
    /// The consumer does not exist, or no answer arrives in time.
    pub async fn info(&mut self) -> Result<&consumer::Info, ApiError> {
        let consumer::Info { stream_name, name, .. } = &self.info;
        let subject = self.context.subject(format_args!("CONSUMER.INFO.{stream_name}.{name}"));
        self.info = self.context.call(subject, &json!({}), Repeat::Harmless).await?;
        Ok(&self.info)
    }

    /// Returns the messages of the consumer, as a stream that continues when the client moves. See [`Messages`].
    ///
    /// # Errors
    /// The client is closed, or no link is live for too long.
    pub async fn messages(&self) -> Result<Messages, ApiError> {
        self.messages_with(PullOptions::new()).await
    }

    /// Returns the messages of the consumer, like [`messages`](Self::messages), with other limits.
    ///
    /// ```no_run
    /// # async fn example(consumer: nats_geo::jetstream::Consumer) -> Result<(), Box<dyn std::error::Error>> {
    /// use nats_geo::jetstream::PullOptions;
    ///
    /// // One message at a time: other workers can get the messages that this worker has not begun.
    /// let messages = consumer.messages_with(PullOptions::new().max_messages(1)).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The same as [`messages`](Self::messages).
    pub async fn messages_with(&self, options: PullOptions) -> Result<Messages, ApiError> {
        Messages::new(&self.context, &self.info, options).await
    }
}
