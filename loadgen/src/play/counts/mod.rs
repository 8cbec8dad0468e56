//! Counts of every message and operation, in bounded memory: ledgers of messages (`accounts`), puts and gets (`tallies`).
//!
//! Owns numbers only. Must not know of clients, servers or streams.

pub(crate) mod accounts;
pub(crate) mod tallies;
