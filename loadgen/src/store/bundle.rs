//! A bundle in a local folder: written after a run, read before an upload.

use std::fs;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

use super::events::{FILE as EVENTS, events, to_jsonl};
use super::manifest::{FILE as MANIFEST, FileRow, Manifest, Origin, VERSION, manifest};
use crate::digest;
use crate::outcome::Report;

/// Reason why a folder is not a run.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// A file cannot be written.
    #[error("cannot write {}: {error}; choose another folder with --out", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// A file cannot be read.
    #[error("cannot read {}: {error}; give a folder that `loadgen run --out` wrote", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The manifest is none.
    #[error("{} is not the manifest of a run: {reason}; this loadgen reads manifests of version {VERSION}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// The problem.
        reason: String,
    },
    /// A file changed since the run.
    #[error("{} changed since the run: its digest is not the one in {MANIFEST}; restore it, or play the scenario again", path.display())]
    Changed {
        /// The file.
        path: PathBuf,
    },
}

/// Adds `events.jsonl` and `manifest.json` to a folder with the files of a run. `files` are the names of those that are there, among
/// them `scenario.toml`; `starts` are the beginnings of the plays, from the start of the run.
///
/// # Errors
/// A file cannot be written, or one of `files` cannot be read.
pub fn write_bundle(
    folder: &Path,
    report: &Report,
    origin: &Origin,
    files: &[String],
    starts: &[Duration],
) -> Result<Manifest, BundleError> {
    write(folder, EVENTS, &to_jsonl(&events(report, starts)))?;
    let mut names: Vec<&str> = files.iter().map(String::as_str).chain([EVENTS]).collect();
    names.sort_unstable();
    names.dedup();
    let rows = names.into_iter().map(|name| row(folder, name)).collect::<Result<_, _>>()?;
    let manifest = manifest(report, origin, rows);
    // Strings, numbers and lists: that cannot fail.
    write(folder, MANIFEST, &serde_json::to_string_pretty(&manifest).unwrap_or_default())?;
    Ok(manifest)
}

/// Reads the manifest of a folder, and compares every file with it.
pub(super) fn read_bundle(folder: &Path) -> Result<Manifest, BundleError> {
    let path = folder.join(MANIFEST);
    let text = fs::read_to_string(&path).map_err(|error| BundleError::Read { path: path.clone(), error })?;
    let manifest = parse(&text).map_err(|reason| BundleError::Manifest { path, reason })?;
    for file in &manifest.files {
        if row(folder, &file.path)? != *file {
            return Err(BundleError::Changed { path: folder.join(&file.path) });
        }
    }
    Ok(manifest)
}

/// Reads the text of a manifest. The paths in it lead to nothing outside of the bundle.
pub(super) fn parse(text: &str) -> Result<Manifest, String> {
    let manifest: Manifest = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if manifest.version != VERSION {
        return Err(format!("its version is {}", manifest.version));
    }
    let leads_out = |path: &str| {
        let mut parts = Path::new(path).components();
        path.is_empty() || !parts.all(|part| matches!(part, Component::Normal(_)))
    };
    match manifest.files.iter().find(|file| leads_out(&file.path)) {
        Some(file) => Err(format!("the path `{}` leads out of the bundle", file.path)),
        None => Ok(manifest),
    }
}

/// The size and the digest of a file.
pub(super) fn row(folder: &Path, name: &str) -> Result<FileRow, BundleError> {
    let path = folder.join(name);
    let (size, sha256) = digest::of_file(&path).map_err(|error| BundleError::Read { path, error })?;
    Ok(FileRow { path: name.to_owned(), size, sha256 })
}

fn write(folder: &Path, name: &str, text: &str) -> Result<(), BundleError> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|error| BundleError::Write { path, error })
}
