//! The engine against real nats-servers over real WebSockets, driven by tokio.
#![cfg(not(target_arch = "wasm32"))]
#![allow(clippy::unwrap_used, reason = "what fails here fails the test")]

mod basics;
mod driver;
mod failing;
mod moving;
mod refusing;
#[path = "../../../nats-geo/tests/support/mod.rs"]
mod support;
