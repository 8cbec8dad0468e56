//! `loadgen topology`: checks topologies, lists and shows the presets, renders files for other tools.
//!
//! Owns the reading of topology files and the writing of rendered folders. The model and the texts come from
//! [`crate::topology`], which touches no file. Must not know processes.

pub mod load;
pub mod opts;

use std::fmt::Write as _;

use crate::topology::{PRESETS, Preset, Topology};
use load::{LoadError, load};
use opts::TopologyCommand;

/// Why a command ended without a result.
#[derive(Debug, thiserror::Error)]
pub enum TopologyCommandError {
    /// There is no such topology, or it is wrong.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// There is no such preset.
    #[error("there is no preset `{name}`: choose one of {}", preset_names())]
    NoPreset {
        /// What was named.
        name: String,
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
