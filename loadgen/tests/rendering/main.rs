//! Tests of rendered folders, with the tools for which loadgen renders them.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod compose;
mod keys;
#[path = "../support/monitor.rs"]
mod monitor;
mod place;
mod running;
mod servers;
mod session;
mod values;
