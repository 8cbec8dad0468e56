//! Endpoints: where a service is asked.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;

use super::Request;
use super::registry::{Metadata, Registered, Registry};
use super::rules::{is_name, is_queue_group, is_subject, name_of};
use crate::native::{GeoClient, SubscribeError, Subscription, SubscriptionError, TooLong};

/// A stream of the requests to one subject of a service. Made by [`Service::endpoint`](super::Service::endpoint),
/// [`Group::endpoint`] and [`EndpointBuilder::add`].
///
/// Requests wait until the application reads them. The stream ends after the endpoint or its service was stopped, or the
/// client closed, and the application has read all requests that had arrived. Read it to its end, and no request is lost.
/// Dropping it unsubscribes, and the service no longer lists it.
///
/// ```no_run
/// use futures_util::StreamExt as _;
///
/// # async fn example(mut orders: nats_geo::service::Endpoint) {
/// while let Some(request) = orders.next().await {
///     if let Err(error) = request.respond(Ok(request.message.payload.clone())).await {
///         eprintln!("not answered: {error}");
///     }
/// }
/// # }
/// ```
#[must_use = "dropping an endpoint unsubscribes"]
pub struct Endpoint {
    subscription: Subscription,
    registered: Arc<Registered>,
    id: u64,
    registry: Arc<Registry>,
    client: GeoClient,
}

impl Endpoint {
    /// Stops this endpoint alone, without losing what is on its way: returns when the servers have confirmed that no
    /// further request will come. Those that have come in are still delivered, then the stream ends.
    pub async fn stop(&mut self) {
        self.registry.remove(self.id);
        self.subscription.drain().await;
    }

    /// Returns the reason why a server refused the subscription of this endpoint; see [`Subscription::error`].
    pub fn error(&self) -> Option<SubscriptionError> {
        self.subscription.error()
    }

    /// Returns the subject that it listens to, with the prefix of its group.
    pub fn subject(&self) -> &str {
        &self.registered.subject
    }
}

impl Stream for Endpoint {
    type Item = Request;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Request>> {
        let polled = Pin::new(&mut self.subscription).poll_next(cx);
        polled.map(|message| Some(Request::new(message?, &self.registered.statistics, &self.client)))
    }
}

impl Drop for Endpoint {
    fn drop(&mut self) {
        self.registry.remove(self.id);
    }
}

impl fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Endpoint").field("subject", &self.registered.subject).finish_non_exhaustive()
    }
}

/// Endpoints whose subjects begin in the same way. Made by [`Service::group`](super::Service::group).
#[derive(Clone, Debug)]
pub struct Group {
    pub(super) client: GeoClient,
    pub(super) registry: Arc<Registry>,
    /// Prefix with its last dot; empty for the root of the service.
    pub(super) prefix: String,
    pub(super) queue_group: Option<String>,
}

impl Group {
    /// Returns a group within this group, with the same queue group. Its prefix follows that of this group.
    pub fn group(&self, prefix: impl AsRef<str>) -> Self {
        let prefix = match prefix.as_ref() {
            "" => self.prefix.clone(),
            prefix => format!("{}{prefix}.", self.prefix),
        };
        Self { prefix, ..self.clone() }
    }

    /// Endpoints that are made from now on are members of this queue group, unless they say otherwise.
    #[must_use = "returns the group that does so"]
    pub fn queue_group(mut self, queue_group: impl Into<String>) -> Self {
        self.queue_group = Some(queue_group.into());
        self
    }

    /// Endpoints that are made from now on are members of no queue group, unless they say otherwise: every instance of
    /// the service gets every request.
    #[must_use = "returns the group that does so"]
    pub fn without_queue_group(mut self) -> Self {
        self.queue_group = None;
        self
    }

    /// Makes an endpoint as [`Service::endpoint`](super::Service::endpoint), on a subject that begins with the prefix of the group.
    ///
    /// # Errors
    /// As [`EndpointBuilder::add`].
    pub async fn endpoint(&self, subject: impl Into<String>) -> Result<Endpoint, EndpointError> {
        self.endpoint_builder().add(subject).await
    }

    /// Returns a builder as [`Service::endpoint_builder`](super::Service::endpoint_builder), for a subject that begins with the
    /// prefix of the group.
    pub fn endpoint_builder(&self) -> EndpointBuilder {
        EndpointBuilder { group: self.clone(), name: None, metadata: Metadata::new() }
    }
}

