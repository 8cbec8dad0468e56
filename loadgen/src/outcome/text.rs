//! The report on a terminal: at most 100 columns, the verdict first.

use comfy_table::{Table, presets};

use super::model::{Report, RunRow};
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
        let rows = report.thresholds.iter().map(|row| {
            let holds = match row.holds {
                Some(true) => "holds",
                Some(false) => "FAILS",
                None => "unknown",
            };
            vec![holds.to_owned(), row.text.clone(), row.measured.clone().unwrap_or_else(|| "-".into())]
        });
        lines.push(table(&["", "threshold", "measured"], rows));
    }
    lines.push(String::new());
    lines.push(format!("seed {}, {:.0} s", report.seed, report.wall_s));
    lines.join("\n")
}

/// The tables behind it: failovers, requests by phase, messages.
pub fn to_details(report: &Report) -> String {
    let mut parts = Vec::new();
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
    }
    parts.extend(report.notes.iter().map(|note| wrap(note, "").join("\n")));
    parts.join("\n\n")
}

fn failovers(run: &RunRow) -> String {
    let mut groups: Vec<(usize, &str, &str)> =
        run.failovers.iter().map(|it| (it.fault, it.population.as_str(), it.region.as_str())).collect();
    groups.sort_unstable();
    groups.dedup();
    let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
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
    let ms = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"));
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
        ]
    });
    table(
        &["workload", "clients", "stream", "attempted", "acknowledged", "found", "lost", "duplicated"],
        rows,
    )
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
