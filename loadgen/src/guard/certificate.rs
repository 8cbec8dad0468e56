//! Reads the end of a server's certificate by a TLS handshake at its client port.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::Deserialize;
use tokio::io::{AsyncBufRead, AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{CryptoProvider, ring};
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{ClientConfig, DigitallySignedStruct, Error, SignatureScheme};
use x509_parser::prelude::{FromDer as _, X509Certificate};

use super::facts::Time;
use crate::look::connect::apart::ClientPort;

/// A certificate, and the server that showed it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Certificate {
    /// The name of the server; `None`: it did not say it.
    pub(super) server: Option<String>,
    /// The end of its validity.
    pub(super) not_after: Time,
}

/// Reason why no certificate was read.
#[derive(Debug, thiserror::Error)]
pub(super) enum CertificateError {
    /// Nothing answers.
    #[error("no answer within {} ms", .0.as_millis())]
    Silence(Duration),
    /// No connection, or it broke.
    #[error("the connection failed: {0}")]
    Connection(#[from] io::Error),
    /// The host of an address is neither a name nor a number.
    #[error("`{0}` is not the name of a host")]
    Host(String),
    /// Another protocol.
    #[error("the server does not send INFO first, so this is not a client port of nats-server")]
    NotNats,
    /// The handshake ended without a certificate.
    #[error("the TLS handshake ended without a certificate: {0}")]
    NoCertificate(String),
    /// The certificate is not X.509.
    #[error("the certificate cannot be read: {0}")]
    Unreadable(String),
}

/// Reads the certificate of a client port; `None`: it takes no TLS. Nothing is sent but the handshake.
///
/// # Errors
/// The server does not answer within `limit`, or the handshake fails before it shows a certificate.
pub(super) async fn read(
    port: &ClientPort,
    limit: Duration,
) -> Result<Option<Certificate>, CertificateError> {
    tokio::time::timeout(limit, read_all(port, limit)).await.unwrap_or(Err(CertificateError::Silence(limit)))
}

async fn read_all(port: &ClientPort, limit: Duration) -> Result<Option<Certificate>, CertificateError> {
    let name = ServerName::try_from(port.host.clone());
    let name = name.map_err(|_| CertificateError::Host(port.host.clone()))?;
    let mut stream = BufReader::new(TcpStream::connect((port.host.as_str(), port.port)).await?);
    let mut info = None;
    if !port.tls_first {
        let before = read_info(&mut stream).await?;
        if !before.tls_required && !before.tls_available {
            return Ok(None);
        }
        info = Some(before);
    }
    let shown = Arc::new(Shown::default());
    let handshake = TlsConnector::from(Arc::new(config(shown.clone())?)).connect(name, stream).await;
    let certificate = shown.certificate.lock().unwrap_or_else(PoisonError::into_inner).take();
    let Some(certificate) = certificate else {
        let reason = handshake.err().map_or_else(
            || "the handshake succeeded, but the server sent none".to_owned(),
            |error| error.to_string(),
        );
        return Err(CertificateError::NoCertificate(reason));
    };
    if let (None, Ok(stream)) = (&info, handshake) {
        // A server that asks for a client certificate ends the connection instead.
        let said = tokio::time::timeout(limit / 2, read_info(&mut BufReader::new(stream))).await;
        info = said.ok().and_then(Result::ok);
    }
    let server = info.map(|info| info.server_name).filter(|name| !name.is_empty());
    Ok(Some(Certificate { server, not_after: not_after(&certificate)? }))
}

/// The first line of a server.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Info {
    server_name: String,
    tls_required: bool,
    tls_available: bool,
}

/// INFO of a server with a thousand addresses is shorter.
const LONGEST_INFO: u64 = 64 * 1024;

async fn read_info(stream: &mut (impl AsyncBufRead + Unpin)) -> Result<Info, CertificateError> {
    let mut line = Vec::new();
    stream.take(LONGEST_INFO).read_until(b'\n', &mut line).await?;
    let json = line.strip_prefix(b"INFO ").ok_or(CertificateError::NotNats)?;
    serde_json::from_slice(json).map_err(|_| CertificateError::NotNats)
}

fn not_after(certificate: &CertificateDer<'_>) -> Result<Time, CertificateError> {
    let parsed = X509Certificate::from_der(certificate.as_ref());
    let (_, parsed) = parsed.map_err(|error| CertificateError::Unreadable(error.to_string()))?;
    // A date before 1970 is as good as 1970: it is over.
    let seconds = u64::try_from(parsed.validity().not_after.timestamp()).unwrap_or_default();
    Ok(Time::from_secs(seconds))
}

fn config(shown: Arc<Shown>) -> Result<ClientConfig, CertificateError> {
    let config =
        ClientConfig::builder_with_provider(shown.provider.clone()).with_safe_default_protocol_versions();
    let config = config.map_err(|error| CertificateError::NoCertificate(error.to_string()))?;
    Ok(config.dangerous().with_custom_certificate_verifier(shown).with_no_client_auth())
}

/// Takes every certificate and keeps it. An expired one must be read as well, and no data follows the handshake.
#[derive(Debug)]
struct Shown {
    certificate: Mutex<Option<CertificateDer<'static>>>,
    provider: Arc<CryptoProvider>,
}

impl Default for Shown {
    fn default() -> Self {
        Self { certificate: Mutex::default(), provider: Arc::new(ring::default_provider()) }
    }
}

impl ServerCertVerifier for Shown {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let mut certificate = self.certificate.lock().unwrap_or_else(PoisonError::into_inner);
        *certificate = Some(end_entity.clone().into_owned());
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
