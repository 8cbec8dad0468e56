//! Counts of every message and operation, in bounded memory: ledgers of messages (`accounts`), puts and gets (`tallies`).
//!
//! This folder owns numbers only. It must not know clients, servers or streams.

pub(crate) mod accounts;
pub(crate) mod tallies;
