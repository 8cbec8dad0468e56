//! `events.jsonl`: phases, faults and the verdict by time, one JSON object per line.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::outcome::{Report, RunRow, Verdict};

/// The name of the file.
pub(super) const FILE: &str = "events.jsonl";

/// A line of `events.jsonl`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Event {
    /// Milliseconds since the start of the run.
    pub at_ms: u64,
    /// The strategy whose play this is; absent without strategies, and for the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// Which repetition of the play, from 0; absent for the verdict.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repetition: Option<u16>,
    /// The kind of event.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// The kinds of events.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum EventKind {
    /// A phase began.
    Phase {
        /// Its name.
        name: String,
    },
    /// A fault was in force.
    FaultInjected {
        /// Its number in the report.
        fault: usize,
        /// The fault as a one-liner.
        text: String,
    },
    /// A fault was undone.
    FaultUndone {
        /// Its number in the report.
        fault: usize,
        /// The fault as a one-liner.
        text: String,
    },
    /// The timeline of a play ended.
    End,
    /// The run was judged.
    Verdict {
        /// The outcome.
        verdict: Verdict,
        /// Reasons why the verdict is not PASS.
        reasons: Vec<String>,
    },
}

/// Returns the events of a run by time. `starts` are the beginnings of the report's plays, from the start of the run.
pub fn events(report: &Report, starts: &[Duration]) -> Vec<Event> {
    let plays = report.runs.iter().zip(starts);
    let mut events: Vec<Event> = plays.flat_map(|(run, start)| of_play(run, *start)).collect();
    // Plays follow each other, and events at one time keep their order.
    events.sort_by_key(|event| event.at_ms);
    let last = events.last().map_or(0, |event| event.at_ms);
    events.push(Event {
        at_ms: millis(report.wall_s).max(last),
        strategy: None,
        repetition: None,
        kind: EventKind::Verdict { verdict: report.verdict, reasons: report.reasons.clone() },
    });
    events
}

fn of_play(run: &RunRow, start: Duration) -> Vec<Event> {
    let event = |at_s: f64, kind| Event {
        at_ms: millis(start.as_secs_f64() + at_s),
        strategy: Some(run.strategy.clone()).filter(|name| !name.is_empty()),
        repetition: Some(run.repetition),
        kind,
    };
    let phases = run.phases.iter().map(|phase| {
        let kind = EventKind::Phase { name: phase.name.clone() };
        event(phase.from_s, kind)
    });
    let mut events: Vec<Event> = phases.collect();
    for fault in &run.faults {
        let (id, text) = (fault.id, fault.text.clone());
        events.push(event(fault.from_s, EventKind::FaultInjected { fault: id, text: text.clone() }));
        events.extend(fault.to_s.map(|to_s| event(to_s, EventKind::FaultUndone { fault: id, text })));
    }
    events.push(event(run.duration_s, EventKind::End));
    events
}

fn millis(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e3).round() as u64
}

/// The text of `events.jsonl`.
pub fn to_jsonl(events: &[Event]) -> String {
    // Strings and numbers: that cannot fail.
    events.iter().map(|event| serde_json::to_string(event).unwrap_or_default() + "\n").collect()
}
