//! `loadgen topology`: checks topologies, lists and shows the presets, renders files for other tools.
//!
//! This folder reads topology files and writes rendered folders. The model and the texts come from [`crate::topology`],
//! which touches no file. This folder must not know processes.

pub mod load;
pub mod opts;

mod certificates;
mod render;
mod session;
mod write;

use std::fmt::Write as _;
use std::io;
use std::path::PathBuf;

use crate::topology::credentials::KeyError;
use crate::topology::render::addresses::PortsError;
use crate::topology::render::compose::ComposeError;
use crate::topology::render::fly::FlyError;
use crate::topology::{PRESETS, Preset, Topology};
pub use certificates::CertificatesError;
use load::{LoadError, load};
use opts::TopologyCommand;
pub use write::WriteError;

/// Reason why a command ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum TopologyCommandError {
    /// There is no such topology, or it is wrong.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// There is no such preset.
    #[error("there is no preset `{name}`: choose one of {}", preset_names())]
    NoPreset {
        /// Name that the user gave.
        name: String,
    },
    /// There is no such cluster.
    #[error("there is no cluster `{cluster}`: choose one of {clusters}, or give its number, counted from 1")]
    NoCluster {
        /// Name that the user gave.
        cluster: String,
        /// Those that there are.
        clusters: String,
    },
    /// There is no such server.
    #[error("cluster `{cluster}` has no server `{node}`: give a number, counted from 1")]
    NoNode {
        /// The cluster.
        cluster: String,
        /// Name that the user gave.
        node: String,
    },
    /// The folder was not written.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// There are no certificates.
    #[error(transparent)]
    Certificates(#[from] CertificatesError),
    /// See [`KeyError`].
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The ports do not fit.
    #[error(transparent)]
    Ports(#[from] PortsError),
    /// There is no compose file.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// There are no files for Fly.io.
    #[error(transparent)]
    Fly(#[from] FlyError),
    /// The folder has no absolute path.
    #[error("cannot find the absolute path of `{}`: {error}; give an absolute path", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// The shell does not start.
    #[error("cannot start the shell `{program}`: {error}; set SHELL to another one")]
    Shell {
        /// The shell.
        program: String,
        /// Error of the operating system.
        error: io::Error,
    },
}

/// Does what the command says; returns what it prints.
///
/// # Errors
/// See [`TopologyCommandError`].
pub fn run(command: TopologyCommand) -> Result<String, TopologyCommandError> {
    match command {
        TopologyCommand::List => Ok(listing()),
        TopologyCommand::Show(opts) => {
            let preset =
                Preset::named(&opts.preset).ok_or(TopologyCommandError::NoPreset { name: opts.preset })?;
            Ok(preset.text.trim_end().to_owned())
        }
        TopologyCommand::Check(opts) => Ok(summary(&opts.topology, &load(&opts.topology)?)),
        TopologyCommand::Render(command) => render::run(command),
        TopologyCommand::Env(opts) => session::print(&opts),
        TopologyCommand::Shell(opts) => session::open(&opts),
    }
}

fn listing() -> String {
    let widest = PRESETS.iter().map(|preset| preset.name.len()).max().unwrap_or_default();
    let lines = PRESETS.iter().map(|preset| format!("{:widest$}  {}", preset.name, preset.summary()));
    lines.collect::<Vec<_>>().join("\n")
}

fn summary(name: &str, topology: &Topology) -> String {
    let clusters = topology.regions().len();
    let servers = topology.servers().count();
    let accounts = topology.spec().accounts.len();
    let streams = topology.spec().streams.len() + topology.spec().buckets.len();
    let mut text = format!(
        "{name} is right: {}, {}, {}, {}",
        count(clusters, "cluster"),
        count(servers, "server"),
        count(accounts, "account"),
        count(streams, "stream or bucket")
    );
    for warning in topology.warnings() {
        // Writing into a String cannot fail.
        let _ = write!(text, "\nwarning: {warning}");
    }
    text
}

fn count(number: usize, what: &str) -> String {
    let (first, rest) =
        what.split_once(' ').map_or((what, String::new()), |(first, rest)| (first, format!(" {rest}s")));
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {first}s{rest}"),
    }
}

fn preset_names() -> String {
    PRESETS.map(|preset| preset.name).join(", ")
}
