//! The value of each metric, over the recordings of one strategy.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::failovers::{failovers, healthy, nearest};
use super::traffic::is_time;
use crate::clients::{Outcome, Seat};
use crate::load::requests::Op;
use crate::play::{ClientRecord, Observer, Recording};
use crate::record::stats::{Sample, millis};
use crate::scenario::{Scenario, Threshold, WorkloadKind};

/// The value of a threshold's metric; `None`, if there is nothing to measure it by.
pub(super) fn value(scenario: &Scenario, recordings: &[&Recording], threshold: &Threshold) -> Option<f64> {
    let figures = Figures { scenario, recordings, labels: &threshold.labels };
    let (group, statistic) = threshold.metric.name.split_once('.').unwrap_or((threshold.metric.name, ""));
    match group {
        "connect" => {
            let times: Sample = figures.clients().map(|(_, client)| client.connect_took).collect();
            statistic_of(&times, statistic)
        }
        "failover" => figures.failover(statistic),
        "requests" => figures.requests(statistic),
        "latency" => statistic_of(&figures.response_times(), statistic),
        "js" if statistic.starts_with('p') => {
            statistic_of(&figures.latencies(|client| &client.publishes), statistic)
        }
        "moves" => figures.moves(statistic),
        "nearest_share" => figures.share_of_time(|client, stay| stay.is_nearest(client)),
        "offline_share" => figures.share_of_time(|_, stay| stay.seat.is_none()),
        "herd" => figures.herd_peak(),
        "js" => figures.counts(Observer::Stream, statistic),
        "messages" if is_time(statistic) => figures.deliveries(statistic),
        "messages" => figures.counts(Observer::Receiver, statistic),
        "kv" => figures.stores(WorkloadKind::Kv, statistic),
        "object" => figures.stores(WorkloadKind::Object, statistic),
        _ => None,
    }
}

pub(super) struct Figures<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) recordings: &'a [&'a Recording],
    labels: &'a BTreeMap<String, String>,
}

/// A part of a client's time that no fault divides.
struct Stay<'a> {
    seat: Option<&'a Seat>,
    /// Regions that some server could answer from.
    healthy: &'a [&'a str],
    scenario: &'a Scenario,
}

impl Stay<'_> {
    fn is_nearest(&self, client: &ClientRecord) -> bool {
        let nearest = nearest(self.scenario, &client.region, self.healthy);
        self.seat.is_some_and(|seat| nearest == Some(seat.region.as_str()))
    }
}

