//! Values from outside of the file: `--set path=value`, env files, and the `set` of strategies.

use std::str::FromStr;

use toml::Value;

use super::fault::scalar;

/// A value for one key, such as `clients.geo.per_region=12`.
#[derive(Clone, Debug, PartialEq)]
pub struct Override {
    /// The path: keys by `.`; entries of lists by number or by their `name` or `kind`.
    pub path: String,
    /// The value.
    pub value: Value,
}

/// `--set` without a path.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{0}` sets nothing: write `PATH=VALUE`, as in `clients.geo.per_region=12`")]
pub struct ParseOverrideError(String);

impl FromStr for Override {
    type Err = ParseOverrideError;

    fn from_str(text: &str) -> Result<Self, ParseOverrideError> {
        let (path, value) = text.split_once('=').ok_or_else(|| ParseOverrideError(text.to_owned()))?;
        if path.trim().is_empty() {
            return Err(ParseOverrideError(text.to_owned()));
        }
        // Lists and tables are written as in TOML.
        let value = value.trim();
        let as_toml = || toml::from_str::<toml::Table>(&format!("v = {value}")).ok()?.remove("v");
        let value = as_toml().unwrap_or_else(|| scalar(value));
        Ok(Self { path: path.trim().to_owned(), value })
    }
}

/// An env file that cannot be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line} of the env file, `{text}`, is not KEY=value")]
pub struct EnvFileError {
    /// Number, from 1.
    pub line: usize,
    /// Its text; of a value nothing is shown.
    pub text: String,
}

/// Reads an env file as make and Docker write it: `KEY=value` or `export KEY := value`, comments, quotes.
///
/// # Errors
/// The first line that is none of it.
pub fn parse_env(text: &str) -> Result<Vec<(String, String)>, EnvFileError> {
    let mut pairs = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let pair = line.strip_prefix("export ").unwrap_or(line).split_once('=');
        let key = pair.map(|(key, _)| key.trim_end_matches([':', '?']).trim());
        let is_name = |key: &&str| {
            !key.is_empty() && key.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        };
        match (key.filter(is_name), pair) {
            (Some(key), Some((_, value))) => {
                let value = value.trim();
                let quotes = ['"', '\''];
                let bare = quotes.iter().find_map(|q| value.strip_prefix(*q)?.strip_suffix(*q));
                pairs.push((key.to_owned(), bare.unwrap_or(value).to_owned()));
            }
            _ => return Err(EnvFileError { line: index + 1, text: line.to_owned() }),
        }
    }
    Ok(pairs)
}

/// Puts a value in its place. Returns the part of the path that leads nowhere.
pub(super) fn apply(document: &mut toml::Table, change: &Override) -> Result<(), String> {
    let mut segments = split(&change.path);
    let last = segments.pop().unwrap_or_default();
    let mut table = document;
    let mut walked = String::new();
    let mut segments = segments.into_iter();
    while let Some(segment) = segments.next() {
        walked = if walked.is_empty() { segment.clone() } else { format!("{walked}.{segment}") };
        let entry = table.entry(segment).or_insert_with(|| Value::Table(toml::Table::new()));
        table = match entry {
            Value::Table(inner) => inner,
            Value::Array(list) => {
                let which = segments.next().ok_or_else(|| walked.clone())?;
                walked = format!("{walked}.{which}");
                let index = index_of(list, &which).ok_or_else(|| walked.clone())?;
                list[index].as_table_mut().ok_or_else(|| walked.clone())?
            }
            _ => return Err(walked),
        };
    }
    table.insert(last, change.value.clone());
    Ok(())
}

/// By number, by `name` or by `kind`.
fn index_of(list: &[Value], which: &str) -> Option<usize> {
    if let Ok(index) = which.parse::<usize>() {
        return (index < list.len()).then_some(index);
    }
    let says = |key: &str| {
        list.iter().position(|entry| entry.get(key).and_then(Value::as_str).is_some_and(|it| it == which))
    };
    says("name").or_else(|| says("kind"))
}

