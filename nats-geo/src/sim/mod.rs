//! A world in which time is free: the unchanged [`Selector`](crate::core::Selector) among model servers, behind
//! emulated paths, under rules that must hold whatever happens.
//!
//! Start at [`Scenario`], which is data; [`scenarios`] has ready-made ones; [`run`] plays one and names the first
//! rule that was broken. The same scenario and seed give the same run. [`Log`](crate::core::Log) is what a selector
//! was told and decided, and plays it again.
//!
//! # Map
//! * `scenario.rs` who, when, what; `scenarios.rs` the catalogue;
//! * `world/` one queue in order of (time, sequence): transport, servers, clients, faults, truth;
//! * `wan.rs` the paths, `server.rs` the servers;
//! * `check/` the rules, one file each; `run.rs` plays a scenario under all of them.

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
