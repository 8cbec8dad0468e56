//! The JSON schemas of scenario files and of their reports, from the types that they are read into.

use schemars::schema_for;

use crate::outcome::Report;
use crate::scenario::spec::ScenarioSpec;

/// Schema of a scenario file. An editor completes and checks the file with it.
pub fn scenario_schema() -> String {
    text(&schema_for!(ScenarioSpec))
}

/// Schema of `report.json`.
pub fn report_schema() -> String {
    text(&schema_for!(Report))
}

fn text(schema: &schemars::Schema) -> String {
    // A schema is JSON.
    serde_json::to_string_pretty(schema).unwrap_or_default() + "\n"
}
