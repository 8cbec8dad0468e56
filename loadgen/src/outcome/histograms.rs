//! HDR histograms of every request as `.hlog` files, which HdrHistogram's tools read.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use hdrhistogram::Histogram;
use hdrhistogram::serialization::V2Serializer;
use hdrhistogram::serialization::interval_log::{IntervalLogWriterBuilder, Tag};

use super::build::Played;
use crate::load::requests::Op;
use crate::record::histograms::{micros, new_histogram};

/// A `.hlog` file for each population: its name, and the bytes. One interval for each phase and region of the clients, tagged with
/// them. A response time counts from when the request was meant to be sent; one that failed counts with the time that it took.
pub fn to_hlogs(played: &[Played<'_>], started: SystemTime) -> Vec<(String, Vec<u8>)> {
    let Some(base) = played.iter().flat_map(|it| &it.recordings).map(|it| it.start).min() else {
        return Vec::new();
    };
    let mut by_population: BTreeMap<&str, BTreeMap<String, Vec<&Op>>> = BTreeMap::new();
    for Played { strategy, recordings } in played {
        for (repetition, recording) in recordings.iter().enumerate() {
            for client in &recording.clients {
                let population = &strategy.scenario.populations[client.population].name;
                let intervals = by_population.entry(population).or_default();
                for op in &client.ops {
                    let Some(phase) = recording.phase_at(op.intended) else { continue };
                    let phase = &strategy.scenario.phases[phase].name;
                    let parts =
                        [&strategy.name, &(repetition + 1).to_string(), phase, "from", &client.region];
                    intervals.entry(tag(&parts)).or_default().push(op);
                }
            }
        }
    }
    let file = |(population, intervals): (&str, BTreeMap<String, Vec<&Op>>)| {
        let intervals = intervals.into_iter().filter_map(|(tag, ops)| Interval::new(tag, &ops, base));
        let mut intervals: Vec<_> = intervals.collect();
        intervals.sort_by_key(|interval| interval.since_start);
        Some((format!("requests-{}.hlog", tag(&[population])), encode(&intervals, started)?))
    };
    by_population.into_iter().filter_map(file).collect()
}

/// Microseconds.
struct Interval {
    tag: String,
    since_start: Duration,
    lasts: Duration,
    response: Histogram<u64>,
}

impl Interval {
    fn new(tag: String, ops: &[&Op], base: std::time::Instant) -> Option<Self> {
        let first = ops.iter().map(|op| op.intended).min()?;
        let last = ops.iter().map(|op| op.done).max()?;
        let mut response = new_histogram();
        ops.iter().for_each(|op| response.saturating_record(micros(op.done - op.intended)));
        let since_start = first.saturating_duration_since(base);
        Some(Self { tag, since_start, lasts: last - first, response })
    }
}

/// The format forbids commas, spaces and line breaks; file names forbid more.
fn tag(parts: &[&str]) -> String {
    let given = parts.iter().filter(|part| !part.is_empty());
    let text = given.copied().collect::<Vec<_>>().join("-");
    let is_plain = |letter: char| letter.is_alphanumeric() || "-_.".contains(letter);
    text.chars().map(|letter| if is_plain(letter) { letter } else { '-' }).collect()
}

/// Writing to memory does not fail.
fn encode(intervals: &[Interval], started: SystemTime) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut serializer = V2Serializer::new();
    let mut log = IntervalLogWriterBuilder::new()
        .add_comment("response time of requests from their intended time, microseconds")
        .with_start_time(started)
        .with_base_time(started)
        .with_max_value_divisor(1_000.0)
        .begin_log_with(&mut bytes, &mut serializer)
        .ok()?;
    for Interval { tag, since_start, lasts, response } in intervals {
        log.write_histogram(response, *since_start, *lasts, Tag::new(tag)).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_plain() {
        assert_eq!(
            tag(&["", "1", "before server-kill", "from", "eu/west,1"]),
            "1-before-server-kill-from-eu-west-1"
        );
    }
}
