//! The pages of the book. This module includes them, so that the documentation tests also compile the Rust examples of
//! the pages.

#[doc = include_str!("../../docs/book/configuration.md")]
struct Configuration;

#[doc = include_str!("../../docs/book/configuration-advanced.md")]
struct AllConstants;

#[doc = include_str!("../../docs/book/dns.md")]
struct Dns;

#[doc = include_str!("../../docs/book/from-async-nats.md")]
struct FromAsyncNats;

#[doc = include_str!("../../docs/book/getting-started-rust.md")]
struct GettingStarted;

#[doc = include_str!("../../docs/book/guarantees.md")]
struct Guarantees;

#[doc = include_str!("../../docs/book/health-checks.md")]
struct HealthChecks;

#[doc = include_str!("../../docs/book/how-it-works.md")]
struct HowItWorks;

#[doc = include_str!("../../docs/book/jetstream.md")]
struct JetStream;

#[doc = include_str!("../../docs/book/observability.md")]
struct Observability;

#[doc = include_str!("../../docs/book/security.md")]
struct Security;

#[doc = include_str!("../../docs/book/services.md")]
struct Services;

#[doc = include_str!("../../docs/book/simulation.md")]
struct Simulation;

#[doc = include_str!("../../docs/book/virtual-streams.md")]
struct VirtualStreams;
