//! What is counted, for the recorder of the crate `metrics`. Names and meanings are documented in the module above.

use std::collections::BTreeMap;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::{Move, Observed, Stats};
use crate::core::{Region, Time};
use crate::native::hub::{Hub, lock};

/// Adds what has been counted since the last time: so that hot paths need not know of it, and clients of one name add
/// up.
#[derive(Debug)]
pub(crate) struct Exporter {
    client: String,
    /// As of the last time.
    stats: Stats,
    here: Option<Region>,
}

impl Exporter {
    pub(crate) fn new(client: Option<&str>) -> Self {
        describe();
        Self { client: client.unwrap_or_default().into(), stats: Stats::default(), here: None }
    }

    pub(crate) fn export(&mut self, hub: &Hub, observed: &Observed, now: Time) {
        let before = std::mem::replace(&mut self.stats, Stats::of(hub, observed, now));
        let (stats, here) = (&self.stats, lock(&observed.history).region().cloned());
        for (name, after, before) in [
            ("nats_geo_published_total", stats.published, before.published),
            ("nats_geo_delivered_total", stats.delivered, before.delivered),
            ("nats_geo_in_doubt_total", stats.in_doubt, before.in_doubt),
            ("nats_geo_discarded_total", stats.discarded, before.discarded),
            ("nats_geo_resent_total", stats.resent, before.resent),
            ("nats_geo_refused_total", stats.refused, before.refused),
            ("nats_geo_denied_total", stats.denied, before.denied),
            ("nats_geo_unreadable_total", stats.unreadable, before.unreadable),
            ("nats_geo_dropped_unconfirmed_total", stats.dropped_unconfirmed, before.dropped_unconfirmed),
            ("nats_geo_expired_unconfirmed_total", stats.expired_unconfirmed, before.expired_unconfirmed),
            ("nats_geo_pings_total", stats.pings, before.pings),
            ("nats_geo_probes_total", stats.probes, before.probes),
            ("nats_geo_probe_bytes_total", stats.probe_bytes, before.probe_bytes),
            // Whole seconds, rounded down each time, so that nothing gets lost.
            ("nats_geo_offline_seconds_total", stats.time_offline.as_secs(), before.time_offline.as_secs()),
        ] {
            if after > before {
                counter!(name, "client" => self.client.clone()).increment(after - before);
            }
        }
        for (cause, increase) in increases(&stats.moves_by_cause, &before.moves_by_cause, |count| *count) {
            counter!("nats_geo_moves_total", "client" => self.client.clone(), "cause" => cause.name())
                .increment(increase);
        }
        for (region, increase) in
            increases(&stats.time_by_region, &before.time_by_region, std::time::Duration::as_secs)
        {
            let region = region.as_str().to_owned();
            counter!("nats_geo_region_seconds_total", "client" => self.client.clone(), "region" => region)
                .increment(increase);
        }
        self.went_to(here);
    }

    /// A move is complete.
    pub(crate) fn moved(&self, it: &Move) {
        let phases = &it.phases;
        let all = [
            ("detect", phases.detect),
            ("select", phases.select),
            ("connect", phases.connect),
            ("resume", phases.resume),
        ];
        for (phase, took) in all {
            if let Some(took) = took {
                let (client, cause) = (self.client.clone(), it.cause.name());
                histogram!("nats_geo_move_seconds", "client" => client, "cause" => cause, "phase" => phase)
                    .record(took);
            }
        }
    }

    fn went_to(&mut self, here: Option<Region>) {
        if here == self.here {
            return;
        }
        let gauge = |region: Region| {
            let region = region.as_str().to_owned();
            gauge!("nats_geo_live_links", "client" => self.client.clone(), "region" => region)
        };
        if let Some(before) = self.here.take() {
            gauge(before).decrement(1.0);
        }
        if let Some(here) = here.clone() {
            gauge(here).increment(1.0);
        }
        self.here = here;
    }
}

/// By how much each count has grown.
fn increases<'a, K: Ord, V>(
    after: &'a BTreeMap<K, V>,
    before: &BTreeMap<K, V>,
    count: impl Fn(&V) -> u64,
) -> Vec<(&'a K, u64)> {
    let increase = |(key, value): (&'a K, &V)| {
        let increase = count(value).saturating_sub(before.get(key).map_or(0, &count));
        (increase > 0).then_some((key, increase))
    };
    after.iter().filter_map(increase).collect()
}

fn describe() {
    describe_counter!("nats_geo_published_total", "Publishes that were accepted.");
    describe_counter!("nats_geo_delivered_total", "Messages that subscriptions delivered.");
    describe_counter!("nats_geo_in_doubt_total", "Publishes on lost links that may have arrived or not.");
    describe_counter!("nats_geo_discarded_total", "Messages that are lost for certain.");
    describe_counter!("nats_geo_resent_total", "Publishes of lost links that were sent on another one.");
    describe_counter!("nats_geo_refused_total", "Publishes refused because too many were unconfirmed.");
    describe_counter!(
        "nats_geo_dropped_unconfirmed_total",
        "Unconfirmed publishes that were forgotten for lack of room."
    );
    describe_counter!(
        "nats_geo_expired_unconfirmed_total",
        "Unconfirmed publishes too old to be sent again."
    );
    describe_counter!("nats_geo_pings_total", "PINGs on links.");
    describe_counter!("nats_geo_probes_total", "Probes that were sent.");
    describe_counter!("nats_geo_probe_bytes_total", "Bytes of probes in both directions.");
    describe_counter!("nats_geo_moves_total", "Moves of traffic to another link, by cause.");
    describe_counter!("nats_geo_region_seconds_total", "How long traffic has gone to a region.");
    describe_counter!("nats_geo_offline_seconds_total", "How long nothing was live.");
    describe_gauge!("nats_geo_live_links", "Clients whose traffic goes to a region now.");
    describe_histogram!("nats_geo_move_seconds", metrics::Unit::Seconds, "Phases of moves.");
}
