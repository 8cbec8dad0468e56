//! The folder that `--out` names.

use std::io;
use std::path::{Path, PathBuf};

/// A result could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}: {error}; choose another folder with --out", path.display())]
pub struct UnwritableError {
    /// The file or folder.
    pub path: PathBuf,
    /// Error of the operating system.
    pub error: io::Error,
}

/// Writes a file into the folder, which is made if it is missing.
pub(crate) fn write(folder: &Path, file: &str, contents: &str) -> Result<(), UnwritableError> {
    let unwritable = |path: &Path| {
        let path = path.to_owned();
        move |error| UnwritableError { path, error }
    };
    std::fs::create_dir_all(folder).map_err(unwritable(folder))?;
    let path = folder.join(file);
    std::fs::write(&path, contents).map_err(unwritable(&path))
}
