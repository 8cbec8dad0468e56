//! The metrics of a client, for the recorder of the crate `metrics`. Names come from [`crate::core::vocabulary`].

use std::collections::BTreeMap;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::{Move, Observed, Stats};
use crate::core::vocabulary::{self, MetricInfo, MetricKind};
use crate::core::{Region, Time};
use crate::native::hub::{Hub, lock};

/// Adds to the metrics what the client has counted since the last time. So hot paths need not know of metrics, and
/// clients of one name add up.
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
        let new = Self { client: client.unwrap_or_default().into(), stats: Stats::default(), here: None };
        new.begin();
        new
    }

    /// Every counter begins at 0: of one that appears with its first count, Prometheus would not see an increase.
    fn begin(&self) {
        for (metric, _) in counters(&self.stats) {
            counter!(metric.name, "client" => self.client.clone()).increment(0);
        }
        for cause in vocabulary::CAUSES {
            let name = vocabulary::MOVES_TOTAL.name;
            counter!(name, "client" => self.client.clone(), "cause" => cause.name).increment(0);
        }
    }

    pub(crate) fn export(&mut self, hub: &Hub, observed: &Observed, now: Time) {
        let before = std::mem::replace(&mut self.stats, Stats::of(hub, observed, now));
        let (stats, here) = (&self.stats, lock(&observed.history).region().cloned());
        for ((metric, after), (_, before)) in counters(stats).into_iter().zip(counters(&before)) {
            if after > before {
                counter!(metric.name, "client" => self.client.clone()).increment(after - before);
            }
        }
        for (cause, increase) in increases(&stats.moves_by_cause, &before.moves_by_cause, |count| *count) {
            counter!(vocabulary::MOVES_TOTAL.name, "client" => self.client.clone(), "cause" => cause.name())
                .increment(increase);
        }
        for (region, increase) in
            increases(&stats.time_by_region, &before.time_by_region, std::time::Duration::as_secs)
        {
            let region = region.as_str().to_owned();
            counter!(vocabulary::REGION_SECONDS_TOTAL.name, "client" => self.client.clone(), "region" => region)
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
                let name = vocabulary::MOVE_SECONDS.name;
                histogram!(name, "client" => client, "cause" => cause, "phase" => phase).record(took);
            }
        }
    }

    fn went_to(&mut self, here: Option<Region>) {
        if here == self.here {
            return;
        }
        let gauge = |region: Region| {
            let region = region.as_str().to_owned();
            gauge!(vocabulary::LIVE_LINKS.name, "client" => self.client.clone(), "region" => region)
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

/// The counters without labels of their own.
const fn counters(stats: &Stats) -> [(&'static MetricInfo, u64); 14] {
    [
        (&vocabulary::PUBLISHED_TOTAL, stats.published),
        (&vocabulary::DELIVERED_TOTAL, stats.delivered),
        (&vocabulary::UNCONFIRMED_TOTAL, stats.unconfirmed),
        (&vocabulary::DISCARDED_TOTAL, stats.discarded),
        (&vocabulary::RESENT_TOTAL, stats.resent),
        (&vocabulary::REFUSED_TOTAL, stats.refused),
        (&vocabulary::DENIED_TOTAL, stats.denied),
        (&vocabulary::UNREADABLE_TOTAL, stats.unreadable),
        (&vocabulary::DROPPED_UNCONFIRMED_TOTAL, stats.dropped_unconfirmed),
        (&vocabulary::EXPIRED_UNCONFIRMED_TOTAL, stats.expired_unconfirmed),
        (&vocabulary::PINGS_TOTAL, stats.pings),
        (&vocabulary::PROBES_TOTAL, stats.probes),
        (&vocabulary::PROBE_BYTES_TOTAL, stats.probe_bytes),
        // Whole seconds, rounded down each time, so that nothing gets lost.
        (&vocabulary::OFFLINE_SECONDS_TOTAL, stats.time_offline.as_secs()),
    ]
}

fn describe() {
    for metric in vocabulary::METRICS {
        let MetricInfo { name, kind, meaning, .. } = *metric;
        match kind {
            MetricKind::Counter => describe_counter!(name, meaning),
            MetricKind::Gauge => describe_gauge!(name, meaning),
            MetricKind::Histogram => describe_histogram!(name, metrics::Unit::Seconds, meaning),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_counters_of_the_table_are_exported() {
        let is_plain = |metric: &&MetricInfo| metric.kind == MetricKind::Counter && metric.labels.is_empty();
        let listed: Vec<_> = vocabulary::METRICS.iter().filter(is_plain).collect();
        let mut exported = counters(&Stats::default()).map(|(metric, _)| metric).to_vec();
        exported.sort_by_key(|metric| listed.iter().position(|it| it == metric));
        assert_eq!(exported, listed);
    }
}
