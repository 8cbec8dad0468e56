//! The credentials of clients, and the certificate authorities that they trust.

use async_nats::ConnectOptions;
use nats_geo::{Auth, GeoOptions, Tls};

use crate::cluster::{ClientFiles, login_options};
use crate::topology::credentials::Login;

/// Credentials and certificates of a client.
#[derive(Clone, Debug, Default)]
pub struct Access {
    /// Credentials; `None`: none.
    pub login: Option<Login>,
    /// Certificates, if the servers ask for TLS.
    pub tls: Option<ClientFiles>,
}

impl Access {
    pub(crate) fn of_geo(&self, options: GeoOptions) -> Result<GeoOptions, String> {
        let options = match &self.login {
            None | Some(Login::Anonymous) => options,
            Some(Login::Password { user, password }) => {
                options.user_and_password(user.clone(), password.expose().to_owned())
            }
            Some(Login::Token(token)) => options.token(token.expose().to_owned()),
            Some(Login::Nkey(seed)) => options.nkey(seed.expose().to_owned()),
            Some(Login::Creds(text)) => {
                options.auth(Auth::creds(text.expose()).map_err(|error| error.to_string())?)
            }
        };
        Ok(match &self.tls {
            Some(files) => {
                let ClientFiles { ca, own } = files.clone();
                options.tls(Tls::new().ca_file(ca).client_cert_files(own.cert, own.key))
            }
            None => options,
        })
    }

    pub(super) fn of_stock(&self, options: ConnectOptions) -> Result<ConnectOptions, String> {
        let login = self.login.as_ref().unwrap_or(&Login::Anonymous);
        login_options(options, login, self.tls.as_ref()).map_err(|error| error.to_string())
    }
}
