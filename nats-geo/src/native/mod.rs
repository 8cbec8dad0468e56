//! The tokio driver, which is built on async-nats.
//!
//! `options` starts a client. `driver` runs the selector of `core`, which chooses servers. `prober` and `link` carry out the
//! decisions of the selector. The driver and the handles of the application share `hub`. This module must not choose servers.

mod secret;
pub use secret::Secret;

mod auth;
pub use auth::{Auth, AuthCallback};

mod creds;
pub use creds::CredentialsError;

mod tls;
pub use tls::{Tls, TlsError};

mod servers;
pub use servers::{IntoServers, ServerUrl, ServerUrlError};

mod options;
pub use options::{ConnectionOptions, GeoOptions, WithoutEffect, connect};

mod resend;
pub use resend::{AtLeastOnce, Overflow};

mod health;
pub use health::{HealthCheck, HealthCheckLink};

mod connect;
pub use connect::{ConnectError, Failure, ServerFailure};

mod client;
pub use client::{FlushError, GeoClient, SetServersError, SubscribeError};

mod lines;
pub use lines::TooLong;

mod publish;
pub use publish::PublishError;

mod request;
pub use request::RequestError;

mod subscription;
pub use subscription::{Subscription, SubscriptionError};

mod message;
pub use message::{Message, RespondError};

mod notices;
pub use notices::{Notices, NoticesMissed};

pub mod jetstream;

pub mod service;

pub mod observe;
pub use observe::Stats;

#[cfg(feature = "dns")]
pub mod dns;

mod clock;
mod driver;
mod found;
mod home;
mod hub;
mod link;
mod metered;
mod names;
mod prober;
mod target;
mod unique;

#[cfg(test)]
#[path = "../../tests/support/mod.rs"]
mod support;
