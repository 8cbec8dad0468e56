//! The tables of measurements, from `docs/results/`, which `make benchmarks` writes.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

use crate::pages;

/// Failovers of the clients in the region that was broken, over all repetitions.
pub(crate) fn failover(name: &str) -> String {
    let result = Result::read(name);
    let report = &result.data;
    let thresholds = report["thresholds"].as_array().unwrap();
    let mut table = format!(
        "{}\n\nVerdict {}: {} of {} thresholds hold. Round-trip times: {}.\n\n",
        result.origin(),
        text(&report["verdict"]),
        thresholds.iter().filter(|threshold| threshold["holds"] == true).count(),
        thresholds.len(),
        distances(report),
    );
    table.push_str(
        "| fault | client | hit | back | p50 ms | p90 ms | limit ms | detect | select | connect | resume | landed | failed requests |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for phase in phases(report) {
        for population in POPULATIONS {
            let found = Failovers::of(report, &phase, population);
            let _ = writeln!(
                table,
                "| {phase} | {population} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} | {} of {} |",
                found.rows.len(),
                found.times("total_ms").len(),
                found.percentile("total_ms", 0.5),
                found.percentile("total_ms", 0.9),
                found.percentile("limit_ms", 0.5),
                found.percentile("detection_ms", 0.5),
                found.percentile("selection_ms", 0.5),
                found.percentile("reconnect_ms", 0.5),
                found.percentile("resume_ms", 0.5),
                found.landed(report),
                found.failed,
                found.sent,
            );
        }
    }
    table
}

/// README's small table.
pub(crate) fn summary() -> String {
    let result = Result::read("failover");
    let report = &result.data;
    let cell = |phase: &str, population: &str| {
        let found = Failovers::of(report, phase, population);
        let back = found.times("total_ms").len();
        if phase == "lame-duck" {
            return format!("{} of {} requests failed", found.failed, found.sent);
        }
        match found.rows.len() {
            0 => "no client was hit".to_owned(),
            _ if back == 0 => "no answer before the region was healed".to_owned(),
            all => format!(
                "{} ms (p90 {} ms, {back} of {all} client{})",
                found.percentile("total_ms", 0.5),
                found.percentile("total_ms", 0.9),
                if all == 1 { "" } else { "s" },
            ),
        }
    };
    let mut table = "Time from the fault to the first answered request, at the median, for clients in the region that \
                     fails:\n\n| fault | nats-geo (`interactive`) | async-nats | physical limit |\n|---|---|---|---|\n"
        .to_owned();
    for (phase, name) in [
        ("server-kill", "one server killed"),
        ("region-kill", "region killed"),
        ("blackhole", "region silent"),
        ("lame-duck", "server in lame duck mode"),
    ] {
        let limit = Failovers::of(report, phase, "nats-geo").percentile("limit_ms", 0.5);
        let limit = match limit.as_str() {
            NONE => limit,
            // No distance is emulated inside a region.
            "0" => "below 1 ms".to_owned(),
            _ => format!("{limit} ms"),
        };
        let (geo, stock) = (cell(phase, "nats-geo"), cell(phase, "async-nats"));
        let _ = writeln!(table, "| {name} | **{geo}** | {stock} | {limit} |");
    }
    let _ = write!(table, "\nMeasured by {}", result.origin());
    table
}

const POPULATIONS: [&str; 2] = ["nats-geo", "async-nats"];

/// There is no such time.
const NONE: &str = "–";

/// The effect of a fault on the clients of a kind in the region that it broke: the first one.
struct Failovers<'a> {
    rows: Vec<&'a Value>,
    sent: u64,
    failed: u64,
}

impl<'a> Failovers<'a> {
    fn of(report: &'a Value, phase: &str, population: &str) -> Self {
        let region = &report["regions"][0];
        let mut found = Self { rows: Vec::new(), sent: 0, failed: 0 };
        for run in report["runs"].as_array().unwrap() {
            let is_of = |row: &&Value| row["population"] == population && row["region"] == *region;
            let during = run["phases"].as_array().unwrap().iter().find(|row| row["name"] == phase).unwrap();
            let begins_in = |fault: &Value| {
                let at = number(&fault["from_s"]);
                at >= number(&during["from_s"]) && at < number(&during["to_s"])
            };
            let faults: Vec<_> =
                run["faults"].as_array().unwrap().iter().filter(|it| begins_in(it)).collect();
            let of_fault = |row: &&Value| faults.iter().any(|fault| fault["id"] == row["fault"]);
            found.rows.extend(run["failovers"].as_array().unwrap().iter().filter(is_of).filter(of_fault));
            for row in run["requests"].as_array().unwrap().iter().filter(is_of) {
                if row["phase"] == phase {
                    found.sent += row["sent"].as_u64().unwrap();
                    found.failed += row["failed"].as_u64().unwrap();
                }
            }
        }
        found
    }

