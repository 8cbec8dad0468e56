//! The text of a scenario without its secrets, because not only the operator reads bundles.

use std::collections::BTreeSet;
use std::ops::Range;

use toml::de::{DeTable, DeValue};

use crate::scenario::Override;

/// The text of a scenario, in which `***` stands for passwords and tokens. Everything else keeps its place, comments too.
///
/// A secret is the text of a key `password` or `token` (also as the end of a path such as
/// `"topology.auth.token"`), and a variable that such a text names. A text that is no TOML becomes empty: nobody
/// knows what in it is secret.
pub fn redact_scenario(text: &str) -> String {
    let Ok(document) = DeTable::parse(text) else { return String::new() };
    let mut found = Found::default();
    in_table(document.get_ref(), &mut found);
    if let Some(DeValue::Table(variables)) = document.get_ref().get("variables").map(|it| it.get_ref()) {
        for (name, value) in variables.iter() {
            if found.variables.contains(name.get_ref().as_ref()) {
                found.spans.insert(span(value.span()));
            }
        }
    }
    let mut redacted = text.to_owned();
    // From the end, so that earlier places stay where they are.
    for (start, end) in found.spans.into_iter().rev() {
        redacted.replace_range(start..end, &format!("\"{REDACTED}\""));
    }
    redacted
}

/// An option `--set` of the command line as a text, without the value of a password or token. Values of variables are left out
/// altogether, because a variable may be part of a password.
pub fn redact_change(change: &Override) -> String {
    let is_hidden = is_secret(&change.path) || change.path.starts_with("variables");
    let value = if is_hidden { REDACTED.to_owned() } else { change.value.to_string() };
    // A table can hold a password.
    let value = if change.value.is_table() || change.value.is_array() { REDACTED.to_owned() } else { value };
    format!("--set {}={value}", change.path)
}

#[derive(Default)]
struct Found {
    spans: BTreeSet<(usize, usize)>,
    variables: BTreeSet<String>,
}

fn in_table(table: &DeTable<'_>, found: &mut Found) {
    for (key, value) in table.iter() {
        if is_secret(key.get_ref()) && matches!(value.get_ref(), DeValue::String(_) | DeValue::Integer(_)) {
            found.spans.insert(span(value.span()));
            if let DeValue::String(text) = value.get_ref() {
                found.variables.extend(named_variables(text));
            }
        } else {
            in_value(value.get_ref(), found);
        }
    }
}

fn in_value(value: &DeValue<'_>, found: &mut Found) {
    match value {
        DeValue::Table(table) => in_table(table, found),
        DeValue::Array(values) => values.iter().for_each(|value| in_value(value.get_ref(), found)),
        _ => {}
    }
}

/// The names in texts such as `${PASSWORD}`.
fn named_variables(text: &str) -> impl Iterator<Item = String> {
    text.split("${").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.to_owned()))
}

/// Returns whether a key, or the last part of a path of keys, names a secret.
fn is_secret(key: &str) -> bool {
    let last = key.rsplit('.').next().unwrap_or(key).trim_matches(['"', '\'', ' ']);
    SECRET_KEYS.contains(&last)
}

fn span(range: Range<usize>) -> (usize, usize) {
    (range.start, range.end)
}

/// Keys of a topology whose types are `Secret`.
const SECRET_KEYS: [&str; 2] = ["password", "token"];

const REDACTED: &str = "***";

#[cfg(test)]
mod tests {
    use super::*;

    const SCENARIO: &str = r#"
title = "hunter2 is in the title" # and here: not a secret
variables = { REGION = "lon", PASS = "v4riable" }
[topology]
auth = { kind = "token", token = 'l1teral' }
[[topology.account]]
name = "app"
user = [{ name = "a", password = "hunter2" }, { name = "b", "password" = "x${PASS}y" }]
[[topology.account]]
name = "more"
[[topology.account.user]]
name = "c"
password = """m"lti"""
[[strategy]]
name = "s"
set = { "topology.account.0.user.0.password" = "str4tegy" }
"#;

    #[test]
    fn passwords_tokens_and_their_variables_are_gone_and_the_rest_is_there() {
        let redacted = redact_scenario(SCENARIO);
        for secret in ["l1teral", "password = \"hunter2\"", "v4riable", "m\"lti", "str4tegy", "${PASS}"] {
            assert!(!redacted.contains(secret), "{secret}: {redacted}");
        }
        assert_eq!(redacted.matches("\"***\"").count(), 6, "{redacted}");
        assert!(redacted.contains("REGION = \"lon\"") && redacted.contains("# and here"), "{redacted}");
        assert!(toml::from_str::<toml::Table>(&redacted).is_ok(), "{redacted}");
        assert_eq!(redact_scenario(&redacted), redacted);
        assert_eq!(redact_scenario("password = \"half"), "");
    }

    #[test]
    fn changes_lose_their_secrets() {
        let redacted = |text: &str| redact_change(&text.parse().unwrap());
        assert_eq!(redacted("clients.geo.per_region=12"), "--set clients.geo.per_region=12");
        assert_eq!(
            redacted("topology.account.0.user.0.password=pw"),
            "--set topology.account.0.user.0.password=***"
        );
        assert_eq!(redacted("topology.auth={ token = \"t\" }"), "--set topology.auth=***");
        assert_eq!(redacted("variables.PASS=pw"), "--set variables.PASS=***");
    }
}
