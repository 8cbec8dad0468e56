//! Figures of numbered messages: counts from ledgers, times from histograms.

use std::collections::BTreeSet;

use hdrhistogram::Histogram;

use super::figures::Figures;
use super::stores::{add, millis_of};
use crate::play::{MessagesRecord, Observer};
use crate::record::histograms::new_histogram;
use crate::record::ledger::Totals;

impl Figures<'_> {
    /// A sum over the ledgers of one kind of observers.
    pub(super) fn counts(&self, observer: Observer, statistic: &str) -> Option<f64> {
        let mut sums: Option<Totals> = None;
        let (mut attempted, mut acknowledged) = (0, 0);
        for recording in self.recordings {
            // Several observers may have to have the same messages: publishes count once.
            let mut counted = BTreeSet::new();
            let chosen = recording.messages.iter().filter(|record| self.is_chosen(record, observer));
            for record in chosen {
                let totals = &record.totals;
                let needs_a_look = !matches!(statistic, "acknowledged" | "published" | "failed");
                if record.unverified.is_some() && needs_a_look {
                    return None;
                }
                if counted.insert((record.workload, record.population)) {
                    attempted += totals.attempted;
                    acknowledged += totals.acknowledged;
                }
                sums.get_or_insert_default().add(totals);
            }
        }
        let sums = sums?;
        match statistic {
            "acknowledged" | "published" => Some(acknowledged as f64),
            "failed" => Some((attempted - acknowledged) as f64),
            "lost" => Some(sums.lost() as f64),
            "duplicated" => Some(sums.duplicated as f64),
            "redelivered" => Some(sums.redelivered as f64),
            "reordered" => Some(sums.reordered as f64),
            // Nothing was published: there is no share.
            "delivered_share" if sums.acknowledged == 0 => None,
            "delivered_share" => Some(1.0 - sums.lost() as f64 / sums.acknowledged as f64),
            _ => None,
        }
    }

    /// A time that deliveries took, in milliseconds.
    pub(super) fn deliveries(&self, statistic: &str) -> Option<f64> {
        let mut all: Histogram<u64> = new_histogram();
        for record in self.recordings.iter().flat_map(|recording| &recording.deliveries) {
            let phase = self.scenario.phases.get(record.phase).map_or("", |phase| &phase.name);
            let is_chosen = self.says("population", &self.scenario.populations[record.population].name)
                && self.says("workload", &self.scenario.workloads[record.workload].name)
                && self.says("region", &record.region)
                && self.says("phase", phase);
            if is_chosen {
                add(&mut all, &record.latency);
            }
        }
        millis_of(&all, statistic)
    }

    fn is_chosen(&self, record: &MessagesRecord, observer: Observer) -> bool {
        record.observer == observer
            && self.says("population", &self.scenario.populations[record.population].name)
            && self.says("workload", &self.scenario.workloads[record.workload].name)
    }
}

/// Returns whether a statistic is one of times.
pub(super) fn is_time(statistic: &str) -> bool {
    matches!(statistic, "p50" | "p90" | "p99" | "max")
}
