//! The JSON schemas of rule files and audit files, from the types that they are read into and written from.

use schemars::schema_for;

use super::audit::Entry;
use super::spec::GuardSpec;

/// Schema of a rule file. An editor completes and checks the file with it.
pub fn rules_schema() -> String {
    text(&schema_for!(GuardSpec))
}

/// Schema of a line of the audit file.
pub fn audit_schema() -> String {
    text(&schema_for!(Entry))
}

fn text(schema: &schemars::Schema) -> String {
    // A schema is JSON.
    serde_json::to_string_pretty(schema).unwrap_or_default() + "\n"
}
