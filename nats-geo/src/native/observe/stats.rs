//! Counters of a client.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Serialize;

use super::Observed;
use super::report::{millis, millis_by_region};
use crate::core::{MoveCause, Region, Time};
use crate::native::hub::{Hub, lock};

/// Counters of a client since its start.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Stats {
    /// Publishes that the client accepted.
    pub published: u64,
    /// Messages that subscriptions delivered.
    pub delivered: u64,
    /// Publishes on links that were lost before the server confirmed them. Each may or may not have arrived, so at most
    /// this many were lost. With [`GeoOptions::at_least_once`](crate::GeoOptions::at_least_once), the client resends
    /// these publishes. In this case, the counter also includes publishes that the client had not written to the lost link.
    pub unconfirmed: u64,
    /// Messages that are certainly lost: publishes beyond
    /// [`GeoOptions::dead_link_buffer`](crate::GeoOptions::dead_link_buffer), and messages that the application did not read
    /// from a subscription in time.
    pub discarded: u64,
    /// Publishes that the client resent on another link, after their link was lost or became silent.
    pub resent: u64,
    /// With [`GeoOptions::at_least_once`](crate::GeoOptions::at_least_once): publishes that the client refused, because the
    /// buffer of unconfirmed publishes was full.
    pub refused: u64,
    /// Publishes that a server did not permit. Each is lost.
    pub denied: u64,
    /// Unreadable messages of other clients. The client dropped headers, or the whole message.
    pub unreadable: u64,
    /// With [`Overflow::DropOldest`](crate::Overflow::DropOldest): unconfirmed publishes that the client dropped because
    /// the buffer was full. Each may or may not have arrived.
    pub dropped_unconfirmed: u64,
    /// With [`GeoOptions::at_least_once`](crate::GeoOptions::at_least_once): unconfirmed publishes that the client did not
    /// resend, because they were older than [`AtLeastOnce::max_age`](crate::AtLeastOnce::max_age). Each may or may not have
    /// arrived.
    pub expired_unconfirmed: u64,
    /// Number of moves of traffic to another link.
    pub moves: u64,
    /// Number of decisions to move, by cause. If the new link is lost before it gets traffic, this counter counts the
    /// decision, but `moves` does not.
    pub moves_by_cause: BTreeMap<MoveCause, u64>,
    /// Time for which each region got the traffic of the client.
    #[serde(rename = "time_by_region_ms", serialize_with = "millis_by_region")]
    pub time_by_region: BTreeMap<Region, Duration>,
    /// Time without a live link, including the time before the first link.
    #[serde(rename = "time_offline_ms", serialize_with = "millis")]
    pub time_offline: Duration,
    /// PINGs that the client sent on its links.
    pub pings: u64,
    /// Probes that the client started.
    pub probes: u64,
    /// Bytes of probes in both directions, including TLS and WebSocket, without TCP headers.
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
            unconfirmed: count(&counters.unconfirmed),
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
