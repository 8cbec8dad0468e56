//! Reading topologies, from files and presets.

use std::io;
use std::path::{Path, PathBuf};

use crate::topology::{Preset, Topology, TopologyError, from_toml};

/// Why there is no topology.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Neither a file nor a preset.
    #[error("cannot read topology `{}`: {error}; give a file, or one of the presets {}", path.display(), super::preset_names())]
    Read {
        /// What was named.
        path: PathBuf,
        /// What the operating system said.
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
