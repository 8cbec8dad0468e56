//! Description and endpoints of a service.

use std::collections::BTreeMap;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use async_nats::datetime::DateTime;
use async_nats::service::{PingResponse, Stats};
use serde::Serialize;
use serde_json::Value;

use super::statistics::Statistics;
use super::{EndpointInfo, EndpointStats, Info};
use crate::native::hub::lock;
use crate::native::subscription::Stopper;

/// Shared by a service, its endpoints and what answers questions about them. Knows nothing of links, so it stays the same
/// wherever the client is.
#[derive(Debug)]
pub(super) struct Registry {
    pub(super) name: String,
    pub(super) id: String,
    pub(super) version: String,
    pub(super) description: String,
    pub(super) metadata: Metadata,
    pub(super) started: DateTime,
    pub(super) stats_handler: Option<StatsHandler>,
    pub(super) endpoints: Mutex<Endpoints>,
}

/// In the order of its keys: the same service always answers the same.
pub(super) type Metadata = BTreeMap<String, String>;

/// What the user adds to the statistics of an endpoint.
#[derive(Clone)]
pub(super) struct StatsHandler(Arc<dyn Fn(&EndpointStats) -> Value + Send + Sync>);

/// All that can be asked, in the order in which they were added.
#[derive(Debug, Default)]
pub(super) struct Endpoints {
    next: u64,
    by_id: BTreeMap<u64, Arc<Registered>>,
    /// No further one is taken.
    stopped: bool,
}

/// An endpoint as others see it.
#[derive(Debug)]
pub(super) struct Registered {
    pub(super) name: String,
    pub(super) subject: String,
    pub(super) queue_group: Option<String>,
    pub(super) metadata: Metadata,
    pub(super) statistics: Arc<Statistics>,
    pub(super) stopper: Stopper,
}

/// async-nats' type lacks the metadata, which ADR-32 demands of all answers.
#[derive(Serialize)]
pub(super) struct StatsResponse<'a> {
    #[serde(flatten)]
    stats: Stats,
    metadata: &'a Metadata,
}

impl Registry {
    /// Takes an endpoint on; `None` if the service was stopped.
    pub(super) fn add(&self, endpoint: Arc<Registered>) -> Option<u64> {
        let mut endpoints = lock(&self.endpoints);
        if endpoints.stopped {
            return None;
        }
        let id = endpoints.next;
        endpoints.next += 1;
        endpoints.by_id.insert(id, endpoint);
        Some(id)
    }

    pub(super) fn remove(&self, id: u64) {
        lock(&self.endpoints).by_id.remove(&id);
    }

    /// Takes no endpoint on any more; returns those that there are.
    pub(super) fn close(&self) -> Vec<Arc<Registered>> {
        lock(&self.endpoints).stopped = true;
        self.all()
    }

    pub(super) fn reset(&self) {
        for endpoint in self.all() {
            endpoint.statistics.reset();
        }
    }

    pub(super) fn ping(&self) -> PingResponse {
        PingResponse {
            kind: "io.nats.micro.v1.ping_response".into(),
            name: self.name.clone(),
            id: self.id.clone(),
            version: self.version.clone(),
            metadata: copy(&self.metadata),
        }
    }

    pub(super) fn info(&self) -> Info {
        Info {
            kind: "io.nats.micro.v1.info_response".into(),
            name: self.name.clone(),
            id: self.id.clone(),
            description: self.description.clone(),
            version: self.version.clone(),
            metadata: copy(&self.metadata),
            endpoints: self.all().iter().map(|endpoint| endpoint.info()).collect(),
        }
    }

    pub(super) fn stats_response(&self) -> StatsResponse<'_> {
        let stats = Stats {
            kind: "io.nats.micro.v1.stats_response".into(),
            name: self.name.clone(),
            id: self.id.clone(),
            version: self.version.clone(),
            started: self.started,
            endpoints: self.stats(),
        };
        StatsResponse { stats, metadata: &self.metadata }
    }

    pub(super) fn stats(&self) -> Vec<EndpointStats> {
        // The user's handler is called without any lock.
        let report = |endpoint: &Arc<Registered>| {
            let mut stats = endpoint.stats();
            stats.data = self.stats_handler.as_ref().and_then(|handler| handler.call(&stats));
            stats
        };
        self.all().iter().map(report).collect()
    }

    fn all(&self) -> Vec<Arc<Registered>> {
        lock(&self.endpoints).by_id.values().cloned().collect()
    }
}

impl Registered {
    fn info(&self) -> EndpointInfo {
        EndpointInfo {
            name: self.name.clone(),
            subject: self.subject.clone(),
            queue_group: self.queue_group.clone().unwrap_or_default(),
            metadata: copy(&self.metadata),
        }
    }

    fn stats(&self) -> EndpointStats {
        EndpointStats {
            name: self.name.clone(),
            subject: self.subject.clone(),
            queue_group: self.queue_group.clone().unwrap_or_default(),
            ..self.statistics.report()
        }
    }
}

impl StatsHandler {
    pub(super) fn new(handler: impl Fn(&EndpointStats) -> Value + Send + Sync + 'static) -> Self {
        Self(Arc::new(handler))
    }

    /// A handler that panics has nothing to say; the service goes on.
    fn call(&self, stats: &EndpointStats) -> Option<Value> {
        catch_unwind(AssertUnwindSafe(|| (self.0)(stats))).ok()
    }
}

impl fmt::Debug for StatsHandler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("StatsHandler")
    }
}

/// Into whatever map async-nats has.
fn copy<M: FromIterator<(String, String)>>(metadata: &Metadata) -> M {
    metadata.clone().into_iter().collect()
}
