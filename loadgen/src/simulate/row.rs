//! The results, as data.

use std::time::Duration;

use nats_geo::sim::herd::{Herd, HerdReport};
use serde::Serialize;

use super::plan::SimulatePlan;
use crate::cli::Kind;

/// All that a simulation found.
#[derive(Debug, Serialize)]
pub struct Simulation {
    /// How many clients each herd had.
    pub clients: u32,
    /// The regions.
    pub regions: Vec<String>,
    /// The region that was lost.
    pub lost: String,
    /// For how long, in seconds.
    pub lost_for_s: u64,
    /// Servers per region.
    pub servers_per_region: usize,
    /// Handshakes per second that a region can do.
    pub region_accepts_per_second: f64,
    /// Seed of all random choices.
    pub seed: u64,
    /// The most memory that the process held, in bytes.
    pub memory_max_bytes: u64,
    /// By kind of client.
    pub rows: Vec<Row>,
}

/// What became of the herd of one kind of client.
#[derive(Debug, Serialize)]
pub struct Row {
    /// Which clients.
    pub kind: Kind,
    /// Clients that used the region when it was lost.
    pub hit: u32,
    /// Of those, how many had a place for their traffic again before the region returned.
    pub back: u32,
    /// After how many seconds half of those were back.
    pub back_p50_s: f64,
    /// And 99 of 100.
    pub back_p99_s: f64,
    /// And all.
    pub back_last_s: f64,
    /// Dials of a hit client, on average.
    pub dials_per_client: f64,
    /// Handshakes of a hit client at the survivors, on average.
    pub handshakes_per_client: f64,
    /// The most handshakes that a survivor was asked for in a second, over what it can do.
    pub peak_over_capacity: f64,
    /// Which survivor that was.
    pub peak_region: String,
    /// The same for the lost region, from its return on.
    pub return_peak_over_capacity: f64,
    /// Hit clients in the nearest survivor when the region returned.
    pub in_nearest_share: f64,
    /// The busiest server of a region over the region's average.
    pub skew: f64,
    /// Clients that sit in the lost region and use it again at the end, of those that were hit.
    pub home_share: f64,
    /// How long after the region's return the last of them was there, in seconds.
    pub home_last_s: f64,
    /// Clients that dialled nobody after the loss.
    pub bystanders: u32,
    /// Handshakes that each region was asked for, in each second since the loss.
    pub handshakes_per_second: Vec<RegionSeries>,
    /// How long the simulation took, in seconds of this machine.
    pub took_s: f64,
}

/// Handshakes at a region over time.
#[derive(Debug, Serialize)]
pub struct RegionSeries {
    /// The region.
    pub region: String,
    /// In each second since the loss.
    pub per_second: Vec<u32>,
}

impl Row {
    pub(super) fn new(kind: Kind, report: &HerdReport, herd: &Herd, took: Duration) -> Self {
        let share = |part: u32, whole: u32| if whole == 0 { 0.0 } else { f64::from(part) / f64::from(whole) };
        let accepts = herd.region_accepts_per_second();
        let lost = &report.regions[herd.lose];
        let survivors = report.regions.iter().filter(|region| region.name != lost.name);
        let busiest = survivors.max_by_key(|region| region.peak);
        Self {
            kind,
            hit: report.hit,
            back: report.back,
            back_p50_s: report.back_after.p50.as_secs_f64(),
            back_p99_s: report.back_after.p99.as_secs_f64(),
            back_last_s: report.back_after.last.as_secs_f64(),
            dials_per_client: report.dials_per_client,
            handshakes_per_client: report.handshakes_per_client,
            peak_over_capacity: busiest.map_or(0.0, |region| f64::from(region.peak) / accepts),
            peak_region: busiest.map(|region| region.name.clone()).unwrap_or_default(),
            return_peak_over_capacity: f64::from(lost.peak) / accepts,
            in_nearest_share: report.in_nearest,
            skew: report.skew,
            home_share: share(report.home, report.home_of),
            home_last_s: report.home_after.last.as_secs_f64(),
            bystanders: report.bystanders,
            handshakes_per_second: report
                .regions
                .iter()
                .map(|region| RegionSeries {
                    region: region.name.clone(),
                    per_second: region.per_second.clone(),
                })
                .collect(),
            took_s: took.as_secs_f64(),
        }
    }
}

impl Simulation {
    pub(super) fn new(plan: &SimulatePlan, rows: Vec<Row>) -> Self {
        let herd = &plan.herd;
        Self {
            clients: herd.clients,
            regions: herd.regions.clone(),
            lost: herd.regions[herd.lose].clone(),
            lost_for_s: herd.lost_for.as_secs(),
            servers_per_region: herd.servers_per_region,
            region_accepts_per_second: herd.region_accepts_per_second(),
            seed: herd.seed,
            memory_max_bytes: memory_max_bytes(),
            rows,
        }
    }

    /// As in `simulate.json`.
    ///
    /// # Panics
    /// Never: it is plain data.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_default()
    }

    /// What N/C takes, in seconds: the clients of the lost region, one after the other, at the rate of one survivor.
    pub fn ideal_s(&self) -> f64 {
        let hit = f64::from(self.clients) / self.regions.len() as f64;
        hit / self.region_accepts_per_second
    }
}

/// Linux counts it in kibibytes, macOS in bytes.
fn memory_max_bytes() -> u64 {
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let usage = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF);
    usage.map_or(0, |usage| usage.max_rss().unsigned_abs() * unit)
}
