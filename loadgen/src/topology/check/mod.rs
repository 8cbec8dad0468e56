//! Finds all mistakes of a topology before a server starts.
//!
//! Each part has one file: clusters and servers, accounts, streams, distances. Each file adds [`Problem`]s with the key
//! of the wrong value. The module `file` finds the line of the key.

mod accounts;
mod clusters;
mod distances;
mod streams;

use super::distances::RttTable;
use super::problem::{Problem, ProblemKind};
use super::spec::{ClusterSpec, Spec};

/// Checks everything; returns the distances between the clusters.
///
/// # Errors
/// All problems, in the order of the file's parts.
pub(super) fn run(spec: &Spec, csv: RttTable) -> Result<RttTable, Vec<Problem>> {
    let mut found = Problems(Vec::new());
    clusters::check(spec, &mut found);
    accounts::check(spec, &mut found);
    streams::check(spec, &mut found);
    let table = distances::table(spec, csv, &mut found);
    if found.0.is_empty() { Ok(table) } else { Err(found.0) }
}

pub(super) use distances::{read_csv, unknown_pairs};

/// What was found so far.
struct Problems(Vec<Problem>);

impl Problems {
    fn push(&mut self, key: impl Into<String>, kind: ProblemKind) {
        self.0.push(Problem { key: key.into(), kind });
    }

    /// Refuses a name that is not among `known`.
    fn known<'a>(
        &mut self,
        key: impl Into<String>,
        what: &'static str,
        name: &str,
        known: impl IntoIterator<Item = &'a str>,
    ) -> bool {
        let known: Vec<String> = known.into_iter().map(str::to_owned).collect();
        let is_known = known.iter().any(|other| other == name);
        if !is_known {
            self.push(key, ProblemKind::Unknown { what, name: name.to_owned(), known });
        }
        is_known
    }
}

/// Refuses names that nats-server refuses, and those that are given twice.
fn check_names<'a>(found: &mut Problems, what: &'static str, names: impl Iterator<Item = (String, &'a str)>) {
    let mut seen: Vec<&str> = Vec::new();
    for (key, name) in names {
        if !is_name(name) {
            found.push(key.as_str(), ProblemKind::Name(name.to_owned()));
        } else if seen.contains(&name) {
            found.push(key.as_str(), ProblemKind::Twice { what, name: name.to_owned() });
        }
        seen.push(name);
    }
}

/// The rule of nats-server for names of servers, clusters and gateways.
fn is_name(name: &str) -> bool {
    const LONGEST: usize = 255;
    let is_taken = |letter: char| !letter.is_whitespace() && !letter.is_control();
    (1..=LONGEST).contains(&name.len()) && name.chars().all(is_taken)
}

/// A subject, wildcards included.
fn is_subject(subject: &str) -> bool {
    let is_token = |token: &str| {
        !token.is_empty() && !token.chars().any(|letter| letter.is_whitespace() || letter.is_control())
    };
    let tokens: Vec<_> = subject.split('.').collect();
    let full_wildcard = tokens.iter().position(|token| *token == ">");
    tokens.iter().all(|token| is_token(token)) && full_wildcard.is_none_or(|at| at + 1 == tokens.len())
}

fn names_of(clusters: &[ClusterSpec]) -> impl Iterator<Item = &str> {
    clusters.iter().map(|cluster| cluster.name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_have_tokens() {
        for subject in ["a", "a.b", "foo.>", "*.b", ">", "$JS.API.>", "{{wildcard(1)}}.x"] {
            assert!(is_subject(subject), "{subject}");
        }
        for subject in ["", "a..b", ".a", "a b", "a.>.b", "a\u{7}"] {
            assert!(!is_subject(subject), "{subject}");
        }
    }
}
