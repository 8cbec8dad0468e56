//! This module requests messages from a consumer. The messages arrive at an inbox that moves with the client.
//!
//! After an orderly move, the pull request at the server is still valid, because the subscription of the inbox moved
//! first. When a link is lost, messages in flight are lost, and perhaps the pull request, too. The client then sends a
//! new pull request.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context as Waking, Poll};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt as _;
use serde::Serialize;

use super::status::{PullRefusal, Rest, Status};
use super::{Delivery, PullOptions};
use crate::native::jetstream::api::check_name;
use crate::native::jetstream::publish::pause_after;
use crate::native::jetstream::{ApiError, Context};
use crate::native::subscription::Copies;
use crate::native::{PublishError, SubscribeError, Subscription, SubscriptionError};

/// Pulls from one consumer.
#[derive(Debug)]
pub(crate) struct Pull {
    context: Context,
    options: PullOptions,
    /// Where requests go.
    subject: String,
    inbox: String,
    subscription: Subscription,
    copies: Copies,
    /// How many links went, as far as we have acted on it.
    broken: u64,
    /// Asked for and not come yet, over all requests.
    awaited: Rest,
    /// The number of the last request.
    request: u64,
    /// Requests before this one count no more.
    first: u64,
    /// Later ones that are over: two links may both say so.
    over: BTreeSet<u64>,
    /// The last request may not have arrived: an early sign of life is wanted.
    may_be_lost: bool,
    /// Requests in a row that came to nothing.
    failures: u32,
}

/// What a pull brings.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and nearly always the large one")]
pub(crate) enum Pulled {
    Message(async_nats::Message, Delivery),
    /// The consumer lives, and has made as many deliveries.
    Alive {
        last_consumer_sequence: Option<u64>,
    },
    /// A link was lost, and perhaps deliveries.
    Broken,
    /// Nobody answers for the consumer, or nothing came though something must: does it still exist?
    Silent,
    /// There will be no messages.
    Refused(PullRefusal),
}

/// A request as the server reads it.
#[derive(Serialize)]
struct Wish {
    batch: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_bytes: Option<usize>,
    /// In nanoseconds, as the next one.
    expires: u128,
    idle_heartbeat: u128,
}

/// What the wait for a message ended with.
enum Input {
    Message(async_nats::Message),
    Broken,
    Silence,
    /// The client is closed, or a server refused the inbox.
    Ended(Option<SubscriptionError>),
}

impl Pull {
    pub(crate) async fn new(
        context: &Context,
        stream: &str,
        consumer: &str,
        options: PullOptions,
    ) -> Result<Self, ApiError> {
        check_name("stream", stream)?;
        check_name("consumer", consumer)?;
        let inbox = context.inbox().await?;
        let subscription = context.client().subscribe_everywhere(format!("{inbox}.*")).await;
        let subscription = subscription.map_err(|error| match error {
            SubscribeError::TooLong(error) => ApiError::NotSent(error.into()),
            // The inbox is ours, and has no queue group.
            SubscribeError::BadSubject { .. } | SubscribeError::BadQueue { .. } | SubscribeError::Closed => {
                ApiError::NotSent(PublishError::Closed)
            }
        })?;
        let broken = subscription.changes().broken;
        Ok(Self {
            context: context.clone(),
            options: options.that_servers_take(),
            subject: context.subject(format_args!("CONSUMER.MSG.NEXT.{stream}.{consumer}")),
            inbox,
            subscription,
            copies: Copies::default(),
            broken,
            awaited: Rest { messages: 0, bytes: 0 },
            request: 0,
            first: 1,
            over: BTreeSet::new(),
            may_be_lost: true,
            failures: 0,
        })
    }

    /// What comes next; `None` once the client is closed.
    pub(crate) async fn next(&mut self) -> Option<Pulled> {
        loop {
            let patience = match self.ask_for_more().await {
                Ok(()) => Some(self.patience()),
                // What has come in is delivered all the same.
                Err(PublishError::Unavailable { .. }) => None,
                Err(PublishError::Closed) => return None,
                Err(error) => return Some(Pulled::Refused(PullRefusal::Other(error.to_string()))),
            };
            let pulled = match self.input(patience.unwrap_or(OFFLINE_PAUSE)).await {
                Input::Ended(None) => return None,
                Input::Ended(Some(error)) => Some(Pulled::Refused(PullRefusal::Other(error.to_string()))),
                Input::Silence if patience.is_none() => None,
                Input::Message(message) => self.read(message).await,
                Input::Broken => {
                    self.start_over();
                    Some(Pulled::Broken)
                }
                Input::Silence => {
                    self.start_over();
                    Some(Pulled::Silent)
                }
            };
            if pulled.is_some() {
                return pulled;
            }
        }
    }

