//! Certificates that are made for one test.

use std::path::PathBuf;

use loadgen::cluster::ServerTls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;

/// An authority, and the files of what it signed.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its key, as files.
pub(crate) struct Files {
    pub(crate) cert: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// For a server that is called so.
    pub(crate) fn server(&self, name: &str) -> Files {
        self.sign(name, CertificateParams::new(vec![name.to_owned()]).unwrap())
    }

    /// For a server that should have renewed it long ago.
    pub(crate) fn expired(&self, name: &str) -> Files {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
        self.sign("expired", params)
    }

    /// For a client.
    pub(crate) fn client(&self) -> Files {
        self.sign("client", CertificateParams::new(vec!["client".to_owned()]).unwrap())
    }

    fn sign(&self, file: &str, params: CertificateParams) -> Files {
        let key = KeyPair::generate().unwrap();
        let cert = params.signed_by(&key, &self.issuer).unwrap();
        let [cert_file, key_file] =
            ["cert", "key"].map(|kind| self.folder.path().join(format!("{file}-{kind}.pem")));
        std::fs::write(&cert_file, cert.pem()).unwrap();
        std::fs::write(&key_file, key.serialize_pem()).unwrap();
        Files { cert: cert_file, key: key_file }
    }
}

impl Files {
    /// Servers that show this certificate.
    pub(crate) fn of_servers(self) -> ServerTls {
        ServerTls { cert_file: self.cert, key_file: self.key, client_ca_file: None, handshake_first: false }
    }
}
