//! The files of a report.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::outcome::model::VERSION;
use crate::outcome::{
    Report, compare as differences, to_csv, to_details, to_html, to_junit, to_markdown, to_ndjson, to_text,
};

/// Why the reports could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file cannot be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// `report.json` cannot be read.
    #[error("cannot read {}: {error}; give a folder that `loadgen run --out` wrote", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// It is not the report of a scenario.
    #[error("{} is not the report of a scenario: {error}; `loadgen run` writes version {VERSION}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        error: serde_json::Error,
    },
}

/// Writes the report in all its forms.
pub(super) fn write_all(folder: &Path, report: &Report) -> Result<(), WriteError> {
    write(folder, "report.json", &to_json(report))?;
    write_derived(folder, report)
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
    let path = folder.join("report.json");
    let text = fs::read_to_string(&path).map_err(|error| WriteError::Read { path: path.clone(), error })?;
    serde_json::from_str(&text).map_err(|error| WriteError::Syntax { path, error })
}

/// The report as JSON, indented.
pub(super) fn to_json(report: &Report) -> String {
    // Strings, numbers and lists: that cannot fail.
    serde_json::to_string_pretty(report).unwrap_or_default()
}

fn write_derived(folder: &Path, report: &Report) -> Result<(), WriteError> {
    write(folder, "report.html", &to_html(report))?;
    write(folder, "report.md", &to_markdown(report))?;
    write(folder, "junit.xml", &to_junit(report))?;
    write(folder, "failovers.csv", &to_csv(report))?;
    write(folder, "series.ndjson", &to_ndjson(report))?;
    write(folder, "report.txt", &format!("{}\n\n{}\n", to_text(report), to_details(report)))
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), WriteError> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|error| WriteError::Write { path, error })
}
