//! Runs as bundles, and the stores that keep them: a folder or S3.
//!
//! A store has this layout:
//!
//! ```text
//! runs/20261130T050305Z-1a2b3c4d/manifest.json, report.json, events.jsonl, ...
//! index/20261130T050305Z-1a2b3c4d_pass_48213_1048576_region-outage.json
//! ```
//!
//! This folder owns the manifest (`manifest`, `run_id`), the events (`events`), the bundle in a local folder
//! (`bundle`), the text of a scenario without its secrets (`redact`), addresses and credentials (`url`, `aws`), reads
//! and writes (`objects`), and the index (`index`). It also owns the upload (`push`), files for a reader (`read`), the
//! removal of old runs (`prune`) and the commands (`commands`, `opts`). It must not know how a scenario is played: it
//! gets a report and files.

mod aws;
mod bundle;
mod commands;
mod error;
mod events;
mod index;
mod manifest;
mod objects;
pub mod opts;
mod prune;
mod push;
mod read;
mod redact;
mod run_id;
mod url;

pub use aws::{AwsEnvironment, AwsEnvironmentError};
pub use bundle::{BundleError, write_bundle};
pub use commands::runs;
pub use error::StoreError;
pub use events::{Event, EventKind, events, to_jsonl};
pub use index::{Entry, State};
pub use manifest::{FileRow, Host, Manifest, Origin, VERSION, manifest};
pub use objects::Store;
pub use push::Pushed;
pub use redact::{redact_change, redact_scenario};
pub use run_id::{ParseRunIdError, RunId};
pub use url::{ParseStoreUrlError, StoreUrl};
