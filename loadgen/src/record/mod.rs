//! The facts of a run, and the figures made from them.
//!
//! Owns one record per fault and client with its phases (`failover`), histograms of requests (`histograms`), numbered messages (`ledger`) and percentiles
//! (`stats`). Must not know servers or processes: it sees only times and counts.

pub mod failover;
pub mod histograms;
pub mod ledger;
pub mod stats;
