//! State that the handles of a client, its subscriptions and its driver share: the active link, and all data that the
//! next link needs.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use async_nats::message::OutboundMessage;
use futures_util::future;
use tokio::sync::{mpsc, watch};

use super::home::Home;
use super::link::{Ended, Kind, Link, Refusal};
use super::resend::ResendBuffer;
use super::subscription::{Care, Carriage, Feed, Route};
use crate::core::{ConnId, NoticeKind};

mod feeds;
use feeds::Feeds;

mod limits;
pub(crate) use limits::{Counters, Limits};

mod retransmit;

mod operations;
pub(crate) use operations::{Operation, Operations};

mod refusals;
use refusals::Refusals;

/// Shared by all parts of one client.
#[derive(Debug)]
pub(crate) struct Hub {
    active: watch::Sender<ActiveLink>,
    /// The link that the core last decided for: an activation that was overtaken must not switch any more.
    aim: Mutex<Option<ConnId>>,
    pub(crate) home: Home,
    /// Links that carry the subscriptions, or are being given them.
    carriers: Mutex<BTreeMap<ConnId, Arc<Link>>>,
    feeds: Mutex<Feeds>,
    care: Arc<Care>,
    /// Held while subscriptions of [one link](Carriage::OneLink) change it.
    pub(crate) one_link: tokio::sync::Mutex<()>,
    /// Publishes of dead links that are to be sent on the next one, oldest first.
    backlog: Mutex<VecDeque<OutboundMessage>>,
    /// Publishes that are not confirmed, if they are to arrive at least once.
    kept: Option<Arc<ResendBuffer>>,
    /// Requests, and what waits for acknowledgement by a stream.
    pub(crate) operations: Operations,
    refusals: Mutex<Refusals>,
    news: mpsc::Sender<NoticeKind>,
    /// Until the driver takes it.
    news_receiver: Mutex<Option<mpsc::Receiver<NoticeKind>>>,
    /// The longest line that servers read, as far as known.
    max_control_line: AtomicUsize,
    pub(crate) limits: Limits,
    pub(crate) counters: Counters,
}

/// Where new traffic goes.
#[derive(Clone, Debug)]
pub(crate) enum ActiveLink {
    /// Nowhere, until a link is live.
    Offline,
    Live(Arc<Link>),
    /// Nowhere any more.
    Closed,
}

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum NotSent {
    /// Nothing was live, or the live link took nothing, for as long as we may wait.
    Waited,
    /// The client is closed.
    Closed,
    TooLarge {
        limit: usize,
    },
    /// The buffer of unconfirmed publishes stayed full for the whole `publish_wait`.
    TooManyUnconfirmed {
        max_bytes: usize,
    },
    /// The message is larger than the buffer of unconfirmed publishes.
    TooLargeToKeep {
        max_bytes: usize,
    },
}

impl Hub {
    pub(crate) fn new(limits: Limits, kept: Option<Arc<ResendBuffer>>) -> Self {
        let (news, news_receiver) = mpsc::channel(NEWS_MAX);
        Self {
            active: watch::Sender::new(ActiveLink::Offline),
            aim: Mutex::default(),
            home: Home::default(),
            carriers: Mutex::default(),
            feeds: Mutex::default(),
            care: Arc::default(),
            one_link: tokio::sync::Mutex::default(),
            backlog: Mutex::default(),
            kept,
            operations: Operations::default(),
            refusals: Mutex::default(),
            news,
            news_receiver: Mutex::new(Some(news_receiver)),
            max_control_line: AtomicUsize::new(limits.max_control_line),
            limits,
            counters: Counters::default(),
        }
    }

    /// Sends a message on the live link, at once, or as soon as there is one and it takes it: it is then taken out of
    /// `slot`.
    pub(crate) async fn send(&self, slot: &mut Option<OutboundMessage>) -> Result<(), NotSent> {
        if let Some(message) = slot {
            self.check_size(message)?;
        }
        self.send_now(slot)?;
        if let Some(message) = slot {
            // In a box: the future of who publishes is moved about, and rarely waits.
            Box::pin(self.send_later(message)).await?;
            *slot = None;
        }
        Ok(())
    }

