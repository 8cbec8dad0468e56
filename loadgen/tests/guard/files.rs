//! The published schemas, the sample rule file, and the page that shows it.

use std::path::{Path, PathBuf};

use loadgen::guard::rules::Action;
use loadgen::guard::{audit_schema, from_toml, rules_schema};
use serde_json::{Value, json};

fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn sample() -> String {
    std::fs::read_to_string(repository("deploy/guard/rules.toml")).unwrap()
}

/// Used by the tests that make audit files.
pub(crate) fn is_a_line(line: &Value) {
    let schema: Value = serde_json::from_str(&audit_schema()).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let complaints: Vec<_> = validator.iter_errors(line).map(|error| error.to_string()).collect();
    assert!(complaints.is_empty(), "{line}: {complaints:?}");
}

#[test]
fn the_published_schemas_are_those_of_the_types() {
    for (name, schema) in [("guard-rules", rules_schema()), ("guard-audit", audit_schema())] {
        let path = repository(&format!("loadgen/{name}.schema.json"));
        if std::env::var_os("SCHEMAS").is_some_and(|value| value == "write") {
            std::fs::write(&path, &schema).unwrap();
        }
        let published = std::fs::read_to_string(&path).unwrap();
        assert!(published == schema, "{name}.schema.json is stale: run this test with SCHEMAS=write");
    }
}

#[test]
fn the_sample_is_valid_and_mistakes_are_not() {
    let schema: Value = serde_json::from_str(&rules_schema()).unwrap();
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    let table: toml::Table = toml::from_str(&sample()).unwrap();
    let value = serde_json::to_value(&table).unwrap();
    let complaints: Vec<_> = validator.iter_errors(&value).map(|error| error.to_string()).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
    for (what, key, wrong) in [
        ("an unknown key", "speed", json!(3)),
        ("a wrong duration", "for", json!("10")),
        ("an unknown condition", "when", json!("meteor")),
        ("an unknown action", "do", json!("pray")),
    ] {
        let mut value = value.clone();
        value["rule"][0][key] = wrong;
        assert!(!validator.is_valid(&value), "accepted with {what}");
    }
}

#[test]
fn the_sample_shows_each_condition_and_each_action() {
    let rules = from_toml(&sample(), "rules.toml").unwrap().rules;
    let mut conditions: Vec<_> = rules.iter().map(|rule| rule.condition.kind().as_str()).collect();
    conditions.sort_unstable();
    conditions.dedup();
    let all = [
        "certificate-expires",
        "load-uneven",
        "region-silent",
        "server-silent",
        "slow-consumers",
        "stream-lag",
    ];
    assert_eq!(conditions, all);
    let mut actions: Vec<_> = rules.iter().map(|rule| rule.action.kind().as_str()).collect();
    actions.sort_unstable();
    actions.dedup();
    assert_eq!(actions, ["notify", "rebalance", "run", "warn"]);
    let secrets = rules.iter().filter_map(|rule| match &rule.action {
        Action::Notify(notify) => Some(format!("{notify:?}")),
        _ => None,
    });
    assert!(secrets.into_iter().all(|text| !text.contains("/services/")), "Debug shows the host only");
}

#[test]
fn the_page_shows_the_sample_word_for_word() {
    let page = std::fs::read_to_string(repository("docs/book/remediation.md")).unwrap();
    assert!(
        page.contains(&format!("```toml\n{}```\n", sample())),
        "copy deploy/guard/rules.toml into the page"
    );
}
