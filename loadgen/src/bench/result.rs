//! The result of `loadgen bench`.

use hdrhistogram::Histogram;
use serde::Serialize;

use super::Share;
use super::opts::BenchCommand;
use crate::record::histograms::new_histogram;

/// The result. Times are wall-clock times from the first client's begin to the last one's end.
#[derive(Clone, Debug, Serialize)]
pub struct BenchResult {
    /// The command, such as `pub`.
    pub command: &'static str,
    /// Clients.
    pub clients: u32,
    /// Messages of all clients.
    pub messages: u64,
    /// Bytes of each message.
    pub message_bytes: u64,
    /// Seconds.
    pub seconds: f64,
    /// Messages per second.
    pub messages_per_s: f64,
    /// Response time in milliseconds, where each operation is waited for.
    pub response_ms: Option<ResponseTimes>,
}

/// Response times.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct ResponseTimes {
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Longest.
    pub max: f64,
}

/// Sums up the clients.
pub(super) fn sum(command: &BenchCommand, shares: &[Share]) -> BenchResult {
    let began = shares.iter().map(|share| share.began).min();
    let ended = shares.iter().map(|share| share.ended).max();
    let seconds = ended.zip(began).map_or(0.0, |(ended, began)| (ended - began).as_secs_f64());
    let messages: u64 = shares.iter().map(|share| share.messages).sum();
    let mut times: Option<Histogram<u64>> = None;
    for share in shares.iter().filter_map(|share| share.times.as_ref()) {
        // Same bounds, so it always fits.
        let _ = times.get_or_insert_with(new_histogram).add(share);
    }
    let ms = |micros: u64| micros as f64 / 1e3;
    BenchResult {
        command: command.name(),
        clients: command.bench().clients,
        messages,
        message_bytes: command.bench().size.bytes(),
        seconds,
        messages_per_s: messages as f64 / seconds.max(f64::EPSILON),
        response_ms: times.map(|times| ResponseTimes {
            p50: ms(times.value_at_quantile(0.5)),
            p99: ms(times.value_at_quantile(0.99)),
            max: ms(times.max()),
        }),
    }
}

impl BenchResult {
    /// For a terminal.
    pub fn to_text(&self) -> String {
        let mib = self.messages_per_s * self.message_bytes as f64 / f64::from(1 << 20);
        let mut text = format!(
            "{}: {} messages of {} B in {:.2} s: {:.0} messages/s, {mib:.1} MiB/s",
            self.command, self.messages, self.message_bytes, self.seconds, self.messages_per_s
        );
        if let Some(times) = &self.response_ms {
            text.push_str(&format!(
                "\nresponse times: p50 {:.3} ms, p99 {:.3} ms, longest {:.3} ms",
                times.p50, times.p99, times.max
            ));
        }
        text
    }

    /// For programs.
    pub fn to_json(&self) -> String {
        // Numbers and texts: that cannot fail.
        serde_json::to_string_pretty(self).unwrap_or_default()
    }
}