    /// Sends the message on the live link if it takes it at once: it is then taken out of `slot`.
    fn send_now(&self, slot: &mut Option<OutboundMessage>) -> Result<(), NotSent> {
        match &*self.active.borrow() {
            ActiveLink::Live(link) => link.offer(slot, Kind::Publish).map(drop).map_err(NotSent::from),
            ActiveLink::Offline => Ok(()),
            ActiveLink::Closed => Err(NotSent::Closed),
        }
    }

    /// The live link, waited for within the bound.
    pub(crate) async fn live(&self) -> Result<Arc<Link>, NotSent> {
        let mut active = self.active.subscribe();
        let live = active.wait_for(|active| !matches!(active, ActiveLink::Offline));
        match tokio::time::timeout(self.limits.publish_wait, live)
            .await
            .map(|active| active.map(|it| it.clone()))
        {
            Ok(Ok(ActiveLink::Live(link))) => Ok(link),
            Ok(_) => Err(NotSent::Closed),
            Err(_elapsed) => Err(NotSent::Waited),
        }
    }

    /// The live link, if there is one.
    pub(crate) fn live_now(&self) -> Option<Arc<Link>> {
        match &*self.active.borrow() {
            ActiveLink::Live(link) => Some(Arc::clone(link)),
            _ => None,
        }
    }

    pub(crate) fn active_link(&self) -> watch::Receiver<ActiveLink> {
        self.active.subscribe()
    }

    /// From now on, only this link may be [switched to](Self::switch_to).
    pub(crate) fn aim_at(&self, conn: ConnId) {
        *lock(&self.aim) = Some(conn);
    }

    /// Sends new traffic to `link`, behind what is left over from dead links.
    pub(crate) async fn switch_to(&self, link: &Arc<Link>) -> Result<(), Ended> {
        self.retransmit(link).await?;
        if !self.switch_if_aimed_at(link) {
            return Err(Ended);
        }
        // It may have ended before anybody could know that traffic goes there.
        if link.has_ended() {
            self.leave(link.conn);
            return Err(Ended);
        }
        // What came meanwhile.
        self.retransmit(link).await
    }

    fn switch_if_aimed_at(&self, link: &Arc<Link>) -> bool {
        let aim = lock(&self.aim);
        let mut switched = false;
        if *aim == Some(link.conn) {
            self.active.send_if_modified(|active| {
                switched = match active {
                    ActiveLink::Closed => false,
                    ActiveLink::Live(old) if Arc::ptr_eq(old, link) => false,
                    ActiveLink::Live(_) | ActiveLink::Offline => true,
                };
                if switched {
                    *active = ActiveLink::Live(Arc::clone(link));
                }
                switched
            });
        }
        drop(aim);
        self.counters.moves.fetch_add(u64::from(switched), Ordering::Relaxed);
        matches!(&*self.active.borrow(), ActiveLink::Live(live) if Arc::ptr_eq(live, link))
    }

    /// No new traffic goes to this link any more.
    pub(crate) fn leave(&self, conn: ConnId) {
        self.active.send_if_modified(|active| {
            let here = matches!(active, ActiveLink::Live(link) if link.conn == conn);
            if here {
                *active = ActiveLink::Offline;
            }
            here
        });
    }

    /// Gives all subscriptions of every link to `link`, and those that are made from now on.
    pub(crate) async fn install(self: &Arc<Self>, link: &Arc<Link>) -> Result<(), Ended> {
        lock(&self.carriers).insert(link.conn, Arc::clone(link));
        self.install_those_of(link, Carriage::EveryLink).await
    }

    /// Gives the subscriptions of one kind to `link`.
    pub(crate) async fn install_those_of(
        self: &Arc<Self>,
        link: &Arc<Link>,
        carriage: Carriage,
    ) -> Result<(), Ended> {
        let route = self.route(link);
        let (suspects, others): (Vec<_>, Vec<_>) =
            self.feeds_of(carriage).into_iter().partition(|feed| self.is_suspect(feed));
        for feed in others {
            feed.install(link, &route).await?;
        }
        self.install_suspects(link, &route, &suspects).await
    }

