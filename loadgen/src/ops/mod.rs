//! The back channel: a NATS server over which a controller and its agents exchange orders and results. It is not under test.
//!
//! Owns its address (`opts`), the connection (`channel`), its server where nobody has one (`server`), the agents that are there (`roster`),
//! questions to one agent (`link`), the agent's side of them (`post`), what agents see (`parts`), the controller's `clock`, the lease
//! of the one controller (`lease`), and what both say to everybody (`watch`). Must not know what an
//! order means. Plain async-nats with a fixed list of servers: it makes no decision about regions.
//!
//! | subject | who sends it | content |
//! |---|---|---|
//! | `$SRV.INFO.loadgen-agent` | controller | the question which agents are there; NATS's Services API |
//! | `loadgen.agent.<id>.orders` | controller | an order, with the headers `Loadgen-Version`, `Loadgen-Run` and `Loadgen-Number`; the answer is the reply |
//! | `loadgen.pulse.<id>` | agent | once a second: it is alive, and what it does |
//! | `loadgen.state` | controller | once a second: the scenario and the phase of its run |
//! | `loadgen.run.<run>.clock` | agent | the question for the time since the origin of the run, in nanoseconds; the answer is the reply |
//! | `loadgen.parts.<run>.<agent>` | agent | once a second: what it saw; MessagePack, in the stream `LOADGEN_PARTS` until the controller has read it |
//!
//! Bucket `LOADGEN` holds the lease of the controller.

mod channel;
mod clock;
mod lease;
mod link;
mod opts;
mod parts;
mod post;
mod roster;
mod server;
mod watch;

pub use channel::{Channel, ChannelError};
pub(crate) use clock::{ClockServer, Reading, read_clock};
pub use lease::{Lease, LeaseError};
pub(crate) use link::{AWAY_AT_MOST, AgentLink, Pulse};
pub use opts::{ListenAddress, OpsUrl, ParseListenAddressError, ParseOpsUrlError};
pub(crate) use parts::parts_of;
pub use post::AgentCard;
pub(crate) use post::{PULSE_EVERY, Post, PulseSender, Question};
pub use roster::{AgentInfo, roster};
pub use server::{OpsServer, OpsServerError};
pub(crate) use watch::Heard;
pub use watch::RunState;
