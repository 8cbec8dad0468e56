//! Subscriptions that continue when the client moves.
//!
//! This module has the stream that an application reads. `feed` has the queues of the links, `copies` removes duplicates,
//! and `state` limits unread bytes. This module must not use the reasons of moves.

use std::fmt;
use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::task::{Context, Poll};

use futures_util::Stream;

use super::Message;
use super::hub::{Hub, WeakHub};

mod state;

mod care;
pub(crate) use care::Care;

mod copies;
pub(crate) use copies::Copies;

mod feed;
pub(crate) use feed::{Carriage, Changes, Feed, LookedAfter, Route};

/// A stream of the messages of one subscription, which continues when the client moves.
/// [`GeoClient::subscribe`](super::GeoClient::subscribe) creates it.
///
/// During an orderly move, two links deliver messages for a short time. Without a queue group, a message may then
/// arrive twice, unless [at most once](super::GeoOptions::at_most_once) is on. With a queue group, each message arrives
/// once. Messages of one publisher keep their order while they arrive over one link, but a move may change their order.
/// A lost link loses the messages in flight.
///
/// When the stream is dropped, the client unsubscribes. The stream ends when the client closes, and when a server refuses
/// the subscription. [`error`](Self::error) then returns the reason.
#[must_use = "dropping a subscription unsubscribes"]
pub struct Subscription {
    feed: Arc<Feed>,
    hub: WeakHub,
}

impl Subscription {
    pub(crate) fn new(feed: Arc<Feed>, hub: &Arc<Hub>) -> Self {
        Self { feed, hub: Arc::downgrade(hub) }
    }

    /// Unsubscribes. The stream still delivers the messages that have arrived, and then ends.
    pub async fn unsubscribe(&mut self) {
        self.forget();
        for (conn, _) in self.feed.routes() {
            self.feed.stop(conn).await;
        }
        self.feed.end();
    }

    /// Unsubscribes after `max` messages, counted over all links since the subscription began. If the stream has already
    /// delivered this many, it ends at once.
    pub async fn unsubscribe_after(&mut self, max: u64) {
        self.feed.limit(max).await;
    }

    /// Unsubscribes without losing messages in flight. Returns when the servers have confirmed the end of delivery. The
    /// stream still delivers the messages that have arrived, and then ends.
    ///
    /// The call also waits until the application has dropped all messages with a reply subject, because other tasks may
    /// still answer them. This wait takes at most [`GeoOptions::drain_timeout`](super::GeoOptions::drain_timeout).
    pub async fn drain(&mut self) {
        let limit = self.hub.upgrade().map(|hub| hub.limits.drain_timeout).unwrap_or_default();
        self.stopper().drain().await;
        // The subscription ends after that time in any case.
        let _ = tokio::time::timeout(limit, self.feed.answered()).await;
    }

    /// Returns the reason why a server refused the subscription: no permission, too many subscriptions, or a subject that
    /// is too long. Returns `None` if no server refused the subscription.
    ///
    /// After a refusal, the stream delivers the messages that have arrived, and then ends. The client also sends a notice
    /// ([`SubscriptionRefused`](crate::core::NoticeKind::SubscriptionRefused)).
    ///
    /// ```no_run
    /// # use futures_util::StreamExt as _;
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut orders = client.subscribe("orders.>").await?;
    /// while let Some(order) = orders.next().await {
    ///     println!("{}", order.subject);
    /// }
    /// if let Some(error) = orders.error() {
    ///     eprintln!("no further orders: {error}");
    /// }
    /// # Ok(())
    /// # }
    /// ```
    pub fn error(&self) -> Option<SubscriptionError> {
        self.feed.error()
    }

    /// Ends it from elsewhere.
    pub(crate) fn stopper(&self) -> Stopper {
        Stopper { feed: Arc::clone(&self.feed), hub: Weak::clone(&self.hub) }
    }

    /// How often the links under it have changed.
    pub(crate) fn changes(&self) -> Changes {
        self.feed.changes()
    }

    fn forget(&self) {
        self.stopper().forget();
    }
}

impl Stream for Subscription {
    type Item = Message;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Message>> {
        let polled = self.feed.poll(cx);
        if let (Poll::Ready(Some(_)), Some(hub)) = (&polled, Weak::upgrade(&self.hub)) {
            hub.counters.delivered.fetch_add(1, Ordering::Relaxed);
        }
        polled
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stopper().stop();
        self.feed.abandon();
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription").field("id", &self.feed.id).finish_non_exhaustive()
    }
}

/// Reason why a server refused a subscription.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// The user of the client has no permission to subscribe to the subject.
    #[error("the server denies `{subject}`: {text}; permit this user to subscribe to it")]
    Denied {
        /// The first 48 characters of the subject.
        subject: String,
        /// The server's error.
        text: String,
    },
    /// The connection has as many subscriptions as the account, or the server, allows.
    #[error(
        "the server refused the subscription `{subject}`, because there are too many: {text}; end others, or raise the limit"
    )]
    TooMany {
        /// The first 48 characters of the subject.
        subject: String,
        /// The server's error.
        text: String,
    },
    /// Servers closed the connection when they received the subscription. Two servers in a row closed it, or one server
    /// closed it with the error that the line is too long.
    #[error(
        "servers close the connection when they get the subscription `{subject}`: {text}; shorten its subject and queue group"
    )]
    Rejected {
        /// The first 48 characters of the subject.
        subject: String,
        /// The error of the last server.
        text: String,
    },
}

/// Ends a subscription that another task reads.
#[derive(Clone)]
pub(crate) struct Stopper {
    feed: Arc<Feed>,
    hub: WeakHub,
}

impl Stopper {
    /// As [`Subscription::drain`].
    pub(crate) async fn drain(&self) {
        self.forget();
        self.feed.drain().await;
    }

    /// Unsubscribes at once. The stream still delivers the messages that have arrived.
    pub(crate) fn stop(&self) {
        self.forget();
        self.feed.end();
    }

    fn forget(&self) {
        if let Some(hub) = self.hub.upgrade() {
            hub.remove_feed(self.feed.id);
        }
    }
}

impl fmt::Debug for Stopper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stopper").field("id", &self.feed.id).finish_non_exhaustive()
    }
}
