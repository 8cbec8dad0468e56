//! The JSON schemas of scenario files, of their reports and of bundles, from the types that they are read into.

use schemars::schema_for;

use crate::outcome::Report;
use crate::scenario::spec::ScenarioSpec;
use crate::store::{Event, Manifest};

/// Schema of a scenario file. An editor completes and checks the file with it.
pub fn scenario_schema() -> String {
    text(&schema_for!(ScenarioSpec))
}

/// Schema of `report.json`.
pub fn report_schema() -> String {
    text(&schema_for!(Report))
}

/// Schema of `manifest.json`.
pub fn manifest_schema() -> String {
    text(&schema_for!(Manifest))
}

/// Schema of a line of `events.jsonl`.
pub fn event_schema() -> String {
    text(&schema_for!(Event))
}

fn text(schema: &schemars::Schema) -> String {
    // A schema is JSON.
    serde_json::to_string_pretty(schema).unwrap_or_default() + "\n"
}