/// Makes an [`Endpoint`] with a name, metadata or a queue group of its own.
///
/// ```no_run
/// # async fn example(service: nats_geo::service::Service) -> Result<(), Box<dyn std::error::Error>> {
/// let builder = service.endpoint_builder().name("create").metadata([("schema", "order-v1")]);
/// let create = builder.queue_group("creators").add("orders.new").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[must_use = "nothing is subscribed to before `add`"]
pub struct EndpointBuilder {
    group: Group,
    name: Option<String>,
    metadata: Metadata,
}

impl EndpointBuilder {
    /// Its name: letters, digits, `-` and `_`. Without one it is called by its subject, without the prefix of its group:
    /// `orders.new` is `orders-new`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the metadata of the endpoint, keys and values. [`Info`](super::Info) shows it.
    pub fn metadata<K: Into<String>, V: Into<String>>(
        mut self,
        metadata: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.metadata = metadata.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self
    }

    /// Its queue group, instead of that of its group or service.
    pub fn queue_group(mut self, queue_group: impl Into<String>) -> Self {
        self.group.queue_group = Some(queue_group.into());
        self
    }

    /// Uses no queue group: every instance of the service gets every request. While links overlap in an orderly move, one may
    /// then come twice, as to every [`Subscription`] without one.
    pub fn without_queue_group(mut self) -> Self {
        self.group.queue_group = None;
        self
    }

    /// Subscribes, and lists the endpoint among those of its service. As with subscriptions, servers know of it after the
    /// next [`flush`](GeoClient::flush); while nothing is live it succeeds, and the next link takes it along.
    ///
    /// # Errors
    /// A name, a subject or a queue group that cannot be one, a service that was stopped, or a closed client.
    pub async fn add(self, subject: impl Into<String>) -> Result<Endpoint, EndpointError> {
        let Self { group: Group { client, registry, prefix, queue_group }, name, metadata } = self;
        let subject = subject.into();
        let name = name.unwrap_or_else(|| name_of(&subject));
        if !is_name(&name) {
            return Err(EndpointError::BadName { name });
        }
        let subject = format!("{prefix}{subject}");
        if !is_subject(&subject) {
            return Err(EndpointError::BadSubject { subject });
        }
        if let Some(queue_group) = queue_group.clone().filter(|queue_group| !is_queue_group(queue_group)) {
            return Err(EndpointError::BadQueueGroup { queue_group });
        }
        let subscription = match queue_group.clone() {
            Some(queue_group) => client.queue_subscribe(subject.clone(), queue_group).await,
            None => client.subscribe(subject.clone()).await,
        };
        let subscription = subscription.map_err(|error| match error {
            SubscribeError::BadSubject { subject } => EndpointError::BadSubject { subject },
            SubscribeError::BadQueue { queue } => EndpointError::BadQueueGroup { queue_group: queue },
            SubscribeError::TooLong(error) => EndpointError::TooLong(error),
            SubscribeError::Closed => EndpointError::Closed,
        })?;
        let (statistics, stopper) = (Arc::default(), subscription.stopper());
        let registered = Arc::new(Registered { name, subject, queue_group, metadata, statistics, stopper });
        let id = registry.add(Arc::clone(&registered)).ok_or(EndpointError::Stopped)?;
        Ok(Endpoint { subscription, registered, id, registry, client })
    }
}

/// Reason why an endpoint was not made.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The name is empty, or has something else than letters, digits, `-` and `_`.
    #[error("`{name}` is not a name of an endpoint: use letters, digits, `-` and `_`")]
    BadName {
        /// The name.
        name: String,
    },
    /// The subject cannot be subscribed to, or belongs to the protocol.
    #[error(
        "`{subject}` is not a subject of an endpoint: it is empty, contains white space or an empty token, has `>` before its \
         end, or begins with `$SRV`, by which services are found"
    )]
    BadSubject {
        /// The subject, with the prefix of its group.
        subject: String,
    },
    /// The queue group is empty, or contains white space.
    #[error(
        "`{queue_group}` is not a queue group: it is empty or contains white space; to use none, call `without_queue_group`"
    )]
    BadQueueGroup {
        /// The queue group.
        queue_group: String,
    },
    /// The subject, together with the queue group, is longer than the limit of servers (`max_control_line`).
    #[error(transparent)]
    TooLong(#[from] Box<TooLong>),
    /// The service was stopped.
    #[error("the service was stopped; start another one")]
    Stopped,
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}