    /// Waits for a message. What has come in goes before everything else: it proves that the consumer lives.
    async fn input(&mut self, patience: Duration) -> Input {
        let mut silence = pin!(tokio::time::sleep(patience));
        poll_fn(|cx: &mut Waking<'_>| {
            match self.subscription.poll_next_unpin(cx) {
                Poll::Ready(Some(message)) => return Poll::Ready(Input::Message(message.into_inner())),
                Poll::Ready(None) => return Poll::Ready(Input::Ended(self.subscription.error())),
                Poll::Pending => {}
            }
            let changes = self.subscription.changes();
            self.copies.drained(changes);
            if changes.broken > self.broken {
                self.broken = changes.broken;
                return Poll::Ready(Input::Broken);
            }
            silence.as_mut().poll(cx).map(|()| Input::Silence)
        })
        .await
    }

    async fn read(&mut self, message: async_nats::Message) -> Option<Pulled> {
        if let Some(status) = Status::of(&message) {
            return self.told(status, &message.subject).await;
        }
        let reply = message.reply.as_deref().unwrap_or_default();
        let Some(delivery) = Delivery::parse(reply) else {
            tracing::debug!(target: "nats_geo", subject = %message.subject, "not of a consumer: ignored");
            return None;
        };
        if self.copies.is_one(reply, self.subscription.changes()) {
            return None;
        }
        self.awaited.messages = self.awaited.messages.saturating_sub(1);
        self.awaited.bytes = self.awaited.bytes.saturating_sub(message.length);
        if self.options.bytes_max.is_some() && self.awaited.bytes == 0 {
            // A request whose bytes are used up to the last one is over without a word.
            self.awaited.messages = 0;
        }
        self.heard();
        Some(Pulled::Message(message, delivery))
    }

    async fn told(&mut self, status: Status, subject: &str) -> Option<Pulled> {
        // Of a request that counts no more.
        let request = subject.rsplit('.').next()?.parse::<u64>().ok().filter(|it| *it >= self.first)?;
        tracing::trace!(target: "nats_geo", request, ?status, "status of a pull");
        match status {
            Status::Alive { last_consumer_sequence } => {
                self.heard();
                return Some(Pulled::Alive { last_consumer_sequence });
            }
            // Nothing else had used up any of its bytes.
            Status::TooLarge(Rest { bytes, .. }) if Some(bytes) == self.options.bytes_max => {
                return Some(Pulled::Refused(PullRefusal::TooLarge { bytes_max: bytes }));
            }
            Status::Over(rest) | Status::TooLarge(rest) if self.over.insert(request) => {
                if self.over.len() > OVER_MAX {
                    self.over.pop_first();
                }
                self.awaited.messages = self.awaited.messages.saturating_sub(rest.messages);
                self.awaited.bytes = self.awaited.bytes.saturating_sub(rest.bytes);
            }
            Status::Over(_) | Status::TooLarge(_) => {}
            Status::Refused(refusal) => return Some(Pulled::Refused(refusal)),
            Status::Interrupted | Status::Busy | Status::Unserved => {
                self.start_over();
                self.failures = self.failures.saturating_add(1);
                tokio::time::sleep(pause_after(self.failures)).await;
                return (status == Status::Unserved).then_some(Pulled::Silent);
            }
        }
        None
    }

    /// Asks for as much as may come in, once half of it has come.
    async fn ask_for_more(&mut self) -> Result<(), PublishError> {
        let (messages_max, bytes_max) = (self.options.messages_max, self.options.bytes_max);
        let is_enough = match bytes_max {
            // A smaller share of the bytes would be used up by few messages, and often by none.
            Some(bytes_max) => self.awaited.bytes > bytes_max / 2,
            None => self.awaited.messages > messages_max / 2,
        };
        let batch = messages_max.saturating_sub(self.awaited.messages);
        let bytes = bytes_max.map_or(0, |bytes_max| bytes_max.saturating_sub(self.awaited.bytes));
        if is_enough || batch == 0 {
            return Ok(());
        }
        if !self.context.client().is_connected() {
            return Err(PublishError::Unavailable { waited: Duration::ZERO });
        }
        let heartbeat = if self.may_be_lost {
            self.options.heartbeat.min(EARLY_HEARTBEAT)
        } else {
            self.options.heartbeat
        };
        let wish = Wish {
            batch,
            max_bytes: bytes_max.map(|_| bytes),
            expires: self.options.expires.as_nanos(),
            idle_heartbeat: heartbeat.as_nanos(),
        };
        // Numbers and nothing else: it cannot fail.
        let wish = serde_json::to_vec(&wish).map(Bytes::from).unwrap_or_default();
        let reply = format!("{}.{}", self.inbox, self.request + 1);
        self.context.client().publish_with_reply(self.subject.clone(), reply, wish).await?;
        self.request += 1;
        self.awaited.messages += batch;
        self.awaited.bytes += bytes;
        Ok(())
    }

    /// How long nothing may come: two heartbeats.
    fn patience(&self) -> Duration {
        let heartbeat = self.options.heartbeat;
        2 * if self.may_be_lost { heartbeat.min(EARLY_HEARTBEAT) } else { heartbeat }
    }

    /// What was asked for may be lost, and what comes of it counts no more.
    fn start_over(&mut self) {
        self.awaited = Rest { messages: 0, bytes: 0 };
        self.first = self.request + 1;
        self.over.clear();
        self.may_be_lost = true;
    }

    /// The consumer has heard us.
    fn heard(&mut self) {
        self.failures = 0;
        self.may_be_lost = false;
    }
}

/// How soon a request that may have been lost must show a sign of life: interest in an inbox may still be on its way to
/// the region of the consumer when the request arrives there.
const EARLY_HEARTBEAT: Duration = Duration::from_secs(1);

/// Many more requests than can be over while two links overlap.
const OVER_MAX: usize = 64;

/// Until it is looked again whether anything is live, unless a message comes first.
const OFFLINE_PAUSE: Duration = Duration::from_millis(50);
