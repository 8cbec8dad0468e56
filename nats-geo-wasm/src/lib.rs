//! The NATS client of nats-geo for browsers. It connects to the nearest healthy region over WebSocket.
//!
//! # Map
//! * [`engine`] is the whole client without sockets or clocks. It runs on every platform, so tests need no browser.
//! * `browser` is the driver of the engine: WebSockets, one timer, and the clocks of a page or a worker.
//! * `surface` is the API for JavaScript; the npm package in `js/` uses this API.

pub mod engine;

#[cfg(target_arch = "wasm32")]
mod browser;
#[cfg(target_arch = "wasm32")]
mod surface;
#[cfg(target_arch = "wasm32")]
pub use surface::JsEngine;
