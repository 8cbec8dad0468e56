//! Options of `loadgen topology`. Doc comments are the help text.

use clap::{Args, Subcommand};

/// A command about topologies.
#[derive(Clone, Debug, Subcommand)]
pub enum TopologyCommand {
    /// List the presets
    List,
    /// Print the file of a preset, to copy and change
    Show(ShowOpts),
    /// Check a topology file; every error names its line and the remedy
    Check(CheckOpts),
}

/// Options of `loadgen topology show`.
#[derive(Args, Clone, Debug)]
pub struct ShowOpts {
    /// Print this preset
    #[arg(value_name = "PRESET")]
    pub preset: String,
}

/// Options of `loadgen topology check`.
#[derive(Args, Clone, Debug)]
pub struct CheckOpts {
    /// Check this file, or this preset
    #[arg(value_name = "FILE|PRESET")]
    pub topology: String,
}
