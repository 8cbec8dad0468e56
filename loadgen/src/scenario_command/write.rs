//! The files of a report.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::outcome::model::VERSION;
use crate::outcome::{
    Report, compare as differences, to_csv, to_details, to_html, to_junit, to_markdown, to_ndjson, to_text,
};

/// Reason why the reports could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// `report.json` cannot be read.
    #[error("cannot read {}: {error}; give a folder that `loadgen run --out` wrote", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// It is not the report of a scenario.
    #[error("{} is not the report of a scenario: {error}; this loadgen reads reports of version {VERSION}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The problem.
        error: serde_json::Error,
    },
}

/// Writes the report in all its forms, and histograms, which `report.json` does not hold: names of files and their bytes. Returns
/// the names of all files.
pub(super) fn write_all(
    folder: &Path,
    report: &Report,
    histograms: Vec<(String, Vec<u8>)>,
) -> Result<Vec<String>, WriteError> {
    write(folder, REPORT, to_json(report))?;
    let mut names = vec![REPORT.to_owned()];
    names.extend(write_derived(folder, report)?.map(str::to_owned));
    for (name, bytes) in histograms {
        write(folder, &name, bytes)?;
        names.push(name);
    }
    Ok(names)
}

/// Writes the text of the scenario.
pub(super) fn write_scenario(folder: &Path, text: &str) -> Result<(), WriteError> {
    write(folder, SCENARIO, text)
}

/// Writes the timeline of a dry run.
pub(super) fn write_timeline(folder: &Path, svg: &str) -> Result<(), WriteError> {
    write(folder, "timeline.svg", svg)
}

/// Reads `report.json` in a folder, writes the other reports again, and returns the text for the terminal.
///
/// # Errors
/// There is no report.
pub fn again(folder: &Path, details: bool) -> Result<String, WriteError> {
    let report = read(folder)?;
    write_derived(folder, &report)?;
    let mut text = to_text(&report);
    if details {
        text = format!("{text}\n\n{}", to_details(&report));
    }
    Ok(text)
}

/// Compares the reports in these folders with the one in the first.
///
/// # Errors
/// There is no report.
pub fn compare(folders: &[PathBuf]) -> Result<String, WriteError> {
    let named = |folder: &PathBuf| Ok((folder.display().to_string(), read(folder)?));
    Ok(differences(&folders.iter().map(named).collect::<Result<Vec<_>, WriteError>>()?))
}

fn read(folder: &Path) -> Result<Report, WriteError> {
    let path = folder.join(REPORT);
    let text = fs::read_to_string(&path).map_err(|error| WriteError::Read { path: path.clone(), error })?;
    serde_json::from_str(&text).map_err(|error| WriteError::Syntax { path, error })
}

/// The report as JSON, indented.
pub(super) fn to_json(report: &Report) -> String {
    // Strings, numbers and lists: that cannot fail.
    serde_json::to_string_pretty(report).unwrap_or_default()
}

fn write_derived(folder: &Path, report: &Report) -> Result<[&'static str; 6], WriteError> {
    let files = [
        ("report.html", to_html(report)),
        ("report.md", to_markdown(report)),
        ("junit.xml", to_junit(report)),
        ("failovers.csv", to_csv(report)),
        ("series.ndjson", to_ndjson(report)),
        ("report.txt", format!("{}\n\n{}\n", to_text(report), to_details(report))),
    ];
    files.iter().try_for_each(|(name, text)| write(folder, name, text))?;
    Ok(files.map(|(name, _)| name))
}

fn write(folder: &Path, name: &str, content: impl AsRef<[u8]>) -> Result<(), WriteError> {
    let path = folder.join(name);
    fs::write(&path, content).map_err(|error| WriteError::Write { path, error })
}

const REPORT: &str = "report.json";

/// The text of the scenario in a folder of reports.
pub(super) const SCENARIO: &str = "scenario.toml";
