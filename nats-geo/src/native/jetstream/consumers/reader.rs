//! This module reads a stream in order. Ordered readers, key-value stores and object stores use this module.
//!
//! The reader uses a consumer in memory, on one server. When this consumer or a message is lost, the reader creates
//! another consumer, which continues after the last message that arrived.

use std::time::Duration;

use async_nats::jetstream::consumer::{AckPolicy, Config, DeliverPolicy, Info, ReplayPolicy};
use bytes::Bytes;
use futures_util::FutureExt as _;

use super::{Delivery, GONE_FOR, Mark, OrderedError, OrderedOptions, Pull, PullRefusal, Pulled};
use crate::native::PublishError;
use crate::native::jetstream::api::Patience;
use crate::native::jetstream::publish::pause_after;
use crate::native::jetstream::{ApiError, Context, Stream};

/// Reads in order: what [`Ordered`](super::Ordered) shows, with what those need who build on it.
#[derive(Debug)]
pub(crate) struct Reader {
    context: Context,
    /// The stream and its copies, the nearest first.
    streams: Vec<String>,
    /// Which of these is read.
    current: usize,
    options: OrderedOptions,
    consumer: String,
    pull: Pull,
    /// How many of the messages that there were when the consumer was made have not come yet.
    pub(crate) pending: u64,
    /// The last sign of life said that there is nothing to come.
    is_idle: bool,
    /// The number of the last delivery by this consumer.
    delivered: u64,
    /// Reading goes on behind this message; `None` while it has to begin as it began.
    mark: Option<Mark>,
    /// How many heartbeats in a row spoke of fewer deliveries than came.
    behind: u8,
    /// A link was lost, and no heartbeat has come since.
    was_broken: bool,
    has_ended: bool,
}

/// What a [`Reader`] finds.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and nearly always the large one")]
pub(crate) enum Read {
    Message(async_nats::Message, Delivery),
    /// Nothing awaits the consumer: the message that came last was the last one.
    CaughtUp,
}

impl Reader {
    pub(crate) async fn begin(stream: &Stream, options: OrderedOptions) -> Result<Self, ApiError> {
        let streams = if options.nearest { copies(stream).await? } else { vec![stream.name().to_owned()] };
        Self::begin_at(&stream.context, streams, options).await
    }

    /// As [`begin`](Self::begin), at these streams, which hold the same.
    pub(crate) async fn begin_at(
        context: &Context,
        streams: Vec<String>,
        options: OrderedOptions,
    ) -> Result<Self, ApiError> {
        let context = context.clone();
        let patience = if streams.len() > 1 { Patience::Once } else { Patience::Full };
        let consumer = context.fresh_name();
        let mut current = 0;
        let (info, pull) = loop {
            match make(&context, (&streams[current], &consumer), &options, None, patience).await {
                Ok(made) => break made,
                Err(error) if current + 1 == streams.len() => return Err(error),
                Err(_) => current += 1,
            }
        };
        Ok(Self {
            context,
            streams,
            current,
            mark: begins_behind(&options, &info),
            behind: 0,
            was_broken: false,
            options,
            consumer: info.name,
            pull,
            pending: info.num_pending,
            is_idle: false,
            delivered: 0,
            has_ended: false,
        })
    }

