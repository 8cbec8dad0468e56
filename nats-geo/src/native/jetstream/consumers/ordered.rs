//! This module reads the messages of a stream in order, each once, without acknowledgements.

use std::fmt;
use std::pin::Pin;
use std::task::{Context as Waking, Poll};

use async_nats::jetstream::consumer::DeliverPolicy;
use futures_util::StreamExt as _;
use futures_util::stream::{self, BoxStream};

use super::{PullOptions, PullRefusal, Read, Reader};
use crate::native::jetstream::{ApiError, Message, Stream};

/// Options of an ordered reader: the messages that it selects, and its limits.
#[derive(Clone, Debug)]
pub struct OrderedOptions {
    pub(crate) subjects: Vec<String>,
    pub(crate) from: DeliverPolicy,
    pub(crate) headers_only: bool,
    pub(crate) pull: PullOptions,
    pub(crate) nearest: bool,
}

impl OrderedOptions {
    /// Returns the defaults: all messages, beginning with the first message.
    pub fn new() -> Self {
        Self {
            subjects: Vec::new(),
            from: DeliverPolicy::All,
            headers_only: false,
            pull: PullOptions::new(),
            nearest: false,
        }
    }

    /// Reads only messages of this subject, which may have wildcards. Call this method again for further subjects.
    pub fn subject(mut self, subject: impl Into<String>) -> Self {
        self.subjects.push(subject.into());
        self
    }

    /// Sets the first message to read. Default: the first message that the stream has.
    pub fn from(mut self, from: DeliverPolicy) -> Self {
        self.from = from;
        self
    }

    /// Reads messages without their payloads.
    pub fn headers_only(mut self) -> Self {
        self.headers_only = true;
        self
    }

    /// Sets the limits of pull requests.
    pub fn pull(mut self, options: PullOptions) -> Self {
        self.pull = options;
        self
    }

    /// Reads from the nearest copy of the stream: a mirror, or the stream itself. When this copy is lost, the client
    /// continues with the next copy, because mirrors have the same sequences. A copy may deliver messages a little later
    /// than the stream itself.
    pub fn nearest(mut self) -> Self {
        self.nearest = true;
        self
    }
}

impl Default for OrderedOptions {
    fn default() -> Self {
        Self::new()
    }
}

impl Stream {
    /// Returns the messages of the stream in order, each exactly once, without acknowledgements. The returned stream
    /// continues when links are lost.
    ///
    /// ```no_run
    /// # async fn example(orders: nats_geo::jetstream::Stream) -> Result<(), Box<dyn std::error::Error>> {
    /// use futures_util::StreamExt as _;
    /// use nats_geo::jetstream::OrderedOptions;
    ///
    /// let mut messages = orders.ordered(OrderedOptions::new().subject("orders.new").nearest()).await?;
    /// while let Some(message) = messages.next().await {
    ///     let message = message?;
    ///     println!("{}: {:?}", message.delivery().stream_sequence, message.payload);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The stream does not exist, it does not allow these options, or no answer arrives in time.
    pub async fn ordered(&self, options: OrderedOptions) -> Result<Ordered, ApiError> {
        Ok(Ordered::new(Reader::begin(self, options).await?))
    }
}

/// The messages of a stream in order, as a reader that continues when the client moves. [`Stream::ordered`] creates it.
///
/// Each message arrives once, in the order of the stream. While the client cannot reach the stream, the reader waits,
/// without a time limit. The reader ends with an error when the stream no longer exists, and without an error when the
/// client is closed.
#[must_use = "the client requests messages only while the application reads them"]
pub struct Ordered(BoxStream<'static, Result<Message, OrderedError>>);

/// Reason why an ordered reader ended.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum OrderedError {
    /// The client cannot continue to read the stream after the last message that arrived.
    #[error("reading stream `{stream}` stopped after sequence {last_sequence}: {error}")]
    Lost {
        /// The stream, or the mirror that the client read last.
        stream: String,
        /// The sequence of the last message that arrived.
        last_sequence: u64,
        /// Reason why the client could not create another consumer.
        error: ApiError,
    },
    /// The server refuses to deliver these messages.
    #[error("stream `{stream}` gives no messages: {refusal}")]
    Refused {
        /// The stream.
        stream: String,
        /// The reason.
        refusal: PullRefusal,
    },
}

impl Ordered {
    pub(crate) fn new(reader: Reader) -> Self {
        let next = async |mut reader: Reader| {
            loop {
                let context = reader.context().clone();
                match reader.next().await? {
                    Ok(Read::CaughtUp) => {}
                    Ok(Read::Message(message, delivery)) => {
                        return Some((Ok(Message::new(message, delivery, context)), reader));
                    }
                    Err(error) => return Some((Err(error), reader)),
                }
            }
        };
        Self(stream::unfold(reader, next).boxed())
    }
}

impl futures_util::Stream for Ordered {
    type Item = Result<Message, OrderedError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Waking<'_>) -> Poll<Option<Self::Item>> {
        Pin::new(&mut self.0).poll_next(cx)
    }
}

impl fmt::Debug for Ordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ordered")
    }
}
