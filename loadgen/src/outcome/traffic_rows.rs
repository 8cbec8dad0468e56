//! Rows of the report about deliveries, puts and gets: one for each workload, population and region.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::judge::{clock_error_ms, is_refused};
use super::model::{DeliveryRow, StoreRow};
use super::stores::{Sum, add, millis_of};
use crate::play::{Recording, StoreRecord};
use crate::record::histograms::new_histogram;
use crate::scenario::Scenario;

type Whose<'a> = (usize, usize, &'a str);

pub(super) fn deliveries(scenario: &Scenario, recording: &Recording) -> Vec<DeliveryRow> {
    let mut by_place: BTreeMap<Whose<'_>, Histogram<u64>> = BTreeMap::new();
    for record in &recording.deliveries {
        let whose = (record.workload, record.population, record.region.as_str());
        add(by_place.entry(whose).or_insert_with(new_histogram), &record.latency);
    }
    let error_ms = clock_error_ms(&[recording]);
    let row = |((workload, population, region), times): (Whose<'_>, Histogram<u64>)| {
        let time = |statistic| millis_of(&times, statistic).filter(|ms| !is_refused(*ms, error_ms));
        DeliveryRow {
            workload: scenario.workloads[workload].name.clone(),
            population: scenario.populations[population].name.clone(),
            region: region.to_owned(),
            n: times.len(),
            p50_ms: time("p50"),
            p99_ms: time("p99"),
            max_ms: time("max"),
        }
    };
    by_place.into_iter().map(row).collect()
}

pub(super) fn stores(scenario: &Scenario, recording: &Recording) -> Vec<StoreRow> {
    let mut by_place: BTreeMap<Whose<'_>, Vec<&StoreRecord>> = BTreeMap::new();
    for record in &recording.stores {
        by_place.entry((record.workload, record.population, &record.region)).or_default().push(record);
    }
    let row = |((workload, population, region), records): (Whose<'_>, Vec<&StoreRecord>)| {
        let sum = |is_get: bool| Sum::of(records.iter().copied().filter(|it| it.is_get == is_get));
        let (puts, gets) = (sum(false), sum(true));
        StoreRow {
            workload: scenario.workloads[workload].name.clone(),
            population: scenario.populations[population].name.clone(),
            region: region.to_owned(),
            puts: puts.begun,
            gets: gets.begun,
            failed: puts.failed() + gets.failed(),
            stale: gets.stale,
            corrupt: gets.corrupt,
            put_p50_ms: millis_of(&puts.latency, "p50"),
            put_p99_ms: millis_of(&puts.latency, "p99"),
            get_p50_ms: millis_of(&gets.latency, "p50"),
            get_p99_ms: millis_of(&gets.latency, "p99"),
        }
    };
    by_place.into_iter().map(row).collect()
}
