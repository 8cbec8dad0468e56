//! Tests of runs as bundles, in folders and in a real S3 that fails, is slow and breaks connections.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod bundles;
mod commands;
mod fates;
mod history;
mod memory;
mod runs;
mod s3;
mod secrets;
mod uploads;
