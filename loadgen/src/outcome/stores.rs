//! Figures of puts and gets.

use hdrhistogram::Histogram;

use super::figures::Figures;
use crate::play::{Observer, StoreRecord};
use crate::record::histograms::new_histogram;
use crate::scenario::WorkloadKind;

/// Sums over the puts or the gets of some clients.
#[derive(Debug)]
pub(super) struct Sum {
    pub(super) begun: u64,
    pub(super) stale: u64,
    pub(super) corrupt: u64,
    pub(super) latency: Histogram<u64>,
}

impl Sum {
    /// Adds up some records.
    pub(super) fn of<'a>(records: impl Iterator<Item = &'a StoreRecord>) -> Self {
        let mut sum = Self { begun: 0, stale: 0, corrupt: 0, latency: new_histogram() };
        for record in records {
            sum.begun += record.begun;
            sum.stale += record.stale;
            sum.corrupt += record.corrupt;
            add(&mut sum.latency, &record.latency);
        }
        sum
    }

    /// Operations without a success.
    pub(super) fn failed(&self) -> u64 {
        self.begun - self.latency.len()
    }
}

/// Adds a histogram of a recording.
pub(super) fn add(all: &mut Histogram<u64>, one: &Histogram<u32>) {
    for step in one.iter_recorded() {
        all.saturating_record_n(step.value_iterated_to(), u64::from(step.count_at_value()));
    }
}

/// A statistic of times, in milliseconds; `None`, if there are none.
pub(super) fn millis_of(times: &Histogram<u64>, statistic: &str) -> Option<f64> {
    let micros = match statistic {
        _ if times.is_empty() => return None,
        "p50" => times.value_at_quantile(0.5),
        "p99" => times.value_at_quantile(0.99),
        _ => times.max(),
    };
    Some(micros as f64 / 1_000.0)
}

impl Figures<'_> {
    /// A figure of a bucket or an object store.
    pub(super) fn stores(&self, kind: WorkloadKind, statistic: &str) -> Option<f64> {
        let observer = if kind == WorkloadKind::Kv { Observer::Bucket } else { Observer::Objects };
        let sum = |wanted: &dyn Fn(&StoreRecord) -> bool| Sum::of(self.chosen(kind).filter(|it| wanted(it)));
        let all = sum(&|_| true);
        match statistic {
            "lost" | "duplicated" => self.counts(observer, statistic),
            _ if all.begun == 0 => None,
            "puts" => Some(sum(&|it| !it.is_get).begun as f64),
            "gets" => Some(sum(&|it| it.is_get).begun as f64),
            "failed" => Some(all.failed() as f64),
            "failed_share" => Some(all.failed() as f64 / all.begun as f64),
            "stale" => Some(all.stale as f64),
            "corrupt" => Some(all.corrupt as f64),
            _ => {
                let (operation, statistic) = statistic.split_once('_')?;
                millis_of(&sum(&|it| it.is_get == (operation == "get")).latency, statistic)
            }
        }
    }

    fn chosen(&self, kind: WorkloadKind) -> impl Iterator<Item = &StoreRecord> {
        let all = self.recordings.iter().flat_map(|recording| &recording.stores);
        all.filter(move |record| {
            let workload = &self.scenario.workloads[record.workload];
            let phase = self.scenario.phases.get(record.phase).map_or("", |phase| &phase.name);
            workload.kind == kind
                && self.says("population", &self.scenario.populations[record.population].name)
                && self.says("workload", &workload.name)
                && self.says("region", &record.region)
                && self.says("phase", phase)
        })
    }
}
