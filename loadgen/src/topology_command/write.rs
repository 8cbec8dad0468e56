//! Writing rendered folders, and the seed of their secrets.

use std::fmt::Write as _;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use crate::secret;
use crate::topology::render::RenderedFile;

/// Name of the file with the seed.
const SEED: &str = ".seed";

/// Reason why a folder was not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// A file is there, and nothing allows to overwrite it.
    #[error("`{}` exists already: choose another folder with -o, or overwrite it with --force", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// The operating system refused.
    #[error("cannot access `{}`: {error}; choose another folder with -o", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The seed is not one.
    #[error("`{}` must hold a seed of 64 hexadecimal digits: delete this file, and render again", path.display())]
    BadSeed {
        /// The file.
        path: PathBuf,
    },
    /// There is no seed, so nobody knows the passwords.
    #[error("there is no `{}`: name the rendered folder with --folder, or the password with --password", path.display())]
    NoSeed {
        /// The file.
        path: PathBuf,
    },
}

/// The seed of a rendered folder: that of an earlier rendering, or a new one.
///
/// # Errors
/// It cannot be read, or is not one.
pub(super) fn seed(folder: &Path) -> Result<[u8; 32], WriteError> {
    match existing_seed(folder) {
        Err(WriteError::NoSeed { path }) => {
            secret::random_seed().map_err(|error| WriteError::Io { path, error })
        }
        result => result,
    }
}

/// The seed of an earlier rendering.
///
/// # Errors
/// There is none, it cannot be read, or is not one.
pub(super) fn existing_seed(folder: &Path) -> Result<[u8; 32], WriteError> {
    let path = folder.join(SEED);
    match fs::read_to_string(&path) {
        Ok(text) => parse(text.trim()).ok_or(WriteError::BadSeed { path }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(WriteError::NoSeed { path }),
        Err(error) => Err(WriteError::Io { path, error }),
    }
}

/// Writes a rendered folder and its seed. Refuses before the first file if one is there, unless `force`.
///
/// # Errors
/// See [`WriteError`].
pub(super) fn write(
    folder: &Path,
    files: &[RenderedFile],
    seed: &[u8; 32],
    force: bool,
) -> Result<(), WriteError> {
    if !force {
        let taken = files.iter().find(|file| is_taken(folder, file)).map(|file| folder.join(&file.path));
        if let Some(path) = taken {
            return Err(WriteError::Exists { path });
        }
    }
    for file in files {
        write_file(&folder.join(&file.path), &file.text, file.is_secret)?;
    }
    write_file(&folder.join(SEED), &format!("{}\n", hex(seed)), true)
}

/// Whether writing would overwrite something. Files of users and certificates may be there with the same text: contexts and servers
/// share a folder so, and have the same passwords.
fn is_taken(folder: &Path, file: &RenderedFile) -> bool {
    let path = folder.join(&file.path);
    let is_shared = file.path.starts_with("users/") || file.path.starts_with("tls/");
    path.symlink_metadata().is_ok()
        && !(is_shared && fs::read_to_string(&path).is_ok_and(|text| text == file.text))
}

/// One line that names the files with secrets.
pub(super) fn secrets(files: &[RenderedFile]) -> String {
    let secret = files.iter().filter(|file| file.is_secret).map(|file| file.path.as_str());
    let all: Vec<_> = std::iter::once(SEED).chain(secret).collect();
    format!("These files hold secrets, so only you can read them: {}", all.join(" "))
}

/// A file that is there is replaced, not written into: it may have other readers, or be a link.
fn write_file(path: &Path, text: &str, is_secret: bool) -> Result<(), WriteError> {
    let write = || {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        match fs::remove_file(path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        let mode = if is_secret { 0o600 } else { 0o644 };
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?.write_all(text.as_bytes())
    };
    write().map_err(|error| WriteError::Io { path: path.to_owned(), error })
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in bytes {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

fn parse(text: &str) -> Option<[u8; 32]> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    let mut seed = [0; 32];
    for (number, byte) in seed.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * number..2 * number + 2)?, 16).ok()?;
    }
    Some(seed)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn nothing_is_overwritten_without_force() {
        let folder = tempfile::tempdir().unwrap();
        let files = [RenderedFile::plain("a/b", "1"), RenderedFile::secret("a/c", "2")];
        let seed = seed(folder.path()).unwrap();
        write(folder.path(), &files, &seed, false).unwrap();
        let mode = |path: &str| folder.path().join(path).metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode("a/c"), mode(SEED)), (0o600, 0o600));
        assert_eq!(existing_seed(folder.path()).unwrap(), seed);

        let again = [RenderedFile::plain("a/a", "1"), RenderedFile::plain("a/c", "3")];
        let error = write(folder.path(), &again, &seed, false).unwrap_err().to_string();
        assert!(error.contains("a/c") && error.contains("--force"), "{error}");
        assert!(!folder.path().join("a/a").exists(), "written before the refusal");
        write(folder.path(), &again, &seed, true).unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("a/c")).unwrap(), "3");
    }

    #[test]
    fn a_broken_seed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        assert!(matches!(existing_seed(folder.path()), Err(WriteError::NoSeed { .. })));
        fs::write(folder.path().join(SEED), "ü").unwrap();
        assert!(matches!(seed(folder.path()), Err(WriteError::BadSeed { .. })));
    }
}
