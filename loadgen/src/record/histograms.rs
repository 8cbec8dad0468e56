//! HDR histograms of every request, written as `.hlog` files that HdrHistogram's tools read.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2Serializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use crate::clients::Population;
use crate::load::requests::Op;

/// Requests of a whole run, in microseconds.
#[derive(Debug, Default)]
pub struct Histograms {
    intervals: BTreeMap<Population, Vec<Interval>>,
    lag: Vec<Duration>,
}

#[derive(Debug)]
struct Interval {
    tag: String,
    since_start: Duration,
    duration: Duration,
    response: Histogram<u64>,
}

/// A histogram file that could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {path}: {reason}")]
pub struct WriteHistogramError {
    path: String,
    reason: String,
}

impl Histograms {
    /// Takes in the requests of one client during one round; those with the same tag are merged. The response time counts from when a request
    /// was meant to be sent; one that failed counts with the time that it took.
    pub fn record(&mut self, population: Population, tag: &str, run_start: Instant, ops: &[Op]) {
        let (Some(first), Some(last)) =
            (ops.iter().map(|op| op.intended).min(), ops.iter().map(|op| op.done).max())
        else {
            return;
        };
        let mut response = new_histogram();
        for op in ops {
            response.saturating_record(micros(op.done - op.intended));
            self.lag.push(op.sent.saturating_duration_since(op.intended));
        }
        let since_start = first.saturating_duration_since(run_start);
        let intervals = self.intervals.entry(population).or_default();
        match intervals.iter_mut().find(|interval| interval.tag == tag) {
            Some(interval) => {
                // Same bounds, so it always fits.
                let _ = interval.response.add(&response);
                interval.duration = interval.duration.max(last - first);
            }
            None => {
                let tag = tag.to_owned();
                intervals.push(Interval { tag, since_start, duration: last - first, response });
            }
        }
    }

    /// How late requests were sent: 99th percentile over the run. This is the generator's own fault.
    pub fn schedule_lag_p99(&self) -> Duration {
        let mut lag = self.lag.clone();
        lag.sort_unstable();
        let rank = (lag.len() as f64 * 0.99) as usize;
        lag.get(rank.min(lag.len().saturating_sub(1))).copied().unwrap_or_default()
    }

    /// How many requests were recorded.
    pub fn requests(&self) -> usize {
        self.lag.len()
    }

    /// Writes `requests-<population>.hlog` into `folder`: one interval per tag.
    ///
    /// # Errors
    /// The file that could not be written, and why.
    pub fn write(&self, folder: &Path, started: std::time::SystemTime) -> Result<(), WriteHistogramError> {
        for (population, intervals) in &self.intervals {
            let path = folder.join(format!("requests-{population}.hlog"));
            let failed = |reason: String| WriteHistogramError { path: path.display().to_string(), reason };
            let bytes = encode(intervals, started).map_err(failed)?;
            let mut file = std::fs::File::create(&path).map_err(|error| failed(error.to_string()))?;
            file.write_all(&bytes).map_err(|error| failed(error.to_string()))?;
        }
        Ok(())
    }
}

fn encode(intervals: &[Interval], started: std::time::SystemTime) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut serializer = V2Serializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("response time of requests from their intended time, microseconds")
        .with_start_time(started)
        .with_base_time(started)
        .with_max_value_divisor(1_000.0)
        .begin_log_with(&mut bytes, &mut serializer)
        .map_err(|error| error.to_string())?;
    for interval in intervals {
        let tag = Tag::new(&interval.tag).ok_or_else(|| format!("`{}` is no tag", interval.tag))?;
        log.write_histogram(&interval.response, interval.since_start, interval.duration, Some(tag))
            .map_err(|error| format!("{error:?}"))?;
    }
    Ok(bytes)
}

/// One microsecond to one minute, three digits.
fn new_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, 60_000_000, 3).unwrap_or_else(|_| unreachable!("constant bounds are valid"))
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX).max(1)
}
