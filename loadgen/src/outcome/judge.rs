//! Thresholds against figures, and the verdict.

use std::collections::BTreeSet;
use std::time::Duration;

use super::figures::value;
use super::model::{ThresholdRow, Verdict};
use crate::play::Recording;
use crate::record::stats::{Sample, millis};
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
/// `unread` says why streams could not be read, which explains what was not measured.
pub(super) fn verdict(judged: &[Judged], disturbed: &[String], unread: &[String]) -> (Verdict, Vec<String>) {
    let failed = |timing: bool| {
        judged.iter().filter(move |it| it.row.holds == Some(false) && it.depends_on_timing == timing)
    };
    let reason = |judged: &Judged| {
        format!("{}: measured {}", judged.row.text, judged.row.measured.as_deref().unwrap_or("nothing"))
    };
    let unmeasured = judged.iter().filter(|it| it.row.holds.is_none());
    let unmeasured: Vec<_> = unmeasured.map(|it| format!("{}: nothing was measured", it.row.text)).collect();
    let is_explained = !unmeasured.is_empty();
    let unmeasured = unmeasured.into_iter().chain(unread.iter().filter(|_| is_explained).cloned());
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

/// Reasons why times are not to be trusted: the load generator or the emulation was disturbed.
pub(super) fn disturbances(recordings: &[&Recording]) -> Vec<String> {
    let mut reasons = Vec::new();
    let lag: Sample = recordings.iter().filter_map(|it| it.schedule_lag_p99()).collect();
    if let Some(lag) = lag.percentile(0.5).filter(|lag| *lag > SCHEDULE_LAG_MAX) {
        reasons.push(format!(
            "requests were sent up to {:.1} ms late (p99; at most {:.0} ms): the machine is too busy, try fewer clients or a lower \
             rate",
            millis(lag),
            millis(SCHEDULE_LAG_MAX)
        ));
    }
    let mut idle: Vec<f64> = recordings.iter().filter_map(|it| it.idle).collect();
    idle.sort_by(f64::total_cmp);
    if let Some(idle) = idle.get(idle.len() / 2).filter(|idle| **idle < IDLE_SHARE_MIN) {
        reasons.push(format!(
            "the processors were idle for {:.0} % of the time (at least {:.0} %), so times are those of a queue: the machine is too \
             busy, end other work on it, or try fewer clients or a lower rate",
            idle * 100.0,
            IDLE_SHARE_MIN * 100.0
        ));
    }
    let leaks: BTreeSet<&str> = recordings.iter().flat_map(|it| &it.leaks).map(String::as_str).collect();
    reasons.extend(leaks.iter().map(|leak| (*leak).to_owned()));
    let notes: BTreeSet<&str> = recordings.iter().flat_map(|it| &it.notes).map(String::as_str).collect();
    reasons.extend(notes.iter().map(|note| (*note).to_owned()));
    reasons
}

/// Below that, what becomes ready at once waits for a processor: with one of two cores idle on average, a failover of several
/// clients still finds one.
const IDLE_SHARE_MIN: f64 = 0.25;

/// Half of the resolution of 100 requests per second.
const SCHEDULE_LAG_MAX: Duration = Duration::from_millis(5);

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(holds: Option<bool>, depends_on_timing: bool) -> Judged {
        let row = ThresholdRow { text: "x".into(), measured: holds.map(|_| "1".into()), holds };
        Judged { row, depends_on_timing }
    }

    #[test]
    fn a_proven_failure_beats_a_disturbance_which_beats_a_missed_time() {
        let of = |judged: &[Judged], disturbed: &[String]| verdict(judged, disturbed, &[]).0;
        let busy = ["busy".to_owned()];
        assert_eq!(of(&[judged(Some(true), true)], &[]), Verdict::Pass);
        assert_eq!(of(&[], &[]), Verdict::Pass);
        assert_eq!(of(&[judged(Some(false), true)], &[]), Verdict::Fail);
        assert_eq!(of(&[judged(Some(false), true)], &busy), Verdict::Inconclusive);
        assert_eq!(of(&[judged(Some(false), false)], &busy), Verdict::Fail);
        assert_eq!(of(&[judged(Some(true), true)], &busy), Verdict::Inconclusive);
        let (verdict, reasons) = verdict(&[judged(None, false)], &[], &["no answer".into()]);
        assert_eq!(
            (verdict, reasons),
            (Verdict::Inconclusive, vec!["x: nothing was measured".to_owned(), "no answer".to_owned()])
        );
    }
}
