//! Subscriptions that survive moves.

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

/// A stream of the messages of one subscription, over all links that the client ever uses. Made by
/// [`GeoClient::subscribe`](super::GeoClient::subscribe).
///
/// While the client moves in an orderly way, two links deliver for a moment. Without a queue group, a message
/// may then come twice, unless the client was told to prefer
/// [at most once](super::GeoOptions::at_most_once); with one, each message comes once. Messages of one
/// publisher keep their order within a link, not across a move. When a link is lost, so is what was on its
/// way.
///
/// Dropping it unsubscribes. It ends by itself when the client is closed, and when a server refuses it:
/// [`error`](Self::error) then says why.
#[must_use = "dropping a subscription unsubscribes"]
pub struct Subscription {
    feed: Arc<Feed>,
    hub: WeakHub,
}

impl Subscription {
    pub(crate) fn new(feed: Arc<Feed>, hub: &Arc<Hub>) -> Self {
        Self { feed, hub: Arc::downgrade(hub) }
    }

    /// Unsubscribes. What has come in by now is still delivered, then the stream ends.
    pub async fn unsubscribe(&mut self) {
        self.forget();
        for (conn, _) in self.feed.routes() {
            self.feed.stop(conn).await;
        }
        self.feed.end();
    }

    /// Unsubscribes after `max` messages, counted over all links since the subscription was made; at once if
    /// it has delivered as many.
    pub async fn unsubscribe_after(&mut self, max: u64) {
        self.feed.limit(max).await;
    }

    /// Unsubscribes without losing what is on its way: returns when the servers have confirmed that nothing
    /// more will come. What has come in is still delivered, then the stream ends.
    ///
    /// It also waits until all messages with a reply subject that were read are dropped: other tasks may be answering
    /// them. That takes at most [`GeoOptions::drain_timeout`](super::GeoOptions::drain_timeout).
    pub async fn drain(&mut self) {
        let limit = self.hub.upgrade().map(|hub| hub.limits.drain_timeout).unwrap_or_default();
        self.stopper().drain().await;
        // After that, the subscription ends all the same.
        let _ = tokio::time::timeout(limit, self.feed.answered()).await;
    }

    /// Why a server refused the subscription: no permission, too many subscriptions, or a subject that it does not read.
    /// `None` while no server does, and after any other end.
    ///
    /// The stream delivers what had come in, then ends. With the error there is a notice
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

/// Why a server refused a subscription.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscriptionError {
    /// This user has no permission to subscribe to the subject.
    #[error("the server denies `{subject}`: {text}; permit this user to subscribe to it")]
    Denied {
        /// The first 48 characters of the subject.
        subject: String,
        /// The server's words.
        text: String,
    },
    /// The connection has as many subscriptions as the account, or the server, allows.
    #[error(
        "the server takes no further subscription, such as `{subject}`: {text}; end others, or raise the limit"
    )]
    TooMany {
        /// The first 48 characters of the subject.
        subject: String,
        /// The server's words.
        text: String,
    },
    /// Servers closed the connection when they got the subscription, twice in a row.
    #[error(
        "servers close the connection when they get the subscription `{subject}`: {text}; shorten its subject and queue group"
    )]
    Rejected {
        /// The first 48 characters of the subject.
        subject: String,
        /// The words of the last server.
        text: String,
    },
}

/// Ends a subscription that somebody else reads.
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

    /// Unsubscribes at once. What has come in by now is still delivered.
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
