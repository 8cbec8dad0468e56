//! What a client has counted.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::Observed;
use super::report::{millis, millis_by_region};
use crate::core::{MoveCause, Region, Time};
use crate::native::hub::{Hub, lock};

/// What a client has counted since its start.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Publishes that were accepted.
    pub published: u64,
    /// Messages that subscriptions delivered.
    pub delivered: u64,
    /// Publishes that were written to a link that was lost before its server confirmed them: each may have
    /// arrived or not, so at most this many were lost. With
    /// [`GeoOptions::at_least_once`](crate::GeoOptions::at_least_once) they are sent again, and those that were not written
    /// count as well.
    pub in_doubt: u64,
    /// Messages that are lost for certain: publishes beyond
    /// [`GeoOptions::dead_link_buffer`](crate::GeoOptions::dead_link_buffer), and deliveries that a
    /// subscription did not read in time.
    pub discarded: u64,
    /// Publishes of links that were lost, or left in a hurry, that were sent on another one.
    pub resent: u64,
    /// With [`GeoOptions::at_least_once`](crate::GeoOptions::at_least_once): publishes that were refused because too many
    /// were unconfirmed.
    pub refused: u64,
    /// Publishes that a server did not permit. Each is lost.
    pub denied: u64,
    /// Messages of other clients that could not be read as they were: headers, or the whole message, were left out.
    pub unreadable: u64,
    /// With [`Overflow::DropOldest`](crate::Overflow::DropOldest): publishes that will not be sent again, because others
    /// needed their room. Each may have arrived or not.
    pub dropped_unconfirmed: u64,
    /// With [`GeoOptions::at_least_once`](crate::GeoOptions::at_least_once): publishes that will not be sent again, because
    /// they were older than [`AtLeastOnce::max_age`](crate::AtLeastOnce::max_age) when that was due. Each may have arrived
    /// or not.
    pub expired_unconfirmed: u64,
    /// How often traffic went to another link.
    pub moves: u64,
    /// How often the client decided for that, by cause. A decision whose link was lost again before it got any traffic
    /// counts here only.
    pub moves_by_cause: BTreeMap<MoveCause, u64>,
    /// How long traffic has gone to each region.
    #[serde(rename = "time_by_region_ms", serialize_with = "millis_by_region")]
    pub time_by_region: BTreeMap<Region, Duration>,
    /// How long nothing was live, connecting at the start included.
    #[serde(rename = "time_offline_ms", serialize_with = "millis")]
    pub time_offline: Duration,
    /// PINGs on links.
    pub pings: u64,
    /// Probes that were sent.
    pub probes: u64,
    /// Bytes of probes in both directions, TLS and WebSocket included, TCP's own not.
    pub probe_bytes: u64,
}

impl Stats {
    pub(crate) fn of(hub: &Hub, observed: &Observed, now: Time) -> Self {
        let (counters, forgotten) = (&hub.counters, hub.forgotten());
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let history = lock(&observed.history);
        let (time_by_region, time_offline) = history.times_at(now);
        Self {
            published: count(&counters.published),
            delivered: count(&counters.delivered),
            in_doubt: count(&counters.in_doubt),
            discarded: count(&counters.discarded),
            resent: count(&counters.resent),
            refused: count(&counters.refused),
            denied: count(&counters.denied),
            unreadable: count(&counters.unreadable),
            dropped_unconfirmed: forgotten.dropped,
            expired_unconfirmed: forgotten.expired,
            // The first link was none.
            moves: count(&counters.moves).saturating_sub(1),
            moves_by_cause: history.moves_by_cause().clone(),
            time_by_region,
            time_offline,
            pings: count(&observed.pings),
            probes: count(&observed.probes),
            probe_bytes: count(&observed.probe_bytes),
        }
    }
}
