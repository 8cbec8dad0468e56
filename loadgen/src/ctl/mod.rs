//! `loadgen ctl`: breaks and heals, from another terminal, a super-cluster that `loadgen up` keeps running.
//!
//! This folder owns the command line of orders and the printing of their results. The orders and the socket belong to
//! [`crate::up`]. This folder must not know servers.

pub mod client;
pub mod env;
pub mod opts;
