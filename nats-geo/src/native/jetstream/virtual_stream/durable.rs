//! Durable consumers of virtual streams: a consumer of the same name in every region.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Waking, Poll};

use async_nats::jetstream::consumer::{IntoConsumerConfig as _, pull};
use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};

use super::acknowledged::Acknowledged;
use super::following::{Following, not_yet};
use super::restarted::WriteStreams;
use super::set_up::Parts;
use super::{CreateError, Origin, VirtualStream};
use crate::native::hub::lock;
use crate::native::jetstream::api::Patience;
use crate::native::jetstream::consumers::Mark;
use crate::native::jetstream::{self, AckError, ApiError, MessagesError, PullOptions};

/// A consumer of a virtual stream: a consumer of the same name in every region. [`VirtualStream::create_consumer`] and
/// [`VirtualStream::consumer`] return it.
#[derive(Clone, Debug)]
pub struct Consumer {
    stream: VirtualStream,
    name: String,
}

impl VirtualStream {
    /// Creates a consumer in every region, or changes the consumers of the same name. So readers can continue in any
    /// region, even while JetStream cannot create consumers there. Repeat the call to create missing consumers. Set a
    /// `durable_name` in `config`. Without it, the client generates a name. Servers then delete the consumer in each
    /// region that had no reader for `inactive_threshold`.
    ///
    /// ```no_run
    /// # async fn example(orders: nats_geo::jetstream::VirtualStream) -> Result<(), Box<dyn std::error::Error>> {
    /// use futures_util::StreamExt as _;
    /// use nats_geo::jetstream::consumer::pull;
    ///
    /// let workers = pull::Config { durable_name: Some("workers".into()), ..Default::default() };
    /// let mut messages = orders.create_consumer(workers).await?.messages().await?;
    /// while let Some(message) = messages.next().await {
    ///     let message = message?;
    ///     println!("{}: {:?}", message.subject, message.payload);
    ///     message.double_ack().await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`CreateError::Incomplete`], with the failure of each region.
    pub async fn create_consumer(&self, config: pull::Config) -> Result<Consumer, CreateError> {
        let mut config = config.into_consumer_config();
        let name = config.durable_name.clone().or_else(|| config.name.clone());
        let name = name.unwrap_or_else(|| self.context.fresh_name());
        config.name = Some(name.clone());
        let making = self.config.regions.iter().map(async |region| {
            let stream = self.config.read_name(region);
            let made = self.context.create_consumer(&stream, config.clone(), Patience::Full).await;
            (region.clone(), format!("{name} of {stream}"), made.map(drop))
        });
        let mut parts = Parts::default();
        parts.add(join_all(making).await);
        parts.finish()?;
        Ok(self.consumer(name))
    }

    /// Returns a consumer that was [created](Self::create_consumer) before. This call sends no request, so it also works
    /// in a region that is cut off. If the consumer does not exist, its messages end with an error.
    pub fn consumer(&self, name: impl Into<String>) -> Consumer {
        Consumer { stream: self.clone(), name: name.into() }
    }
}

impl Consumer {
    /// Returns the name of the consumer, which is the same in every region.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the messages of the consumer, from the region where the client is. See [`Messages`].
    ///
    /// # Errors
    /// The client is closed, or no link is live for too long.
    pub async fn messages(&self) -> Result<Messages, ApiError> {
        self.messages_with(PullOptions::new()).await
    }

    /// Returns the messages of the consumer, like [`messages`](Self::messages), with other limits.
    ///
    /// # Errors
    /// The same as [`messages`](Self::messages).
    pub async fn messages_with(&self, options: PullOptions) -> Result<Messages, ApiError> {
        let region = self.stream.region().await;
        let current = self.messages_of(&region, options).await?;
        let state = State {
            following: Some(Following::new(self.stream.clone(), region, current)),
            consumer: self.clone(),
            options,
            acknowledged: Arc::default(),
            write_streams: WriteStreams::default(),
            delivered: BTreeMap::new(),
        };
        let next = async |mut state: State| Some((state.next().await?, state));
        Ok(Messages(stream::unfold(state, next).boxed()))
    }

    async fn messages_of(&self, region: &str, options: PullOptions) -> Result<jetstream::Messages, ApiError> {
        let stream = self.stream.config.read_name(region);
        jetstream::Messages::of(&self.stream.context, (&stream, &self.name), options).await
    }

    fn join(&self, region: &str, options: PullOptions) -> BoxFuture<'static, jetstream::Messages> {
        let (this, region) = (self.clone(), region.to_owned());
        async move {
            let mut tries = 0;
            loop {
                match this.messages_of(&region, options).await {
                    Ok(messages) => return messages,
                    Err(error) => not_yet(&region, &mut tries, error).await,
                }
            }
        }
        .boxed()
    }
}

