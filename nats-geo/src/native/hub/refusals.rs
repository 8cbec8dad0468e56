//! This module handles refusals by servers. A refused subscription ends and a refused publish is lost, but the link
//! stays open.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::{Hub, lock};
use async_nats::message::OutboundMessage;

use crate::core::{ConnId, NoticeKind};
use crate::native::lines::{check_publish, shown};
use crate::native::link::{Ended, Link, Scrubbed};
use crate::native::subscription::{Feed, Route, SubscriptionError};
use crate::wire::{Complaint, Denied};

/// The refusals that the hub remembers.
#[derive(Debug, Default)]
pub(super) struct Refusals {
    /// Feeds whose link ended before its server had confirmed them.
    suspects: BTreeSet<u64>,
    /// Feeds whose link ended in the same way, but without a reason: one such end is no evidence.
    involved: BTreeSet<u64>,
    /// Subjects that have had their notice.
    noticed: BTreeSet<String>,
}

impl Refusals {
    fn is_news(&mut self, subject: &str) -> bool {
        self.noticed.len() < NOTICED_MAX && self.noticed.insert(subject.to_owned())
    }

    /// Suspects these feeds, and forgets those that are gone. With a reason, no others are suspects: one of these ended the
    /// link. Returns whether all of them were suspects before.
    fn suspect(&mut self, feeds: &[u64], has_reason: bool, is_alive: impl Fn(u64) -> bool) -> bool {
        let before = feeds.iter().all(|feed| self.suspects.contains(feed));
        if has_reason {
            self.suspects.clear();
        }
        let again = feeds.iter().filter(|feed| has_reason || self.involved.contains(feed));
        self.suspects.extend(again);
        self.involved.extend(feeds);
        self.suspects.retain(|feed| is_alive(*feed));
        self.involved.retain(|feed| self.suspects.contains(feed) || is_alive(*feed));
        before
    }
}

impl Hub {
    /// A server ended a link with `complaint` as its last words, and had not confirmed these feeds. The longest names on
    /// one line that it got have `longest_names` bytes.
    ///
    /// A line that was too long was this one. If it subscribed a feed, the feed ends with an error. The client sends no line
    /// of this length again.
    ///
    /// After any other complaint, it is not known which feed caused it.
    /// The next link gets them one group after the other, so the one that ends links is found. It then ends with an error.
    /// A server that closes a connection with unread input resets it, and its last words can get lost.
    pub(crate) fn link_ended(&self, unconfirmed: &[u64], complaint: Option<&str>, longest_names: usize) {
        let reason = complaint.filter(|text| Complaint::of(text) == Complaint::Protocol);
        if let Some(text) = reason.filter(|text| text.contains(LINE_TOO_LONG)) {
            return self.line_was_too_long(unconfirmed, longest_names, text);
        }
        if unconfirmed.is_empty() || complaint.is_some() && reason.is_none() {
            return;
        }
        let (was_suspect, culprit) = {
            let feeds = &lock(&self.feeds).by_id;
            let was_suspect =
                lock(&self.refusals).suspect(unconfirmed, reason.is_some(), |id| feeds.contains_key(&id));
            let [only] = unconfirmed else { return };
            (was_suspect, feeds.get(only).map(Arc::clone))
        };
        if let (Some(feed), Some(text), true) = (culprit, reason, was_suspect) {
            self.refuse(&feed, |subject| SubscriptionError::Rejected { subject, text: text.to_owned() });
        }
    }

    fn line_was_too_long(&self, unconfirmed: &[u64], names: usize, text: &str) {
        // A line with these names is longer.
        let learned = (names + 1).max(LEARNED_MIN);
        self.max_control_line.fetch_min(learned, Ordering::Relaxed);
        let feeds = self.feeds();
        for feed in feeds.iter().filter(|feed| unconfirmed.contains(&feed.id) && feed.names_length() >= names)
        {
            self.refuse(feed, |subject| SubscriptionError::Rejected { subject, text: text.to_owned() });
        }
    }

    /// The longest line that servers read, in bytes, as far as this client knows.
    pub(crate) fn max_control_line(&self) -> usize {
        self.max_control_line.load(Ordering::Relaxed)
    }

    /// Returns whether servers read this message, which was kept for another link. If not, it is lost.
    pub(super) fn may_send_again(&self, message: &OutboundMessage) -> bool {
        let Err(error) = check_publish(message, self.max_control_line()) else { return true };
        self.discarded(1);
        self.publish_refused(&message.subject, error.to_string());
        false
    }

    pub(super) fn publish_refused(&self, subject: &str, why: String) {
        if lock(&self.refusals).is_news(subject) {
            self.notify(NoticeKind::PublishRefused { subject: shown(subject), why });
        }
    }