    fn times(&self, key: &str) -> Vec<f64> {
        let mut times: Vec<f64> = self.rows.iter().filter_map(|row| row[key].as_f64()).collect();
        times.sort_by(f64::total_cmp);
        times
    }

    /// Nearest rank, as in loadgen.
    fn percentile(&self, key: &str, share: f64) -> String {
        let times = self.times(key);
        let rank = (share * times.len() as f64).ceil() as usize;
        times.get(rank.saturating_sub(1)).map_or_else(|| NONE.to_owned(), |ms| format!("{ms:.0}"))
    }

    fn landed(&self, report: &Value) -> String {
        let mut counts: BTreeMap<String, usize> = BTreeMap::new();
        for row in &self.rows {
            let servers = report["servers"].as_array().unwrap();
            let server = servers.iter().find(|server| server["name"] == row["to"]);
            let region = server.map_or_else(|| "nowhere".to_owned(), |server| text(&server["region"]));
            *counts.entry(region).or_default() += 1;
        }
        let counts = counts.iter().map(|(region, count)| format!("{region} {count}"));
        if self.rows.is_empty() { NONE.to_owned() } else { counts.collect::<Vec<_>>().join(", ") }
    }
}

/// Phases with a fault.
fn phases(report: &Value) -> Vec<String> {
    let phases = report["runs"][0]["phases"].as_array().unwrap().iter().map(|phase| text(&phase["name"]));
    phases.filter(|phase| !phase.starts_with("before ")).collect()
}

fn distances(report: &Value) -> String {
    let rows = report["rtt_ms"].as_array().unwrap().iter();
    let row = |row: &Value| format!("{}-{} {} ms", text(&row["a"]), text(&row["b"]), row["ms"]);
    rows.map(row).collect::<Vec<_>>().join(", ")
}

/// The load that a herd puts on the survivors.
pub(crate) fn herd() -> String {
    let result = Result::read("herd");
    let data = &result.data;
    let mut table = format!(
        "{}\n\n{} clients in {} regions; {} is lost. Each region serves {} handshakes per second. Times in simulated \
         seconds.\n\n| clients | p50 s | last s | handshakes | peak | nearest | home |\n|---|---|---|---|---|---|---|\n",
        result.origin(),
        data["clients"],
        data["regions"].as_array().unwrap().len(),
        text(&data["lost"]),
        data["region_accepts_per_second"],
    );
    for row in data["rows"].as_array().unwrap() {
        let _ = writeln!(
            table,
            "| {} | {:.1} | {:.1} | {:.2} | {:.2}x | {:.0} % | {:.0} % |",
            text(&row["kind"]),
            number(&row["back_p50_s"]),
            number(&row["back_last_s"]),
            number(&row["handshakes_per_client"]),
            number(&row["peak_over_capacity"]),
            number(&row["in_nearest_share"]) * 100.0,
            number(&row["home_share"]) * 100.0,
        );
    }
    table
}

/// The core's own costs.
pub(crate) fn core() -> String {
    let result = Result::read("core");
    let mut table = format!("{}\n\n| benchmark | median |\n|---|---|\n", result.origin());
    for (name, nanos) in result.data.as_object().unwrap() {
        let _ = writeln!(table, "| `{name}` | {} |", time(number(nanos)));
    }
    table
}

struct Result {
    command: String,
    commit: String,
    date: String,
    machine: Value,
    data: Value,
}

impl Result {
    fn read(name: &str) -> Self {
        let mut value: Value =
            serde_json::from_str(&pages::read(&format!("docs/results/{name}.json"))).unwrap();
        let data = value["data"].take();
        let part = |name: &str| text(&value[name]);
        Self {
            command: part("command"),
            commit: part("commit"),
            date: part("date"),
            machine: value["machine"].clone(),
            data,
        }
    }

    fn origin(&self) -> String {
        let Self { command, commit, date, machine, .. } = self;
        format!(
            "`{command}` at commit {commit}, {date}, on {} cores of {} ({}).",
            machine["cores"],
            text(&machine["processor"]),
            text(&machine["system"])
        )
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

fn time(nanos: f64) -> String {
    match nanos {
        ns if ns < 1e3 => format!("{ns:.0} ns"),
        ns if ns < 1e6 => format!("{:.1} µs", ns / 1e3),
        ns if ns < 1e9 => format!("{:.1} ms", ns / 1e6),
        ns => format!("{:.1} s", ns / 1e9),
    }
}

#[test]
fn times_have_units() {
    assert_eq!([68.4, 2_900.0, 3.2e6, 2e9].map(time), ["68 ns", "2.9 µs", "3.2 ms", "2.0 s"]);
}
