//! The tokio driver over async-nats.

mod auth;
pub use auth::{Auth, Secret};

mod servers;
pub use servers::{IntoServers, ServerUrl, ServerUrlError};

mod clock;
mod link;
mod prober;
