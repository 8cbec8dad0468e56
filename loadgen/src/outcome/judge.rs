//! The comparison of figures with thresholds, and the verdict.

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
        let error_ms = if threshold.metric.is_between_clocks() { clock_error_ms(recordings) } else { 0.0 };
        let holds = measured.and_then(|measured| holds(threshold, measured, error_ms));
        let text = if strategy.is_empty() {
            threshold.text.clone()
        } else {
            format!("{strategy}: {}", threshold.text)
        };
        Judged {
            row: ThresholdRow { text, measured: measured.map(|it| show(threshold, it, error_ms)), holds },
            depends_on_timing: threshold.metric.depends_on_timing,
        }
    };
    scenario.thresholds.iter().map(one).collect()
}

/// The clocks of publisher and receiver, or of controller and client, differ by at most so much.
pub(super) fn clock_error_ms(recordings: &[&Recording]) -> f64 {
    recordings.iter().map(|it| millis(it.clock_error)).fold(0.0, f64::max)
}

/// `None`: a value within the error on the other side of the bound could be the true one.
fn holds(threshold: &Threshold, measured: f64, error_ms: f64) -> Option<bool> {
    let holds = |value: f64| threshold.comparison.holds(value, threshold.bound);
    let is_clear = holds(measured - error_ms) == holds(measured + error_ms);
    is_clear.then(|| holds(measured))
}

fn show(threshold: &Threshold, measured: f64, error_ms: f64) -> String {
    let show = |value| threshold.metric.unit.show(value);
    match (measured.is_finite(), error_ms > 0.0) {
        (false, _) => "never".to_owned(),
        (true, false) => show(measured),
        // Less is known than a figure would say.
        (true, true) if is_refused(measured, error_ms) => {
            format!("at most {}, because clocks are known to ± {error_ms:.3} ms", show(measured + error_ms))
        }
        (true, true) => format!("{} ± {error_ms:.3} ms", show(measured)),
    }
}

/// Whether the clocks are too inexact for a time between them to be a figure.
pub(super) fn is_refused(measured_ms: f64, error_ms: f64) -> bool {
    error_ms > measured_ms * CLOCK_ERROR_MAX
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
    let text = |it: &Judged| match &it.row.measured {
        None => format!("{}: nothing was measured", it.row.text),
        Some(measured) => format!("{}: measured {measured}, which is too close to the bound", it.row.text),
    };
    let unmeasured: Vec<_> = unmeasured.map(text).collect();
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
            "the processors were idle for {:.0} % of the time (at least {:.0} %), so measured times include waiting: the machine is \
             too busy, end other work on it, or try fewer clients or a lower rate",
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

/// A figure that may be wrong by more than a tenth misleads.
const CLOCK_ERROR_MAX: f64 = 0.1;

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
    fn clocks_that_differ_leave_a_bound_near_the_value_undecided() {
        let threshold = |text: &str| text.parse::<Threshold>().unwrap();
        let below = threshold("messages.p50 < 10ms");
        for (measured, error, expected, text) in [
            (9.0, 0.0, Some(true), "9.0 ms"),
            (9.0, 0.5, Some(true), "9.0 ms ± 0.500 ms"),
            (9.0, 0.9, Some(true), "9.0 ms ± 0.900 ms"),
            (9.0, 2.0, None, "at most 11.0 ms, because clocks are known to ± 2.000 ms"),
            (0.2, 2.0, Some(true), "at most 2.2 ms, because clocks are known to ± 2.000 ms"),
            (15.0, 2.0, Some(false), "at most 17.0 ms, because clocks are known to ± 2.000 ms"),
        ] {
            let found = (holds(&below, measured, error), show(&below, measured, error));
            assert_eq!(found, (expected, text.to_owned()), "{measured} ± {error}");
        }
        assert!(threshold("failover.p90 < 1s").metric.is_between_clocks());
        for text in ["latency.p99 < 1s", "failover.missed == 0", "js.p99 < 1s", "messages.lost == 0"] {
            assert!(!threshold(text).metric.is_between_clocks(), "{text}");
        }
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