/// The messages of a consumer of a virtual stream, from the region where the client is. [`Consumer::messages`] creates
/// this stream.
///
/// Each message arrives at least once. After a move, JetStream redelivers messages that were not acknowledged in the
/// new region. The application may still be processing such a message, or another reader may have acknowledged it in
/// another region. If the application acknowledged such a message through the same reader, this reader acknowledges the
/// message in the new region, too. It does not deliver the message again. A consumer that had no reader for long may
/// have many such messages.
///
/// While the client can reach no region, the stream waits. The stream ends with an error when the client's region does
/// not have the consumer, and without an error when the client closes.
#[must_use = "the client requests messages only while the application reads them"]
pub struct Messages(BoxStream<'static, Result<Message, MessagesError>>);

struct State {
    following: Option<Following<jetstream::Messages>>,
    consumer: Consumer,
    options: PullOptions,
    acknowledged: Arc<Mutex<Acknowledged>>,
    write_streams: WriteStreams,
    /// The message of each region with the highest sequence.
    delivered: BTreeMap<String, Mark>,
}

impl State {
    async fn next(&mut self) -> Option<Result<Message, MessagesError>> {
        let Self { following, consumer, options, acknowledged, write_streams, delivered } = self;
        let join = |region: &str| consumer.join(region, *options);
        loop {
            let reading = following.as_mut()?;
            let inner = match reading.next(&join).await? {
                Ok(inner) => inner,
                Err(error) => {
                    *following = None;
                    return Some(Err(error));
                }
            };
            let origin = consumer.stream.origin(&inner);
            let mut restarts = 0;
            if let Some(origin) = &origin {
                let (region, stored) = (&origin.region, inner.delivery().published);
                let (read_in, last) = (reading.region(), delivered.get(region).copied());
                if write_streams.has_restarted(&consumer.stream, read_in, origin, stored, last).await {
                    lock(acknowledged).restart(region);
                    delivered.remove(region);
                }
                let highest = delivered.entry(region.clone()).or_insert(Mark { sequence: 0, stored });
                if origin.sequence > highest.sequence {
                    *highest = Mark { sequence: origin.sequence, stored };
                }
                restarts = lock(acknowledged).restarts(region);
            }
            if !origin.as_ref().is_some_and(|origin| lock(acknowledged).contains(origin)) {
                let acknowledged = Arc::clone(acknowledged);
                return Some(Ok(Message { inner, origin, restarts, acknowledged }));
            }
            if let Err(error) = inner.ack().await {
                // It comes again, and is passed over again.
                tracing::debug!(target: "nats_geo", %error, "what was done elsewhere is not acknowledged");
            }
        }
    }
}

/// A message of a virtual stream. It dereferences to [`jetstream::Message`]. After an acknowledgement, the same reader
/// does not get the message again, in any region.
#[derive(Clone, Debug)]
pub struct Message {
    inner: jetstream::Message,
    origin: Option<Origin>,
    /// How often the write stream of its region had begun again when it was delivered.
    restarts: u64,
    acknowledged: Arc<Mutex<Acknowledged>>,
}

impl Message {
    /// Returns the region in which the message was published, and its sequence there.
    pub const fn origin(&self) -> Option<&Origin> {
        self.origin.as_ref()
    }

    /// Acknowledges the message, like [`jetstream::Message::ack`].
    ///
    /// # Errors
    /// The client could not send the acknowledgement.
    pub async fn ack(&self) -> Result<(), AckError> {
        self.note(self.inner.ack().await)
    }

    /// Acknowledges the message and waits for the confirmation, like [`jetstream::Message::double_ack`]. If the region
    /// that delivered the message is lost, no server confirms the acknowledgement, and another region redelivers the
    /// message.
    ///
    /// # Errors
    /// The client could not send the acknowledgement, or no server confirmed it.
    pub async fn double_ack(&self) -> Result<(), AckError> {
        self.note(self.inner.double_ack().await)
    }

    /// Ends the delivery of the message, like [`jetstream::Message::term`]: JetStream does not redeliver it.
    ///
    /// # Errors
    /// The client could not send the acknowledgement.
    pub async fn term(&self) -> Result<(), AckError> {
        self.note(self.inner.term().await)
    }

    /// Who was told that it failed may count on another delivery.
    fn note(&self, done: Result<(), AckError>) -> Result<(), AckError> {
        if let (Ok(()), Some(origin)) = (&done, &self.origin) {
            lock(&self.acknowledged).add(origin, self.restarts);
        }
        done
    }
}

impl Deref for Message {
    type Target = jetstream::Message;

    fn deref(&self) -> &jetstream::Message {
        &self.inner
    }
}

impl futures_util::Stream for Messages {
    type Item = Result<Message, MessagesError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Waking<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Messages {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Messages")
    }
}
