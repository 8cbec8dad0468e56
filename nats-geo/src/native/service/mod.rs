//! Services that continue when the client moves to another server. The `ServiceExt` of async-nats uses one connection,
//! and ends with this connection.
//!
//! The service protocol is the same as in other NATS clients (ADR-32). So `nats micro` finds, shows and calls these
//! services, and requests of any client reach them. A service keeps its id, start time, endpoints and statistics when
//! its client moves. An orderly move loses no requests; a lost link can lose some, as for all queue groups.
//!
//! ```no_run
//! use futures_util::StreamExt as _;
//! use nats_geo::service::Error;
//!
//! # async fn example(client: nats_geo::GeoClient) -> Result<(), Box<dyn std::error::Error>> {
//! let service = client.service("prices", "1.0.0").description("What lamps cost.").start().await?;
//! let mut prices = service.group("prices").endpoint("get").await?; // prices.get, as a member of queue group `q`
//!
//! while let Some(request) = prices.next().await {
//!     let answer = match request.message.payload.as_ref() {
//!         b"lamp" => Ok("12.50".into()),
//!         _ => Err(Error { code: 404, status: "we sell lamps only".into() }),
//!     };
//!     if let Err(error) = request.respond(answer).await {
//!         eprintln!("not answered: {error}"); // no client waits for the answer, or the answer is too large
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The nearest instance answers
//! Endpoints are members of a queue group, by default `q`, so each request goes to one instance of the service. The
//! server that receives the request chooses the instance. It prefers an instance in its own cluster. Without such an
//! instance, it chooses the region with the lowest round-trip time over the gateways. A [`GeoClient`] connects callers
//! and services to their nearest regions, so requests stay in a region without configuration:
//!
//! * Run instances in every region. When all instances of a region stop, or the region fails, instances of the next
//!   region answer the clients of this region. After these instances have failed back, they answer again.
//! * An instance that has moved to another region serves this region, not its former region.
//! * Each queue group gets each request. So with two queue groups, two instances answer each request.
//! * When a region becomes silent, servers in other regions may still send requests there. They stop when they detect
//!   the silence with their own PINGs (`ping_interval`). The requests to the silent region are lost.
//! * When the last instance leaves a region, requests that other regions send there during about one round trip are lost.
//!
//! # Its end
//! [`Service::stop`] drains the service: the application can still answer requests that have arrived or are in flight.
//! When a [`Service`] is dropped, it ends at once, and clients no longer find it. Its endpoints deliver the requests
//! that have arrived, and then end. No task remains.

use std::fmt;
use std::sync::Arc;

use async_nats::datetime::DateTime;
use futures_util::future::join_all;
use serde_json::Value;
use tokio::task::JoinHandle;

use super::subscription::Stopper;
use super::unique::unique;
use super::{GeoClient, SubscribeError, TooLong};
use crate::native::clock::today;

pub use async_nats::service::endpoint::{Info as EndpointInfo, Stats as EndpointStats};
pub use async_nats::service::error::Error;
pub use async_nats::service::{Info, NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE};

mod rules;
pub(super) use rules::is_name;
use rules::{is_queue_group, is_version};

mod endpoint;
pub use endpoint::{Endpoint, EndpointBuilder, EndpointError, Group};

mod request;
pub use request::Request;

mod registry;
use registry::{Metadata, Registry, StatsHandler};

mod statistics;

mod discovery;
use discovery::Discovery;

impl GeoClient {
    /// Returns the builder of a service with this name and semantic version. All instances of the service have the same
    /// name. [`start`](ServiceBuilder::start) starts an instance; see the [module](self).
    pub fn service(&self, name: impl Into<String>, version: impl Into<String>) -> ServiceBuilder {
        ServiceBuilder {
            client: self.clone(),
            name: name.into(),
            version: version.into(),
            description: String::new(),
            metadata: Metadata::new(),
            queue_group: Some(QUEUE_GROUP.into()),
            stats_handler: None,
        }
    }
}

