//! Reading topologies, from files and presets.

use std::io;
use std::path::{Path, PathBuf};

use super::opts::SizeOpts;
use crate::topology::spec::{AccountSpec, AuthKind, AuthSpec, ClusterSpec, ServerSpec, Spec, UserSpec};
use crate::topology::{Preset, RttTable, Topology, TopologyError, from_toml};

/// Reason why there is no topology.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Neither a file nor a preset.
    #[error("cannot read topology `{}`: {error}; give a file, or one of the presets {}", path.display(), super::preset_names())]
    Read {
        /// Name that the user gave.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// Something in it is wrong.
    #[error("{0}")]
    Topology(#[from] TopologyError),
}

/// Reads the topology that is named: a preset, or a file. A file of a preset's name needs a path, as in `./tls`.
///
/// # Errors
/// See [`LoadError`].
pub fn load(name: &str) -> Result<Topology, LoadError> {
    if let Some(preset) = Preset::named(name) {
        return Ok(preset.topology()?);
    }
    let path = Path::new(name);
    let text =
        std::fs::read_to_string(path).map_err(|error| LoadError::Read { path: path.to_owned(), error })?;
    let beside = |csv: &str| {
        let csv = path.parent().unwrap_or_else(|| Path::new("")).join(csv);
        std::fs::read_to_string(csv).map_err(|error| error.to_string())
    };
    Ok(from_toml(&text, name, beside)?)
}

/// The topology of R.I. Pienaar's supercluster: clusters `c1` and so on of servers `nc1-c1` and so on. `with_accounts` makes the
/// accounts `one`, `two` and `system`; else every client may do everything.
///
/// # Errors
/// See [`LoadError`].
pub fn supercluster(size: SizeOpts, with_accounts: bool) -> Result<Topology, LoadError> {
    let server = |number, cluster| ServerSpec {
        name: Some(format!("nc{number}-c{cluster}")),
        ..ServerSpec::default()
    };
    let cluster = |cluster| ClusterSpec {
        name: format!("c{cluster}"),
        server_list: (1..=size.cluster_members).map(|number| server(number, cluster)).collect(),
        ..ClusterSpec::default()
    };
    let account = |name: &str, system| AccountSpec {
        name: name.to_owned(),
        system,
        jetstream: !system,
        users: vec![UserSpec { name: name.to_owned(), ..UserSpec::default() }],
        ..AccountSpec::default()
    };
    let accounts = vec![account("one", false), account("two", false), account("system", true)];
    let spec = Spec {
        name: Some("supercluster".to_owned()),
        clusters: (1..=size.clusters).map(cluster).collect(),
        accounts: if with_accounts { accounts } else { Vec::new() },
        auth: AuthSpec {
            kind: if with_accounts { AuthKind::Password } else { AuthKind::None },
            ..AuthSpec::default()
        },
        ..Spec::default()
    };
    Ok(Topology::from_spec(spec, RttTable::default()).map_err(TopologyError::from)?)
}
