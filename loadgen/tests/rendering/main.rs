//! Rendered folders, read by the tools that they are for.
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
