//! The results, as data.

use std::time::Duration;

use nats_geo::sim::detection::{Outcome, Study};
use serde::Serialize;

/// All that a comparison found.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// How long bursts of loss last.
    pub burst_ms: u32,
    /// Days of one client behind each row.
    pub days: u32,
    /// Seed of all random choices.
    pub seed: u64,
    /// By path, interval and detector.
    pub rows: Vec<Row>,
}

/// One detector on one path with one interval.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The path.
    pub rtt_ms: f64,
    /// Between two PINGs.
    pub ping_interval_ms: f64,
    /// What the PINGs cost, both ways together.
    pub ping_bytes_per_s: f64,
    /// Who.
    pub detector: String,
    /// Wrong suspicions per day of a client; each costs a connection.
    pub false_suspicions_per_day: f64,
    /// Wrong verdicts per day of a client.
    pub false_deaths_per_day: f64,
    /// From the blackhole to the suspicion: the median.
    pub suspect_p50_ms: f64,
    /// 99 of 100.
    pub suspect_p99_ms: f64,
    /// 99 of 100, until traffic flows over a new connection to a region as far away: three round trips more.
    pub shifted_p99_ms: f64,
    /// From the blackhole to the verdict: the median.
    pub dead_p50_ms: f64,
    /// 99 of 100.
    pub dead_p99_ms: f64,
    /// How many blackholes there were.
    pub blackholes: usize,
}

/// A PING is an echo to the own inbox. Measured by `loadgen`'s idle phase, without TCP's own: 299 bytes per second at two
/// PINGs per second.
const PING_BYTES: f64 = 150.0;

/// TCP, INFO, CONNECT with PING and PONG.
const ROUND_TRIPS_TO_SHIFT: f64 = 3.0;

impl Row {
    pub(super) fn new(study: &Study, outcome: &Outcome) -> Self {
        let ms = |duration: Duration| duration.as_secs_f64() * 1e3;
        let rtt_ms = ms(2 * study.path.one_way);
        Self {
            rtt_ms,
            ping_interval_ms: ms(study.ping_interval),
            ping_bytes_per_s: PING_BYTES / study.ping_interval.as_secs_f64(),
            detector: outcome.detector.to_string(),
            false_suspicions_per_day: outcome.false_suspicions_per_day,
            false_deaths_per_day: outcome.false_deaths_per_day,
            suspect_p50_ms: ms(outcome.suspect_p50),
            suspect_p99_ms: ms(outcome.suspect_p99),
            shifted_p99_ms: ms(outcome.suspect_p99) + ROUND_TRIPS_TO_SHIFT * rtt_ms,
            dead_p50_ms: ms(outcome.dead_p50),
            dead_p99_ms: ms(outcome.dead_p99),
            blackholes: outcome.blackholes,
        }
    }
}

impl Comparison {
    /// As text for machines.
    pub fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).unwrap_or_else(|error| format!("{{\"error\": \"{error}\"}}"))
    }
}
