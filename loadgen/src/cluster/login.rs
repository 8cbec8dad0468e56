//! The connections of loadgen itself, which the measurement does not count.

use super::meta::OWN_NAME;
use super::tls_files::{ClientFiles, MadeFiles};
use crate::topology::credentials::Login;

/// Why loadgen could not connect as a user.
#[derive(Debug, thiserror::Error)]
pub enum LoginError {
    /// The topology's credentials are none.
    #[error(transparent)]
    Key(#[from] crate::topology::credentials::KeyError),
    /// A creds file cannot be read.
    #[error("cannot read the credentials: {0}")]
    Creds(std::io::Error),
    /// No server took the connection.
    #[error("cannot connect to {urls}: {error}")]
    Connect {
        /// What was dialled.
        urls: String,
        /// The error.
        error: async_nats::ConnectError,
    },
}

/// Connects to one of `urls` as a user.
pub(super) async fn connect(
    urls: &[String],
    login: &Login,
    tls: Option<&MadeFiles>,
) -> Result<async_nats::Client, LoginError> {
    let options =
        login_options(async_nats::ConnectOptions::new(), login, tls.map(MadeFiles::of_client).as_ref())?
            .name(OWN_NAME);
    let failed = |error| LoginError::Connect { urls: urls.join(","), error };
    options.connect(urls).await.map_err(failed)
}

/// Adds credentials and certificates to the options of a connection.
pub(crate) fn login_options(
    options: async_nats::ConnectOptions,
    login: &Login,
    tls: Option<&ClientFiles>,
) -> Result<async_nats::ConnectOptions, LoginError> {
    let options = match login {
        Login::Anonymous => options,
        Login::Password { user, password } => {
            options.user_and_password(user.clone(), password.expose().to_owned())
        }
        Login::Token(token) => options.token(token.expose().to_owned()),
        Login::Nkey(seed) => options.nkey(seed.expose().to_owned()),
        Login::Creds(text) => options.credentials(text.expose()).map_err(LoginError::Creds)?,
    };
    Ok(match tls {
        Some(files) => {
            let ClientFiles { ca, own } = files.clone();
            options.add_root_certificates(ca).add_client_certificate(own.cert, own.key).require_tls(true)
        }
        None => options,
    })
}
