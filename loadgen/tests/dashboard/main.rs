//! `loadgen dashboard`, as a browser sees it: HTTP on a real store and a real super-cluster.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod agents;
#[path = "../store/bundles.rs"]
#[expect(dead_code, reason = "the tests of the store use all of it")]
mod bundles;
mod history;
mod live;
mod operate;
mod page;
mod security;
mod served;
