//! Scenarios: files that are wrong, those that come with loadgen, and their reports.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod bad_files;
mod collect;
mod command;
mod dns;
mod every_workload;
mod impossible;
#[path = "../support/monitor.rs"]
mod monitor;
mod observer;
mod outside;
mod own;
mod schemas;
mod services;
mod shipped;
mod slow_consumer;
#[path = "../support/bad_files.rs"]
mod support;
mod transports;
mod whole;

/// One at a time: each measures times.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
