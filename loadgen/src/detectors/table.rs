//! The results as a table for a terminal.

use std::fmt::Write;

use super::row::{Comparison, Row};
use crate::text_table::{add, table};

/// The table, and what its columns mean.
pub fn render(comparison: &Comparison) -> String {
    let mut table = table(&[
        "RTT ms",
        "PING ms",
        "B/s",
        "detector",
        "wrong suspicions/day",
        "wrong deaths/day",
        "suspect p50",
        "p99",
        "shifted p99",
        "dead p50",
        "p99",
    ]);
    for row in &comparison.rows {
        add(&mut table, cells(row));
    }
    let mut text = table.to_string();
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "\nEach detector sees the same network for {} client-days. Times in ms after a blackhole ({} of them each).\n\
         Paths lose 0.1 % of packets, half of all packets in bursts of {} ms every 5 min, and queue up to 100 ms for 3 s \
         every 10 min.\nA wrong suspicion costs a second connection, and a wrong death costs the link. shifted: time until \
         traffic flows in another region at the same distance. B/s: bytes of PINGs, without TCP headers. Seed {}.",
        comparison.days,
        comparison.rows.first().map_or(0, |row| row.blackholes),
        comparison.burst_ms,
        comparison.seed,
    );
    text
}

fn cells(row: &Row) -> Vec<String> {
    let whole = |value: f64| format!("{value:.0}");
    vec![
        whole(row.rtt_ms),
        whole(row.ping_interval_ms),
        whole(row.ping_bytes_per_s),
        row.detector.clone(),
        format!("{:.1}", row.false_suspicions_per_day),
        format!("{:.2}", row.false_deaths_per_day),
        whole(row.suspect_p50_ms),
        whole(row.suspect_p99_ms),
        whole(row.shifted_p99_ms),
        whole(row.dead_p50_ms),
        whole(row.dead_p99_ms),
    ]
}
