//! `loadgen guard`: rule files, and real super-clusters that fail.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod bad_files;
mod certificates;
mod command;
mod files;
mod load;
mod regions;
mod running;
mod stopping;
mod streams;
#[path = "../support/bad_files.rs"]
mod support;