    /// The next message; `None` once the client is closed, and after an error.
    pub(crate) async fn next(&mut self) -> Option<Result<Read, OrderedError>> {
        while !self.has_ended {
            let is_whole = match self.pull.next().await? {
                Pulled::Message(message, delivery) => {
                    if delivery.consumer_sequence == self.delivered + 1 {
                        self.delivered += 1;
                        self.mark = Some(Mark::of(&delivery));
                        self.behind = 0;
                        // Whatever is written meanwhile adds to those that the delivery speaks of.
                        self.pending = self.pending.saturating_sub(1).min(delivery.pending);
                        self.is_idle = false;
                        return Some(Ok(Read::Message(message, delivery)));
                    }
                    // Else a copy, or something is missing before it, or the consumer began again with its stream.
                    let is_new = self.mark.is_some_and(|mark| mark.is_passed_by(&delivery));
                    delivery.consumer_sequence <= self.delivered && !is_new
                }
                Pulled::Alive { last_consumer_sequence: Some(last) } if last == self.delivered => {
                    self.behind = 0;
                    // Twice in a row: between two messages there may be a moment for one.
                    if self.pending > 0 && std::mem::replace(&mut self.is_idle, true) {
                        // What was to come was removed.
                        self.pending = 0;
                        return Some(Ok(Read::CaughtUp));
                    }
                    !(std::mem::take(&mut self.was_broken) && self.is_at_another_stream().await)
                }
                // One heartbeat may have been overtaken by messages on another link.
                Pulled::Alive { last_consumer_sequence } => {
                    let is_behind = last_consumer_sequence.is_some_and(|last| last < self.delivered);
                    self.behind = if is_behind { self.behind.saturating_add(1) } else { 0 };
                    last_consumer_sequence.is_none_or(|last| last <= self.delivered) && self.behind < 2
                }
                // The consumer lives elsewhere; what was lost shows in the next delivery or heartbeat. To make another one
                // needs JetStream's leader, which may be lost as well, and a region has many readers.
                Pulled::Broken => {
                    self.was_broken = true;
                    true
                }
                Pulled::Refused(PullRefusal::Deleted) | Pulled::Silent => false,
                Pulled::Refused(refusal) => {
                    self.has_ended = true;
                    let stream = self.stream().to_owned();
                    return Some(Err(OrderedError::Refused { stream, refusal }));
                }
            };
            if is_whole {
                continue;
            }
            match self.begin_again().await {
                Ok(()) if self.pending == 0 => return Some(Ok(Read::CaughtUp)),
                Ok(()) => {}
                Err(OrderedError::Lost { error: ApiError::NotSent(PublishError::Closed), .. }) => {
                    return None;
                }
                Err(error) => {
                    self.has_ended = true;
                    return Some(Err(error));
                }
            }
        }
        None
    }

    pub(super) const fn context(&self) -> &Context {
        &self.context
    }

    /// Returns whether the stream has begun again since the last message came.
    async fn is_at_another_stream(&self) -> bool {
        match self.mark {
            Some(mark) => mark.is_lost(&self.context, self.stream()).await,
            None => false,
        }
    }

    /// Everything that the stream has now came after what was read.
    fn start_over(&mut self) {
        self.mark = None;
        if self.options.from != DeliverPolicy::LastPerSubject {
            self.options.from = DeliverPolicy::All;
        }
    }

    fn stream(&self) -> &str {
        self.streams.get(self.current).map_or("", String::as_str)
    }

