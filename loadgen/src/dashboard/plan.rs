//! The options of `loadgen dashboard`, checked.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::opts::DashboardOpts;
use super::origin::Origin;
use crate::look::connect::Login;
use crate::ops::OpsUrl;
use crate::plan::PlanError;
use crate::secret::Secret;
use crate::store::StoreUrl;

/// A dashboard, with checked options.
#[derive(Clone, Debug)]
pub struct DashboardPlan {
    /// The address to serve at.
    pub listen: SocketAddr,
    /// The store with the runs.
    pub store: StoreUrl,
    /// The super-cluster that is shown live.
    pub live: LivePlan,
    /// The back channel whose agents are shown.
    pub ops: Option<OpsPlan>,
    /// The token of `--token-file`; `None`: a random one.
    pub token: Option<Secret>,
    /// Origins of pages that may embed the frames.
    pub embed_in: Vec<Origin>,
}

/// How the super-cluster is looked at.
#[derive(Clone, Debug)]
pub struct LivePlan {
    /// The super-cluster.
    pub login: Login,
    /// Time that one request waits for answers.
    pub timeout: Duration,
    /// Pause between two looks.
    pub every: Duration,
}

/// How agents are found.
#[derive(Clone, Debug)]
pub struct OpsPlan {
    /// Address of the back channel.
    pub url: OpsUrl,
    /// Credentials file.
    pub creds: Option<PathBuf>,
}

/// Reason why a token is refused.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("cannot read --token-file {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The token can be guessed.
    #[error(
        "the token in --token-file {} has {length} characters: write at least {SHORTEST}; `openssl rand -hex 16` prints a token",
        path.display()
    )]
    Short {
        /// The file.
        path: PathBuf,
        /// Number of characters.
        length: usize,
    },
    /// A header cannot carry the token.
    #[error(
        "the token in --token-file {} has spaces or characters outside of ASCII; `openssl rand -hex 16` prints a token",
        path.display()
    )]
    Letters {
        /// The file.
        path: PathBuf,
    },
}

/// Hex digits of 64 random bits: nobody guesses them through HTTP requests.
const SHORTEST: usize = 16;

impl DashboardPlan {
    /// Checks the options.
    ///
    /// # Errors
    /// The login is incomplete, a file of it cannot be read, or the token is refused.
    pub fn new(opts: DashboardOpts) -> Result<Self, PlanError> {
        let login = Login::of(&opts.connect)?;
        let (timeout, every) = (opts.connect.timeout(), Duration::from_secs(opts.every.into()));
        Ok(Self {
            listen: opts.listen,
            store: opts.store.store,
            live: LivePlan { login, timeout, every },
            ops: opts.ops.map(|url| OpsPlan { url, creds: opts.ops_creds }),
            token: opts.token_file.as_deref().map(token).transpose()?,
            embed_in: opts.embed_in,
        })
    }
}

fn token(path: &Path) -> Result<Secret, TokenError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| TokenError::Read { path: path.to_owned(), error })?;
    let token = text.trim();
    if !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err(TokenError::Letters { path: path.to_owned() });
    }
    if token.len() < SHORTEST {
        return Err(TokenError::Short { path: path.to_owned(), length: token.len() });
    }
    Ok(Secret::new(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_can_be_guessed_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        let read = |text: &str| {
            std::fs::write(&path, text).unwrap();
            token(&path).map_err(|error| error.to_string())
        };
        assert_eq!(read(" 0123456789abcdef\n"), Ok(Secret::new("0123456789abcdef")));
        let short = read("hunter2hunter2\n").unwrap_err();
        assert!(short.contains("has 14 characters") && !short.contains("hunter2"), "{short}");
        let spaced = read("hunter2 hunter2 hunter2").unwrap_err();
        assert!(spaced.contains("spaces") && !spaced.contains("hunter2"), "{spaced}");
        let missing = token(&folder.path().join("none")).unwrap_err().to_string();
        assert!(missing.contains("--token-file") && missing.contains("none"), "{missing}");
    }
}
