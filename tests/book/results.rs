//! The tables of measurements, from `docs/results/`, which `make benchmarks` writes.

use std::fmt::Write as _;

use serde_json::Value;

use crate::pages;

/// Failovers of the clients in the region that was broken.
pub(crate) fn failover(name: &str) -> String {
    let result = Result::read(name);
    let report = &result.data;
    let broken = text(&report["failover"][0]["fault_region"]);
    let mut table = format!(
        "{}\n\n{} of {} bounds hold. Clients in {broken}, {} per population; round-trip times in ms: {}. Processors \
         idle under load: {:.0} %.\n\n",
        result.origin(),
        report["limits"].as_array().unwrap().iter().filter(|limit| limit["holds"] == true).count(),
        report["limits"].as_array().unwrap().len(),
        report["clients"],
        pairs(&report["rtt_ms"]),
        number(&report["generator"]["idle_share_median"]) * 100.0,
    );
    table.push_str(
        "| fault | client | n | back | p50 ms | p90 ms | limit ms | detection | selection | reconnect | resume | landed | failed requests |\n\
         |---|---|---|---|---|---|---|---|---|---|---|---|---|\n",
    );
    for row in rows(&report["failover"], &broken) {
        let phases = &row["phases_ms"];
        let back = number(&row["n"]) - number(&row["did_not_fail_over"]);
        let _ = writeln!(
            table,
            "| {} | {} | {} | {back:.0} | {} | {} | {} | {} | {} | {} | {} | {} | {} of {} |",
            text(&row["fault"]),
            population(row),
            row["n"],
            millis(&row["p50_ms"]),
            millis(&row["p90_ms"]),
            millis(&row["limit_ms"]),
            millis(&phases["detection"]),
            millis(&phases["selection"]),
            millis(&phases["reconnect"]),
            millis(&phases["resume"]),
            pairs(&row["landed"]),
            row["failed_requests"],
            row["requests"],
        );
    }
    table
}

/// README's small table.
pub(crate) fn summary() -> String {
    let result = Result::read("failover");
    let failovers = &result.data["failover"];
    let broken = text(&failovers[0]["fault_region"]);
    let cell = |fault: &str, population: &str| {
        let row =
            rows(failovers, &broken).find(|row| row["fault"] == fault && self::population(row) == population);
        let Some(row) = row else { return "no client was hit".to_owned() };
        match fault {
            "lame-duck" => format!("{} of {} requests failed", row["failed_requests"], row["requests"]),
            _ if row["p50_ms"].is_null() => "no answer before the region was healed".to_owned(),
            _ => format!(
                "{} ms (p90 {} ms, {} clients)",
                millis(&row["p50_ms"]),
                millis(&row["p90_ms"]),
                row["n"]
            ),
        }
    };
    let mut table = "Time from the fault to the first answered request, at the median, for clients in the region that \
                     fails:\n\n| fault | nats-geo (`interactive`) | async-nats | physical limit |\n|---|---|---|---|\n"
        .to_owned();
    for (fault, name) in [
        ("server-kill", "one server killed"),
        ("region-kill", "region killed"),
        ("blackhole", "region silent"),
        ("lame-duck", "server in lame duck mode"),
    ] {
        let mut limits = rows(failovers, &broken).filter(|row| row["fault"] == fault);
        let limit = limits.find_map(|row| row["limit_ms"].as_f64());
        let limit = limit.map_or_else(|| "–".to_owned(), |ms| format!("{ms:.0} ms"));
        let (geo, stock) = (cell(fault, "nats-geo"), cell(fault, "async-nats"));
        let _ = writeln!(table, "| {name} | **{geo}** | {stock} | {limit} |");
    }
    let _ = write!(table, "\nMeasured by {}", result.origin());
    table
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

fn rows<'a>(failovers: &'a Value, broken: &'a str) -> impl Iterator<Item = &'a Value> {
    failovers.as_array().unwrap().iter().filter(move |row| row["client_region"] == broken)
}

/// The report says "stock" of clients without nats-geo.
fn population(row: &Value) -> &'static str {
    match row["population"].as_str() {
        Some("nats-geo") => "nats-geo",
        Some("stock") => "async-nats",
        other => panic!("no population: {other:?}"),
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("no number: {value}"))
}

/// A row that has no such time has a dash.
fn millis(value: &Value) -> String {
    value.as_f64().map_or_else(|| "–".to_owned(), |ms| format!("{ms:.0}"))
}

fn pairs(value: &Value) -> String {
    let pair = |(name, value): (&String, &Value)| format!("{name} {value}");
    value.as_object().unwrap().iter().map(pair).collect::<Vec<_>>().join(", ")
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