    /// Another consumer, behind what has come. Only what cannot mend itself ends the reading.
    async fn begin_again(&mut self) -> Result<(), OrderedError> {
        forget(&self.context, self.stream(), &self.consumer);
        self.consumer = self.context.fresh_name();
        let mut rounds = 0;
        let (mut final_errors, mut is_confirmed) = (0, false);
        // The nearest copy may be back, or may be lost: all are asked in turn.
        self.current = 0;
        loop {
            let name = (self.stream(), self.consumer.as_str());
            let behind = self.mark.map(|mark| mark.sequence);
            let made = make(&self.context, name, &self.options, behind, Patience::Once).await;
            let error = match made {
                Ok(_) if self.is_at_another_stream().await => {
                    self.start_over();
                    forget(&self.context, self.stream(), &self.consumer);
                    self.consumer = self.context.fresh_name();
                    continue;
                }
                Ok((info, pull)) => {
                    self.pending = info.num_pending;
                    self.pull = pull;
                    self.delivered = 0;
                    (self.behind, self.was_broken) = (0, false);
                    self.is_idle = false;
                    return Ok(());
                }
                Err(error) => error,
            };
            tracing::debug!(target: "nats_geo", stream = self.stream(), %error, "no ordered consumer yet");
            final_errors += usize::from(error.is_final());
            if final_errors == self.streams.len() {
                if is_confirmed || matches!(error, ApiError::NotSent(PublishError::Closed)) {
                    let last_sequence = self.mark.map_or(0, |mark| mark.sequence);
                    return Err(OrderedError::Lost {
                        stream: self.stream().to_owned(),
                        last_sequence,
                        error,
                    });
                }
                is_confirmed = true;
                tokio::time::sleep(GONE_FOR).await;
            }
            self.current = (self.current + 1) % self.streams.len();
            if self.current == 0 {
                is_confirmed &= final_errors == self.streams.len();
                final_errors = 0;
                rounds += 1;
                tokio::time::sleep(pause_after(rounds)).await;
            }
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        forget(&self.context, self.stream(), &self.consumer);
    }
}

/// Where reading began, if that is not where it would begin later: new messages are those behind the end as it was then.
const fn begins_behind(options: &OrderedOptions, info: &Info) -> Option<Mark> {
    match options.from {
        DeliverPolicy::New | DeliverPolicy::Last | DeliverPolicy::ByStartTime { .. } => {
            Some(Mark { sequence: info.delivered.stream_sequence, stored: info.created })
        }
        DeliverPolicy::All | DeliverPolicy::ByStartSequence { .. } | DeliverPolicy::LastPerSubject => None,
    }
}

/// Makes a consumer, and pulls from it.
async fn make(
    context: &Context,
    (stream, consumer): (&str, &str),
    options: &OrderedOptions,
    last_sequence: Option<u64>,
    patience: Patience,
) -> Result<(Info, Pull), ApiError> {
    let deliver_policy = match last_sequence {
        Some(last) => DeliverPolicy::ByStartSequence { start_sequence: last.saturating_add(1) },
        None => options.from,
    };
    let mut config = Config {
        name: Some(consumer.to_owned()),
        deliver_policy,
        ack_policy: AckPolicy::None,
        replay_policy: ReplayPolicy::Instant,
        max_deliver: 1,
        memory_storage: true,
        num_replicas: 1,
        inactive_threshold: INACTIVE_THRESHOLD,
        headers_only: options.headers_only,
        ..Config::default()
    };
    match options.subjects.as_slice() {
        [] => {}
        [subject] => config.filter_subject.clone_from(subject),
        subjects => config.filter_subjects = subjects.to_vec(),
    }
    let made = context.create_consumer(stream, config, patience).await?;
    let limits = &made.info.config;
    let pull = options.pull.within(limits.max_batch, limits.max_expires, limits.max_bytes);
    let pull = Pull::new(context, stream, made.name(), pull).await?;
    Ok((made.info, pull))
}

/// The stream and its mirrors, the nearest first.
async fn copies(stream: &Stream) -> Result<Vec<String>, ApiError> {
    let info = stream.context.stream_info(stream.name()).await?;
    let mut names: Vec<_> = info.alternates.into_iter().map(|alternate| alternate.name).collect();
    if names.iter().all(|name| name != stream.name()) {
        names.push(stream.name().to_owned());
    }
    Ok(names)
}

/// Politeness, if it can be done at once: the server forgets the consumer by itself, too.
fn forget(context: &Context, stream: &str, consumer: &str) {
    let subject = context.subject(format_args!("CONSUMER.DELETE.{stream}.{consumer}"));
    // Nobody listens for the answer.
    let reply = format!("_INBOX.{consumer}");
    let _ = context.client().publish_with_reply(subject, reply, Bytes::new()).now_or_never();
}

/// The server forgets a consumer whose client has gone after this time. Longer than most outages, so that a reader
/// whose link was only slow finds its consumer again.
const INACTIVE_THRESHOLD: Duration = Duration::from_secs(60);
