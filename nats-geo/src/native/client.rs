//! The client that users hold.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use async_nats::subject::ToSubject;
use futures_util::future;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;

use super::clock::Clock;
use super::connect::Progress;
use super::hub::{Hub, NotSent, lock};
use super::lines::{TooLong, check_subscription};
use super::link::Link;
use super::observe::{Observed, Report, Sources, Stats};
use super::servers::{IntoServers, ServerUrl, ServerUrlError};
use super::subscription::Carriage;
use super::tls::Sessions;
use super::{Notices, Subscription, TlsError};
use crate::core::{Notice, Selector, Snapshot};

mod drain;

/// A client of a super-cluster: talks to the nearest healthy region, leaves a failing one, and comes back.
/// Made by [`connect`](super::connect) or [`GeoOptions`](super::GeoOptions).
///
/// Clones are cheap and share everything. Dropping the last one ends all tasks and connections at once;
/// [`drain`](Self::drain) ends them in an orderly way.
#[derive(Clone)]
pub struct GeoClient {
    handle: Arc<Handle>,
}

struct Handle {
    hub: Arc<Hub>,
    selector: Arc<Mutex<Selector>>,
    clock: Clock,
    notices: broadcast::Sender<Notice>,
    stop: watch::Sender<bool>,
    driver: tokio::sync::Mutex<Option<JoinHandle<()>>>,
    name: Option<String>,
    progress: Progress,
    observed: Arc<Observed>,
    sessions: Arc<Sessions>,
    relist: mpsc::Sender<Vec<ServerUrl>>,
}

/// What a client is made of.
#[derive(Debug)]
pub(crate) struct ClientParts {
    pub(crate) hub: Arc<Hub>,
    pub(crate) selector: Arc<Mutex<Selector>>,
    pub(crate) clock: Clock,
    pub(crate) notices: broadcast::Sender<Notice>,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) driver: JoinHandle<()>,
    pub(crate) name: Option<String>,
    pub(crate) progress: Progress,
    pub(crate) observed: Arc<Observed>,
    pub(crate) sessions: Arc<Sessions>,
    /// To the driver.
    pub(crate) relist: mpsc::Sender<Vec<ServerUrl>>,
}

