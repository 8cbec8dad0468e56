//! A client of NATS super-clusters. The client connects to the nearest healthy region. When this region fails, the
//! client leaves it within milliseconds, or within seconds if many clients must not move at the same time. When the
//! region works again, the client returns (fail back). Applications need no load balancer, because each client chooses
//! its server.
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
//! * [`connect`] and [`GeoOptions`] create a [`GeoClient`], which publishes, subscribes, sends requests, and reports its
//!   state.
//! * [`jetstream`]: streams, consumers, key-value and object stores that continue when the client moves. Virtual streams
//!   continue even when a region is lost.
//! * [`service`]: services that any NATS client can find and call. A service keeps its id when its client moves.
//! * [`core`] has the [`Selector`](core::Selector), which decides which server a client uses. The selector is a state
//!   machine without clock or sockets, and all its random choices come from a seed. [`Config`](core::Config) holds
//!   every constant of the selector's policy, with the reason for each default. Start from a preset.
//! * [`wire`] encodes and decodes the NATS client protocol, without I/O.
//! * [`observe`] lists the report, the counters, the names of `tracing` events, and the metrics of a client.
//! * `decision_log` reads the recorded inputs and decisions of a selector. `core::Log` replays them.
//! * `sim` (feature `sim`) simulates servers and network paths, and tests the decisions of selectors in this simulation.
//! * `async_nats` is the crate that this client is built on. Use its types from `nats_geo::async_nats`, so that your
//!   code and this crate use the same version.
//!
//! # Lost and duplicated messages
//! * **Orderly moves** (lame duck, fail back, a faster region): requests, publishes and queue groups lose and duplicate
//!   nothing. A plain subscription loses nothing, and may get a message twice while the old and the new link (connection
//!   to a server) both deliver.
//! * **A dead link** loses the messages that were in flight. It may also lose publishes that were written but not
//!   confirmed: [`GeoClient::stats`] counts them, and [`GeoOptions::at_least_once`] resends them. A request that waits
//!   for an answer on the dead link fails at once. The error says that the request may have been executed. The client
//!   never repeats a request. It does resend publishes to streams, because a stream stores each message id once.
//!   Consumers lose nothing: JetStream redelivers the messages that were in flight.
//! * **While no link is live**, publishes and requests wait for at most [`publish_wait`](GeoOptions::publish_wait). Then
//!   they fail with an error that gives this reason.
//!
//! # Features
//! * `native` (default): the tokio driver over async-nats. Without this feature, the crate does no I/O and builds for
//!   wasm32.
//! * `dns` (default): finds servers by DNS.
//! * `metrics`: counters, gauges and histograms for the recorder of the crate `metrics`; [`observe`] has their names.
//! * `serde` (part of `native`): decision logs as text.
//! * `sim`: the simulator, which does no I/O either.

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

/// The version of async-nats that this crate is built on. Use its types from this re-export, so that your code and this
/// crate use the same version.
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
