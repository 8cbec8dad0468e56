//! The report on a terminal: at most 100 columns, the verdict first.

use comfy_table::{Table, presets};

use super::model::{Report, RunRow, ThresholdRow};
use crate::record::stats::Sample;

/// Verdict, reasons, a sentence for each fault, and the thresholds.
pub fn to_text(report: &Report) -> String {
    let mut lines = vec![format!("{}: {}", report.verdict, report.title)];
    lines.extend(report.reasons.iter().flat_map(|reason| wrap(reason, "  because ")));
    if !report.sentences.is_empty() {
        lines.push(String::new());
        lines.extend(report.sentences.iter().flat_map(|sentence| wrap(sentence, "  ")));
    }
    if !report.thresholds.is_empty() {
        lines.push(String::new());
        let holds = report.thresholds.iter().filter(|row| row.holds == Some(true)).count();
        lines.push(match report.thresholds.len() {
            1 if holds == 1 => "the threshold holds".to_owned(),
            all if holds == all => format!("all {all} thresholds hold"),
            all => format!("{holds} of {all} thresholds hold"),
        });
        let others: Vec<_> = report.thresholds.iter().filter(|row| row.holds != Some(true)).collect();
        if !others.is_empty() {
            lines.push(thresholds(&others));
        }
    }
    lines.push(format!("seed {}, {:.0} s", report.seed, report.wall_s));
    lines.join("\n")
}

fn thresholds(rows: &[&ThresholdRow]) -> String {
    let row = |row: &&ThresholdRow| {
        let holds = match row.holds {
            Some(true) => "holds",
            Some(false) => "FAILS",
            None => "unknown",
        };
        vec![holds.to_owned(), row.text.clone(), row.measured.clone().unwrap_or_else(|| "-".into())]
    };
    table(&["", "threshold", "measured"], rows.iter().map(row))
}

/// The tables behind it: thresholds, failovers, requests by phase, messages.
pub fn to_details(report: &Report) -> String {
    let mut parts = Vec::new();
    if !report.thresholds.is_empty() {
        parts.push(thresholds(&report.thresholds.iter().collect::<Vec<_>>()));
    }
    for run in &report.runs {
        let name = match (run.strategy.as_str(), report.runs.len()) {
            ("", 1) => String::new(),
            ("", _) => format!("Repetition {}\n", run.repetition + 1),
            (strategy, _) => format!("{strategy}, repetition {}\n", run.repetition + 1),
        };
        parts.push(format!("{name}{}", failovers(run)));
        if !run.matrix.is_empty() {
            parts.push(matrix(run));
        }
        if !run.ledger.is_empty() {
            parts.push(ledger(run));
        }
        if !run.deliveries.is_empty() {
            parts.push(deliveries(run));
        }
        if !run.stores.is_empty() {
            parts.push(stores(run));
        }
    }
    parts.extend(report.notes.iter().map(|note| wrap(note, "").join("\n")));
    parts.join("\n\n")
}

fn failovers(run: &RunRow) -> String {
    let mut groups: Vec<(usize, &str, &str)> =
        run.failovers.iter().map(|it| (it.fault, it.population.as_str(), it.region.as_str())).collect();
    groups.sort_unstable();
    groups.dedup();
    let rows = groups.into_iter().map(|(fault, population, region)| {
        let of = run.failovers.iter();
        let of: Vec<_> =
            of.filter(|it| it.fault == fault && it.population == population && it.region == region).collect();
        let duration = |ms: f64| std::time::Duration::from_secs_f64(ms / 1_000.0);
        let sample: Sample = of.iter().filter_map(|it| it.total_ms).map(duration).collect();
        let limit: Sample = of.iter().filter_map(|it| it.limit_ms).map(duration).collect();
        vec![
            run.faults.get(fault).map(|it| it.text.clone()).unwrap_or_default(),
            population.to_owned(),
            region.to_owned(),
            format!("{} of {}", sample.n(), of.len()),
            ms(sample.p50_ms()),
            ms(sample.p90_ms()),
            ms(sample.max_ms()),
            ms(limit.p50_ms()),
        ]
    });
    table(&["fault", "clients", "clients in", "back", "p50 ms", "p90 ms", "max ms", "best possible ms"], rows)
}

fn matrix(run: &RunRow) -> String {
    let rows = run.matrix.iter().map(|row| {
        vec![
            row.phase.clone(),
            row.from.clone(),
            row.to.clone(),
            row.n.to_string(),
            ms(row.p50_ms),
            ms(row.p99_ms),
        ]
    });
    table(&["phase", "clients in", "server in", "answers", "p50 ms", "p99 ms"], rows)
}

fn ledger(run: &RunRow) -> String {
    let number = |value: Option<u64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let rows = run.ledger.iter().map(|row| {
        vec![
            row.workload.clone(),
            row.population.clone(),
            row.stream.clone(),
            row.attempted.to_string(),
            number(row.acknowledged),
            number(row.delivered),
            (row.lost_prefix + row.lost_middle + row.lost_suffix).to_string(),
            row.duplicated.to_string(),
            row.redelivered.to_string(),
        ]
    });
    table(
        &[
            "workload",
            "clients",
            "seen by",
            "attempted",
            "acknowledged",
            "found",
            "lost",
            "duplicated",
            "redelivered",
        ],
        rows,
    )
}

fn deliveries(run: &RunRow) -> String {
    let rows = run.deliveries.iter().map(|row| {
        vec![
            row.workload.clone(),
            row.population.clone(),
            row.region.clone(),
            row.n.to_string(),
            ms(row.p50_ms),
            ms(row.p99_ms),
            ms(row.max_ms),
        ]
    });
    table(&["workload", "clients", "receiver in", "delivered", "p50 ms", "p99 ms", "max ms"], rows)
}

fn stores(run: &RunRow) -> String {
    let rows = run.stores.iter().map(|row| {
        vec![
            row.workload.clone(),
            row.population.clone(),
            row.region.clone(),
            row.puts.to_string(),
            row.gets.to_string(),
            row.failed.to_string(),
            row.stale.to_string(),
            row.corrupt.to_string(),
            format!("{} / {}", ms(row.put_p50_ms), ms(row.put_p99_ms)),
            format!("{} / {}", ms(row.get_p50_ms), ms(row.get_p99_ms)),
        ]
    });
    let header = ["workload", "clients", "in", "puts", "gets", "failed", "stale", "corrupt"];
    let times = ["put p50 / p99 ms", "get p50 / p99 ms"];
    table(&[&header[..], &times[..]].concat(), rows)
}

/// Milliseconds, or a dash.
fn ms(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
}

fn table(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_width(WIDTH);
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    table.set_header(header.to_vec());
    rows.for_each(|row| {
        table.add_row(row);
    });
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

/// Lines of at most [`WIDTH`] columns; those after the first are indented.
fn wrap(text: &str, first: &str) -> Vec<String> {
    let indent = " ".repeat(first.len());
    let mut lines = vec![first.to_owned()];
    for word in text.split_whitespace() {
        let last = lines.last_mut().map_or(0, |line| line.chars().count());
        if last + word.chars().count() + 1 > usize::from(WIDTH) && last > indent.len() {
            lines.push(indent.clone());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() && !line.ends_with(' ') {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}

/// Columns of a terminal that everybody has.
const WIDTH: u16 = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_sentences_are_wrapped() {
        let lines = wrap(&"word ".repeat(50), "  because ");
        assert!(lines.iter().all(|line| line.chars().count() <= 100), "{lines:?}");
        assert!(lines[0].starts_with("  because word") && lines[1].starts_with("          word"));
    }
}
