//! Options of `loadgen runs`. Doc comments are the help text.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::url::StoreUrl;

/// The commands of `loadgen runs`.
#[derive(Clone, Debug, Subcommand)]
pub enum RunsCommand {
    /// List the runs of a store, the newest first
    List(ListOpts),
    /// Show a run: verdict, machine, versions and files
    Show(ShowOpts),
    /// Download a run into a folder
    Get(GetOpts),
    /// Upload a run from a folder; skip files that the store already has
    Push(PushOpts),
    /// Remove the oldest runs of a store; without --yes, only list them
    Prune(PruneOpts),
}

/// The store that keeps the runs.
#[derive(Args, Clone, Debug)]
pub struct StoreOpts {
    /// Use this store: `s3://bucket/prefix`, `file:///folder`, or the path of a folder
    #[arg(long, default_value = "loadgen-runs", value_name = "URL")]
    pub store: StoreUrl,
}

/// Options of `loadgen runs list`.
#[derive(Args, Clone, Debug)]
pub struct ListOpts {
    /// The store.
    #[command(flatten)]
    pub store: StoreOpts,

    /// Print a JSON array instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Options of `loadgen runs show`.
#[derive(Args, Clone, Debug)]
pub struct ShowOpts {
    /// Show this run: its name, the beginning of its name, or `latest`
    #[arg(value_name = "RUN")]
    pub run: String,

    /// The store.
    #[command(flatten)]
    pub store: StoreOpts,

    /// Print the manifest as JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `loadgen runs get`.
#[derive(Args, Clone, Debug)]
pub struct GetOpts {
    /// Download this run: its name, the beginning of its name, or `latest`
    #[arg(value_name = "RUN")]
    pub run: String,

    /// The store.
    #[command(flatten)]
    pub store: StoreOpts,

    /// Write the files into this folder [default: the name of the run]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,

    /// Print the manifest as JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `loadgen runs push`.
#[derive(Args, Clone, Debug)]
pub struct PushOpts {
    /// Upload the run in this folder, which `loadgen run --out` wrote
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,

    /// The store.
    #[command(flatten)]
    pub store: StoreOpts,

    /// Print the manifest as JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// Options of `loadgen runs prune`.
#[derive(Args, Clone, Debug)]
pub struct PruneOpts {
    /// Keep this many of the newest runs
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..), value_name = "N")]
    pub keep: u32,

    /// The store.
    #[command(flatten)]
    pub store: StoreOpts,

    /// Remove the oldest runs; without this option, loadgen only lists them
    #[arg(long)]
    pub yes: bool,

    /// Print the oldest runs as a JSON array instead of a table
    #[arg(long)]
    pub json: bool,
}
