//! Certificates of a rendered folder: those of an earlier rendering, or new ones.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use crate::cluster::{MakeCertificatesError, make_certificates};
use crate::secret::Secret;
use crate::topology::Topology;
use crate::topology::render::{Certificates, RenderedFile};

/// File with the host names of the servers' certificate, one a line.
const NAMES: &str = "tls/names";

/// Why there are no certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificatesError {
    /// They could not be made.
    #[error(transparent)]
    Make(#[from] MakeCertificatesError),
    /// They could not be read.
    #[error("cannot read certificates: {0}")]
    Read(#[from] io::Error),
}

/// Returns the certificates for these host names; `None` without TLS. An earlier rendering's are kept if they are for the same
/// names, so that clients go on trusting the authority.
///
/// # Errors
/// See [`CertificatesError`].
pub(super) fn certificates(
    topology: &Topology,
    folder: &Path,
    hosts: &[String],
) -> Result<Option<Certificates>, CertificatesError> {
    if topology.spec().tls.is_none() {
        return Ok(None);
    }
    let names: BTreeSet<_> = hosts.iter().map(String::as_str).collect();
    let earlier = fs::read_to_string(folder.join(NAMES)).unwrap_or_default();
    if earlier.lines().collect::<BTreeSet<_>>() == names {
        if let Ok(certificates) = read(&folder.join("tls")) {
            return Ok(Some(certificates));
        }
    }
    let made = tempfile::tempdir()?;
    make_certificates(made.path(), hosts)?;
    Ok(Some(read(made.path())?))
}

/// The file with the host names.
pub(super) fn names_file(hosts: &[String]) -> RenderedFile {
    RenderedFile::plain(NAMES, hosts.join("\n") + "\n")
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