impl GeoClient {
    pub(crate) fn new(parts: ClientParts) -> Self {
        let ClientParts {
            hub,
            selector,
            clock,
            notices,
            stop,
            driver,
            name,
            progress,
            observed,
            sessions,
            relist,
        } = parts;
        let handle = Handle {
            hub,
            selector,
            clock,
            notices,
            stop,
            driver: tokio::sync::Mutex::new(Some(driver)),
            name,
            progress,
            observed,
            sessions,
            relist,
        };
        Self { handle: Arc::new(handle) }
    }

    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.handle.hub
    }

    /// Subscribes; the stream survives moves from server to server.
    ///
    /// ```no_run
    /// use futures_util::StreamExt as _;
    ///
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut orders = client.subscribe("orders.>").await?;
    /// while let Some(order) = orders.next().await {
    ///     println!("{}: {:?}", order.subject, order.payload);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A subject that cannot be subscribed to, or a closed client. While nothing is live it succeeds: the
    /// next link takes it along.
    pub async fn subscribe(&self, subject: impl ToSubject) -> Result<Subscription, SubscribeError> {
        // A queue group is not doubled by two links: each message goes to one of them.
        let one_link = self.hub().limits.at_most_once;
        let carriage = if one_link { Carriage::OneLink } else { Carriage::EveryLink };
        self.add(subject, None, carriage, Some(self.hub().limits.subscription_buffer)).await
    }

    /// Subscribes on every link that carries subscriptions, for whoever can tell copies apart. What may come is bounded by
    /// the caller.
    pub(crate) async fn subscribe_everywhere(
        &self,
        subject: impl ToSubject,
    ) -> Result<Subscription, SubscribeError> {
        self.add(subject, None, Carriage::EveryLink, None).await
    }

    /// Subscribes as a member of a queue group: each message goes to one member. None is lost or doubled by
    /// an orderly move.
    ///
    /// # Errors
    /// As [`subscribe`](Self::subscribe), and a queue group that is empty or contains white space.
    pub async fn queue_subscribe(
        &self,
        subject: impl ToSubject,
        queue: impl Into<String>,
    ) -> Result<Subscription, SubscribeError> {
        let queue = queue.into();
        if queue.is_empty() || queue.contains([' ', '\t', '\r', '\n']) {
            return Err(SubscribeError::BadQueue { queue });
        }
        self.add(subject, Some(queue), Carriage::EveryLink, Some(self.hub().limits.subscription_buffer)).await
    }

    /// Returns when servers have confirmed everything that was published before: a real round trip, which
    /// async-nats' `flush` is not.
    ///
    /// # Errors
    /// Nothing is live within the bound, a link is lost meanwhile, or a server does not answer. What was
    /// published before may have arrived or not.
    pub async fn flush(&self) -> Result<(), FlushError> {
        let hub = self.hub();
        hub.live().await.map_err(|why| match why {
            NotSent::Closed => FlushError::Closed,
            _ => FlushError::Unavailable,
        })?;
        self.confirm(hub.unconfirmed()).await
    }

    /// Closes all connections at once. What has come in is still delivered, then subscriptions end; waiting
    /// requests fail.
    pub async fn close(&self) {
        self.handle.stop.send_replace(true);
        if let Some(driver) = self.handle.driver.lock().await.take() {
            // It only fails if the driver panicked, which has been reported.
            let _ = driver.await;
        }
    }

    /// Replaces the servers that were listed, those of
    /// [`server_with_region`](super::GeoOptions::server_with_region) included; names of
    /// [`dns`](super::GeoOptions::dns) stay. If the server that the client is connected to is not in the new list, the
    /// client moves in an orderly way as soon as another one can take over; until then the link stays. Servers without
    /// credentials in their URL get those of the options.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), nats_geo::SetServersError> {
    /// client.set_servers("nats://lon-3,nats://lon-4,nats://ams-1").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// A list that cannot be used, or a closed client; nothing changes then.
    pub async fn set_servers(&self, servers: impl IntoServers) -> Result<(), SetServersError> {
        let listed = servers.into_servers()?;
        if listed.is_empty() {
            return Err(ServerUrlError::Empty.into());
        }
        if listed.iter().any(|server| server.scheme.has_tls()) {
            let _made = self.handle.sessions.config().await?;
        }
        self.handle.relist.send(listed).await.map_err(|_driver_ended| SetServersError::Closed)
    }

    /// What happens to the client, from now on.
    pub fn notices(&self) -> Notices {
        Notices::new(self.handle.notices.subscribe())
    }

    /// The state: where traffic goes, and all servers in order with the reason for each place.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) {
    /// println!("{}", client.snapshot());
    /// # }
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        lock(&self.handle.selector).snapshot(self.handle.clock.now())
    }

    /// What was counted since the start.
    pub fn stats(&self) -> Stats {
        Stats::of(self.hub(), &self.handle.observed, self.handle.clock.now())
    }

    /// The state as facts, for JSON: members, peers, who is unhealthy and why, the ranking, the last moves with their
    /// phases, counters. No secrets.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), Box<dyn std::error::Error>> {
    /// println!("{}", serde_json::to_string(&client.report())?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn report(&self) -> Report {
        Report::of(Sources {
            name: self.handle.name.as_deref(),
            snapshot: &self.snapshot(),
            hub: self.hub(),
            observed: &self.handle.observed,
            progress: &self.handle.progress,
        })
    }

    /// The moment at which the client's [`Time`](crate::core::Time), that of notices and snapshots, was zero.
    pub fn started(&self) -> Instant {
        self.handle.clock.started()
    }

    /// The connection that traffic goes to now, for what is not wrapped here (push consumers);
    /// `None` while nothing is live. It is one connection to one server: it never moves and never reconnects,
    /// so ask again after a [`Moved`](crate::core::NoticeKind::Moved). Keeping it keeps the connection open.
    pub fn nats(&self) -> Option<async_nats::Client> {
        self.hub().live_now().map(|link| link.client().clone())
    }

    /// Returns whether a link is live now, so that publishes and requests go out at once. Suited to a readiness probe.
    ///
    /// It is `false` before the first link ([`retry_on_initial_connect`](super::GeoOptions::retry_on_initial_connect)),
    /// while the client is offline, and after [`close`](Self::close). It stays `true` during an orderly move. A silent
    /// server is noticed only after some time, so `true` does not promise that the next request is answered.
    ///
    /// Do not restart the application because of `false`: the client reconnects by itself.
    ///
    /// ```no_run
    /// # fn example(client: nats_geo::GeoClient) {
    /// // The answer to a readiness probe of Kubernetes.
    /// let status = if client.is_connected() { 200 } else { 503 };
    /// # }
    /// ```
    pub fn is_connected(&self) -> bool {
        self.hub().live_now().is_some()
    }

    async fn confirm(&self, links: Vec<Arc<Link>>) -> Result<(), FlushError> {
        let hub = self.hub();
        let round_trips = async {
            // What other links have left over was published before, too.
            if let Some(live) = hub.live_now() {
                hub.send_left_over(&live).await?;
            }
            future::try_join_all(links.iter().map(|link| link.round_trip())).await
        };
        match tokio::time::timeout(hub.limits.publish_wait, round_trips).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(_ended)) => Err(FlushError::LinkLost),
            Err(_elapsed) => Err(FlushError::Unavailable),
        }
    }

    async fn add(
        &self,
        subject: impl ToSubject,
        queue: Option<String>,
        carriage: Carriage,
        max_bytes: Option<usize>,
    ) -> Result<Subscription, SubscribeError> {
        let subject = subject.to_subject();
        if !subject.is_valid() {
            return Err(SubscribeError::BadSubject { subject: subject.to_string() });
        }
        check_subscription(&subject, queue.as_deref(), self.hub().max_control_line())?;
        if *self.handle.stop.borrow() {
            return Err(SubscribeError::Closed);
        }
        let hub = self.hub();
        let feed = hub.add_feed(subject, queue, carriage, max_bytes);
        // Made before the wait, so that whoever gives up leaves nothing behind.
        let subscription = Subscription::new(Arc::clone(&feed), hub);
        // A channel that is full for long belongs to a link that will be left: the next one takes it along.
        let _ = tokio::time::timeout(hub.limits.publish_wait, hub.carry(&feed)).await;
        Ok(subscription)
    }
}

