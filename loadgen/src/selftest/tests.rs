//! Each case accepts the report of its own injection, and no other one.

use serde_json::{Value, json};

use super::*;

/// The figures of a report: lost, duplicated and unverified messages, and the medians of the two phases in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Seen {
    messages: (u64, u64, u64),
    medians: (f64, f64),
    disturbed: bool,
}

const NOTHING: Seen = Seen { messages: (0, 0, 0), medians: (9.0, 9.0), disturbed: false };

/// The findings that each case must have, in the order of the cases.
const OWN: [Seen; 5] = [
    NOTHING,
    Seen { messages: (5, 0, 0), ..NOTHING },
    Seen { messages: (0, 3, 0), ..NOTHING },
    Seen { medians: (9.0, 100.0), ..NOTHING },
    Seen { messages: (0, 0, 250), ..NOTHING },
];

/// The report that a run of this case makes of it.
fn report(case: &Case, seen: Seen) -> Report {
    let (lost, duplicated, unverified) = seen.messages;
    let count = |value: u64| (unverified == 0).then_some(value as f64);
    let scenario = strategy(case).unwrap().scenario;
    let row = |threshold: &crate::scenario::Threshold| -> Value {
        let measured = match threshold.text.as_str() {
            LOST => count(lost),
            DUPLICATED => count(duplicated),
            text if text.contains("plain") => Some(seen.medians.0),
            _ => Some(seen.medians.1),
        };
        let holds = measured.map(|measured| threshold.comparison.holds(measured, threshold.bound));
        json!({ "text": threshold.text, "measured": measured.map(|it| it.to_string()), "holds": holds })
    };
    let thresholds: Vec<_> = scenario.thresholds.iter().map(row).collect();
    let any = |holds: Value| thresholds.iter().any(|row| row["holds"] == holds);
    let verdict = match (any(false.into()), any(Value::Null) || seen.disturbed) {
        (_, true) if lost + duplicated == 0 => "INCONCLUSIVE",
        (true, _) => "FAIL",
        (false, true) => "INCONCLUSIVE",
        (false, false) => "PASS",
    };
    let ledger = json!({
        "workload": "jetstream", "population": "geo", "stream": "S", "attempted": 250, "acknowledged": 250,
        "delivered": 250, "lost_prefix": 0, "lost_middle": lost, "lost_suffix": 0, "duplicated": duplicated,
        "reordered": 0, "unexpected": 0, "unverified": unverified,
    });
    let run = json!({
        "strategy": "", "repetition": 0, "duration_s": 5, "phases": [], "faults": [], "step_s": 1, "series": [],
        "clients": [], "failovers": [], "requests": [], "matrix": [], "ledger": [ledger],
    });
    let report = json!({
        "version": 3, "scenario": "selftest", "title": "t", "verdict": verdict, "reasons": [], "seed": 1,
        "started_at": "", "wall_s": 5, "regions": [], "servers": [], "rtt_ms": [], "sentences": [], "notes": [],
        "environment":
            { "loadgen": "", "nats_servers": [], "os": "", "cores": 1, "wan": "proxy", "wan_limits": [] },
        "thresholds": thresholds, "runs": [run],
    });
    serde_json::from_value(report).unwrap()
}

#[test]
fn each_case_sees_its_own_fault_and_no_other_one() {
    for (own, case) in CASES.iter().enumerate() {
        for (other, seen) in OWN.iter().enumerate() {
            let judged = case.judge(&report(case, *seen));
            assert_eq!(
                judged.is_ok(),
                own == other,
                "{}, but the report shows {seen:?}: {judged:?}",
                case.name
            );
        }
    }
}

/// A fault that is seen does not hide a second one.
#[test]
fn no_case_overlooks_a_second_fault() {
    for (case, own) in CASES.iter().zip(OWN) {
        let ((lost, duplicated, unverified), (plain, delayed)) = (own.messages, own.medians);
        for messages in [(lost + 1, duplicated, unverified), (lost, duplicated + 1, unverified)] {
            assert!(
                case.judge(&report(case, Seen { messages, ..own })).is_err(),
                "{}: {messages:?}",
                case.name
            );
        }
        for medians in [(plain + 100.0, delayed), (plain, if delayed < 50.0 { 100.0 } else { 60.0 })] {
            assert!(
                case.judge(&report(case, Seen { medians, ..own })).is_err(),
                "{}: {medians:?}",
                case.name
            );
        }
    }
}

#[test]
fn a_busy_machine_hides_no_count() {
    for (case, own) in CASES.iter().zip(OWN) {
        let judged = case.judge(&report(case, Seen { disturbed: true, ..own }));
        assert!(judged.is_ok(), "{}: {judged:?}", case.name);
    }
}
