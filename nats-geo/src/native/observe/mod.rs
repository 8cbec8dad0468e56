//! What a client tells of itself, and under which names. The names stay what they are: dashboards depend on them.
//!
//! * [`GeoClient::report`](crate::GeoClient::report): the state as facts, for JSON: members, peers, who is unhealthy and
//!   why, the ranking, the last moves with their phases, counters.
//! * [`GeoClient::stats`](crate::GeoClient::stats): the counters alone.
//! * [`GeoClient::notices`](crate::GeoClient::notices): what happens, as it happens.
//! * [`DecisionLog`]: everything that the selector was told and decided, to be played again.
//! * `tracing`, and with the feature `metrics` the facade of that name; see below.
//!
//! No secret is in any of them.
//!
//! # `tracing`
//! The target of all is `nats_geo`. Each event has a name in its metadata, as layers for OpenTelemetry use it, and a
//! message for people.
//!
//! | span | level | fields | from .. to |
//! |---|---|---|---|
//! | `nats_geo.client` | info | `client` | the life of a client; all others are in it |
//! | `nats_geo.probe` | debug | `address` | dial to INFO |
//! | `nats_geo.dial` | info | `conn`, `address` | dial to PONG |
//! | `nats_geo.activate` | info | `conn`, `handover` | the first SUB to the barrier |
//! | `nats_geo.retire` | info | `conn` | the overlap to the end of the old link |
//!
//! | event | level | fields | when |
//! |---|---|---|---|
//! | `nats_geo.connected` | info | place | the first link is live |
//! | `nats_geo.dialing` | debug | place | a dial began |
//! | `nats_geo.opened` | debug | place | a dial succeeded |
//! | `nats_geo.open_failed` | warn | place, `error` | a dial failed |
//! | `nats_geo.suspected` | warn | place | the link is silent |
//! | `nats_geo.cleared` | info | place | a suspected link answered after all |
//! | `nats_geo.lost` | warn | place | the link is gone |
//! | `nats_geo.lame_duck` | info | place | its server announced its end |
//! | `nats_geo.useless` | warn | place, `why` | the link answers, but a health gate fails |
//! | `nats_geo.nothing_better` | warn | place | and so does every other region: the client stays |
//! | `nats_geo.moved` | info | place, `from_region`, `from_address`, `cause`, `overlap` | new traffic goes elsewhere |
//! | `nats_geo.resumed_on` | info | place, `cause`, `detect_ms`, `select_ms`, `connect_ms`, `resume_ms` | and the server has its subscriptions |
//! | `nats_geo.standby_ready` | info | place | the standby is connected |
//! | `nats_geo.damped` | warn | `region`, `until` | a region failed too often |
//! | `nats_geo.other_cluster` | warn | `address` | a server of another cluster answers at an advertised address |
//! | `nats_geo.label_contradicted` | warn | `address` | a server is in another cluster than its label says |
//! | `nats_geo.credentials_refused` | warn | | every region that answered refused the credentials |
//! | `nats_geo.offline` | warn | | nothing answers |
//! | `nats_geo.break_before_make` | warn | place | a connection limit forbids two links |
//! | `nats_geo.stalled` | info | | the host slept or stalled |
//! | `nats_geo.resolver_failed` | warn | `name`, `error` | a name cannot be looked up |
//! | `nats_geo.resolver_recovered` | info | `name` | it can be again |
//! | `nats_geo.srv_without_address` | warn | `host`, `error` | an SRV record leads to nothing |
//! | `nats_geo.refused` | warn | `conn`, `text` | the server refused an operation |
//! | `nats_geo.subscription_refused` | warn | `subject`, `why` | a server refused a subscription, which ended |
//! | `nats_geo.publish_refused` | warn | `subject`, `why` | a server does not permit to publish to a subject |
//! | `nats_geo.slow_consumer` | warn | `subject` | a subscription is not read in time, and messages are lost |
//! | `nats_geo.stream_began_again` | warn | `stream`, `last_sequence` | a stream that is read lost what it had |
//! | `nats_geo.unreadable` | warn | `subject`, `why`, `is_left_out` | a message of another client cannot be read |
//! | `nats_geo.not_acknowledged` | debug | `subject`, `tries`, `reason` | a publish to a stream is sent again |
//! | `nats_geo.service_not_answered` | warn | `subject`, `why` | a question by which services are found got no answer |
//! | `nats_geo.drain_unfinished` | warn | `conn`, `drain` | something was in flight when a link was closed |
//! | `nats_geo.decided` | debug | `action` | each decision of the selector |
//! | `nats_geo.decision_log_ended` | warn | `why` | the decision log ended before the client |
//! | `nats_geo.task_panicked` | error | `error` | a bug |
//!
//! The fields of a place are `conn`, `region`, `server`, `address`; each event of the selector also has `at`, the
//! client's time.
//!
//! # Metrics
//! With the feature `metrics`, for the recorder that is installed when the client connects. All have the label `client`:
//! [`GeoOptions::name`](crate::GeoOptions::name), or nothing. They are brought up to date when the client's driver has
//! something to do, at the latest with the next PING: publishing does not get slower. Clients of one name add up.
//!
//! | metric | kind | labels | what |
//! |---|---|---|---|
//! | `nats_geo_published_total` | counter | | [`Stats::published`] |
//! | `nats_geo_delivered_total` | counter | | [`Stats::delivered`] |
//! | `nats_geo_in_doubt_total` | counter | | [`Stats::in_doubt`] |
//! | `nats_geo_discarded_total` | counter | | [`Stats::discarded`]: lost for certain |
//! | `nats_geo_resent_total` | counter | | [`Stats::resent`] |
//! | `nats_geo_refused_total` | counter | | [`Stats::refused`] |
//! | `nats_geo_denied_total` | counter | | [`Stats::denied`] |
//! | `nats_geo_unreadable_total` | counter | | [`Stats::unreadable`] |
//! | `nats_geo_dropped_unconfirmed_total` | counter | | [`Stats::dropped_unconfirmed`] |
//! | `nats_geo_expired_unconfirmed_total` | counter | | [`Stats::expired_unconfirmed`] |
//! | `nats_geo_pings_total` | counter | | [`Stats::pings`] |
//! | `nats_geo_probes_total` | counter | | [`Stats::probes`] |
//! | `nats_geo_probe_bytes_total` | counter | | [`Stats::probe_bytes`] |
//! | `nats_geo_moves_total` | counter | `cause` | [`Stats::moves_by_cause`] |
//! | `nats_geo_region_seconds_total` | counter | `region` | [`Stats::time_by_region`] |
//! | `nats_geo_offline_seconds_total` | counter | | [`Stats::time_offline`] |
//! | `nats_geo_live_links` | gauge | `region` | clients whose traffic goes to that region now |
//! | `nats_geo_move_seconds` | histogram | `cause`, `phase` | [`Phases`]: `detect`, `select`, `connect`, `resume` |
//!
//! The values of `cause` are those of [`MoveCause::name`](crate::core::MoveCause::name).

use std::sync::Mutex;
use std::sync::atomic::AtomicU64;

mod decision_log;
pub use decision_log::DecisionLog;
pub(crate) use decision_log::Recorder;

pub(crate) mod events;

mod history;
pub(crate) use history::History;
pub use history::{Move, Phases, Seat};

mod report;
pub(crate) use report::Sources;
pub use report::{Member, RegionReport, Report, Standing, Status, Unhealthy};

mod stats;
pub use stats::Stats;

#[cfg(feature = "metrics")]
mod export;
#[cfg(feature = "metrics")]
pub(crate) use export::Exporter;

/// What the driver of a client keeps for whoever asks.
#[derive(Debug, Default)]
pub(crate) struct Observed {
    pub(crate) history: Mutex<History>,
    pub(crate) probes: AtomicU64,
    pub(crate) probe_bytes: AtomicU64,
    pub(crate) pings: AtomicU64,
}
