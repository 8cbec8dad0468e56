//! Tests that the published schemas describe the files that loadgen reads and writes. `SCHEMAS=write` renews the
//! schemas.

use std::path::Path;

use loadgen::collect::collect_schema;
use loadgen::scenario::PRESETS;
use loadgen::scenario_command::{event_schema, manifest_schema, report_schema, scenario_schema};
use serde_json::{Value, json};

fn validator(schema: &str) -> jsonschema::Validator {
    jsonschema::draft202012::new(&serde_json::from_str(schema).unwrap()).unwrap()
}

/// Used by the tests that make reports.
pub(crate) fn is_a_report(report: &Value) {
    let complaints: Vec<_> =
        validator(&report_schema()).iter_errors(report).map(|error| error.to_string()).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

#[test]
fn the_published_schemas_are_those_of_the_types() {
    let schemas = [
        ("scenario", scenario_schema()),
        ("scenario-report", report_schema()),
        ("run-manifest", manifest_schema()),
        ("run-event", event_schema()),
        ("collect", collect_schema()),
    ];
    for (name, schema) in schemas {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("{name}.schema.json"));
        if std::env::var_os("SCHEMAS").is_some_and(|value| value == "write") {
            std::fs::write(&path, &schema).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap();
        assert!(published == schema, "{name}.schema.json is stale: run this test with SCHEMAS=write");
    }
}

#[test]
fn scenarios_are_valid_and_mistakes_are_not() {
    let validator = validator(&scenario_schema());
    for preset in PRESETS {
        let table: toml::Table = toml::from_str(preset.text).unwrap();
        let value = serde_json::to_value(&table).unwrap();
        let complaints: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
        assert!(complaints.is_empty(), "{}: {complaints:?}", preset.name);
        let broken = |what: &str, change: &dyn Fn(&mut Value)| {
            let mut value = value.clone();
            change(&mut value);
            assert!(!validator.is_valid(&value), "{}: accepted with {what}", preset.name);
        };
        broken("an unknown key", &|value| value["speed"] = json!(3));
        broken("a wrong duration", &|value| value["phase"][0]["for"] = json!("10"));
        broken("an unknown client", &|value| value["clients"][0]["kind"] = json!("nats-go"));
        broken("an unknown fault", &|value| value["fault"] = json!([{ "inject": "meteor" }]));
        broken("an unknown option", &|value| value["fault"] = json!([{ "inject": "kill", "speed": 3 }]));
    }
}
