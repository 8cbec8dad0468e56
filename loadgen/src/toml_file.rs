//! A TOML file. It finds the line of each mistake in the file.

use std::fmt;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The text of a TOML file, and its name in errors.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TomlFile<'a> {
    pub(crate) text: &'a str,
    pub(crate) name: &'a str,
}

/// Text that is not the TOML that was expected.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct SyntaxProblem {
    /// `file:line: `; empty, if the parser does not say where.
    pub(crate) place: String,
    /// The key whose value is wrong; empty, if a key itself is.
    pub(crate) key: String,
    /// What the parser says.
    pub(crate) message: String,
}

/// A problem of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Problem<Kind> {
    /// Path of the key, such as `cluster[1].leaf_of`; empty for the whole file.
    pub key: String,
    /// The problem.
    pub kind: Kind,
}

impl<Kind: fmt::Display> fmt::Display for Problem<Kind> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.key.is_empty() {
            write!(formatter, "{}: ", self.key)?;
        }
        self.kind.fmt(formatter)
    }
}

/// Returns one line for each problem, which begins with its place.
pub(crate) fn located<Kind: fmt::Display>(
    problems: &[Problem<Kind>],
    place: impl Fn(&Problem<Kind>) -> String,
) -> Vec<String> {
    problems.iter().map(|problem| format!("{}{problem}", place(problem))).collect()
}

/// Explains a value that the parser did not expect.
pub(crate) fn unexpected(error: &serde_path_to_error::Error<toml::de::Error>) -> Problem<String> {
    let path = error.path().to_string();
    let key = if path == "." { String::new() } else { path };
    Problem { key, kind: in_plain_words(&error.inner().message().lines().collect::<Vec<_>>().join(", ")) }
}

impl TomlFile<'_> {
    /// Reads the whole file.
    ///
    /// # Errors
    /// A line that begins with the place of the mistake.
    pub(crate) fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, String> {
        let document: toml::Table = toml::from_str(self.text).map_err(|error| {
            let SyntaxProblem { place, key, message } = self.syntax(&error);
            format!("{place}{}", Problem { key, kind: message })
        })?;
        serde_path_to_error::deserialize(toml::Value::Table(document)).map_err(|error| {
            let problem = unexpected(&error);
            format!("{}{problem}", self.place_of(&problem.key))
        })
    }

    /// Explains an error of the parser.
    pub(crate) fn syntax(&self, error: &toml::de::Error) -> SyntaxProblem {
        SyntaxProblem {
            place: error.span().map_or_else(String::new, |span| self.place(span.start)),
            key: error.span().map_or_else(String::new, |span| self.key_before(span.start)),
            // The message may take several lines; the line of the file is said already.
            message: in_plain_words(&error.message().lines().collect::<Vec<_>>().join(", ")),
        }
    }

    /// Returns `file:line: ` of a key such as `cluster[1].name`, or of the last part of its path that is there.
    pub(crate) fn place_of(&self, key: &str) -> String {
        let document = DeTable::parse(self.text).ok();
        let at = document.as_ref().and_then(|document| position(document.get_ref(), key));
        at.map_or_else(|| format!("{}: ", self.name), |at| self.place(at))
    }

    /// The key whose value begins at `at`; empty, if a key itself does.
    fn key_before(&self, at: usize) -> String {
        let before = self.text.get(..at).unwrap_or_default();
        let line = before.rsplit('\n').next().unwrap_or_default();
        let key = line.rsplit_once('=').map_or("", |(key, _)| key);
        key.rsplit(['{', ',', '[']).next().unwrap_or_default().trim().trim_matches('"').to_owned()
    }

    fn place(&self, at: usize) -> String {
        let before = &self.text.as_bytes()[..at.min(self.text.len())];
        let line = before.iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("{}:{line}: ", self.name)
    }
}

/// The parser speaks of Rust's types.
fn in_plain_words(message: &str) -> String {
    let numbers = [("u8", "255"), ("u16", "65535"), ("u32", "4294967295"), ("u64", "9223372036854775807")];
    numbers.into_iter().fold(message.to_owned(), |text, (kind, most)| {
        text.replace(&format!("expected {kind}"), &format!("expected a whole number from 0 to {most}"))
    })
}

/// Where a key stands, or the last part of its path that does.
fn position(table: &DeTable<'_>, key: &str) -> Option<usize> {
    let entry = |name: &str| table.iter().find(|(known, _)| known.get_ref() == name);
    // Keys may contain what separates keys: names of clusters do.
    let (name, rest) = match entry(key) {
        Some(_) => (key, ""),
        None => key.split_at(key.find(['.', '[']).unwrap_or(key.len())),
    };
    let (known, value) = entry(name)?;
    Some(in_value(value, rest).unwrap_or_else(|| known.span().start))
}

fn in_value(value: &Spanned<DeValue<'_>>, rest: &str) -> Option<usize> {
    if let Some(rest) = rest.strip_prefix('.') {
        return position(value.get_ref().as_table()?, rest);
    }
    let (index, rest) = rest.strip_prefix('[')?.split_once(']')?;
    let item = value.get_ref().as_array()?.get(index.parse::<usize>().ok()?)?;
    Some(in_value(item, rest).unwrap_or_else(|| item.span().start))
}
