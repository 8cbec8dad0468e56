//! This module resends publishes that dead links have not written. With `GeoOptions::at_least_once`, it also resends
//! publishes that no server has confirmed.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_nats::message::OutboundMessage;

use super::{Hub, NotSent, lock};
use crate::core::ConnId;
use crate::native::link::{Ended, Kind, Link, Refusal, Settled};
use crate::native::publish;
use crate::native::resend::{Forgotten, ResendBuffer, size};

impl Hub {
    /// A link is dead: what it had not written is kept for the next one; the rest is unconfirmed.
    pub(crate) fn settle(&self, conn: ConnId, settled: Settled) {
        self.counters.unconfirmed.fetch_add(settled.unconfirmed_count, Ordering::Relaxed);
        if let Some(kept) = &self.kept {
            kept.orphan(|lost| lost == conn);
        }
        let mut backlog = lock(&self.backlog);
        backlog.extend(settled.unwritten);
        let excess = backlog.len().saturating_sub(self.limits.backlog);
        backlog.drain(..excess);
        drop(backlog);
        self.discarded(excess as u64);
    }

    /// Traffic goes to `live` in a hurry: what is to arrive at least once does not wait until the others are dead.
    pub(crate) fn orphan_all_but(&self, live: ConnId) {
        if let Some(kept) = &self.kept {
            kept.orphan(|conn| conn != live);
        }
    }

    /// Sends what is left over from other links, oldest first.
    pub(crate) async fn retransmit(&self, link: &Link) -> Result<(), Ended> {
        // Two at a time would mix up the order.
        let _sending = link.sending_again.lock().await;
        while let Some(mut next) = self.next_of_backlog() {
            let Some(message) = &next.message else { break };
            if !self.may_send_again(message) {
                next.message = None;
                continue;
            }
            match link.push(message, Kind::Publish).await {
                Ok(_) => _ = self.counters.resent.fetch_add(1, Ordering::Relaxed),
                Err(Refusal::Ended) => return Err(Ended),
                // This server accepts less than the one before.
                Err(Refusal::TooLarge { limit }) => self.is_too_large(message, limit),
            }
            next.message = None;
        }
        match &self.kept {
            Some(kept) => self.send_orphans(link, kept).await,
            None => Ok(()),
        }
    }

    async fn send_orphans(&self, link: &Link, kept: &ResendBuffer) -> Result<(), Ended> {
        let mut from = 0;
        while let Some(orphan) = kept.next_orphan(from) {
            from = orphan.id + 1;
            if !self.may_send_again(&orphan.message) {
                kept.give_up(orphan.id);
                continue;
            }
            match link.push(&orphan.message, Kind::Again(orphan.id)).await {
                Ok(_) => _ = self.counters.resent.fetch_add(1, Ordering::Relaxed),
                Err(Refusal::Ended) => return Err(Ended),
                Err(Refusal::TooLarge { limit }) => {
                    kept.give_up(orphan.id);
                    self.is_too_large(&orphan.message, limit);
                }
            }
        }
        Ok(())
    }

    /// This server takes less than the one that the message was published to: it is lost.
    fn is_too_large(&self, message: &OutboundMessage, limit: usize) {
        self.discarded(1);
        let size = publish::size(message);
        self.publish_refused(
            &message.subject,
            format!("it has {size} bytes, but the server accepts {limit} (`max_payload`)"),
        );
    }

    /// Returns whether publishes wait for confirmation by this link, and no other.
    pub(super) fn waits_for(&self, link: &Link) -> bool {
        match &self.kept {
            Some(kept) => kept.waits_for(link.conn),
            None => link.has_unconfirmed(),
        }
    }

    /// What links share to keep publishes until they are confirmed.
    pub(crate) const fn kept(&self) -> Option<&Arc<ResendBuffer>> {
        self.kept.as_ref()
    }

    /// What will not be sent again, though it was to arrive at least once.
    pub(crate) fn forgotten(&self) -> Forgotten {
        self.kept.as_ref().map(|kept| kept.forgotten()).unwrap_or_default()
    }

    /// Refuses what could never be kept until it is confirmed.
    pub(super) fn check_size(&self, message: &OutboundMessage) -> Result<(), NotSent> {
        match &self.kept {
            Some(kept) if size(message) > kept.max_bytes() => {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                Err(NotSent::TooLargeToKeep { max_bytes: kept.max_bytes() })
            }
            _ => Ok(()),
        }
    }

    /// Why a publish has waited in vain.
    pub(super) fn why_not_sent(&self, message: &OutboundMessage) -> NotSent {
        match &self.kept {
            Some(kept) if !kept.has_room_for(message) => {
                self.counters.refused.fetch_add(1, Ordering::Relaxed);
                NotSent::TooManyUnconfirmed { max_bytes: kept.max_bytes() }
            }
            _ => NotSent::Waited,
        }
    }

    fn next_of_backlog(&self) -> Option<Taken<'_>> {
        let message = lock(&self.backlog).pop_front()?;
        Some(Taken { hub: self, message: Some(message) })
    }
}

/// The oldest message that is left over. It goes back to where it was unless a link has taken it: whoever waits for that
/// may give up.
struct Taken<'a> {
    hub: &'a Hub,
    message: Option<OutboundMessage>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(message) = self.message.take() {
            lock(&self.hub.backlog).push_front(message);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::native::hub::Limits;

    #[test]
    fn what_no_link_has_taken_goes_back_to_where_it_was() {
        let limits = Limits { publish_wait: Duration::ZERO, backlog: 9, ..Limits::default() };
        let hub = Hub::new(limits, None);
        let message = |payload: &'static str| OutboundMessage {
            subject: "a".into(),
            reply: None,
            payload: payload.into(),
            headers: None,
        };
        lock(&hub.backlog).extend(["1", "2", "3"].map(message));
        hub.next_of_backlog().unwrap().message = None;
        drop(hub.next_of_backlog());
        let left: Vec<_> = lock(&hub.backlog).iter().map(|message| message.payload.clone()).collect();
        assert_eq!(left, ["2", "3"]);
    }
}