/// That of all services of all NATS clients.
const QUEUE_GROUP: &str = "q";

/// Builder of a [`Service`]. [`GeoClient::service`] returns it.
#[derive(Debug)]
#[must_use = "nothing is served before `start`"]
pub struct ServiceBuilder {
    client: GeoClient,
    name: String,
    version: String,
    description: String,
    metadata: Metadata,
    queue_group: Option<String>,
    stats_handler: Option<StatsHandler>,
}

impl ServiceBuilder {
    /// Sets the description of the service, for operators.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Sets the metadata of this instance: keys and values. Metadata cannot change later. So do not include the
    /// client's region, because the client can move. You can include the region of the machine.
    pub fn metadata<K: Into<String>, V: Into<String>>(
        mut self,
        metadata: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.metadata = metadata.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self
    }

    /// Sets the queue group of the endpoints, unless an endpoint or its group has its own setting. Default `q`.
    pub fn queue_group(mut self, queue_group: impl Into<String>) -> Self {
        self.queue_group = Some(queue_group.into());
        self
    }

    /// Uses no queue group, unless an endpoint or its group has one. Every instance then gets every request.
    pub fn without_queue_group(mut self) -> Self {
        self.queue_group = None;
        self
    }

    /// Sets a function that adds `data` to the statistics of each endpoint. The service calls the function for each
    /// request for statistics, so the function should return at once. If the function panics, the service adds no `data`.
    ///
    /// ```no_run
    /// # async fn example(client: nats_geo::GeoClient) -> Result<(), Box<dyn std::error::Error>> {
    /// let builder = client.service("prices", "1.0.0");
    /// let service = builder.stats_handler(|stats| serde_json::json!({ "is_busy": stats.requests > 1_000 })).start().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub fn stats_handler(
        mut self,
        handler: impl Fn(&EndpointStats) -> Value + Send + Sync + 'static,
    ) -> Self {
        self.stats_handler = Some(StatsHandler::new(handler));
        self
    }

    /// Starts an instance. Clients can find the instance through each server that has the subscriptions of the
    /// instance. After the next successful [`flush`](GeoClient::flush), the server of the active link has these
    /// subscriptions. Other servers learn them shortly afterwards. `start` also succeeds while the client is offline:
    /// the client then subscribes on the next link.
    ///
    /// # Errors
    /// A name, version or queue group is not valid, or the client is closed.
    pub async fn start(self) -> Result<Service, StartError> {
        let Self { client, name, version, description, metadata, queue_group, stats_handler } = self;
        if !is_name(&name) {
            return Err(StartError::BadName { name });
        }
        if !is_version(&version) {
            return Err(StartError::BadVersion { version });
        }
        if let Some(queue_group) = queue_group.clone().filter(|queue_group| !is_queue_group(queue_group)) {
            return Err(StartError::BadQueueGroup { queue_group });
        }
        let (id, started, endpoints) = (unique(), today(), Default::default());
        let registry =
            Registry { name, id, version, description, metadata, started, stats_handler, endpoints };
        let registry = Arc::new(registry);
        let discovery = Discovery::subscribe(&client, &registry).await.map_err(|error| match error {
            SubscribeError::TooLong(error) => StartError::TooLong(error),
            // Made of names that were looked at.
            SubscribeError::BadSubject { .. } | SubscribeError::BadQueue { .. } | SubscribeError::Closed => {
                StartError::Closed
            }
        })?;
        let stoppers = discovery.stoppers();
        let answering = tokio::spawn(discovery.answer(Arc::clone(&registry)));
        let root = Group { client, registry, prefix: String::new(), queue_group };
        Ok(Service { root, stoppers, answering })
    }
}

/// An instance of a service, which runs until it is [stopped](Self::stop) or dropped. [`ServiceBuilder::start`] starts
/// it; see the [module](self).
///
/// The service, its endpoints and its requests keep the client alive.
#[must_use = "dropping a service stops it"]
pub struct Service {
    root: Group,
    /// Of the questions by which it is found.
    stoppers: Vec<Stopper>,
    answering: JoinHandle<()>,
}

