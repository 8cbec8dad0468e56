//! The policy of nats-geo clients: that of a preset, with the fields that a scenario changes.

use nats_geo::core::Config;
use serde_json::{Map, Value, json};

use super::problem::ProblemKind;
use super::spec::PolicyName;
use crate::topology::parse_span;

/// Returns the policy of a preset with the fields of `changes`: a table for each section of [`Config`].
///
/// # Errors
/// The first field that is wrong, as a path in `changes`, and why.
pub(super) fn policy(preset: PolicyName, changes: &toml::Table) -> Result<Config, (String, ProblemKind)> {
    let config = match preset {
        PolicyName::Interactive => Config::interactive(),
        PolicyName::Fleet => Config::fleet(),
    };
    if changes.is_empty() {
        return Ok(config);
    }
    let unreadable = |error: serde_json::Error| (String::new(), ProblemKind::Syntax(error.to_string()));
    let mut all = serde_json::to_value(&config).map_err(unreadable)?;
    for (section, fields) in changes {
        let known: Vec<String> = sections(&all).map(|(name, _)| name.clone()).collect();
        if !known.contains(section) {
            return Err((section.clone(), unknown("section of the policy", section, known)));
        }
        let toml::Value::Table(fields) = fields else {
            return Err((section.clone(), ProblemKind::PolicyValue("a table")));
        };
        for (name, value) in fields {
            let path = format!("{section}.{name}");
            let Some(field) = all[section].get_mut(name) else {
                let known = all[section].as_object().into_iter().flatten().map(|(name, _)| name.clone());
                return Err((path, unknown("field of the policy", name, known.collect())));
            };
            *field = like(field, value).map_err(|expected| (path, ProblemKind::PolicyValue(expected)))?;
        }
    }
    let config: Config = serde_json::from_value(all).map_err(unreadable)?;
    config.check().map_err(|error| (error.field.to_owned(), ProblemKind::Policy(error)))?;
    Ok(config)
}

/// The sections: tables of fields.
fn sections(all: &Value) -> impl Iterator<Item = (&String, &Map<String, Value>)> {
    all.as_object().into_iter().flatten().filter_map(|(name, value)| Some((name, value.as_object()?)))
}

/// The value of a file as a value of the same type as `field`.
fn like(field: &Value, value: &toml::Value) -> Result<Value, &'static str> {
    match (field, value) {
        // A duration.
        (Value::Object(_), value) => {
            let span = value.as_str().and_then(parse_span).ok_or("a time, as in \"500ms\"")?;
            Ok(json!({ "secs": span.as_secs(), "nanos": span.subsec_nanos() }))
        }
        (Value::Number(number), toml::Value::Integer(value)) if number.is_f64() => Ok(json!(*value as f64)),
        (Value::Number(number), toml::Value::Float(value)) if number.is_f64() => Ok(json!(value)),
        (Value::Number(number), _) if number.is_f64() => Err("a number"),
        (Value::Number(_), value) => {
            let count = value.as_integer().and_then(|value| u32::try_from(value).ok());
            count.map(|count| json!(count)).ok_or("a whole number that is not negative")
        }
        (Value::Bool(_), value) => value.as_bool().map(Value::from).ok_or("true or false"),
        // `spread.capacity`, which no preset has.
        (_, toml::Value::Table(hint)) => {
            let clients = hint.get("clients").and_then(toml::Value::as_integer);
            let accepts = hint.get("accepts_per_second");
            let accepts =
                accepts.and_then(|it| it.as_float().or_else(|| it.as_integer().map(|it| it as f64)));
            match (clients.and_then(|it| u32::try_from(it).ok()), accepts, hint.len()) {
                (Some(clients), Some(accepts), 2) => {
                    Ok(json!({ "clients": clients, "accepts_per_second": accepts }))
                }
                _ => Err(CAPACITY),
            }
        }
        _ => Err(CAPACITY),
    }
}

const CAPACITY: &str = "a table, as in { clients = 5000, accepts_per_second = 300 }";

fn unknown(what: &'static str, name: &str, known: Vec<String>) -> ProblemKind {
    ProblemKind::Unknown { what, name: name.to_owned(), known }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(text: &str) -> Result<Config, String> {
        policy(PolicyName::Fleet, &toml::from_str(text).unwrap())
            .map_err(|(key, problem)| format!("{key}: {problem}"))
    }

    #[test]
    fn single_fields_change_and_the_others_are_those_of_the_preset() {
        assert_eq!(of("").unwrap(), Config::fleet());
        let text = "watch = { ping_interval = \"1500ms\" }\n\
                    fail_back = { good_probes = 7, cohort = 1 }\n\
                    spread = { capacity = { clients = 5000, accepts_per_second = 300 } }\n";
        let mut expected = Config::fleet();
        expected.watch.ping_interval = Duration::from_millis(1_500);
        expected.fail_back.good_probes = 7;
        expected.fail_back.cohort = 1.0;
        expected.spread.capacity =
            Some(nats_geo::core::CapacityHint { clients: 5_000, accepts_per_second: 300.0 });
        assert_eq!(of(text).unwrap(), expected);
    }

    #[test]
    fn every_field_of_every_section_can_be_set_to_its_own_value() {
        let all = serde_json::to_value(Config::fleet()).unwrap();
        let mut fields = 0;
        for (section, of_section) in sections(&all) {
            for (name, value) in of_section {
                let text = match value {
                    Value::Object(it) => {
                        let (secs, nanos) = (it["secs"].as_u64().unwrap(), it["nanos"].as_u64().unwrap());
                        format!("\"{}ms\"", secs * 1_000 + nanos / 1_000_000)
                    }
                    Value::Null => "{ clients = 1, accepts_per_second = 1 }".to_owned(),
                    other => other.to_string(),
                };
                let changed = of(&format!("[{section}]\n{name} = {text}\n")).unwrap();
                assert!(value.is_null() || changed == Config::fleet(), "{section}.{name} = {text}");
                fields += 1;
            }
        }
        assert!(fields > 50, "{fields} fields");
    }

    #[test]
    fn what_is_wrong_is_named_with_its_path() {
        for (text, expected) in [
            ("wach = { stall = \"1s\" }", "wach: there is no section of the policy `wach`"),
            ("watch = { stal = \"1s\" }", "watch.stal: there is no field of the policy `stal`"),
            ("watch = 1", "watch: must be a table"),
            ("watch = { stall = 1000 }", "watch.stall: must be a time, as in \"500ms\""),
            ("fail_back = { good_probes = -1 }", "fail_back.good_probes: must be a whole number"),
            ("probe = { jitter = \"x\" }", "probe.jitter: must be a number"),
            ("spread = { capacity = 1 }", "spread.capacity: must be a table, as in"),
            ("probe = { jitter = 7.5 }", "probe.jitter: `probe.jitter` is 7.5, but must be "),
        ] {
            let error = of(text).unwrap_err();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
    }
}
