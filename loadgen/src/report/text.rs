//! The report as tables for a terminal.

use std::collections::BTreeMap;
use std::fmt::Write;

use comfy_table::presets::ASCII_MARKDOWN;
use comfy_table::{Cell, CellAlignment, Table};

use super::model::{Failover, Report, Verdict};
use crate::cli::FaultKind;

/// The tables, most important first.
pub fn render(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = writeln!(text, "\nFailover: from the fault to the first answered request\n{}", failovers(report));
    let _ = writeln!(text, "\nConnect: from connect() to the first answered request\n{}", connects(report));
    let _ = writeln!(text, "\nMessages of plain subscriptions and queue groups\n{}", flows(report));
    let _ = writeln!(text, "\nClients that no fault hit\n{}", controls(report));
    let _ = writeln!(text, "\n{}\n{}", idle(report), load(report));
    for note in &report.notes {
        let _ = writeln!(text, "* {note}");
    }
    let _ = write!(text, "\n{}", verdict(report));
    text
}

fn failovers(report: &Report) -> Table {
    let mut table = table(&[
        "fault",
        "clients",
        "in",
        "n",
        "not back",
        "p50 ms",
        "p90 ms",
        "max ms",
        "limit ms",
        "detect",
        "select",
        "reconnect",
        "resume",
        "landed",
        "failed",
        "lost",
        "duplicated",
    ]);
    for row in &report.failover {
        let phases = &row.phases_ms;
        let mut cells =
            vec![fault(row), row.population.to_string(), row.client_region.clone(), row.n.to_string()];
        cells.push(row.did_not_fail_over.to_string());
        let times = [row.p50_ms, row.p90_ms, row.max_ms, row.limit_ms];
        cells.extend(times.map(ms));
        cells.extend([phases.detection, phases.selection, phases.reconnect, phases.resume].map(ms));
        cells.push(counts(&row.landed));
        cells.push(format!("{}/{}", row.failed_requests, row.requests));
        cells.extend([row.lost.to_string(), row.doubled.to_string()]);
        add(&mut table, cells);
    }
    table
}

fn fault(row: &Failover) -> String {
    match row.fault {
        FaultKind::LameDuck => format!("{} {} *", row.fault, row.fault_region),
        _ => format!("{} {}", row.fault, row.fault_region),
    }
}

fn connects(report: &Report) -> Table {
    let mut table = table(&["clients", "in", "n", "p50 ms", "p90 ms", "max ms", "chose"]);
    for row in &report.connect {
        let mut cells = vec![row.population.to_string(), row.client_region.clone(), row.n.to_string()];
        cells.extend([row.p50_ms, row.p90_ms, row.max_ms].map(ms));
        cells.push(counts(&row.chosen));
        add(&mut table, cells);
    }
    table
}

fn flows(report: &Report) -> Table {
    let mut table = table(&["fault", "clients", "subscription", "per s", "sent", "lost", "duplicated"]);
    for row in &report.flows {
        let numbers = [row.tally.sent, row.tally.lost, row.tally.doubled].map(|number| number.to_string());
        let mut cells = vec![row.fault.to_string(), row.population.to_string(), row.subscription.to_owned()];
        cells.push(row.per_second.to_string());
        cells.extend(numbers);
        add(&mut table, cells);
    }
    table
}

fn controls(report: &Report) -> Table {
    let mut table = table(&["fault", "clients", "in", "n", "failed requests", "moves"]);
    for row in &report.control {
        let mut cells = vec![row.fault.to_string(), row.population.to_string(), row.client_region.clone()];
        cells.extend([row.n.to_string(), row.failed_requests.to_string(), row.moves.to_string()]);
        add(&mut table, cells);
    }
    table
}

fn idle(report: &Report) -> String {
    let idle = &report.idle;
    format!(
        "An idle nats-geo client ({}) sends and receives {:.0} bytes/s for PINGs, {:.0} bytes/s for probes at first, and \
         {:.0} once the ranking is stable ({:.0} bytes per probe)",
        report.preset,
        idle.ping_bytes_per_s,
        idle.probe_bytes_per_s_at_first,
        idle.probe_bytes_per_s_settled,
        idle.bytes_per_probe,
    )
}

fn load(report: &Report) -> String {
    let generator = &report.generator;
    let percent =
        |share: Option<f64>| share.map_or_else(|| "-".into(), |share| format!("{:.0} %", share * 100.0));
    format!(
        "Load: {} clients with {} requests/s each in the region that breaks, {} with {} in other regions; processors idle: {} \
         before, {} under load (median of the rounds), {} at least",
        report.clients,
        report.rate_per_s,
        report.bystanders,
        report.bystander_rate_per_s,
        percent(generator.idle_share_before),
        percent(generator.idle_share_median),
        percent(generator.idle_share_min),
    )
}

fn verdict(report: &Report) -> String {
    let held = report.limits.iter().filter(|check| check.holds).count();
    let mut text =
        format!("{}: {held} of {} bounds hold, seed {}", report.verdict, report.limits.len(), report.seed);
    if report.verdict != Verdict::Pass {
        for reason in &report.reasons {
            // Writing to a string cannot fail.
            let _ = write!(text, "\n  {reason}");
        }
    }
    text
}

/// An empty table.
pub(crate) fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(header);
    table
}

/// Adds a row. Numbers stand on the right.
pub(crate) fn add(table: &mut Table, cells: Vec<String>) {
    let align = |cell: String| {
        let is_number = cell.starts_with(|c: char| c.is_ascii_digit() || c == '-');
        let alignment = if is_number { CellAlignment::Right } else { CellAlignment::Left };
        Cell::new(cell).set_alignment(alignment)
    };
    table.add_row(cells.into_iter().map(align));
}

fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |ms| format!("{ms:.1}"))
}

fn counts(counts: &BTreeMap<String, usize>) -> String {
    let parts: Vec<_> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    parts.join(", ")
}
