//! Reads collect files.

use std::path::{Path, PathBuf};

use super::read::{CollectFileError, Source, from_toml};

/// Reason why there are no sources.
#[derive(Debug, thiserror::Error)]
pub enum ReadCollectError {
    /// A file cannot be read.
    #[error("cannot read --collect {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// A file is wrong.
    #[error(transparent)]
    File(#[from] CollectFileError),
    /// Two files name one source.
    #[error("the source `{name}` is in two files of --collect: rename it in {}", path.display())]
    Twice {
        /// The source.
        name: String,
        /// The second file.
        path: PathBuf,
    },
}

/// Reads the sources of all files.
///
/// # Errors
/// See [`ReadCollectError`].
pub fn read_files(paths: &[PathBuf]) -> Result<Vec<Source>, ReadCollectError> {
    let mut all: Vec<Source> = Vec::new();
    for path in paths {
        for source in read(path)? {
            if all.iter().any(|known| known.name == source.name) {
                return Err(ReadCollectError::Twice { name: source.name, path: path.clone() });
            }
            all.push(source);
        }
    }
    Ok(all)
}

fn read(path: &Path) -> Result<Vec<Source>, ReadCollectError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ReadCollectError::Io { path: path.to_owned(), error })?;
    Ok(from_toml(&text, &path.display().to_string())?)
}
