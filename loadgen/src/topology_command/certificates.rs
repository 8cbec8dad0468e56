//! Certificates of a rendered folder: those of an earlier rendering, or new ones.

use std::fs;
use std::io;
use std::path::Path;

use crate::cluster::{MakeCertificatesError, make_certificates};
use crate::secret::Secret;
use crate::topology::Topology;
use crate::topology::render::{Certificates, RenderedFile};

/// File with the host names of the servers' certificate, one a line.
const NAMES: &str = "tls/names";

/// Reason why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// They could not be made.
    #[error(transparent)]
    Make(#[from] MakeCertificatesError),
    /// They could not be read.
    #[error("cannot read certificates: {0}")]
    Read(#[from] io::Error),
}

/// Certificates, and the host names that the servers' certificate is for.
pub(super) struct Named {
    pub(super) certificates: Certificates,
    hosts: Vec<String>,
}

/// Returns the certificates for these host names; `None` without TLS. An earlier rendering's are kept if they are for these names,
/// so that clients go on trusting the authority.
///
/// # Errors
/// See [`CertificatesError`].
pub(super) fn certificates(
    topology: &Topology,
    folder: &Path,
    hosts: Vec<String>,
) -> Result<Option<Named>, CertificatesError> {
    if topology.spec().tls.is_none() {
        return Ok(None);
    }
    let earlier = fs::read_to_string(folder.join(NAMES)).unwrap_or_default();
    let earlier: Vec<_> = earlier.lines().map(str::to_owned).collect();
    if hosts.iter().all(|host| earlier.contains(host))
        && let Ok(certificates) = read(&folder.join("tls"))
    {
        return Ok(Some(Named { certificates, hosts: earlier }));
    }
    let made = tempfile::tempdir()?;
    make_certificates(made.path(), &hosts)?;
    Ok(Some(Named { certificates: read(made.path())?, hosts }))
}

impl Named {
    /// The file with the host names.
    pub(super) fn file(&self) -> RenderedFile {
        RenderedFile::plain(NAMES, self.hosts.join("\n") + "\n")
    }
}

fn read(folder: &Path) -> io::Result<Certificates> {
    let text = |name: &str| fs::read_to_string(folder.join(name));
    Ok(Certificates {
        ca: text("ca.pem")?,
        server: text("server.pem")?,
        server_key: Secret::new(text("server.key")?),
        client: text("client.pem")?,
        client_key: Secret::new(text("client.key")?),
    })
}
