//! The back channel: a NATS server over which a controller and its agents exchange orders and results. It is not under test.
//!
//! This folder owns the subjects and names of the back channel (`addresses`), its URL (`opts`), the connection
//! (`channel`), and a server for operators who have none (`server`). It also owns the list of agents (`roster`),
//! questions to one agent (`link`) and the agent's side of them (`post`), results (`parts`), files for agents
//! (`files`), the controller's `clock`, and the lease of the one controller (`lease`). `watch` has the messages that
//! agents and the controller send to all watchers. This folder must not know the meaning of an order. It uses plain
//! async-nats with a fixed list of servers, so it makes no decision about regions.
//!
//! `loadgen/ops.asyncapi.json` describes its subjects, stream and bucket, and the messages.

pub(crate) mod addresses;
mod channel;
mod clock;
mod files;
mod lease;
mod link;
mod opts;
mod parts;
mod post;
mod roster;
mod server;
mod watch;

pub(crate) use addresses::parts_of;
pub use channel::{Channel, ChannelError};
pub(crate) use clock::{ClockServer, Reading, read_clock};
pub use files::OfferError;
pub(crate) use files::{FileOrder, FileOrders, FileStored};
pub use lease::{Lease, LeaseError};
pub(crate) use link::{AWAY_AT_MOST, AgentLink, LOST_AFTER, Pulse};
pub use opts::{ListenAddress, OpsUrl, ParseListenAddressError, ParseOpsUrlError};
pub use post::AgentCard;
pub(crate) use post::{PULSE_EVERY, Post, PulseSender, Question};
pub use roster::{AgentInfo, roster};
pub use server::{OpsServer, OpsServerError};
pub(crate) use watch::Heard;
pub use watch::RunState;
