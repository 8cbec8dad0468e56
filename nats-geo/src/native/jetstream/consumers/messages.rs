//! The messages of a consumer that expects acknowledgements from the application.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as Waking, Poll};
use std::time::Duration;

use async_nats::jetstream::consumer::Info;
use futures_util::stream::{self, BoxStream};
use futures_util::{Stream, StreamExt as _};
use serde_json::json;

use super::{Mark, Pull, PullOptions, PullRefusal, Pulled};
use crate::native::jetstream::{ApiError, Context, Message, Refused};

/// The messages of a consumer, as a stream that continues when the client moves.
/// [`Consumer::messages`](super::Consumer::messages) creates it.
///
/// An orderly move (lame duck, fail back, a faster region) loses no messages and duplicates none. When a link is lost,
/// JetStream redelivers the messages that were in flight, after the consumer's `ack_wait`. While the client cannot reach
/// the consumer, the stream waits. The stream ends with an error when the consumer no longer exists, and without an error
/// when the client closes.
///
/// The client requests messages only while the application polls the stream: see [`PullOptions`]. When the stream is
/// dropped, JetStream redelivers the messages that the application did not read. Any reader of the consumer can get these
/// messages.
#[must_use = "the client requests messages only while the application reads them"]
pub struct Messages(BoxStream<'static, Result<Message, MessagesError>>);

/// The error that ends [`Messages`].
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MessagesError {
    /// The consumer does not exist any more.
    #[error("consumer `{consumer}` of stream `{stream}` no longer exists")]
    ConsumerGone {
        /// The stream of the consumer.
        stream: String,
        /// The name of the consumer.
        consumer: String,
    },
    /// The stream and its consumers do not exist any more.
    #[error("stream `{stream}` and its consumer `{consumer}` no longer exist")]
    StreamGone {
        /// The stream.
        stream: String,
        /// The consumer.
        consumer: String,
    },
    /// The stream was reset: it was in memory and its server restarted, or it was deleted and created again. Its earlier
    /// messages are lost, so the application must decide where to continue.
    #[error(
        "stream `{stream}` was reset after sequence {last_sequence}, and consumer `{consumer}` no longer exists; create the consumer again"
    )]
    StreamReset {
        /// The stream.
        stream: String,
        /// The consumer.
        consumer: String,
        /// The highest sequence that arrived before the reset.
        last_sequence: u64,
    },
    /// The server refuses to deliver messages of the consumer.
    #[error("consumer `{consumer}` of stream `{stream}` gives no messages: {refusal}")]
    Refused {
        /// The stream of the consumer.
        stream: String,
        /// The name of the consumer.
        consumer: String,
        /// The reason.
        refusal: PullRefusal,
    },
}

struct State {
    context: Context,
    stream: String,
    consumer: String,
    pull: Pull,
    /// The highest sequence that came.
    mark: Option<Mark>,
    /// A link was lost, and no sign of life has come since.
    was_broken: bool,
    has_ended: bool,
}

impl Messages {
    pub(crate) async fn new(context: &Context, info: &Info, options: PullOptions) -> Result<Self, ApiError> {
        let config = &info.config;
        let options = options.within(config.max_batch, config.max_expires, config.max_bytes);
        Self::of(context, (&info.stream_name, &info.name), options).await
    }

    /// Those of a consumer of which only its stream and its name are known: nobody has to be asked for it.
    pub(crate) async fn of(
        context: &Context,
        (stream, consumer): (&str, &str),
        options: PullOptions,
    ) -> Result<Self, ApiError> {
        let state = State {
            pull: Pull::new(context, stream, consumer, options).await?,
            context: context.clone(),
            stream: stream.to_owned(),
            consumer: consumer.to_owned(),
            mark: None,
            was_broken: false,
            has_ended: false,
        };
        let next = async |mut state: State| Some((state.next().await?, state));
        Ok(Self(stream::unfold(state, next).boxed()))
    }
}

impl State {
    async fn next(&mut self) -> Option<Result<Message, MessagesError>> {
        while !self.has_ended {
            let error = match self.pull.next().await? {
                Pulled::Message(message, delivery) => match self.mark {
                    Some(mark) if mark.is_passed_by(&delivery) => {
                        mark.notify(&self.context, &self.stream);
                        self.stream_began_again(mark)
                    }
                    mark => {
                        let came = Mark::of(&delivery);
                        if mark.is_none_or(|mark| mark.sequence < came.sequence) {
                            self.mark = Some(came);
                        }
                        return Some(Ok(Message::new(message, delivery, self.context.clone())));
                    }
                },
                // What was lost comes again by itself.
                Pulled::Broken => {
                    self.was_broken = true;
                    continue;
                }
                Pulled::Alive { .. } if !std::mem::take(&mut self.was_broken) => continue,
                Pulled::Alive { .. } => match self.at_another_stream().await {
                    Some(error) => error,
                    None => continue,
                },
                Pulled::Silent => match self.gone().await {
                    Some(error) => error,
                    None => match self.at_another_stream().await {
                        Some(error) => error,
                        None => continue,
                    },
                },
                Pulled::Refused(PullRefusal::Deleted) => self.consumer_gone(),
                Pulled::Refused(refusal) => {
                    let (stream, consumer) = (self.stream.clone(), self.consumer.clone());
                    MessagesError::Refused { stream, consumer, refusal }
                }
            };
            self.has_ended = true;
            return Some(Err(error));
        }
        None
    }

    /// Asks, twice, whether the consumer still exists. No answer is none: its region may be lost.
    async fn gone(&self) -> Option<MessagesError> {
        self.not_found().await?;
        tokio::time::sleep(GONE_FOR).await;
        self.not_found().await
    }

    async fn not_found(&self) -> Option<MessagesError> {
        let Self { stream, consumer, .. } = self;
        let subject = self.context.subject(format_args!("CONSUMER.INFO.{stream}.{consumer}"));
        let error = self.context.call_once::<Info>(subject, &json!({})).await.err()?;
        tracing::debug!(target: "nats_geo", %stream, %consumer, %error, "a consumer is silent");
        match error.refused()? {
            refused if refused.is_no_stream() => {
                Some(MessagesError::StreamGone { stream: stream.clone(), consumer: consumer.clone() })
            }
            refused if Refused::is_not_found(refused) => Some(self.consumer_gone()),
            _ => None,
        }
    }

    async fn at_another_stream(&self) -> Option<MessagesError> {
        let mark = self.mark?;
        let is_lost = mark.is_lost(&self.context, &self.stream).await;
        is_lost.then(|| self.stream_began_again(mark))
    }

    fn stream_began_again(&self, mark: Mark) -> MessagesError {
        let (stream, consumer) = (self.stream.clone(), self.consumer.clone());
        MessagesError::StreamReset { stream, consumer, last_sequence: mark.sequence }
    }

    fn consumer_gone(&self) -> MessagesError {
        MessagesError::ConsumerGone { stream: self.stream.clone(), consumer: self.consumer.clone() }
    }
}

/// A leader of JetStream that has just taken over, or has just been started, may know less than it will in a moment.
/// Whoever deletes a consumer does not wait for this: those who pull are told.
pub(crate) const GONE_FOR: Duration = Duration::from_secs(1);

impl Stream for Messages {
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
