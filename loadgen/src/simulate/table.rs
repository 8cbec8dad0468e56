//! The results as a table for a terminal.

use std::fmt::Write;

use super::row::{Row, Simulation};
use crate::text_table::{add, table};

/// The table, and what its columns mean.
pub fn render(simulation: &Simulation) -> String {
    let mut table = table(&[
        "clients",
        "hit",
        "back",
        "p50 s",
        "p99 s",
        "last s",
        "dials",
        "handshakes",
        "peak",
        "at",
        "nearest",
        "skew",
        "home",
        "return peak",
        "home s",
        "took s",
    ]);
    for row in &simulation.rows {
        add(&mut table, cells(row));
    }
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(
        text,
        "{} clients in {} regions lose {} for {} s; a region accepts {} handshakes/s, so the clients of the lost region need at \
         least {:.1} s to connect again",
        simulation.clients,
        simulation.regions.len(),
        simulation.lost,
        simulation.lost_for_s,
        simulation.region_accepts_per_second,
        simulation.ideal_s(),
    );
    let _ = writeln!(text, "{table}");
    let _ = write!(
        text,
        "hit: clients of the lost region. back: those that connected again before it returned. dials and handshakes (at \
         survivors): per hit client.\npeak: the most handshakes per second at a survivor, compared with its capacity. \
         return peak: the same at the lost region after its return.\nnearest: share in the nearest survivor. skew: the busiest \
         server compared with its region's average. home: share that returned. home s: seconds until the last of them had \
         returned. Memory: {:.2} GB at most. Seed {}.",
        simulation.memory_max_bytes as f64 / 1e9,
        simulation.seed,
    );
    text
}

fn cells(row: &Row) -> Vec<String> {
    let percent = |share: f64| format!("{:.1}%", 100.0 * share);
    vec![
        row.kind.to_string(),
        row.hit.to_string(),
        row.back.to_string(),
        format!("{:.2}", row.back_p50_s),
        format!("{:.2}", row.back_p99_s),
        format!("{:.2}", row.back_last_s),
        format!("{:.2}", row.dials_per_client),
        format!("{:.3}", row.handshakes_per_client),
        format!("{:.2}x", row.peak_over_capacity),
        row.peak_region.clone(),
        percent(row.in_nearest_share),
        format!("{:.2}", row.skew),
        percent(row.home_share),
        format!("{:.2}x", row.return_peak_over_capacity),
        format!("{:.0}", row.home_last_s),
        format!("{:.0}", row.took_s),
    ]
}
