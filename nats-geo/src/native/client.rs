//! The client that the application holds.

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

/// A client of a super-cluster. The client uses the nearest healthy region, leaves a failing region, and fails back
/// later. [`connect`](super::connect) and [`GeoOptions`](super::GeoOptions) create a client.
///
/// Clones are cheap and share all state. When the last clone is dropped, all tasks and connections end at once.
/// [`drain`](Self::drain) first finishes work in progress.
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

    /// Subscribes to a subject. The returned stream continues when the client moves to another server.
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
    /// The subject is empty, contains white space or an empty token, or is too long; or the client is closed. Without a
    /// live link the call succeeds, and the client subscribes on the next link.
    pub async fn subscribe(&self, subject: impl ToSubject) -> Result<Subscription, SubscribeError> {
        // Two links do not duplicate messages of a queue group: each message goes to one of them.
        let one_link = self.hub().limits.at_most_once;
        let carriage = if one_link { Carriage::OneLink } else { Carriage::EveryLink };
        self.add(subject, None, carriage, Some(self.hub().limits.subscription_buffer)).await
    }

    /// Subscribes on every link that carries subscriptions, for callers that recognise duplicates. The caller bounds the
    /// messages that may arrive.
    pub(crate) async fn subscribe_everywhere(
        &self,
        subject: impl ToSubject,
    ) -> Result<Subscription, SubscribeError> {
        self.add(subject, None, Carriage::EveryLink, None).await
    }

    /// Subscribes as a member of a queue group: each message goes to one member. An orderly move neither loses nor
    /// duplicates a message.
    ///
    /// # Errors
    /// The same as [`subscribe`](Self::subscribe); or the queue group is empty or contains white space.
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

    /// Waits until servers have confirmed all publishes that the application made before this call. Unlike `flush` of
    /// async-nats, this call waits for a reply of the server.
    ///
    /// # Errors
    /// No link is live within [`publish_wait`](super::GeoOptions::publish_wait), a link is lost during the call, or a
    /// server does not answer. The earlier publishes may or may not have arrived.
    pub async fn flush(&self) -> Result<(), FlushError> {
        let hub = self.hub();
        hub.live().await.map_err(|why| match why {
            NotSent::Closed => FlushError::Closed,
            _ => FlushError::Unavailable,
        })?;
        self.confirm(hub.unconfirmed()).await
    }

    /// Closes all connections at once. Subscriptions still deliver the messages that have arrived, and then end. Waiting
    /// requests fail.
    pub async fn close(&self) {
        self.handle.stop.send_replace(true);
        if let Some(driver) = self.handle.driver.lock().await.take() {
            // It only fails if the driver panicked, which has been reported.
            let _ = driver.await;
        }
    }

    /// Replaces the listed servers, including the servers that
    /// [`server_with_region`](super::GeoOptions::server_with_region) added. The DNS names that
    /// [`dns`](super::GeoOptions::dns) added stay in use.
    ///
    /// If the server of the live link is not in the new list, the client makes an orderly move to another server. For
    /// servers without credentials in their URL, the client uses the credentials of the options.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), nats_geo::SetServersError> {
    /// client.set_servers("nats://lon-3,nats://lon-4,nats://ams-1").await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The list is empty or malformed, the TLS options are invalid, or the client is closed. The client then keeps its
    /// old list.
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

    /// Returns a stream of the notices that the client sends from now on.
    pub fn notices(&self) -> Notices {
        Notices::new(self.handle.notices.subscribe())
    }

    /// Returns the state: the server of the live link, and the ranking of all servers, with the reason for each rank.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) {
    /// println!("{}", client.snapshot());
    /// # }
    /// ```
    pub fn snapshot(&self) -> Snapshot {
        lock(&self.handle.selector).snapshot(self.handle.clock.now())
    }

    /// Returns the counters since the start.
    pub fn stats(&self) -> Stats {
        Stats::of(self.hub(), &self.handle.observed, self.handle.clock.now())
    }

    /// Returns the state as a value for JSON: servers, unhealthy regions with the reason, ranking, last moves with their
    /// phases, and counters. The report contains no secrets.
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

    /// Returns the instant at which the client started. The [`Time`](crate::core::Time) of its notices and snapshots
    /// counts from this instant.
    pub fn started(&self) -> Instant {
        self.handle.clock.started()
    }

    /// Returns the live connection, for features that this crate does not wrap, such as push consumers; `None` while the
    /// client is offline.
    ///
    /// The connection leads to one server. The connection never moves and never reconnects, so call this method again
    /// after each notice [`Moved`](crate::core::NoticeKind::Moved). The connection stays open while the application holds
    /// it.
    pub fn nats(&self) -> Option<async_nats::Client> {
        self.hub().live_now().map(|link| link.client().clone())
    }

    /// Returns whether a link is live now, so that publishes and requests are sent at once. Use this method for a
    /// readiness probe.
    ///
    /// The result is `false` before the first link
    /// ([`retry_on_initial_connect`](super::GeoOptions::retry_on_initial_connect)), while the client is offline, and
    /// after [`close`](Self::close). It stays `true` during an orderly move. The client notices a silent server only
    /// after some time, so `true` does not promise that the next request gets an answer.
    ///
    /// Do not restart the application when the result is `false`: the client reconnects without help.
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
            // Publishes that earlier links left unconfirmed count as earlier publishes, too.
            if let Some(live) = hub.live_now() {
                hub.retransmit(&live).await?;
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
        // Made before the wait, so that a caller that gives up leaves nothing behind.
        let subscription = Subscription::new(Arc::clone(&feed), hub);
        // The client will leave a link whose channel stays full. The next link takes the subscription along.
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

/// Reason why a subscription failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The subject is empty, contains white space, or has an empty token.
    #[error(
        "`{subject}` is not a valid subject: it is empty, or has white space or an empty token; correct it"
    )]
    BadSubject {
        /// The subject.
        subject: String,
    },
    /// The queue group is empty, or contains white space.
    #[error("`{queue}` is not a valid queue group: it is empty or has white space; correct it")]
    BadQueue {
        /// The queue group.
        queue: String,
    },
    /// The subject, together with the queue group, is longer than the limit of servers (`max_control_line`).
    #[error(transparent)]
    TooLong(#[from] Box<TooLong>),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

/// Reason why the client refused a new list of servers, and kept the old list.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum SetServersError {
    /// The list is not valid.
    #[error(transparent)]
    Servers(#[from] ServerUrlError),
    /// The list has servers with TLS, and the TLS options are not valid.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}

/// Reason why publishes may not have reached the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum FlushError {
    /// For the whole `publish_wait`, no link was live, or a server did not answer.
    #[error("no server confirmed the publishes within `publish_wait`; each may or may not have arrived")]
    Unavailable,
    /// The link was lost. [`Stats::unconfirmed`] counts the unconfirmed publishes of this link.
    #[error("the connection was lost; each publish before this call may or may not have arrived")]
    LinkLost,
    /// The drain was not complete after [`GeoOptions::drain_timeout`](super::GeoOptions::drain_timeout), and the client
    /// closed. A request had no answer, the application had not read a message, or it had not dropped a message.
    #[error(
        "the client closed before all requests were answered; answer faster, or allow more time (`drain_timeout`)"
    )]
    Unfinished,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}
