//! The names of everything that a client reports: events, causes of moves, `tracing` spans and metrics.
//!
//! These names are defined in this module only. Notices, `tracing`, metrics, the browser package and the book use the
//! names of this module. The names stay the same in later versions: dashboards depend on them.
//!
//! ```
//! use nats_geo::core::vocabulary::{CAUSES, EVENTS};
//!
//! for event in EVENTS {
//!     println!("{}: {} Remedy: {}", event.name, event.cause, event.remedy);
//! }
//! let region_lost = CAUSES.iter().find(|cause| cause.name == "region_lost");
//! assert_eq!(region_lost.map(|cause| cause.text), Some("region lost"));
//! ```

use super::{MoveCause, NoticeKind};

mod causes;
pub use causes::{CAUSES, CauseInfo};

mod table;

mod events;
pub use events::*;

mod metrics;
pub use metrics::*;

mod spans;
pub use spans::*;

/// The names of one event, and its meaning for an operator.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EventInfo {
    /// The name in snake case, such as `lame_duck`: [`NoticeKind::name`].
    pub name: &'static str,
    /// The name in camel case, such as `lameDuck`: the `type` of the status in JavaScript.
    pub camel_name: &'static str,
    /// The name of the `tracing` event, such as `nats_geo.lame_duck`.
    pub tracing_name: &'static str,
    /// The variant of [`NoticeKind`]; `None` if there is no notice of this event.
    pub variant: Option<&'static str>,
    /// The status of nats-core (nats.js) that the browser package emits in addition, such as `ldm`.
    pub nats_core_type: Option<&'static str>,
    /// The clients that emit the event.
    pub client: Client,
    /// The level of the `tracing` event.
    pub level: Level,
    /// The fields of the `tracing` event, without `at`, which every notice has.
    pub fields: &'static [&'static str],
    /// The meaning of the event, as one or two sentences.
    pub meaning: &'static str,
    /// The usual cause.
    pub cause: &'static str,
    /// The remedy, for the application or the operator.
    pub remedy: &'static str,
    /// An example of the text of the event.
    pub text_example: &'static str,
}

/// The clients that emit an event.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Client {
    /// The native client and the browser client.
    Both,
    /// Only the native client.
    Native,
    /// Only the browser client.
    Browser,
}

/// Severity of an event: the level of its `tracing` event.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[non_exhaustive]
pub enum Level {
    /// A detail for developers.
    Debug,
    /// A normal event.
    Info,
    /// An event that an operator may have to act on.
    Warn,
    /// A bug.
    Error,
}

impl Level {
    /// Returns the name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Warn => "warn",
            Self::Error => "error",
        }
    }
}

/// `None`, or `Some` of the one thing that is there.
macro_rules! optional {
    () => {
        None
    };
    ($value:expr) => {
        Some($value)
    };
}
use optional;

#[cfg(test)]
mod tests;
