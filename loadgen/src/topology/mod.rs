//! The model of a super-cluster: read from a file, from flags or from a preset, and checked.
//!
//! The flow: TOML -> [`spec::Spec`] (as written) -> checks -> [`Topology`] -> [`render`] (configurations and files for other tools).
//! This folder owns names, accounts, streams and distances. It is pure: it reads no file, opens no socket, and knows no
//! process and no clock. Files and random bytes are arguments.

pub mod credentials;
pub mod render;
pub mod spec;

mod check;
mod cities;
mod difference;
mod distances;
mod file;
mod jwt;
mod model;
mod presets;
mod problem;
mod taken_back;
mod units;
mod warnings;

pub use difference::{Change, NeedsRestart};
pub(crate) use distances::MAX_RTT_MS;
pub use distances::{ParseRttError, RttOverride, RttTable, UnknownPairError};
pub use file::from_toml;
pub(crate) use jwt::account_claims;
pub use model::{Server, ServerName, Topology, file_stem};
pub use presets::{PRESETS, Preset};
pub use problem::{Problem, ProblemKind, TopologyError};
pub use units::{ByteSize, ParseSizeError, Span};
pub(crate) use units::{CHOSEN_SPANS, parse_span, span_of_option};
pub use warnings::Warning;
