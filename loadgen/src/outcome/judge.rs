//! Thresholds against figures, and the verdict.

use super::figures::value;
use super::model::ThresholdRow;
use crate::play::Recording;
use crate::report::checks;
use crate::report::model::{Generator, Verdict};
use crate::scenario::{Scenario, Threshold};

/// A threshold, judged.
#[derive(Clone, Debug)]
pub(super) struct Judged {
    /// For the report.
    pub(super) row: ThresholdRow,
    /// Whether a busy machine can be the reason.
    depends_on_timing: bool,
}

/// Judges every threshold of one strategy.
pub(super) fn judge(strategy: &str, scenario: &Scenario, recordings: &[&Recording]) -> Vec<Judged> {
    let one = |threshold: &Threshold| {
        let measured = value(scenario, recordings, threshold);
        let holds = measured.map(|measured| threshold.comparison.holds(measured, threshold.bound));
        let text = if strategy.is_empty() {
            threshold.text.clone()
        } else {
            format!("{strategy}: {}", threshold.text)
        };
        Judged {
            row: ThresholdRow { text, measured: measured.map(|it| show(threshold, it)), holds },
            depends_on_timing: threshold.metric.depends_on_timing,
        }
    };
    scenario.thresholds.iter().map(one).collect()
}

fn show(threshold: &Threshold, measured: f64) -> String {
    if measured.is_finite() { threshold.metric.unit.show(measured) } else { "never".to_owned() }
}

/// A proven failure stands; a time that is missed while the generator was disturbed proves nothing, and neither does a pass.
pub(super) fn verdict(judged: &[Judged], disturbed: &[String]) -> (Verdict, Vec<String>) {
    let failed = |timing: bool| {
        judged.iter().filter(move |it| it.row.holds == Some(false) && it.depends_on_timing == timing)
    };
    let reason = |judged: &Judged| {
        format!("{}: measured {}", judged.row.text, judged.row.measured.as_deref().unwrap_or("nothing"))
    };
    let unmeasured = judged.iter().filter(|it| it.row.holds.is_none());
    let unmeasured = unmeasured.map(|it| format!("{}: nothing was measured", it.row.text));
    if failed(false).next().is_some() {
        let all = failed(false).chain(failed(true)).map(reason);
        return (Verdict::Fail, all.chain(disturbed.iter().cloned()).collect());
    }
    if !disturbed.is_empty() {
        return (Verdict::Inconclusive, disturbed.iter().cloned().chain(unmeasured).collect());
    }
    if failed(true).next().is_some() {
        return (Verdict::Fail, failed(true).map(reason).chain(unmeasured).collect());
    }
    let unmeasured: Vec<_> = unmeasured.collect();
    (if unmeasured.is_empty() { Verdict::Pass } else { Verdict::Inconclusive }, unmeasured)
}

/// Reasons why times of this recording are not to be trusted.
pub(super) fn disturbances(recording: &Recording, schedule_lag_p99_ms: Option<f64>) -> Vec<String> {
    let generator = Generator {
        schedule_lag_p99_ms: schedule_lag_p99_ms.unwrap_or_default(),
        leaks: recording.leaks.len(),
        idle_share_median: recording.idle,
        ..Generator::default()
    };
    let late = recording.late.iter().map(|late| format!("a fault was undone, but {late}"));
    checks::disturbances(&generator).into_iter().chain(late).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(holds: Option<bool>, depends_on_timing: bool) -> Judged {
        let row = ThresholdRow { text: "x".into(), measured: holds.map(|_| "1".into()), holds };
        Judged { row, depends_on_timing }
    }

    #[test]
    fn a_proven_failure_beats_a_disturbance_which_beats_a_missed_time() {
        let of = |judged: &[Judged], disturbed: &[String]| verdict(judged, disturbed).0;
        let busy = ["busy".to_owned()];
        assert_eq!(of(&[judged(Some(true), true)], &[]), Verdict::Pass);
        assert_eq!(of(&[], &[]), Verdict::Pass);
        assert_eq!(of(&[judged(Some(false), true)], &[]), Verdict::Fail);
        assert_eq!(of(&[judged(Some(false), true)], &busy), Verdict::Inconclusive);
        assert_eq!(of(&[judged(Some(false), false)], &busy), Verdict::Fail);
        assert_eq!(of(&[judged(Some(true), true)], &busy), Verdict::Inconclusive);
        let (verdict, reasons) = verdict(&[judged(None, false)], &[]);
        assert_eq!((verdict, reasons), (Verdict::Inconclusive, vec!["x: nothing was measured".to_owned()]));
    }
}
