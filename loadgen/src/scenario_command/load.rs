//! Reading scenarios, with everything that options add to them.

use std::io;
use std::path::{Path, PathBuf};

use super::opts::RunOpts;
use crate::collect::ReadCollectError;
use crate::scenario::{
    EnvFileError, Inputs, Preset, ScenarioError, Strategy, TopologySource, from_toml, parse_env,
};
use crate::topology::{self, Topology};
use crate::topology_command::load::{LoadError as LoadTopologyError, load as load_topology};

/// Reason why there is no scenario.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// Neither a file nor one that comes with loadgen.
    #[error("cannot read scenario `{}`: {error}; give a file, or one of {}", path.display(), super::names())]
    Read {
        /// Name that the user gave.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The env file cannot be read.
    #[error("cannot read --env {}: {error}", path.display())]
    Env {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The env file is none.
    #[error("--env {}: {error}", path.display())]
    EnvSyntax {
        /// The file.
        path: PathBuf,
        /// Which line.
        error: EnvFileError,
    },
    /// `--collect`.
    #[error(transparent)]
    Collect(#[from] ReadCollectError),
    /// `--topology`.
    #[error(transparent)]
    Topology(#[from] LoadTopologyError),
    /// Something in it is wrong.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
}

/// Reads the scenario that is named: one that comes with loadgen, or a file. Returns its text, too.
pub(super) fn load(opts: &RunOpts) -> Result<(Vec<Strategy>, String), LoadError> {
    if let Some(preset) = Preset::named(&opts.scenario) {
        let strategies = load_text(preset.text, &format!("{}.toml", preset.name), Path::new(""), opts)?;
        return Ok((strategies, preset.text.to_owned()));
    }
    let path = Path::new(&opts.scenario);
    let text =
        std::fs::read_to_string(path).map_err(|error| LoadError::Read { path: path.to_owned(), error })?;
    let beside = path.parent().unwrap_or_else(|| Path::new(""));
    Ok((load_text(&text, &opts.scenario, beside, opts)?, text))
}

/// Reads the text of a scenario file. Other files are named relative to the folder `beside`.
pub(super) fn load_text(
    text: &str,
    file: &str,
    beside: &Path,
    opts: &RunOpts,
) -> Result<Vec<Strategy>, LoadError> {
    let inputs = Inputs {
        env: opts.env.as_deref().map(env).transpose()?.unwrap_or_default(),
        overrides: opts.set.clone(),
        faults: opts.fault.clone(),
        chaos: opts.chaos,
        thresholds: opts.threshold.clone(),
        topology: opts.topology.as_deref().map(load_topology).transpose()?,
    };
    Ok(from_toml(text, file, &inputs, |source| topology_of(source, beside))?)
}

fn env(path: &Path) -> Result<Vec<(String, String)>, LoadError> {
    let text =
        std::fs::read_to_string(path).map_err(|error| LoadError::Env { path: path.to_owned(), error })?;
    parse_env(&text).map_err(|error| LoadError::EnvSyntax { path: path.to_owned(), error })
}

/// A preset, a file beside the scenario, or one inside it.
fn topology_of(source: TopologySource<'_>, beside: &Path) -> Result<Topology, String> {
    match source {
        TopologySource::Inline(text) => topology::from_toml(text, "topology", |csv| {
            std::fs::read_to_string(beside.join(csv)).map_err(|error| error.to_string())
        })
        .map_err(|error| error.to_string()),
        TopologySource::Name(name) => {
            let file = beside.join(name);
            let name = if file.is_file() { file.to_string_lossy().into_owned() } else { name.to_owned() };
            load_topology(&name).map_err(|error| error.to_string())
        }
    }
}
