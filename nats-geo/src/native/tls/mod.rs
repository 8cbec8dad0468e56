//! TLS for links and probes, which share one configuration.
//!
//! `options` has the application's options, and `session` has the TLS configuration and the certificate checks.
//! `explain` makes errors that name the certificate and the remedy. This module must not use the NATS protocol.

mod explain;
pub(crate) use explain::{NO_TLS, explain, find as find_error, is_in_clear};

mod options;
pub use options::{Tls, TlsError};

mod session;
pub(crate) use session::Sessions;

#[cfg(test)]
mod tests;
