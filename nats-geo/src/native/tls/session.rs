//! One TLS configuration for all links and probes of a client, so that they can resume TLS sessions.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use tokio::sync::OnceCell;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{Resumption, WebPkiServerVerifier};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};

use super::options::Built;
use super::{Tls, TlsError};
use crate::native::hub::lock;

/// Everything about TLS that connections of one client share.
#[derive(Debug)]
pub(crate) struct Sessions {
    /// `None`: the user said nothing about TLS, but a URL or a server may ask for it.
    options: Option<Tls>,
    built: OnceCell<Built>,
    /// For addresses that are dialled by number and held to a name.
    held_to: Mutex<BTreeMap<String, Arc<ClientConfig>>>,
}

impl Sessions {
    pub(crate) fn new(options: Option<Tls>) -> Self {
        Self { options, built: OnceCell::new(), held_to: Mutex::default() }
    }

    /// Returns whether nothing may go out in clear.
    pub(crate) const fn is_demanded(&self) -> bool {
        self.options.is_some()
    }

    /// Returns whether servers wait for the handshake before they say anything.
    pub(crate) fn is_first(&self) -> bool {
        self.options.as_ref().is_some_and(Tls::is_first)
    }

    /// For connections that are dialled by the name that the certificate is for.
    pub(crate) async fn config(&self) -> Result<Arc<ClientConfig>, TlsError> {
        self.built().await.map(|built| Arc::clone(&built.config))
    }

    /// For connections that are dialled by a number although the certificate is for `name`: the TLS library would
    /// look for the number in it.
    pub(crate) async fn config_held_to(&self, name: &str) -> Result<Arc<ClientConfig>, TlsError> {
        let built = self.built().await?;
        let known = lock(&self.held_to).get(name).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let server = ServerName::try_from(name.to_owned()).map_err(|_| {
            TlsError::Unusable(format!("`{name}` is no name that a certificate could be for"))
        })?;
        let mut config = ClientConfig::clone(&built.config);
        // Sessions are kept by what is dialled: those of another name at the same number must not be resumed.
        config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        let held = HeldTo { name: server, verifier: Arc::clone(&built.verifier) };
        config.dangerous().set_certificate_verifier(Arc::new(held));
        let config = Arc::new(config);
        let mut all = lock(&self.held_to);
        if all.len() >= NAMES_MAX {
            all.clear();
        }
        all.insert(name.to_owned(), Arc::clone(&config));
        Ok(config)
    }

    async fn built(&self) -> Result<&Built, TlsError> {
        self.built
            .get_or_try_init(|| async {
                let options = self.options.clone().unwrap_or_default();
                let built = tokio::task::spawn_blocking(move || options.build()).await;
                built.map_err(|error| TlsError::Unusable(error.to_string()))?
            })
            .await
    }
}

/// Servers of one name that are resumed: more than a region has.
const SESSIONS_MAX: usize = 64;

/// Names come from the user and from DNS; a new set of them replaces an old one.
const NAMES_MAX: usize = 64;

/// Verifies a certificate as ever, but against a name that is not the one that was dialled.
#[derive(Debug)]
struct HeldTo {
    name: ServerName<'static>,
    verifier: Arc<WebPkiServerVerifier>,
}

impl ServerCertVerifier for HeldTo {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _dialled: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.verifier.verify_server_cert(end_entity, intermediates, &self.name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
