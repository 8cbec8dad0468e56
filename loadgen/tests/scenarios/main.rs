//! Scenarios: files that are wrong, those that come with loadgen, and their reports.

mod bad_files;
mod shipped;
#[path = "../support/bad_files.rs"]
mod support;
