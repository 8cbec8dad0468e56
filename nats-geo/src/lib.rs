//! A client of NATS super-clusters that talks to the nearest healthy region, leaves a failing one about one round trip
//! after the failure can be known, and comes home again. No load balancer: the client decides.
//!
//! ```no_run
//! use futures_util::StreamExt;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // One address per region is enough to begin with; regions are learned from `INFO.cluster`.
//! let client = nats_geo::connect("nats://lon-1:4222,nats://ams-1:4222,nats://dal-1:4222").await?;
//!
//! let mut orders = client.subscribe("orders.>").await?; // a stream that survives moves
//! client.publish("orders.new", "one lamp".into()).await?;
//! let first = orders.next().await;
//!
//! println!("{}", client.snapshot()); // the ranking, and the reason for each place
//! # Ok(())
//! # }
//! ```
//!
//! # Map
//! * [`connect`] and [`GeoOptions`] make a [`GeoClient`]: publish, subscribe, request, notices, snapshot.
//! * [`jetstream`]: streams, consumers, key-value and object stores that outlive the link under them, and virtual streams
//!   that outlive the loss of regions.
//! * [`service`]: services that any NATS client finds and asks, at home in the nearest region, with the same id after moves.
//! * [`core`] is what decides: a state machine without clock, sockets or randomness. Its
//!   [`Config`](core::Config) holds every constant of the policy, with its why; start from a preset.
//! * [`wire`] is the NATS client protocol as a pure codec.
//! * [`observe`] lists what a client tells of itself: report, counters, `tracing` names, metrics.
//! * `decision_log` reads what a selector was told and decided, in the field too; `core::Log` plays it again.
//! * `sim` (feature `sim`) is a world of model servers and paths in which the decisions are tested.
//!
//! # What can be lost or doubled
//! * **Orderly moves** (lame duck, fail back, a faster region): requests, publishes and queue groups lose and double
//!   nothing; a plain subscription loses nothing and may see a message twice while the links overlap.
//! * **A dead link** loses what core NATS must lose: messages on their way, and publishes that were written but not
//!   confirmed, which [`GeoClient::stats`] counts ([`GeoOptions::at_least_once`] sends them again). Requests that wait on it fail at once
//!   with an error that says that they may have been executed; they are never repeated unasked. Publishes to streams are,
//!   because a stream stores a message id once. Consumers lose nothing: what was on its way comes again, as JetStream
//!   does it.
//! * **While nothing is live**, publishing and requesting wait up to a bound, then fail with an error that says so.
//!
//! # Features
//! * `native` (default): the tokio driver over async-nats. Without it, the crate is pure and builds for wasm32.
//! * `dns` (default): servers that are found by name.
//! * `metrics`: counters and times for the recorder of the crate `metrics`; names in [`observe`].
//! * `serde` (part of `native`): decision logs as text.
//! * `sim`: the simulator. Pure too.

pub mod core;
#[cfg(feature = "serde")]
pub mod decision_log;
#[cfg(feature = "sim")]
pub mod sim;
pub mod wire;

#[cfg(feature = "native")]
mod native;
#[cfg(feature = "native")]
pub use native::*;

/// The version of async-nats that this crate is built on. Use its types from here, so that the versions cannot differ.
///
/// ```
/// use nats_geo::async_nats::HeaderMap;
///
/// let mut headers = HeaderMap::new();
/// headers.insert("Nats-Msg-Id", "order-1");
/// ```
#[cfg(feature = "native")]
pub use async_nats;

/// The examples of the README are compiled with the documentation's.
#[cfg(all(doctest, feature = "native"))]
#[doc = include_str!("../../README.md")]
struct Readme;

#[cfg(all(doctest, feature = "dns"))]
mod book;