    /// Gives `feed` to all links that carry subscriptions, or to the live one: it is in their command
    /// channels when this returns, as with async-nats.
    pub(crate) async fn carry(self: &Arc<Self>, feed: &Feed) {
        if feed.carriage() == Carriage::OneLink {
            let _changing = self.one_link.lock().await;
            if let Some(link) = self.live_now() {
                // If it ends now, the next one takes the subscription along.
                let _ = feed.install(&link, &self.route(&link)).await;
            }
            return;
        }
        let carriers = self.carriers();
        // At once to all: one of them may be silent, its channel full.
        let installing = carriers.iter().map(|link| async {
            // A link that ends now needs no subscription.
            let _ = feed.install(link, &self.route(link)).await;
        });
        future::join_all(installing).await;
    }

    /// No new subscription is given to this link any more.
    pub(crate) fn stop_carrying(&self, conn: ConnId) {
        lock(&self.carriers).remove(&conn);
    }

    /// Takes this link away from everything: subscriptions keep what has come in.
    pub(crate) fn detach(&self, conn: ConnId) {
        self.leave(conn);
        self.stop_carrying(conn);
        for feed in self.feeds() {
            self.discarded(feed.detach(conn));
        }
    }

    /// Notices of other parts of the client than the selector. For the driver alone.
    pub(crate) fn take_news(&self) -> Option<mpsc::Receiver<NoticeKind>> {
        lock(&self.news_receiver).take()
    }

    /// The live link, and all others on which publishes are not confirmed yet.
    pub(crate) fn unconfirmed(&self) -> Vec<Arc<Link>> {
        let live = self.live_now();
        let here = live.as_ref().map(|link| link.conn);
        let carriers = lock(&self.carriers);
        let others = carriers.values().filter(|link| Some(link.conn) != here && self.waits_for(link));
        others.cloned().chain(live.clone()).collect()
    }

    /// The links that carry subscriptions, or are being given them.
    pub(crate) fn carriers(&self) -> Vec<Arc<Link>> {
        lock(&self.carriers).values().cloned().collect()
    }

    /// These messages are lost, and we know it.
    pub(crate) fn discarded(&self, messages: u64) {
        self.counters.discarded.fetch_add(messages, Ordering::Relaxed);
    }

    /// Takes no new traffic any more.
    pub(crate) fn refuse_new_traffic(&self) {
        self.active.send_replace(ActiveLink::Closed);
    }

    /// Ends everything that waits for a link or a message.
    pub(crate) fn close(&self) {
        self.refuse_new_traffic();
        lock(&self.carriers).clear();
        for feed in self.take_feeds() {
            feed.end();
        }
    }

    fn route(self: &Arc<Self>, link: &Arc<Link>) -> Arc<Route> {
        Arc::new(Route { link: Arc::downgrade(link), hub: Arc::downgrade(self) })
    }

    /// Waits for a link that takes the message; follows a move.
    async fn send_later(&self, message: &OutboundMessage) -> Result<(), NotSent> {
        let mut active_link = self.active.subscribe();
        let sending = async {
            loop {
                let active = active_link.borrow_and_update().clone();
                match active {
                    ActiveLink::Closed => return Err(NotSent::Closed),
                    ActiveLink::Offline => {}
                    ActiveLink::Live(link) => tokio::select! {
                        pushed = link.push(message, Kind::Publish) => match pushed {
                            Ok(_) => return Ok(()),
                            Err(Refusal::Ended) => {}
                            Err(refusal) => return Err(refusal.into()),
                        },
                        // Traffic goes elsewhere now.
                        _ = active_link.changed() => {
                            active_link.mark_changed();
                        }
                    },
                }
                // The sender is in `self`.
                let _ = active_link.changed().await;
            }
        };
        let sent = tokio::time::timeout(self.limits.publish_wait, sending).await;
        sent.unwrap_or_else(|_elapsed| Err(self.why_not_sent(message)))
    }
}

impl From<Refusal> for NotSent {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            // Only of a link that was live a moment ago.
            Refusal::Ended => Self::Waited,
            Refusal::TooLarge { limit } => Self::TooLarge { limit },
        }
    }
}

/// Notices that wait for the driver, which takes them within milliseconds.
const NEWS_MAX: usize = 64;

/// What may be waited on for as long as the client lives, without keeping it alive.
pub(crate) type WeakHub = Weak<Hub>;

/// No user code runs under these locks, so a poisoned one guards nothing broken.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
