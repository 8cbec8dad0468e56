//! All subscriptions of a client.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_nats::Subject;

use super::{Hub, lock};
use crate::core::NoticeKind;
use crate::native::lines::shown;
use crate::native::subscription::{Carriage, Feed, LookedAfter};

#[derive(Debug, Default)]
pub(super) struct Feeds {
    pub(super) next: u64,
    pub(super) by_id: BTreeMap<u64, Arc<Feed>>,
}

impl Hub {
    pub(crate) fn feeds_of(&self, carriage: Carriage) -> Vec<Arc<Feed>> {
        let mut feeds = self.feeds();
        feeds.retain(|feed| feed.carriage() == carriage);
        feeds
    }

    pub(crate) fn feeds(&self) -> Vec<Arc<Feed>> {
        lock(&self.feeds).by_id.values().cloned().collect()
    }

    /// A subscription that keeps up to `max_bytes` that are not read. Without a limit, it is one that the client reads by itself.
    pub(crate) fn add_feed(
        &self,
        subject: Subject,
        queue: Option<String>,
        carriage: Carriage,
        max_bytes: Option<usize>,
    ) -> Arc<Feed> {
        let mut feeds = lock(&self.feeds);
        let id = feeds.next;
        feeds.next += 1;
        let buffer = (max_bytes, Arc::clone(&self.care));
        let feed = Arc::new(Feed::new(id, subject, queue, carriage, buffer));
        feeds.by_id.insert(id, Arc::clone(&feed));
        feed
    }

    /// All feeds, which no further link will carry.
    pub(crate) fn take_feeds(&self) -> Vec<Arc<Feed>> {
        std::mem::take(&mut lock(&self.feeds).by_id).into_values().collect()
    }

    pub(crate) fn remove_feed(&self, id: u64) {
        lock(&self.feeds).by_id.remove(&id);
    }

    /// Looks after subscriptions that are not read, for as long as the client lives.
    pub(crate) async fn look_after_feeds(&self) {
        loop {
            for id in self.care.due().await {
                let feed = lock(&self.feeds).by_id.get(&id).map(Arc::clone);
                let Some(feed) = feed else { continue };
                let LookedAfter { dropped, is_news } = feed.look_after().await;
                self.discarded(dropped);
                if is_news {
                    self.notify(NoticeKind::SlowConsumer { subject: shown(feed.subject()) });
                }
            }
        }
    }
}
