//! Starts a real NATS super-cluster on one machine, breaks it, and measures failover.

pub mod clock;
pub mod cluster;
pub mod wan;
