//! Clients of NATS super-clusters that talk to the nearest healthy region.
pub mod core;
pub mod wire;

#[cfg(feature = "native")]
mod native;
#[cfg(feature = "native")]
pub use native::*;
