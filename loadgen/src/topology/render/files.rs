//! Rendered files, and the input that all of them need.

use std::fmt;

use super::super::credentials::{Credentials, KeyError};
use super::super::model::Topology;
use super::super::spec::AuthKind;
use super::auth_files;
use crate::secret::Secret;

/// A file to write.
#[derive(Clone, Eq, PartialEq)]
pub struct RenderedFile {
    /// Its path in the rendered folder.
    pub path: String,
    /// Its content.
    pub text: String,
    /// Whether only its owner may read it.
    pub is_secret: bool,
}

impl RenderedFile {
    /// A file that everybody may read.
    pub fn plain(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), is_secret: false }
    }

    /// A file that only its owner may read.
    pub fn secret(path: impl Into<String>, text: impl Into<String>) -> Self {
        Self { path: path.into(), text: text.into(), is_secret: true }
    }
}

/// Hides the text, which may hold secrets.
impl fmt::Debug for RenderedFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("RenderedFile")
            .field("path", &self.path)
            .field("is_secret", &self.is_secret)
            .finish_non_exhaustive()
    }
}

/// Inputs of every renderer.
#[derive(Clone, Copy, Debug)]
pub struct Inputs<'a> {
    /// The super-cluster.
    pub topology: &'a Topology,
    /// Passwords and keys of its users.
    pub credentials: &'a Credentials,
    /// Certificates, if the topology has TLS.
    pub certificates: Option<&'a Certificates>,
}

impl Inputs<'_> {
    /// The files of users besides passwords, below `users/`.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn user_files(&self) -> Result<Vec<RenderedFile>, KeyError> {
        let files = auth_files(self.topology, self.credentials)?;
        let file =
            |(name, text): (String, Secret)| RenderedFile::secret(format!("users/{name}"), text.expose());
        Ok(files.into_iter().map(file).collect())
    }

    /// The certificates, below `tls/`.
    pub fn tls_files(&self) -> Vec<RenderedFile> {
        self.certificates.map(Certificates::files).unwrap_or_default()
    }

    /// A server's configuration file, secret unless it holds public keys only.
    pub fn config_file(&self, path: String, text: String) -> RenderedFile {
        let is_public = matches!(self.topology.spec().auth.kind, AuthKind::Nkey | AuthKind::Operator);
        RenderedFile { path, text, is_secret: !is_public }
    }
}

/// An authority, and the certificates that it signed, as PEM texts.
#[derive(Clone)]
pub struct Certificates {
    /// The authority's certificate, which clients trust.
    pub ca: String,
    /// Certificate of all servers.
    pub server: String,
    /// Its key.
    pub server_key: Secret,
    /// Certificate of clients, for mutual TLS.
    pub client: String,
    /// Its key.
    pub client_key: Secret,
}

impl fmt::Debug for Certificates {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Certificates(***)")
    }
}

impl Certificates {
    /// The files below `tls/`.
    pub fn files(&self) -> Vec<RenderedFile> {
        vec![
            RenderedFile::plain("tls/ca.pem", &self.ca),
            RenderedFile::plain("tls/server.pem", &self.server),
            RenderedFile::secret("tls/server.key", self.server_key.expose()),
            RenderedFile::plain("tls/client.pem", &self.client),
            RenderedFile::secret("tls/client.key", self.client_key.expose()),
        ]
    }
}
