//! The index: one small object for each run. Its name contains all that a list shows.
//!
//! So a list of a thousand runs needs one request, and reads no object. No program rewrites a shared object, so two
//! machines that finish at the same time lose nothing.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::manifest::Manifest;
use super::run_id::RunId;
use crate::outcome::Verdict;

/// A run, as a list shows it.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Entry {
    /// The name of the run.
    pub run: RunId,
    /// Its outcome.
    pub state: State,
    /// Its duration in milliseconds; 0 of a run that is not finished.
    pub duration_ms: u64,
    /// Bytes of all its files; 0 of a run that is not finished.
    pub bytes: u64,
    /// Name of the scenario, in which `_` stands for all but ASCII letters, digits, `.` and `-`.
    pub scenario: String,
}

/// State of a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum State {
    /// The run is not finished, or its upload failed.
    Unfinished,
    /// The store has the whole run, which has this verdict.
    #[serde(untagged)]
    Judged(Verdict),
}

impl fmt::Display for State {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfinished => formatter.pad("UNFINISHED"),
            Self::Judged(verdict) => formatter.pad(&verdict.to_string()),
        }
    }
}

impl Entry {
    /// Makes the entry of a run that starts.
    pub fn unfinished(run: RunId, scenario: &str) -> Self {
        Self { run, state: State::Unfinished, duration_ms: 0, bytes: 0, scenario: in_a_name(scenario) }
    }

    /// Makes the entry of a run that the store has as a whole.
    pub fn finished(manifest: &Manifest) -> Self {
        Self {
            run: manifest.run.clone(),
            state: State::Judged(manifest.verdict),
            duration_ms: Duration::from_secs_f64(manifest.duration_s.max(0.0)).as_millis() as u64,
            bytes: manifest.size(),
            scenario: in_a_name(&manifest.scenario),
        }
    }

    /// The name of the object.
    pub fn object(&self) -> String {
        let Self { run, state, duration_ms, bytes, scenario } = self;
        let state = state.to_string().to_lowercase();
        format!("{run}_{state}_{duration_ms}_{bytes}_{scenario}.json")
    }

    /// Reads the name of an object; `None`: it is none of loadgen's.
    pub fn of_object(name: &str) -> Option<Self> {
        let mut parts = name.strip_suffix(".json")?.splitn(5, '_');
        let entry = Self {
            run: parts.next()?.parse().ok()?,
            state: match parts.next()? {
                "unfinished" => State::Unfinished,
                "pass" => State::Judged(Verdict::Pass),
                "fail" => State::Judged(Verdict::Fail),
                "inconclusive" => State::Judged(Verdict::Inconclusive),
                _ => return None,
            },
            duration_ms: parts.next()?.parse().ok()?,
            bytes: parts.next()?.parse().ok()?,
            scenario: parts.next()?.to_owned(),
        };
        // Other writings of the same values are not loadgen's.
        (entry.object() == name).then_some(entry)
    }
}

fn in_a_name(scenario: &str) -> String {
    let allowed = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' };
    scenario.chars().take(SCENARIO_MAX).map(allowed).collect()
}

/// S3 allows 1024 bytes for a name with its prefix.
const SCENARIO_MAX: usize = 100;

/// The runs of these objects, the oldest first. A run that is finished hides that it was not.
pub(super) fn merged(objects: impl IntoIterator<Item = Entry>) -> Vec<Entry> {
    let mut runs: BTreeMap<RunId, Entry> = BTreeMap::new();
    for entry in objects {
        let is_news = runs.get(&entry.run).is_none_or(|known| known.state == State::Unfinished);
        if is_news {
            runs.insert(entry.run.clone(), entry);
        }
    }
    runs.into_values().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(run: &str, state: State, scenario: &str) -> Entry {
        Entry {
            run: run.parse().unwrap(),
            state,
            duration_ms: 48_213,
            bytes: 9,
            scenario: scenario.to_owned(),
        }
    }

    const RUN: &str = "20261130T050305Z-1a2b3c4d";

    #[test]
    fn a_name_says_all_and_is_read_back() {
        for state in [State::Unfinished, State::Judged(Verdict::Pass), State::Judged(Verdict::Inconclusive)] {
            let entry = entry(RUN, state, &in_a_name("my scenario/ä_x.y"));
            assert_eq!(Entry::of_object(&entry.object()), Some(entry));
        }
        let name = format!("{RUN}_fail_48213_9_my_scenario__x.json");
        assert_eq!(Entry::of_object(&name).unwrap().scenario, "my_scenario__x");
    }

    #[test]
    fn other_objects_are_none_of_loadgens() {
        let others = [
            "notes.json",
            "x_pass_1_2_a.json",
            &format!("{RUN}_pass_01_2_a.json"),
            &format!("{RUN}_pass_1_2"),
        ];
        assert!(others.iter().all(|name| Entry::of_object(name).is_none()));
    }

    #[test]
    fn a_finished_run_hides_that_it_was_not() {
        let (begun, done) =
            (entry(RUN, State::Unfinished, "a"), entry(RUN, State::Judged(Verdict::Pass), "a"));
        for order in [[begun.clone(), done.clone()], [done.clone(), begun.clone()]] {
            assert_eq!(merged(order), std::slice::from_ref(&done));
        }
    }
}
