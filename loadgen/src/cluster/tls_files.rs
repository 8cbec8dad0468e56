//! Certificates of a run: its own authority, one certificate for all servers, and one for clients.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};

/// PEM files that were made for a run.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct MadeFiles {
    /// The authority's certificate, which clients trust.
    pub ca: PathBuf,
    /// Of the servers.
    pub server: CertAndKey,
    /// Of servers whose certificate a fault lets expire.
    pub expired: CertAndKey,
    /// Of clients, for mutual TLS.
    pub client: CertAndKey,
}

/// The PEM files of a client.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ClientFiles {
    /// The authority's certificate, which it trusts.
    pub ca: PathBuf,
    /// Its own, for mutual TLS.
    pub own: CertAndKey,
}

impl MadeFiles {
    /// Those of a client.
    pub fn of_client(&self) -> ClientFiles {
        ClientFiles { ca: self.ca.clone(), own: self.client.clone() }
    }
}

/// A certificate and its key, as PEM files.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertAndKey {
    /// The certificate.
    pub cert: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum MakeCertificatesError {
    /// They could not be made.
    #[error("cannot make certificates: {0}")]
    Make(#[from] rcgen::Error),
    /// They could not be written.
    #[error("cannot write {}: {error}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
}

/// Makes an authority and certificates, and writes them into `folder`. Servers are called `names`.
///
/// # Errors
/// See [`MakeCertificatesError`].
pub(crate) fn make(folder: &Path, names: &[String]) -> Result<MadeFiles, MakeCertificatesError> {
    fs::create_dir_all(folder)
        .map_err(|error| MakeCertificatesError::Write { path: folder.to_owned(), error })?;
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, "loadgen");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let certificate = |name: &str,
                       names: Vec<String>,
                       usage,
                       expires: Option<i32>|
     -> Result<CertAndKey, MakeCertificatesError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        if let Some(year) = expires {
            params.not_before = date_time_ymd(year - 1, 1, 1);
            params.not_after = date_time_ymd(year, 1, 1);
        }
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages.push(usage);
        // Leaf nodes and mutual TLS between servers show the servers' certificate as clients.
        params.extended_key_usages.push(ExtendedKeyUsagePurpose::ClientAuth);
        let cert = params.signed_by(&key, &authority)?;
        Ok(CertAndKey {
            cert: write(folder.join(format!("{name}.pem")), &cert.pem(), 0o644)?,
            key: write(folder.join(format!("{name}.key")), &key.serialize_pem(), 0o600)?,
        })
    };
    Ok(MadeFiles {
        ca: write(folder.join("ca.pem"), &authority.pem(), 0o644)?,
        server: certificate("server", names.to_vec(), ExtendedKeyUsagePurpose::ServerAuth, None)?,
        expired: certificate("expired", names.to_vec(), ExtendedKeyUsagePurpose::ServerAuth, Some(EXPIRED))?,
        client: certificate("client", vec!["client".to_owned()], ExtendedKeyUsagePurpose::ClientAuth, None)?,
    })
}

/// The year in which the expired certificate expired.
const EXPIRED: i32 = 2020;

fn write(path: PathBuf, text: &str, mode: u32) -> Result<PathBuf, MakeCertificatesError> {
    let written =
        fs::write(&path, text).and_then(|()| fs::set_permissions(&path, fs::Permissions::from_mode(mode)));
    match written {
        Ok(()) => Ok(path),
        Err(error) => Err(MakeCertificatesError::Write { path, error }),
    }
}
