//! The NATS client of nats-geo for browsers: it talks to the nearest healthy region over WebSocket.
//!
//! # Map
//! * [`engine`] is the whole client without a socket or a clock; it runs, and is tested, anywhere.
//! * `browser` drives it: WebSockets, one timer, the clocks of a page or a worker.
//! * `surface` is what JavaScript sees; the npm package in `js/` is built on it.

pub mod engine;

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod surface;
#[cfg(target_arch = "wasm32")]
pub use surface::JsEngine;