impl fmt::Debug for GeoClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GeoClient").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.stop.send_replace(true);
    }
}

/// Why a subscription was not made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The subject is empty, contains white space, or has an empty token.
    #[error(
        "`{subject}` is not a subject to subscribe to: it is empty, contains white space or an empty token"
    )]
    BadSubject {
        /// The subject.
        subject: String,
    },
    /// The queue group is empty, or contains white space.
    #[error("`{queue}` is not a queue group: it is empty or contains white space")]
    BadQueue {
        /// The queue group.
        queue: String,
    },
    /// The subject, together with the queue group, is longer than servers read.
    #[error(transparent)]
    TooLong(#[from] Box<TooLong>),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

/// Why the list of servers was not replaced.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SetServersError {
    /// The list cannot be used.
    #[error(transparent)]
    Servers(#[from] ServerUrlError),
    /// It has servers with TLS, and the TLS options cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

/// Why it is not known whether everything has reached the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// No link was live, or its server did not answer, for as long as publishing may wait.
    #[error("no server confirmed in time")]
    Unavailable,
    /// The link was lost; [`Stats::in_doubt`] counts what was on it.
    #[error("the connection was lost; what was published may have arrived or not")]
    LinkLost,
    /// The client was drained, and closed, but something had no end within
    /// [`GeoOptions::drain_timeout`](super::GeoOptions::drain_timeout): a request without an answer, or a message that the
    /// application has not read, or not dropped.
    #[error(
        "the client closed before all requests were answered; answer faster, or allow more time (`drain_timeout`)"
    )]
    Unfinished,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}
