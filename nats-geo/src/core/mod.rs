//! The state machine that makes the decisions of a client. A driver passes facts to this state machine, and carries out
//! the decisions. The state machine has no clock and no socket, and all its randomness comes from a seed.
//!
//! The modules are the stages of a decision: discovery, probe, estimate, rank, connect, watch, fail over and fail back.
//! [`Selector`] owns one object of each stage, and routes events between the stages.

mod endpoint;
mod id;
mod name;
pub(crate) mod rng;
mod sorted;
mod time;
pub use endpoint::{Advertisement, Endpoint, Region, ServerIdentity, Source};
pub use id::{ConnId, EndpointId, PingId, ProbeId};
pub use sorted::{SortedMap, SortedSet};
pub use time::Time;

mod config;
pub use config::{
    CapacityHint, Config, ConfigError, DampingConfig, DialConfig, FailBackConfig, HandoverConfig,
    ProbeConfig, RankConfig, SpreadConfig, WatchConfig,
};

mod event;
pub use event::{Cause, Event, OpenError, ProbeError, ProbeReport};

mod action;
pub use action::{Action, Handover};

mod notice;
pub use notice::{MoveCause, Notice, NoticeKind, ServerRef};

pub mod vocabulary;

mod snapshot;
pub use snapshot::{RankedServer, Reason, Snapshot};

mod discovery;
pub(crate) mod record;
mod region_table;

mod probe;

mod estimate;

mod rank;

mod backoff;
mod connect;
mod herd;

mod delivery;
pub(crate) mod watch;
pub use delivery::DeliveryRate;

mod damping;
mod failback;
mod failover;
mod unhealthy;

mod selector;
pub use selector::Selector;
#[cfg(feature = "sim")]
pub(crate) use selector::{
    Answer,
    fast_forward::{QuietInfo, QuietProbe, QuietWorld},
};

mod log;
pub use log::{Call, Log};
