//! The facts of a run, and the figures made from them.
//!
//! This folder owns the parts of a client's failover (`failover`), numbered messages (`ledger`), histograms of times
//! (`histograms`) and percentiles (`stats`). It must not know servers or processes: it sees only times and counts.

pub mod failover;
pub mod histograms;
pub mod ledger;
pub mod stats;
