//! The JSON schema of collect files, from the type that they are read into.

use schemars::schema_for;

use super::spec::CollectSpec;

/// Schema of a collect file. An editor completes and checks the file with it.
pub fn collect_schema() -> String {
    // A schema is JSON.
    serde_json::to_string_pretty(&schema_for!(CollectSpec)).unwrap_or_default() + "\n"
}