impl Figures<'_> {
    pub(super) fn says(&self, label: &str, value: &str) -> bool {
        self.labels.get(label).is_none_or(|wanted| wanted == value)
    }

    fn clients(&self) -> impl Iterator<Item = (&Recording, &ClientRecord)> {
        let all = self.recordings.iter().flat_map(|it| it.clients.iter().map(move |client| (*it, client)));
        all.filter(|(_, client)| {
            self.says("population", &self.scenario.populations[client.population].name)
                && self.says("region", &client.region)
        })
    }

    /// Where the chosen clients of a recording were between two times, and for how long.
    fn stays(
        &self,
        recording: &Recording,
        from: Instant,
        to: Instant,
    ) -> impl Iterator<Item = (Duration, &ClientRecord, Option<&Seat>)> {
        let of_recording = self.clients().filter(move |(it, _)| std::ptr::eq(*it, recording));
        of_recording.flat_map(move |(_, client)| {
            client.stays(from, to).map(move |(lasts, seat)| (lasts, client, seat))
        })
    }

    /// The part of a recording that the label `phase` chooses.
    fn window(&self, recording: &Recording) -> (Instant, Instant) {
        let chosen = self.labels.get("phase");
        let index = chosen.and_then(|name| self.scenario.phases.iter().position(|phase| phase.name == *name));
        let window = index.and_then(|index| recording.phases.get(index).copied());
        window.unwrap_or((recording.start, recording.end))
    }

    fn failover(&self, statistic: &str) -> Option<f64> {
        let of = |recording: &&Recording| failovers(self.scenario, recording);
        let pairs = self.recordings.iter().flat_map(of);
        let pairs: Vec<_> = pairs
            .filter(|pair| {
                let phase = pair.phase.map(|phase| self.scenario.phases[phase].name.as_str());
                self.says("population", &self.scenario.populations[pair.population].name)
                    && self.says("region", &pair.region)
                    && self.says("fault", self.scenario.faults[pair.fault].kind.as_str())
                    && self.says("phase", phase.unwrap_or_default())
            })
            .collect();
        match statistic {
            "hit" => Some(pairs.len() as f64),
            "nearest_share" if !pairs.is_empty() => {
                let nearest = pairs.iter().filter(|pair| pair.landed_nearest).count();
                Some(nearest as f64 / pairs.len() as f64)
            }
            _ if pairs.is_empty() => None,
            "missed" => Some(pairs.iter().filter(|pair| pair.total.is_none()).count() as f64),
            _ => {
                // A client that did not come back counts as the longest of all.
                let missed = pairs.iter().any(|pair| pair.total.is_none());
                let sample: Sample = pairs.iter().map(|pair| pair.total.unwrap_or(Duration::MAX)).collect();
                statistic_of(&sample, statistic).filter(|_| !missed || statistic != "max").map(finite)
            }
        }
    }

    fn ops<'s>(&'s self, of: impl Fn(&'s ClientRecord) -> &'s Vec<Op> + 's) -> impl Iterator<Item = &'s Op> {
        self.clients().flat_map(move |(recording, client)| {
            let (from, to) = self.window(recording);
            of(client).iter().filter(move |op| op.intended >= from && op.intended < to)
        })
    }

    /// The requests of a client that the label `workload` chooses.
    fn requests_of<'s>(&'s self, client: &'s ClientRecord) -> impl Iterator<Item = &'s Op> {
        let is_chosen = |workload: usize| self.says("workload", &self.scenario.workloads[workload].name);
        client.requests().filter(move |(workload, _)| is_chosen(*workload)).map(|(_, op)| op)
    }

    fn sent(&self) -> impl Iterator<Item = &Op> {
        self.clients().flat_map(|(recording, client)| {
            let (from, to) = self.window(recording);
            self.requests_of(client).filter(move |op| op.intended >= from && op.intended < to)
        })
    }

    fn response_times(&self) -> Sample {
        let answered = self.sent().filter(|op| op.outcome == Outcome::Ok);
        answered.map(|op| op.done - op.intended).collect()
    }

    /// A request counts where it was due, and its failure where the client noticed it: a fault may take what was on its way.
    fn requests(&self, statistic: &str) -> Option<f64> {
        let sent = self.sent().count();
        let ends = self.clients().flat_map(|(recording, client)| {
            let (from, to) = self.window(recording);
            let is_last = to >= recording.phases.last().map_or(recording.end, |(_, end)| *end);
            self.requests_of(client).filter(move |op| op.done >= from && (op.done < to || is_last))
        });
        let failed = ends.filter(|op| op.outcome != Outcome::Ok).count();
        match statistic {
            // No request of clients that are there at another time is a measurement, too.
            "sent" if self.clients().next().is_some() => Some(sent as f64),
            _ if sent == 0 => None,
            "failed" => Some(failed as f64),
            _ => Some(failed as f64 / sent as f64),
        }
    }

    fn latencies<'s>(&'s self, of: impl Fn(&'s ClientRecord) -> &'s Vec<Op> + 's) -> Sample {
        self.ops(of).filter(|op| op.outcome == Outcome::Ok).map(|op| op.done - op.intended).collect()
    }

    fn moves(&self, statistic: &str) -> Option<f64> {
        let counts = self.clients().map(|(recording, client)| {
            let (from, to) = self.window(recording);
            arrivals(client).filter(|(at, _)| *at >= from && *at < to).count()
        });
        let counts: Vec<usize> = counts.collect();
        let most = *counts.iter().max()?;
        Some(if statistic == "max" { most as f64 } else { counts.iter().sum::<usize>() as f64 })
    }

    fn share_of_time(&self, is_counted: impl Fn(&ClientRecord, &Stay<'_>) -> bool) -> Option<f64> {
        let (mut all, mut counted) = (Duration::ZERO, Duration::ZERO);
        for recording in self.recordings {
            let (from, to) = self.window(recording);
            for (begin, end, healthy) in spans(self.scenario, recording, from, to) {
                for (lasts, client, seat) in self.stays(recording, begin, end) {
                    all += lasts;
                    if is_counted(client, &Stay { seat, healthy: &healthy, scenario: self.scenario }) {
                        counted += lasts;
                    }
                }
            }
        }
        (!all.is_zero()).then(|| counted.as_secs_f64() / all.as_secs_f64())
    }

    /// New connections at the fullest server within one second, against an even share of all that went to its region.
    fn herd_peak(&self) -> Option<f64> {
        let mut worst: Option<f64> = None;
        for recording in self.recordings {
            let mut by_server: BTreeMap<&Seat, Vec<Instant>> = BTreeMap::new();
            let of_recording = self.clients().filter(|(it, _)| std::ptr::eq(*it, *recording));
            for (at, seat) in of_recording.flat_map(|(_, client)| arrivals(client)) {
                by_server.entry(seat).or_default().push(at);
            }
            let regions: BTreeSet<&str> = by_server.keys().map(|seat| seat.region.as_str()).collect();
            for region in regions {
                let of_region = by_server.iter_mut().filter(|(seat, _)| seat.region == region);
                let (mut all, mut peak) = (0, 0);
                for (_, times) in of_region {
                    times.sort_unstable();
                    all += times.len();
                    peak = peak.max(most_within_a_second(times));
                }
                let servers = self.scenario.topology.servers_of(region).count().max(1);
                let ratio = peak as f64 / (all as f64 / servers as f64);
                worst = Some(worst.map_or(ratio, |worst| worst.max(ratio)));
            }
        }
        worst
    }
}

/// When a client came to a server that it was not at before. Its first one does not count.
pub(super) fn arrivals(client: &ClientRecord) -> impl Iterator<Item = (Instant, &Seat)> {
    let mut last: Option<&Seat> = None;
    client.seats.iter().filter_map(move |(at, seat)| {
        let seat = seat.as_ref()?;
        let is_new = last.is_some_and(|last| last != seat);
        last = Some(seat);
        is_new.then_some((*at, seat))
    })
}

/// The time between two instants, cut where faults begin and end, with the regions that are healthy in each part.
fn spans<'a>(
    scenario: &'a Scenario,
    recording: &Recording,
    from: Instant,
    to: Instant,
) -> Vec<(Instant, Instant, Vec<&'a str>)> {
    let edges = recording.faults.iter().flat_map(|fault| [Some(fault.at), fault.until]).flatten();
    let mut cuts: Vec<Instant> = edges.filter(|at| *at > from && *at < to).chain([from, to]).collect();
    cuts.sort_unstable();
    let parts = cuts.windows(2).filter(|pair| pair[0] < pair[1]);
    parts.map(|pair| (pair[0], pair[1], healthy(scenario, recording, pair[0]))).collect()
}

fn most_within_a_second(times: &[Instant]) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (index, at) in times.iter().enumerate() {
        while *at - times[first] > Duration::from_secs(1) {
            first += 1;
        }
        most = most.max(index - first + 1);
    }
    most
}

fn statistic_of(sample: &Sample, statistic: &str) -> Option<f64> {
    match statistic {
        "p50" => sample.p50_ms(),
        "p90" => sample.p90_ms(),
        "p99" => sample.percentile(0.99).map(millis),
        _ => sample.max_ms(),
    }
}

/// `Duration::MAX` stands for "never", which no bound allows.
fn finite(ms: f64) -> f64 {
    if ms > millis(Duration::from_secs(86_400 * 365)) { f64::INFINITY } else { ms }
}
