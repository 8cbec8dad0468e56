//! The drain of a client: it finishes all work in progress before it closes.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future;

use super::{FlushError, GeoClient};
use crate::native::subscription::Feed;

impl GeoClient {
    /// Finishes all work in progress, then closes the client.
    ///
    /// * Servers send no further messages. The client still reads the messages in flight.
    /// * The application can still answer requests that subscriptions and services have received. The call waits until
    ///   the application has read these requests, and has dropped every [`Message`](crate::Message) with a reply subject.
    /// * Requests get their answers, and publishes to streams get their acknowledgements. New requests and publishes
    ///   fail.
    /// * All publishes reach the server.
    ///
    /// Then the client closes. Subscriptions deliver the messages that have arrived, and then end. The wait takes at
    /// most [`GeoOptions::drain_timeout`](crate::GeoOptions::drain_timeout). If the application drops the future early,
    /// the client closes at once.
    ///
    /// # Errors
    /// [`FlushError::Unfinished`] if the wait takes this long, and the errors of [`flush`](Self::flush). The client is
    /// closed after an error, too.
    pub async fn drain(&self) -> Result<(), FlushError> {
        let hub = self.hub();
        let leaving = Leaving { client: self, feeds: hub.take_feeds() };
        let finishing = async {
            leaving.stop_feeds().await;
            future::join_all(leaving.feeds.iter().map(|feed| feed.handled())).await;
            hub.operations.close();
            hub.operations.none().await;
        };
        let finished = tokio::time::timeout(hub.limits.drain_timeout, finishing).await;
        let is_live = hub.live_now().is_some();
        let links = hub.unconfirmed();
        hub.refuse_new_traffic();
        // One round trip per link is the barrier behind all publishes.
        let confirmed = self.confirm(links).await;
        let flushed = if is_live { confirmed } else { Err(FlushError::Unavailable) };
        drop(leaving);
        self.close().await;
        flushed?;
        finished.map_err(|_elapsed| FlushError::Unfinished)
    }
}

/// Subscriptions that no link will carry any more, and the end of their client.
struct Leaving<'a> {
    client: &'a GeoClient,
    feeds: Vec<Arc<Feed>>,
}

impl Leaving<'_> {
    /// Returns when the servers have confirmed that nothing more will come, or as much as can be known of that.
    async fn stop_feeds(&self) {
        let mut links = BTreeMap::new();
        for feed in &self.feeds {
            for (conn, route) in feed.routes() {
                feed.stop(conn).await;
                links.extend(route.link.upgrade().map(|link| (conn, link)));
            }
        }
        // At once: one of them may be silent. One that ends now delivers nothing more, either.
        let barriers = links.values().map(|link| link.round_trip());
        let limit = self.client.hub().limits.publish_wait;
        let _ = tokio::time::timeout(limit, future::join_all(barriers)).await;
        for feed in &self.feeds {
            feed.end();
        }
    }
}

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        for feed in &self.feeds {
            feed.end();
        }
        self.client.hub().refuse_new_traffic();
        self.client.handle.stop.send_replace(true);
    }
}
