//! This module reads a virtual stream in order, without acknowledgements.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as Waking, Poll};

use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream};
use futures_util::{FutureExt as _, StreamExt as _};

use super::following::{Following, not_yet};
use super::restarted::WriteStreams;
use super::{CreateError, Position, VirtualStream};
use crate::native::hub::lock;
use crate::native::jetstream::consumers::Reader;
use crate::native::jetstream::virtual_stream::set_up::Parts;
use crate::native::jetstream::{ApiError, Message, Ordered as Regional, OrderedError, OrderedOptions};

/// The messages of a virtual stream; the messages of each region arrive in order. [`VirtualStream::ordered`] creates this
/// reader.
///
/// After a move of the client, the reader continues in the new region as soon as it has a consumer there. Until then, the
/// reader continues in the old region, if it can reach that region. The reader ends with an error if the read stream no
/// longer exists, and without an error if the client is closed.
#[must_use = "the client requests messages only while the application reads them"]
pub struct Ordered {
    messages: BoxStream<'static, Result<Message, OrderedError>>,
    position: Arc<Mutex<Position>>,
}

impl VirtualStream {
    /// Returns the messages after `position`. The messages of each region arrive in order and once, even when the reader
    /// changes the region.
    ///
    /// ```no_run
    /// # async fn example(orders: nats_geo::jetstream::VirtualStream) -> Result<(), Box<dyn std::error::Error>> {
    /// use futures_util::StreamExt as _;
    /// use nats_geo::jetstream::virtual_stream::Position;
    ///
    /// let mut messages = orders.ordered(Position::first()).await?;
    /// while let Some(message) = messages.next().await {
    ///     let message = message?;
    ///     println!("{:?} from {:?}", message.payload, orders.origin(&message));
    ///     std::fs::write("position.json", serde_json::to_vec(&messages.position())?)?; // to continue later
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The client's region cannot create a consumer: it has no read stream, or JetStream has no meta leader.
    pub async fn ordered(&self, position: Position) -> Result<Ordered, CreateError> {
        self.ordered_with(position, OrderedOptions::new()).await
    }

    /// Returns the messages after `position`, like [`ordered`](Self::ordered), with other options: subjects, headers
    /// only, and limits of pull requests. This call ignores [`from`](OrderedOptions::from), because `position` sets the
    /// first message. It also ignores [`nearest`](OrderedOptions::nearest), because the reader always reads in the
    /// client's region.
    ///
    /// # Errors
    /// The same as [`ordered`](Self::ordered).
    pub async fn ordered_with(
        &self,
        position: Position,
        mut options: OrderedOptions,
    ) -> Result<Ordered, CreateError> {
        options.nearest = false;
        let region = self.region().await;
        let begun = begin(self, &region, &position, &options).await;
        let (reader, made) = match begun {
            Ok(reader) => (Some(reader), Ok(())),
            Err(error) => (None, Err(error)),
        };
        let mut parts = Parts::default();
        parts.add([(region.clone(), format!("a consumer of {}", self.config.read_name(&region)), made)]);
        parts.finish()?;
        let position = Arc::new(Mutex::new(position));
        let following = reader.map(|reader| Following::new(self.clone(), region, reader));
        let state = State {
            stream: self.clone(),
            options,
            position: Arc::clone(&position),
            write_streams: WriteStreams::default(),
            following,
        };
        let next = async |mut state: State| Some((state.next().await?, state));
        Ok(Ordered { messages: stream::unfold(state, next).boxed(), position })
    }
}

struct State {
    stream: VirtualStream,
    options: OrderedOptions,
    position: Arc<Mutex<Position>>,
    write_streams: WriteStreams,
    following: Option<Following<Regional>>,
}

impl State {
    async fn next(&mut self) -> Option<Result<Message, OrderedError>> {
        let Self { stream, options, position, write_streams, following } = self;
        let join = |region: &str| join(stream.clone(), region, Arc::clone(position), options.clone());
        loop {
            let reading = following.as_mut()?;
            let message = match reading.next(&join).await? {
                Ok(message) => message,
                Err(error) => {
                    *following = None;
                    return Some(Err(error));
                }
            };
            let (origin, stored) = (stream.origin(&message), message.delivery().published);
            if let Some(origin) = &origin {
                let last = lock(position).mark(&origin.region);
                let read_in = reading.region();
                if write_streams.has_restarted(stream, read_in, origin, stored, last).await {
                    lock(position).restart(&origin.region);
                }
            }
            if lock(position).take(origin, stored) {
                return Some(Ok(message));
            }
        }
    }
}

fn join(
    stream: VirtualStream,
    region: &str,
    position: Arc<Mutex<Position>>,
    options: OrderedOptions,
) -> BoxFuture<'static, Regional> {
    let region = region.to_owned();
    async move {
        let position = lock(&position).clone();
        let mut tries = 0;
        loop {
            match begin(&stream, &region, &position, &options).await {
                Ok(reader) => return reader,
                Err(error) => not_yet(&region, &mut tries, error).await,
            }
        }
    }
    .boxed()
}

/// Reads in one region.
async fn begin(
    stream: &VirtualStream,
    region: &str,
    position: &Position,
    options: &OrderedOptions,
) -> Result<Regional, ApiError> {
    let options = options.clone().from(position.start(stream.config.outage_max));
    let streams = vec![stream.config.read_name(region)];
    Ok(Regional::new(Reader::begin_at(&stream.context, streams, options).await?))
}

impl Ordered {
    /// Returns the position after the last message that the application has read. A reader can continue from there later,
    /// in any region.
    pub fn position(&self) -> Position {
        lock(&self.position).clone()
    }
}

impl futures_util::Stream for Ordered {
    type Item = Result<Message, OrderedError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Waking<'_>) -> Poll<Option<Self::Item>> {
        self.messages.poll_next_unpin(cx)
    }
}

impl fmt::Debug for Ordered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ordered").field("position", &self.position()).finish_non_exhaustive()
    }
}
