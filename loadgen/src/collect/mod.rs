//! `loadgen run --collect FILE`: figures of other systems, read again and again while a scenario is played.
//!
//! This folder owns the collect files (`files`, `spec`, `read`), the figures in an answer (`figures`) and the tasks that query
//! (`poll`). The report shows the figures beside its own. This folder must not know scenarios or servers.

mod figures;
mod files;
mod poll;
mod read;
mod schemas;
mod spec;

pub use files::{ReadCollectError, read_files};
pub use poll::{Collected, Collection, Figure, StartCollectionError};
pub use read::{CollectFileError, Source, from_toml};
pub use schemas::collect_schema;
