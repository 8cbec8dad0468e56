//! This module explains why a TLS session failed. The text names the certificate and the remedy.

use std::error::Error as StdError;
use std::io;

use tokio_rustls::rustls::{AlertDescription, CertificateError, Error, PeerIncompatible};

/// The TLS error somewhere behind `error`.
pub(crate) fn find<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a Error> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<Error>() {
            return Some(found);
        }
        // The source of an I/O error skips the error that it wraps.
        let wrapped = error.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        next = wrapped.map(|wrapped| wrapped as &(dyn StdError + 'static)).or_else(|| error.source());
    }
    None
}

/// Whoever answers speaks in clear.
pub(crate) const NO_TLS: &str = "the server does not answer with TLS: configure it there, or list the server with \
                                 nats:// or ws:// and without GeoOptions::tls; if it sends INFO before the handshake, \
                                 leave out Tls::first";

/// What came is not TLS at all.
pub(crate) const fn is_in_clear(error: &Error) -> bool {
    matches!(error, Error::InvalidMessage(_))
}

/// What `error` means for a server that was listed as `name`, and what helps.
pub(crate) fn explain(error: &Error, name: &str) -> String {
    match error {
        Error::InvalidCertificate(error) => certificate(error, name),
        Error::AlertReceived(alert) => alerted(*alert),
        Error::InvalidMessage(_) => NO_TLS.into(),
        Error::PeerIncompatible(PeerIncompatible::ServerDoesNotSupportTls12Or13) => {
            "the server speaks neither TLS 1.2 nor 1.3: update it".into()
        }
        error => error.to_string(),
    }
}

fn certificate(error: &CertificateError, name: &str) -> String {
    match error {
        // A bad signature: the authority was made anew under its old name.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => format!(
            "the certificate of `{name}` was signed by an authority that is not trusted: give this authority with \
             Tls::ca_file"
        ),
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!(
                "the certificate of `{name}` has expired: renew it at the server, or correct this host's clock"
            )
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the certificate of `{name}` is not valid yet: compare the clocks")
        }
        CertificateError::NotValidForName => format!("the certificate is not for `{name}`: {BY_ITS_NAME}"),
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<_> = presented.iter().map(|name| plain(name)).collect();
            let names = if names.is_empty() { "no name at all".into() } else { names.join(", ") };
            format!("the certificate is not for `{name}` but for {names}: {BY_ITS_NAME}")
        }
        CertificateError::Revoked => format!("the certificate of `{name}` was revoked: replace it"),
        error => format!("the certificate of `{name}` is not valid: {error}"),
    }
}

/// `DnsName("a")` as `a`.
fn plain(name: &str) -> &str {
    name.split('"').nth(1).unwrap_or(name)
}

const BY_ITS_NAME: &str = "list the server by a name that its certificate has";

fn alerted(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::CertificateRequired => {
            "the server asks for a client certificate: give one with Tls::client_cert_files".into()
        }
        AlertDescription::BadCertificate
        | AlertDescription::UnknownCA
        | AlertDescription::AccessDenied
        | AlertDescription::CertificateUnknown
        | AlertDescription::UnsupportedCertificate => format!(
            "the server refused the client certificate ({alert:?}), or misses one: give one of an authority that \
             it trusts with Tls::client_cert_files"
        ),
        AlertDescription::CertificateExpired => {
            "the client certificate has expired: renew the one of Tls::client_cert_files".into()
        }
        AlertDescription::UnrecognisedName => {
            "the server knows no such host name: list it by a name that it has".into()
        }
        alert => format!("the server ended the handshake: {alert:?}"),
    }
}
