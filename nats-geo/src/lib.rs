//! A client for NATS super-clusters. It connects to the nearest healthy region, moves away when the region fails, and
//! fails back when the region is healthy again. It needs no load balancer: each client decides for itself.
//!
//! ```no_run
//! use futures_util::StreamExt;
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! // One address per region is enough: servers advertise the others, and INFO names their region.
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
//! * [`connect`] and [`GeoOptions`] create a [`GeoClient`]: publish, subscribe, request, notices, snapshot.
//! * [`jetstream`] has streams, consumers, key-value and object stores that continue across moves. Its virtual streams
//!   survive the loss of regions.
//! * [`service`] has services (ADR-32) that any NATS client can find and call. A service keeps its id across moves.
//! * [`observe`] lists the data that a client reports: report, counters, `tracing` and metrics.
//! * [`async_nats`] is the crate that this one builds on. Use its types from here, so that versions cannot differ.
//! * [`core`] makes the decisions: a state machine without clock, sockets or randomness. Its [`Config`](core::Config) holds
//!   every constant of the policy, with the reason; start from a preset. [`core::vocabulary`] names all events.
//! * [`wire`] is the NATS client protocol as a pure codec.
//! * `decision_log` (feature `serde`) reads the recorded inputs and decisions of a client; `core::Log` replays them.
//! * `sim` (feature `sim`) is a simulated world of servers and networks, in which the decisions are tested.
//!
//! # Delivery guarantees
//! * **Planned moves** (lame duck, fail back, a faster region): requests, publishes and queue groups lose nothing and get no
//!   duplicates. A plain subscription loses nothing, and may receive duplicates while two links overlap.
//! * **A dead link** loses what core NATS must lose: messages in flight, and publishes that the server had not confirmed.
//!   [`GeoClient::stats`] counts them, and [`GeoOptions::at_least_once`] resends them. Requests that wait on the link fail
//!   at once. Their error says that they may have been executed, and the client does not resend them.
//! * **JetStream**: the client resends publishes to streams, because a stream stores a message id once. Consumers lose
//!   nothing: JetStream redelivers messages that were in flight.
//! * **While the client is offline**, publishes and requests wait up to a limit, then fail with an error that says so.
//!
//! # Features
//! * `native` (default): the tokio driver over async-nats. Without it, the crate is pure and builds for wasm32.
//! * `dns` (default): finds servers by name.
//! * `metrics`: counters and times for the recorder of the crate `metrics`; names in [`observe`].
//! * `serde` (part of `native`): decision logs as text.
//! * `sim`: the simulator. It is pure too.

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
