//! Clients of NATS super-clusters that talk to the nearest healthy region.
pub mod core;
pub mod wire;
