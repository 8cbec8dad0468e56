//! The state, events and counters that a client reports, and their names.
//!
//! * [`GeoClient::report`](crate::GeoClient::report) returns the state as a value for JSON: servers, unhealthy servers
//!   with errors, ranking, last moves with their phases, and counters.
//! * [`GeoClient::stats`](crate::GeoClient::stats): only the counters.
//! * [`GeoClient::notices`](crate::GeoClient::notices): events as they happen.
//! * [`DecisionLog`]: all inputs and decisions of the selector, for a later replay.
//! * Events and spans of `tracing`, and metrics (feature `metrics`); see below.
//!
//! None of these outputs contains a secret. The names stay the same in later versions, because dashboards depend on them.
//!
//! # `tracing`
//! The target of all spans and events is `nats_geo`. [`SPANS`](crate::core::vocabulary::SPANS) and
//! [`EVENTS`](crate::core::vocabulary::EVENTS) list their names, levels and fields. An event with the name `lost` in this
//! list has the name `nats_geo.lost` in `tracing`. This name is in the metadata of the event, where layers for
//! OpenTelemetry find it. The message of an event is a readable text.
//!
//! The fields of a server are `conn`, `region`, `server` and `address`. Each notice also has `at`, the time on the
//! client's clock.
//!
//! # Metrics
//! With the feature `metrics`, a client reports to the recorder that is installed when it connects.
//! [`METRICS`](crate::core::vocabulary::METRICS) lists the names, kinds, labels and units; [`Stats`] describes the counters.
//!
//! All metrics have the label `client`: the name from [`GeoOptions::name`](crate::GeoOptions::name), or an empty text.
//! If several clients have the same name, their metrics are added up. The label `cause` has the values of
//! [`MoveCause::name`](crate::core::MoveCause::name).
//!
//! The client's driver updates the metrics each time it runs, at the latest with its next PING. Publishes do not update
//! metrics, so metrics do not slow them down.

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

mod decision_log;
pub use decision_log::DecisionLog;
pub(crate) use decision_log::Recorder;

pub(crate) mod events;

mod history;
pub(crate) use history::History;
pub use history::{Move, Peer, Phases};

mod report;
pub(crate) use report::Sources;
pub use report::{Member, RegionReport, Report, Standing, Status, Unhealthy};

mod stats;
pub use stats::Stats;

#[cfg(feature = "metrics")]
mod export;
#[cfg(feature = "metrics")]
pub(crate) use export::Exporter;

/// The facts that the driver of a client keeps for reports.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    pub(crate) history: Mutex<History>,
    pub(crate) probes: AtomicU64,
    pub(crate) probe_bytes: AtomicU64,
    pub(crate) pings: AtomicU64,
}
