//! Services that outlive the link under them: async-nats' own `ServiceExt` is tied to one connection, and ends with it.
//!
//! The protocol is that of all NATS clients (ADR-32): `nats micro` finds, shows and asks these services, and any client's
//! requests reach them. A service keeps its id, the time of its start, its endpoints and its statistics wherever its client
//! has to go; what may be lost at a move is what queue groups lose: nothing in an orderly one.
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
//!         eprintln!("not answered: {error}"); // nobody waited for it, or it is too large
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # The nearest instance answers
//! Endpoints are members of a queue group, `q` unless told otherwise, so each request goes to one instance of the service.
//! Which one is decided by the server that the request comes to: one of its own cluster, if any is there; else one in the
//! region that is nearest to that server by the round trips of the gateways. As a [`GeoClient`] puts both those who ask and those
//! who serve into their nearest regions, requests stay there, without anything to configure:
//!
//! * Run instances in every region. When all instances of a region stop, or the region dies, the next region answers its
//!   clients. Their own region answers again once instances have failed back.
//! * An instance that has moved to another region serves that region, not the one it came from.
//! * Each group gets each request: instances with another queue group are another group.
//! * When a region falls silent, the other servers send requests there, if it was the nearest to them, until they notice
//!   (their own `ping_interval`); those are lost.
//! * The last instance that leaves a region takes along what other regions have sent there (about one round trip's worth).
//!
//! # Its end
//! [`Service::stop`] drains: requests that have come in, or are on their way from the server, are answered. Dropping a
//! [`Service`] ends it at once: clients no longer find it, and its endpoints deliver the requests that have come in, then
//! end. No task outlives it.

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
    /// Returns the builder of a service with this semantic version, and this name, which all its instances share.
    /// [`start`](ServiceBuilder::start) makes an instance of it; see the [module](self).
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

/// Makes a [`Service`]. Made by [`GeoClient::service`].
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
    /// Sets a description for operators.
    pub fn description(mut self, description: impl Into<String>) -> Self {
        self.description = description.into();
        self
    }

    /// Sets further facts about this instance. They cannot change later, so do not put the client's region among them. The
    /// region of the machine is fine.
    pub fn metadata<K: Into<String>, V: Into<String>>(
        mut self,
        metadata: impl IntoIterator<Item = (K, V)>,
    ) -> Self {
        self.metadata = metadata.into_iter().map(|(key, value)| (key.into(), value.into())).collect();
        self
    }

    /// Sets the queue group of its endpoints, unless they or their group have another one. Default `q`.
    pub fn queue_group(mut self, queue_group: impl Into<String>) -> Self {
        self.queue_group = Some(queue_group.into());
        self
    }

    /// Uses no queue group, unless endpoints or their group have one: every instance gets every request.
    pub fn without_queue_group(mut self) -> Self {
        self.queue_group = None;
        self
    }

    /// Sets a function that adds `data` to the statistics of each endpoint. The service calls it for each request for
    /// statistics, so it should return at once. A function that panics adds nothing.
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

    /// Starts an instance. Clients find it through each server that knows its subscriptions; after the next
    /// [`flush`](GeoClient::flush), all servers know them. `start` also succeeds while the client is offline: the next
    /// link carries the subscriptions.
    ///
    /// # Errors
    /// A name, version or queue group that cannot be one, or a closed client.
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

/// An instance of a service, at work until it is [stopped](Self::stop) or dropped. Made by [`ServiceBuilder::start`];
/// see the [module](self).
///
/// It keeps its client alive, as its endpoints and requests do.
#[must_use = "dropping a service stops it"]
pub struct Service {
    root: Group,
    /// Of the questions by which it is found.
    stoppers: Vec<Stopper>,
    answering: JoinHandle<()>,
}

impl Service {
    /// Returns its id, with which `nats micro` can ask this instance alone. The id stays the same when the client moves.
    pub fn id(&self) -> &str {
        &self.root.registry.id
    }

    /// Returns the time of its start.
    pub fn started(&self) -> DateTime {
        self.root.registry.started
    }

    /// Returns the description of the service and its endpoints, as in its reply to `$SRV.INFO`.
    pub fn info(&self) -> Info {
        self.root.registry.info()
    }

    /// Returns the counters of its endpoints since the start or the last [`reset`](Self::reset), as in its reply to
    /// `$SRV.STATS`.
    pub fn stats(&self) -> Vec<EndpointStats> {
        self.root.registry.stats()
    }

    /// Sets all statistics to zero. The time of the start stays.
    pub fn reset(&self) {
        self.root.registry.reset();
    }

    /// Listens to a subject. The returned endpoint is a stream of its requests.
    ///
    /// # Errors
    /// As [`EndpointBuilder::add`].
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

    /// Stops the service without losing requests under way. Returns when the servers have confirmed that no further
    /// request will arrive, and clients can no longer discover it. Requests that have come in are still delivered, then
    /// its endpoints end; read them to their end. If the client is to end too, [`drain`](GeoClient::drain) it after
    /// that. If this is given up before it returns, the service ends as if it was dropped.
    ///
    /// ```no_run
    /// # async fn example(
    /// #     client: nats_geo::GeoClient, service: nats_geo::service::Service, workers: tokio::task::JoinHandle<()>,
    /// # ) -> Result<(), Box<dyn std::error::Error>> {
    /// service.stop().await;
    /// workers.await?; // they answer what has come in, until their endpoints end
    /// client.drain().await?; // the last answers are with the servers
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
    /// The name is empty, or has something else than letters, digits, `-` and `_`.
    #[error("`{name}` is not a name of a service: use letters, digits, `-` and `_`")]
    BadName {
        /// The name.
        name: String,
    },
    /// The version is not one of semantic versioning.
    #[error("`{version}` is not a version of a service: it must be as semver.org says, such as `1.2.0`")]
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
    /// The name is longer than servers read.
    #[error(transparent)]
    TooLong(#[from] Box<TooLong>),
    /// The client was closed.
    #[error("the client is closed")]
    Closed,
}
