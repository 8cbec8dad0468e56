//! Options of TLS.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::rustls::client::WebPkiServerVerifier;
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::pem::{self, PemObject};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use super::super::Secret;

/// TLS settings of connections. With these settings, the client also uses TLS for `nats://` servers, and never connects
/// without TLS. For `tls://` and `wss://`, you need these settings only to change the defaults.
///
/// A server's certificate must be valid for the host in your list of servers. Servers mostly advertise IP addresses. At such
/// an address, the client expects a certificate for the host of the listed server that advertised the address.
///
/// ```no_run
/// use nats_geo::{GeoOptions, Tls};
///
/// # async fn example() -> Result<(), nats_geo::ConnectError> {
/// let tls = Tls::new().ca_file("ca.pem").client_cert_files("client.pem", "client-key.pem");
/// let client = GeoOptions::new().tls(tls).connect("tls://lon.example.net,tls://ams.example.net").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "options do nothing until they are given to `GeoOptions::tls`"]
pub struct Tls {
    authorities: Vec<Source>,
    system_authorities: bool,
    client: Option<(Source, Source)>,
    first: bool,
}

/// PEM, in a file or at hand.
#[derive(Clone)]
enum Source {
    File(PathBuf),
    /// It may hold a key, so it is never shown.
    Text(Secret),
}

impl Tls {
    /// Returns the defaults: the authorities of the operating system, no client certificate.
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts the certificate authorities in this PEM file instead of the authorities of the operating system. The client
    /// reads files once, when it connects.
    pub fn ca_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.authorities.push(Source::File(path.into()));
        self
    }

    /// Sets authorities from PEM text, like [`ca_file`](Self::ca_file).
    pub fn ca_pem(mut self, pem: impl Into<String>) -> Self {
        self.authorities.push(Source::Text(Secret::from(pem)));
        self
    }

    /// Trusts the authorities of the operating system in addition to the authorities that you set.
    pub fn with_system_authorities(mut self) -> Self {
        self.system_authorities = true;
        self
    }

    /// Sets the PEM files of the client certificate and of its key, for servers that require a client certificate. The
    /// certificate file must also contain the certificates of the intermediate authorities.
    pub fn client_cert_files(mut self, cert: impl Into<PathBuf>, key: impl Into<PathBuf>) -> Self {
        self.client = Some((Source::File(cert.into()), Source::File(key.into())));
        self
    }

    /// Sets the client certificate and its key from PEM text, like [`client_cert_files`](Self::client_cert_files).
    pub fn client_cert_pem(mut self, cert: impl Into<String>, key: impl Into<Secret>) -> Self {
        self.client = Some((Source::Text(Secret::from(cert)), Source::Text(key.into())));
        self
    }

    /// Begins each connection with the TLS handshake, before the server sends INFO. Servers with
    /// `handshake_first: true` need this option. Without it, client and server wait for each other. `wss://`
    /// connections always begin with the handshake.
    pub fn first(mut self) -> Self {
        self.first = true;
        self
    }

    pub(super) const fn is_first(&self) -> bool {
        self.first
    }

    /// Reads all files. Blocks.
    pub(super) fn build(&self) -> Result<Built, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let roots = Arc::new(self.roots()?);
        let verifier = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider))
            .build()
            .map_err(|error| TlsError::Unusable(error.to_string()))?;
        Ok(Built { config: Arc::new(self.config(provider, &verifier)?), verifier })
    }

    fn config(
        &self,
        provider: Arc<CryptoProvider>,
        verifier: &Arc<WebPkiServerVerifier>,
    ) -> Result<ClientConfig, TlsError> {
        let unusable = |error: tokio_rustls::rustls::Error| TlsError::Unusable(error.to_string());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_webpki_verifier(Arc::clone(verifier));
        let Some((cert, key)) = &self.client else { return Ok(builder.with_no_client_auth()) };
        builder.with_client_auth_cert(cert.certificates()?, key.key()?).map_err(|error| TlsError::Client {
            cert: cert.to_string(),
            key: key.to_string(),
            why: error.to_string(),
        })
    }

    fn roots(&self) -> Result<RootCertStore, TlsError> {
        let mut roots = RootCertStore::empty();
        for source in &self.authorities {
            for certificate in source.certificates()? {
                roots.add(certificate).map_err(|error| source.malformed(error.to_string()))?;
            }
        }
        if self.authorities.is_empty() || self.system_authorities {
            let loaded = rustls_native_certs::load_native_certs();
            // One damaged file among a hundred authorities is usual, and no reason to refuse the others.
            roots.add_parsable_certificates(loaded.certs);
            if roots.is_empty() {
                let why = loaded.errors.first().map_or_else(|| "it has none".into(), ToString::to_string);
                return Err(TlsError::NoSystemAuthorities { why });
            }
        }
        Ok(roots)
    }
}

/// What [`Tls`] amounts to.
#[derive(Debug)]
pub(super) struct Built {
    pub(super) config: Arc<ClientConfig>,
    pub(super) verifier: Arc<WebPkiServerVerifier>,
}

/// Reason why TLS options are not valid.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// Reading a file failed.
    #[error("reading `{}` failed: {why}", path.display())]
    NotReadable {
        /// The path of the file.
        path: PathBuf,
        /// The error of the operating system.
        why: String,
    },
    /// A certificate or a key is malformed.
    #[error("{input} is not valid: {why}; expected PEM, which begins with `-----BEGIN`")]
    Malformed {
        /// The source of the certificate or key: the path of a file, or the words `the text that was given`.
        input: String,
        /// The problem.
        why: String,
    },
    /// The client certificate and its key do not belong together.
    #[error("the client certificate in {cert} does not fit the key in {key}: {why}")]
    Client {
        /// The source of the certificate.
        cert: String,
        /// The source of the key.
        key: String,
        /// The error of the TLS library.
        why: String,
    },
    /// Reading the certificate authorities of the operating system failed.
    #[error(
        "reading the operating system's store of authorities failed: {why}; install ca-certificates, or set `Tls::ca_file`"
    )]
    NoSystemAuthorities {
        /// The problem.
        why: String,
    },
    /// Any other error, as the TLS library reports it.
    #[error("setting up TLS failed: {0}")]
    Unusable(String),
}

impl Source {
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let pem = self.read()?;
        let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
        let found = found.map_err(|error| self.malformed(error.to_string()))?;
        if found.is_empty() {
            return Err(self.malformed("there is no certificate in it".into()));
        }
        Ok(found)
    }

    fn key(&self) -> Result<PrivateKeyDer<'static>, TlsError> {
        PrivateKeyDer::from_pem_slice(&self.read()?).map_err(|error| match error {
            pem::Error::NoItemsFound => self.malformed("there is no private key in it".into()),
            error => self.malformed(error.to_string()),
        })
    }

    fn read(&self) -> Result<Vec<u8>, TlsError> {
        match self {
            Self::File(path) => read(path),
            Self::Text(text) => Ok(text.expose().as_bytes().to_vec()),
        }
    }

    fn malformed(&self, why: String) -> TlsError {
        TlsError::Malformed { input: self.to_string(), why }
    }
}

fn read(path: &Path) -> Result<Vec<u8>, TlsError> {
    std::fs::read(path)
        .map_err(|error| TlsError::NotReadable { path: path.to_owned(), why: error.to_string() })
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Text(_) => f.write_str("the text that was given"),
        }
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
