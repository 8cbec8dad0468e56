//! Agents play clients by orders, and return their records: one agent in this process, or many on other machines.
//!
//! This folder owns the orders (`orders`), the task that carries them out (`local`), the same over the back channel
//! from the controller's side (`muster`, `remote`) and from the agent's side (`serve`, `spool`), all agents as one
//! (`fleet`), and the messages (`wire`, `timebase`). It must not know servers or faults: the controller decides the
//! time and the target of each fault.

mod fleet;
mod local;
mod muster;
pub(crate) mod orders;
mod remote;
mod serve;
mod spool;
mod timebase;
mod wire;

pub(crate) use fleet::{Agents, Finished};
pub use muster::Controller;
pub(crate) use remote::{Ask, Reply};
pub(crate) use serve::serve;
pub(crate) use timebase::Timebase;
