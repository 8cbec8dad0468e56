//! The report as JUnit XML: each threshold is a test case.

use super::model::Report;
use super::model::Verdict;
use crate::markup::escape;

/// A test suite named after the scenario.
pub fn to_junit(report: &Report) -> String {
    let failures = report.thresholds.iter().filter(|row| row.holds == Some(false)).count();
    let unknown = report.thresholds.iter().filter(|row| row.holds.is_none()).count();
    let mut cases = String::new();
    for row in &report.thresholds {
        let head =
            format!("  <testcase classname=\"{}\" name=\"{}\"", escape(&report.scenario), escape(&row.text));
        let measured = escape(row.measured.as_deref().unwrap_or("nothing was measured"));
        cases.push_str(&match row.holds {
            Some(true) => format!("{head}/>\n"),
            Some(false) => format!("{head}><failure message=\"measured {measured}\"/></testcase>\n"),
            None => format!("{head}><error message=\"{measured}\"/></testcase>\n"),
        });
    }
    // A disturbed run proves nothing, whatever its thresholds say.
    let inconclusive = usize::from(report.verdict == Verdict::Inconclusive);
    if inconclusive == 1 {
        let reasons = escape(&report.reasons.join("; "));
        cases.push_str(&format!(
            "  <testcase classname=\"{}\" name=\"the measurement was not disturbed\"><error message=\"{reasons}\"/></testcase>\n",
            escape(&report.scenario)
        ));
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuite name=\"{}\" tests=\"{}\" failures=\"{failures}\" errors=\"{}\" time=\"{:.1}\">\n{cases}</testsuite>\n",
        escape(&report.scenario),
        report.thresholds.len() + inconclusive,
        unknown + inconclusive,
        report.wall_s
    )
}