/// `a.b[0].c` and `a.b.0.c` are the same.
fn split(path: &str) -> Vec<String> {
    let parts = path.split(['.', '[']).map(|part| part.trim_end_matches(']'));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// Replaces `${NAME}` in all texts. A text that is nothing but one takes the type of its value. Returns names that are unknown.
pub(super) fn substitute(value: &mut Value, variables: &toml::Table, unknown: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            if let Some(name) = text.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'))
                && !name.contains('$')
            {
                match variables.get(name) {
                    Some(found) => *value = found.clone(),
                    None => unknown.push(name.to_owned()),
                }
                return;
            }
            *text = within(text, variables, unknown);
        }
        Value::Array(list) => list.iter_mut().for_each(|entry| substitute(entry, variables, unknown)),
        Value::Table(table) => {
            table.iter_mut().for_each(|(_, entry)| substitute(entry, variables, unknown));
        }
        _ => {}
    }
}

fn within(text: &str, variables: &toml::Table, unknown: &mut Vec<String>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(length) = rest[start..].find('}') else { break };
        let name = &rest[start + 2..start + length];
        out.push_str(&rest[..start]);
        match variables.get(name) {
            Some(Value::String(value)) => out.push_str(value),
            Some(value) => out.push_str(&value.to_string()),
            None => unknown.push(name.to_owned()),
        }
        rest = &rest[start + length + 1..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_into_lists_by_number_and_by_name() {
        let mut document: toml::Table = toml::from_str(
            "[[clients]]\nname = \"geo\"\nkind = \"nats-geo\"\n[[clients]]\nkind = \"async-nats\"\n",
        )
        .unwrap();
        let mut set = |text: &str| apply(&mut document, &text.parse().unwrap());
        set("clients.geo.per_region=12").unwrap();
        set("clients[1].regions={ lon = 2 }").unwrap();
        set("clients.async-nats.stages=[\"lon: 0..2 over 1s\"]").unwrap();
        set("title=Mine").unwrap();
        assert_eq!(set("clients.mars.per_region=1"), Err("clients.mars".to_owned()));
        assert_eq!(set("title.x=1"), Err("title".to_owned()));
        let clients = document["clients"].as_array().unwrap();
        assert_eq!(clients[0]["per_region"].as_integer(), Some(12));
        assert_eq!(clients[1]["regions"]["lon"].as_integer(), Some(2));
        assert_eq!(clients[1]["stages"].as_array().unwrap().len(), 1);
        assert_eq!(document["title"].as_str(), Some("Mine"));
        assert!("per_region".parse::<Override>().unwrap_err().to_string().contains("PATH=VALUE"));
    }

    #[test]
    fn env_files_are_those_of_make() {
        let text = "# mine\nREGION=lon\nexport CLIENTS := 12\n\nNAME ?= \"two words\"\n";
        let expected = [("REGION", "lon"), ("CLIENTS", "12"), ("NAME", "two words")];
        let expected = expected.map(|(key, value)| (key.to_owned(), value.to_owned()));
        assert_eq!(parse_env(text).unwrap(), expected);
        assert_eq!(parse_env("A=1\ninclude other.mk\n").unwrap_err().line, 2);
    }

    #[test]
    fn variables_are_replaced_and_keep_their_type() {
        let variables = toml::from_str("N = 12\nR = \"lon\"\n").unwrap();
        let mut unknown = Vec::new();
        let mut value = Value::Array(vec!["${N}".into(), "kill:${R}@${N}s".into(), "${X}".into()]);
        substitute(&mut value, &variables, &mut unknown);
        assert_eq!(value[0].as_integer(), Some(12));
        assert_eq!(value[1].as_str(), Some("kill:lon@12s"));
        assert_eq!(unknown, ["X"]);
    }
}
