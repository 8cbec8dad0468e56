//! The reasons why a store does not carry out an operation.

use std::io;
use std::path::PathBuf;

use super::aws::AwsEnvironmentError;
use super::bundle::BundleError;

/// Reason why an operation on a store failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The environment has no credentials.
    #[error(transparent)]
    Environment(#[from] AwsEnvironmentError),
    /// The store cannot be opened.
    #[error("cannot open the store `{store}`: {reason}; check its address, AWS_ENDPOINT_URL and AWS_REGION")]
    Open {
        /// The store.
        store: String,
        /// The reason.
        reason: String,
    },
    /// The folder of a store does not exist.
    #[error(
        "there is no folder `{}` with runs: create it with `loadgen run --store {}`, or name another folder with --store",
        folder.display(),
        folder.display()
    )]
    NoFolder {
        /// The folder.
        folder: PathBuf,
    },
    /// The store refuses the credentials.
    #[error("the store `{store}` refuses to {what}: check the credentials and their permissions ({reason})")]
    Denied {
        /// The store.
        store: String,
        /// Operation that failed.
        what: String,
        /// Answer of the store.
        reason: String,
    },
    /// A request fails, after all retries.
    #[error("cannot {what} in the store `{store}`: {reason}; check that the store exists and can be reached")]
    Request {
        /// The store.
        store: String,
        /// Operation that failed.
        what: String,
        /// Answer of the store.
        reason: String,
    },
    /// A file of this machine cannot be read or written.
    #[error("cannot {what} {}: {error}", path.display())]
    Local {
        /// Operation that failed.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// A folder does not hold a run.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A stored object differs from the manifest.
    #[error(
        "`{object}` in the store `{store}` does not match the manifest: push the run again from its folder"
    )]
    Differs {
        /// The store.
        store: String,
        /// The object.
        object: String,
    },
    /// A download would replace a file.
    #[error("{} differs from the file of the run `{run}`: choose another folder with --out", path.display())]
    Replaces {
        /// The file.
        path: PathBuf,
        /// The run.
        run: String,
    },
    /// No run has the name.
    #[error(
        "no run of the store `{store}` is named `{name}`: `loadgen runs list --store {store}` lists the names"
    )]
    NoRun {
        /// The store.
        store: String,
        /// The name.
        name: String,
    },
    /// No run has ended.
    #[error(
        "no run of the store `{store}` has ended, so there is no `latest`: `loadgen runs list --store {store}` lists all runs"
    )]
    NoneEnded {
        /// The store.
        store: String,
    },
    /// The names of several runs begin with this text.
    #[error("the names of {count} runs begin with `{name}`: give more characters")]
    Ambiguous {
        /// The beginning of their names.
        name: String,
        /// Number of runs.
        count: usize,
    },
    /// A run is not finished, or its upload failed.
    #[error(
        "the run `{run}` is not whole: it still runs, or its upload failed; `loadgen runs push DIR` uploads the rest"
    )]
    Unfinished {
        /// The run.
        run: String,
    },
    /// A manifest in the store cannot be read.
    #[error("the manifest of the run `{run}` is not valid: {reason}; a newer loadgen may have written it")]
    Manifest {
        /// The run.
        run: String,
        /// The problem.
        reason: String,
    },
}
