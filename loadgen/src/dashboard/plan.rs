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
    /// Whether readers may give orders.
    pub operators: Operators,
    /// The name of the super-cluster of `loadgen up`; `None`: the only one that is up.
    pub deployment: Option<String>,
    /// Origins of pages that may embed the frames.
    pub embed_in: Vec<Origin>,
}

/// The readers who may give orders.
#[derive(Clone, Debug)]
pub enum Operators {
    /// Nobody.
    None,
    /// Those with a random token.
    Random,
    /// Those with this token.
    Token(Secret),
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
    #[error("cannot read {option} {}: {error}", path.display())]
    Read {
        /// The option with the file.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The token can be guessed.
    #[error(
        "the token in {option} {} has {length} characters: write at least {SHORTEST}; `openssl rand -hex 16` prints a token",
        path.display()
    )]
    Short {
        /// The option with the file.
        option: &'static str,
        /// The file.
        path: PathBuf,
        /// Number of characters.
        length: usize,
    },
    /// A header cannot carry the token.
    #[error(
        "the token in {option} {} has spaces or characters outside of ASCII; `openssl rand -hex 16` prints a token",
        path.display()
    )]
    Letters {
        /// The option with the file.
        option: &'static str,
        /// The file.
        path: PathBuf,
    },
    /// The token would not tell operators from other readers.
    #[error(
        "--token-file and --operator-token-file have the same token: write two tokens, so that readers with the first one give no orders"
    )]
    Same,
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
        let view = opts.token_file.as_deref().map(|path| token("--token-file", path)).transpose()?;
        let operators = match (opts.operate, &opts.operator_token_file) {
            (false, _) => Operators::None,
            (true, None) => Operators::Random,
            (true, Some(path)) => Operators::Token(token("--operator-token-file", path)?),
        };
        if let (Some(view), Operators::Token(operator)) = (&view, &operators)
            && view == operator
        {
            return Err(TokenError::Same.into());
        }
        let (timeout, every) = (opts.connect.timeout(), Duration::from_secs(opts.every.into()));
        Ok(Self {
            listen: opts.listen,
            store: opts.store.store,
            live: LivePlan { login, timeout, every },
            ops: opts.ops.map(|url| OpsPlan { url, creds: opts.ops_creds }),
            token: view,
            operators,
            deployment: opts.connect.deployment,
            embed_in: opts.embed_in,
        })
    }
}

fn token(option: &'static str, path: &Path) -> Result<Secret, TokenError> {
    let path = path.to_owned();
    let text = match std::fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) => return Err(TokenError::Read { option, path, error }),
    };
    let token = text.trim();
    if !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err(TokenError::Letters { option, path });
    }
    if token.len() < SHORTEST {
        return Err(TokenError::Short { option, path, length: token.len() });
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
            token("--token-file", &path).map_err(|error| error.to_string())
        };
        assert_eq!(read(" 0123456789abcdef\n"), Ok(Secret::new("0123456789abcdef")));
        let short = read("hunter2hunter2\n").unwrap_err();
        assert!(short.contains("has 14 characters") && !short.contains("hunter2"), "{short}");
        let spaced = read("hunter2 hunter2 hunter2").unwrap_err();
        assert!(spaced.contains("spaces") && !spaced.contains("hunter2"), "{spaced}");
        let missing = token("--token-file", &folder.path().join("none")).unwrap_err().to_string();
        assert!(missing.contains("--token-file") && missing.contains("none"), "{missing}");
    }
}
