//! What was seen, and what it means: one record per (fault, client) pair, histograms of requests.

pub mod failover;
pub mod histograms;
pub mod stats;
