//! Tables for spreadsheets and notebooks: failovers as CSV, series as NDJSON.

use std::fmt::Write as _;

use serde_json::json;

use super::model::Report;

/// A row for each (fault, client) pair.
pub fn to_csv(report: &Report) -> String {
    let mut text =
        "strategy,repetition,fault,population,region,client,from,to,total_ms,detection_ms,selection_ms,\
                    reconnect_ms,resume_ms,limit_ms\n"
            .to_owned();
    let ms = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    for run in &report.runs {
        for row in &run.failovers {
            let fault = run.faults.get(row.fault).map(|fault| fault.text.as_str()).unwrap_or_default();
            let cells = [
                quote(&run.strategy),
                run.repetition.to_string(),
                quote(fault),
                quote(&row.population),
                quote(&row.region),
                row.client.to_string(),
                quote(&row.from),
                quote(row.to.as_deref().unwrap_or_default()),
                ms(row.total_ms),
                ms(row.detection_ms),
                ms(row.selection_ms),
                ms(row.reconnect_ms),
                ms(row.resume_ms),
                ms(row.limit_ms),
            ];
            let _ = writeln!(text, "{}", cells.join(","));
        }
    }
    text
}

/// A line for each slot of each series, and for each value of another system.
pub fn to_ndjson(report: &Report) -> String {
    let mut text = String::new();
    for run in &report.runs {
        for series in &run.series {
            for (slot, (ok, failed)) in series.ok.iter().zip(&series.failed).enumerate() {
                let line = json!({
                    "strategy": run.strategy,
                    "repetition": run.repetition,
                    "population": series.population,
                    "region": series.region,
                    "at_s": slot as f64 * run.step_s,
                    "ok": ok,
                    "failed": failed,
                    "p50_ms": series.p50_ms.get(slot),
                    "p99_ms": series.p99_ms.get(slot),
                    "max_ms": series.max_ms.get(slot),
                });
                let _ = writeln!(text, "{line}");
            }
        }
        for row in &run.collected {
            for (at_s, value) in &row.values {
                let line = json!({
                    "strategy": run.strategy,
                    "repetition": run.repetition,
                    "source": row.source,
                    "figure": row.figure,
                    "at_s": at_s,
                    "value": value,
                });
                let _ = writeln!(text, "{line}");
            }
        }
    }
    text
}

/// As RFC 4180 asks. A spreadsheet takes a cell that begins with `=` for a formula, so such a name is quoted with a blank.
fn quote(text: &str) -> String {
    let text = if text.starts_with(['=', '+', '-', '@']) { format!(" {text}") } else { text.to_owned() };
    if text.contains([',', '"', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted() {
        assert_eq!(quote("lon"), "lon");
        assert_eq!(quote("kill:lon,servers=1"), "\"kill:lon,servers=1\"");
        assert_eq!(quote("a\"b"), "\"a\"\"b\"");
        assert_eq!(quote("=1+1"), " =1+1");
    }
}
