//! Endpoints: the subjects on which a service receives requests.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;

use super::Request;
use super::registry::{Metadata, Registered, Registry};
use super::rules::{is_name, is_queue_group, is_subject, name_of};
use crate::native::{GeoClient, SubscribeError, Subscription, SubscriptionError, TooLong};

/// A stream of the requests to one subject of a service. [`Service::endpoint`](super::Service::endpoint),
/// [`Group::endpoint`] and [`EndpointBuilder::add`] create it.
///
/// Requests wait until the application reads them. After the endpoint or its service was stopped, or the client was
/// closed, the stream delivers the requests that have arrived, and then ends. Read the stream to its end, so that no
/// request is lost. When the stream is dropped, the client unsubscribes, and the service no longer lists the endpoint.
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
    /// Stops only this endpoint, without losing requests in flight. Returns when the servers have confirmed that no
    /// further request will arrive. The stream delivers the requests that have arrived, and then ends.
    pub async fn stop(&mut self) {
        self.registry.remove(self.id);
        self.subscription.drain().await;
    }

    /// Returns the reason why a server refused the subscription of this endpoint; see [`Subscription::error`].
    pub fn error(&self) -> Option<SubscriptionError> {
        self.subscription.error()
    }

    /// Returns the subject of the endpoint, with the prefix of its group.
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

/// Endpoints whose subjects begin with the same prefix. [`Service::group`](super::Service::group) creates a group.
#[derive(Clone, Debug)]
pub struct Group {
    pub(super) client: GeoClient,
    pub(super) registry: Arc<Registry>,
    /// Prefix with its last dot; empty for the root of the service.
    pub(super) prefix: String,
    pub(super) queue_group: Option<String>,
}

impl Group {
    /// Returns a new group within this group, with the same queue group. The new prefix follows the prefix of this group.
    pub fn group(&self, prefix: impl AsRef<str>) -> Self {
        let prefix = match prefix.as_ref() {
            "" => self.prefix.clone(),
            prefix => format!("{}{prefix}.", self.prefix),
        };
        Self { prefix, ..self.clone() }
    }

    /// Sets the queue group of endpoints that are created later, unless they have their own setting.
    #[must_use = "returns the group that does so"]
    pub fn queue_group(mut self, queue_group: impl Into<String>) -> Self {
        self.queue_group = Some(queue_group.into());
        self
    }

    /// Uses no queue group for endpoints that are created later, unless they have their own setting. Every instance of
    /// the service then gets every request.
    #[must_use = "returns the group that does so"]
    pub fn without_queue_group(mut self) -> Self {
        self.queue_group = None;
        self
    }

    /// Creates an endpoint, like [`Service::endpoint`](super::Service::endpoint), on a subject that begins with the
    /// prefix of the group.
    ///
    /// # Errors
    /// The same as [`EndpointBuilder::add`].
    pub async fn endpoint(&self, subject: impl Into<String>) -> Result<Endpoint, EndpointError> {
        self.endpoint_builder().add(subject).await
    }

    /// Returns a builder, like [`Service::endpoint_builder`](super::Service::endpoint_builder), for a subject that begins
    /// with the prefix of the group.
    pub fn endpoint_builder(&self) -> EndpointBuilder {
        EndpointBuilder { group: self.clone(), name: None, metadata: Metadata::new() }
    }
}

/// Builder of an [`Endpoint`] with its own name, metadata or queue group.
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
    /// Sets the name of the endpoint: letters, digits, `-` and `_`. Default: the subject without the prefix of the group,
    /// with `-` instead of dots, such as `orders-new` for `orders.new`.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the metadata of the endpoint: keys and values. [`Info`](super::Info) shows the metadata.
    pub fn metadata<K: Into<String>, V: Into<String>>(
        mut self,
        metadata: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.metadata = metadata.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self
    }

    /// Sets the queue group of the endpoint, instead of the queue group of its group or service.
    pub fn queue_group(mut self, queue_group: impl Into<String>) -> Self {
        self.group.queue_group = Some(queue_group.into());
        self
    }

    /// Uses no queue group: every instance of the service gets every request. While links overlap in an orderly move, a
    /// request may then arrive twice, as for every [`Subscription`] without a queue group.
    pub fn without_queue_group(mut self) -> Self {
        self.group.queue_group = None;
        self
    }

    /// Subscribes, and adds the endpoint to the service. Servers have the subscription after the next
    /// [`flush`](GeoClient::flush). While the client is offline, the call succeeds, and the client subscribes on the next
    /// link.
    ///
    /// # Errors
    /// A name, a subject or a queue group is not valid, the service was stopped, or the client is closed.
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

/// Reason why an endpoint was not created.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EndpointError {
    /// The name is empty, or contains other characters than letters, digits, `-` and `_`.
    #[error("`{name}` is not a name of an endpoint: use letters, digits, `-` and `_`")]
    BadName {
        /// The name.
        name: String,
    },
    /// The subject is not valid, or the service protocol reserves it.
    #[error(
        "`{subject}` is not a valid subject of an endpoint: it is empty, contains white space or an empty token, has `>` before its \
         end, or has the first token `$SRV`, which the service protocol reserves"
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
