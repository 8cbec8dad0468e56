//! Requests of several runs, second by second, on one axis: the time since the fault.

use std::collections::BTreeSet;
use std::ops::Range;

use comfy_table::{Table, presets};

use super::compare::Key;
use super::model::{Report, RunRow};

/// Seconds since the fault, one column each.
const SECONDS: Range<i64> = -2..10;

/// Requests that were due in one second.
#[derive(Clone, Copy, Debug, Default)]
struct Second {
    answered: u64,
    failed: u64,
    /// Sum of the median response times of the slots, each as often as its slot has answers.
    response_ms: f64,
}

/// For a fault and a population, two lines of each run: the answered requests in percent, and the median response time.
pub(super) fn curves(reports: &[(String, Report)], key: &Key) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    let seconds = SECONDS.map(|second| format!("{second:+}"));
    table.set_header(["run", "in each second"].into_iter().map(str::to_owned).chain(seconds));
    for (name, report) in reports {
        let curve = curve(report, key);
        table.add_row(line(name, "answered %", &curve, |second| {
            let due = second.answered + second.failed;
            (due > 0).then(|| second.answered as f64 / due as f64 * 100.0)
        }));
        table.add_row(line("", "median ms", &curve, |second| {
            (second.answered > 0).then(|| second.response_ms / second.answered as f64)
        }));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n")
}

fn line(name: &str, figure: &str, curve: &[Second], value: impl Fn(&Second) -> Option<f64>) -> Vec<String> {
    let text = |second| value(second).map_or_else(|| "-".to_owned(), |value| format!("{value:.0}"));
    [name.to_owned(), figure.to_owned()].into_iter().chain(curve.iter().map(text)).collect()
}

/// All repetitions of a report, each from its own fault on.
fn curve(report: &Report, (fault, population, strategy): &Key) -> Vec<Second> {
    let mut curve = vec![Second::default(); SECONDS.count()];
    for run in report.runs.iter().filter(|run| run.strategy == *strategy) {
        for (number, row) in run.faults.iter().enumerate().filter(|(_, row)| row.text == *fault) {
            add(run, row.from_s, (population, &hit_regions(run, number, population)), &mut curve);
        }
    }
    curve
}

/// Regions with clients that the fault hit: the others would hide what these clients saw.
fn hit_regions(run: &RunRow, fault: usize, population: &str) -> BTreeSet<String> {
    let hit = run.failovers.iter().filter(|row| row.fault == fault && row.population == population);
    hit.map(|row| row.region.clone()).collect()
}

fn add(run: &RunRow, from_s: f64, (population, regions): (&str, &BTreeSet<String>), curve: &mut [Second]) {
    for series in &run.series {
        if series.population != population || !regions.contains(&series.region) {
            continue;
        }
        for (slot, (answered, failed)) in series.ok.iter().zip(&series.failed).enumerate() {
            // A slot belongs to the second in which its middle is.
            let since_s = (slot as f64 + 0.5) * run.step_s - from_s;
            let column = since_s.floor() as i64 - SECONDS.start;
            let Some(second) = usize::try_from(column).ok().and_then(|column| curve.get_mut(column)) else {
                continue;
            };
            second.answered += u64::from(*answered);
            second.failed += u64::from(*failed);
            let median = series.p50_ms.get(slot).copied().flatten().unwrap_or_default();
            second.response_ms += median * f64::from(*answered);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(from_s: f64, seed: u32) -> RunRow {
        let slots = 40;
        let is_down =
            |slot: u32| (f64::from(slot) + 0.5) * 0.5 - from_s > 0.0 && f64::from(slot) * 0.5 < from_s + 2.0;
        let ok = |slot: u32| if is_down(slot) { seed } else { 10 };
        let series = |region: &str, ok: Vec<u32>| {
            let failed: Vec<u32> = ok.iter().map(|ok| 10 - ok).collect();
            let p50: Vec<_> =
                ok.iter().map(|ok| (*ok > 0).then_some(if *ok < 10 { 80.0 } else { 8.0 })).collect();
            json!({ "population": "geo", "region": region, "ok": ok, "failed": failed, "p50_ms": p50, "p99_ms": p50, "max_ms": p50 })
        };
        serde_json::from_value(json!({
            "strategy": "", "repetition": 0, "duration_s": 20, "phases": [], "step_s": 0.5, "clients": [],
            "faults": [{ "id": 0, "text": "lon killed", "from_s": from_s, "to_s": null }],
            "series": [series("lon", (0..slots).map(ok).collect()), series("ams", vec![10; 40])],
            "failovers": [{ "fault": 0, "population": "geo", "region": "lon", "client": 0, "from": "lon-1", "to": "ams-1",
                "total_ms": 2000, "detection_ms": null, "selection_ms": null, "reconnect_ms": null, "resume_ms": null, "limit_ms": null }],
            "requests": [], "matrix": [], "ledger": [], "schedule_lag_p99_ms": null
        }))
        .unwrap()
    }

    #[test]
    fn each_run_begins_at_its_own_fault() {
        let key = ("lon killed".to_owned(), "geo".to_owned(), String::new());
        let seconds = |run: RunRow| {
            let mut curve = vec![Second::default(); SECONDS.count()];
            let regions = hit_regions(&run, 0, "geo");
            add(&run, run.faults[0].from_s, (&key.1, &regions), &mut curve);
            line("", "", &curve, |second| {
                Some(second.answered as f64 / (second.answered + second.failed) as f64 * 100.0)
            })
        };
        let expected =
            ["", "", "100", "100", "0", "0", "100", "100", "100", "100", "100", "100", "100", "100"];
        assert_eq!(seconds(run(3.0, 0)), expected);
        assert_eq!(seconds(run(7.0, 0)), expected, "the clients of ams are not counted");
        assert_eq!(seconds(run(7.0, 5))[4..6], ["50", "50"]);
    }
}