    /// The server of this link denies something.
    pub(crate) fn denied(&self, conn: ConnId, denied: &Denied, text: &str) {
        match denied {
            Denied::Subscription { subject, queue } => {
                let carries = |feed: &Arc<Feed>| {
                    feed.is_of(subject, queue.as_deref()) && feed.routes().iter().any(|(it, _)| *it == conn)
                };
                for feed in self.feeds().into_iter().filter(carries) {
                    self.refuse(&feed, |subject| SubscriptionError::Denied {
                        subject,
                        text: text.to_owned(),
                    });
                }
            }
            Denied::Publish { subject } | Denied::Reply { reply: subject } => {
                self.counters.denied.fetch_add(1, Ordering::Relaxed);
                self.publish_refused(subject, text.to_owned());
            }
        }
    }

    /// Asks the server again whether it permits the feeds that were installed lately, some at a time.
    pub(crate) async fn ask_again(&self, link: &Link) {
        // One after the other: each begins with the feeds that are left.
        let _asking = link.asking_again.lock().await;
        let mut feeds = link.installed_lately();
        feeds.retain(|id| lock(&self.feeds).by_id.contains_key(id));
        for group in feeds.chunks(ASKED_AT_ONCE) {
            if self.ask_about(link, group).await.is_err() {
                return;
            }
        }
    }

    async fn ask_about(&self, link: &Link, feeds: &[u64]) -> Result<(), Ended> {
        let mut asked = Vec::new();
        for id in feeds {
            let feed = lock(&self.feeds).by_id.get(id).map(Arc::clone);
            let Some(feed) = feed else { continue };
            let subscriber = feed.ask(link).await?;
            asked.push((feed, subscriber));
        }
        if !asked.is_empty() {
            // A refusal comes before that.
            link.round_trip().await?;
        }
        for (feed, subscriber) in asked {
            self.discarded(feed.keep(link.conn, subscriber));
        }
        Ok(())
    }

    /// A message was changed or left out, because async-nats could not have read it.
    pub(crate) fn scrubbed(&self, scrubbed: &Scrubbed) {
        self.counters.unreadable.fetch_add(1, Ordering::Relaxed);
        let Scrubbed { subject, problem, is_left_out } = scrubbed;
        if lock(&self.refusals).is_news(&format!("unreadable {subject}")) {
            self.notify(NoticeKind::UnreadableMessage {
                subject: shown(subject),
                why: format!("{problem} cannot be read"),
                is_left_out: *is_left_out,
            });
        }
    }

    /// The server of this link takes no further subscription. It has said so once for each that is too many.
    pub(crate) async fn over_limit(&self, link: &Link, text: String) {
        // Behind all SUBs that the server has refused by now.
        if link.round_trip().await.is_err() {
            return;
        }
        for id in link.take_excess() {
            let feed = lock(&self.feeds).by_id.get(&id).map(Arc::clone);
            if let Some(feed) = feed {
                self.refuse(&feed, |subject| SubscriptionError::TooMany { subject, text: text.clone() });
            }
        }
    }

    /// Installs suspects after all others, group by group: the server confirms each group before it gets the next.
    pub(super) async fn install_suspects(
        &self,
        link: &Arc<Link>,
        route: &Arc<Route>,
        suspects: &[Arc<Feed>],
    ) -> Result<(), Ended> {
        if suspects.is_empty() {
            return Ok(());
        }
        // Those before them are not to be suspected.
        link.round_trip().await?;
        for group in suspects.chunks(suspects.len().div_ceil(GROUPS)) {
            for feed in group {
                feed.install(link, route).await?;
            }
            link.round_trip().await?;
            let mut refusals = lock(&self.refusals);
            for feed in group {
                refusals.suspects.remove(&feed.id);
                refusals.involved.remove(&feed.id);
            }
        }
        Ok(())
    }

    pub(super) fn is_suspect(&self, feed: &Feed) -> bool {
        lock(&self.refusals).suspects.contains(&feed.id)
    }

    /// Queues a notice for the driver.
    pub(crate) fn notify(&self, kind: NoticeKind) {
        // When too many wait, this one is dropped: the application has enough to read.
        let _ = self.news.try_send(kind);
    }

    fn refuse(&self, feed: &Feed, error: impl FnOnce(String) -> SubscriptionError) {
        self.remove_feed(feed.id);
        let error = error(shown(feed.subject()));
        if feed.end_with(error.clone()) {
            let subject = shown(feed.subject());
            self.notify(NoticeKind::SubscriptionRefused { subject, why: error.to_string() });
        }
    }
}

/// How nats-server words it.
const LINE_TOO_LONG: &str = "control line";

/// A server whose limit is lower than this reads hardly any request: the inbox alone has half as many bytes.
const LEARNED_MIN: usize = 128;

/// Each lost link divides the suspects by this: four links find one among 65 536 subscriptions. Each group costs one round
/// trip.
const GROUPS: usize = 16;

/// async-nats keeps twice as many errors that wait for the client.
const ASKED_AT_ONCE: usize = 64;

/// A client that publishes to more subjects than this without permission has had enough notices.
const NOTICED_MAX: usize = 256;