impl Service {
    /// Returns the id of this instance, with which `nats micro` can address it. The id stays the same when the client
    /// moves.
    pub fn id(&self) -> &str {
        &self.root.registry.id
    }

    /// Returns the start time of this instance.
    pub fn started(&self) -> DateTime {
        self.root.registry.started
    }

    /// Returns the description of the service and its endpoints, as in the reply to `$SRV.INFO`.
    pub fn info(&self) -> Info {
        self.root.registry.info()
    }

    /// Returns the counters of the endpoints since the start or the last [`reset`](Self::reset), as in the reply to
    /// `$SRV.STATS`.
    pub fn stats(&self) -> Vec<EndpointStats> {
        self.root.registry.stats()
    }

    /// Sets all statistics to zero. The start time stays the same.
    pub fn reset(&self) {
        self.root.registry.reset();
    }

    /// Subscribes to a subject. The returned endpoint is a stream of the requests to this subject.
    ///
    /// # Errors
    /// The same as [`EndpointBuilder::add`].
    pub async fn endpoint(&self, subject: impl Into<String>) -> Result<Endpoint, EndpointError> {
        self.root.endpoint(subject).await
    }

    /// Returns a builder for an endpoint with its own name, metadata or queue group.
    pub fn endpoint_builder(&self) -> EndpointBuilder {
        self.root.endpoint_builder()
    }

    /// Returns a group of endpoints, whose subjects begin with `prefix` and a dot.
    pub fn group(&self, prefix: impl AsRef<str>) -> Group {
        self.root.group(prefix)
    }

    /// Stops the service without losing requests in flight. Returns when the servers have confirmed that no further
    /// request will arrive; clients can then no longer discover the service. The endpoints deliver the requests that have
    /// arrived, and then end, so read them to the end. To end the client, too, call [`drain`](GeoClient::drain)
    /// afterwards. If the application drops the future of this call early, the service ends at once, like a [`Service`]
    /// that is dropped.
    ///
    /// ```no_run
    /// # async fn example(
    /// #     client: nats_geo::GeoClient, service: nats_geo::service::Service, workers: tokio::task::JoinHandle<()>,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// service.stop().await;
    /// workers.await?; // the workers answer the requests that have arrived
    /// client.drain().await?; // the servers have the last answers
    /// # Ok(())
    /// # }
    /// ```
    pub async fn stop(mut self) {
        let endpoints = self.root.registry.close();
        let stoppers = endpoints.iter().map(|endpoint| &endpoint.stopper).chain(&self.stoppers);
        join_all(stoppers.map(Stopper::drain)).await;
        // No question will come any more: it answers the last ones. It only fails if it panicked, which tokio reports.
        let _ = (&mut self.answering).await;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.answering.abort();
        for endpoint in self.root.registry.close() {
            endpoint.stopper.stop();
        }
    }
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Registry { name, id, version, .. } = &*self.root.registry;
        f.debug_struct("Service")
            .field("name", name)
            .field("id", id)
            .field("version", version)
            .finish_non_exhaustive()
    }
}

/// Reason why a service was not started.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// The name is empty, or contains other characters than letters, digits, `-` and `_`.
    #[error("`{name}` is not a name of a service: use letters, digits, `-` and `_`")]
    BadName {
        /// The name.
        name: String,
    },
    /// The version is not a semantic version.
    #[error("`{version}` is not a version of a service: write a semantic version, such as `1.2.0`")]
    BadVersion {
        /// The version.
        version: String,
    },
    /// The queue group is empty, or contains white space.
    #[error(
        "`{queue_group}` is not a queue group: it is empty or contains white space; to use none, call `without_queue_group`"
    )]
    BadQueueGroup {
        /// The queue group.
        queue_group: String,
    },
    /// The name is longer than the limit of servers (`max_control_line`).
    #[error(transparent)]
    TooLong(#[from] Box<TooLong>),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}
