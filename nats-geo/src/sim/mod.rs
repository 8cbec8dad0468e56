//! Simulator with virtual time. It runs the unchanged [`Selector`](crate::core::Selector) against model servers over
//! simulated network paths, and checks rules that must always hold.
//!
//! A [`Scenario`] describes a run, and [`scenarios`] has ready-made scenarios. [`run`] runs a scenario, and its error
//! names the first broken rule. The same scenario and seed give the same run. A [`Log`](crate::core::Log) records the
//! inputs and decisions of a selector, and can replay them.
//!
//! # Map
//! * `scenario.rs`: clients, times and faults of a scenario; `scenarios.rs`: the ready-made scenarios.
//! * `world/`: the queue of events, ordered by time, with transport, servers, clients, faults, and the true state.
//! * `wan.rs`: the paths; `server.rs`: the servers.
//! * `check/`: the rules, one file each; `run.rs` runs a scenario and checks all rules.

mod check;
pub mod detection;
pub mod herd;
mod run;
mod scenario;
pub mod scenarios;
mod server;
mod wan;
mod world;

pub use run::{ClientReport, Report, RunError, run};
pub use scenario::{ClientFault, Fault, PathFault, Scenario, ScenarioError, ServerFault, Step};
pub use wan::{Bursts, PathModel, Spikes};
pub(crate) use world::{Seen, World};
