//! A client of NATS super-clusters. It talks to the nearest healthy region, leaves a failing region about one round trip
//! after the failure can be noticed, and fails back later. It needs no load balancer, because the client decides.
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
//! * [`connect`] and [`GeoOptions`] make a [`GeoClient`]: publish, subscribe, request, notices, snapshot.
//! * [`jetstream`]: streams, consumers, key-value and object stores that outlive the link under them, and virtual streams
//!   that outlive the loss of regions.
//! * [`service`]: services that any NATS client can find and call. They keep their id when the client moves.
//! * [`core`] makes the decisions: a state machine without clock, sockets or randomness. Its
//!   [`Config`](core::Config) holds every constant of the policy, with the reason for its default. Start from a preset.
//! * [`wire`] is the NATS client protocol as a pure codec.
//! * [`observe`] lists the report, the counters, the names of `tracing` events, and the metrics of a client.
//! * `decision_log` reads recorded inputs and decisions of a selector; `core::Log` replays them.
//! * `sim` (feature `sim`) simulates servers and network paths, and tests the decisions there.
//! * `async_nats` is the client underneath. Use its types from here, so that the versions cannot differ.
//!
//! # Lost and duplicated messages
//! * **Orderly moves** (lame duck, fail back, a faster region): requests, publishes and queue groups lose and duplicate
//!   nothing. A plain subscription loses nothing, and may get a message twice while the links overlap.
//! * **A dead link** loses the messages that were on their way. It also loses publishes that were written but not
//!   confirmed: [`GeoClient::stats`] counts them, and [`GeoOptions::at_least_once`] resends them. A request that waits on
//!   the link fails at once. Its error says that it may have been executed, and the client never repeats it. The client
//!   does resend publishes to streams, because a stream stores each message id once. Consumers lose nothing: JetStream
//!   redelivers the messages that were on their way.
//! * **While no link is live**, publishes and requests wait for at most
//!   [`publish_wait`](GeoOptions::publish_wait), then fail with an error that says so.
//!
//! # Features
//! * `native` (default): the tokio driver over async-nats. Without it, the crate is pure and builds for wasm32.
//! * `dns` (default): finds servers by DNS.
//! * `metrics`: counters and times for the recorder of the crate `metrics`; [`observe`] has their names.
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
