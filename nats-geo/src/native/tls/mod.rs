//! TLS for links and probes, which share one configuration.
//!
//! Owns the application's options (`options`), the session and the certificate checks (`session`), and errors that name the
//! certificate and the remedy (`explain`). Must not know the NATS protocol.

mod explain;
pub(crate) use explain::{NO_TLS, explain, find as find_error, is_in_clear};

mod options;
pub use options::{Tls, TlsError};

mod session;
pub(crate) use session::Sessions;

#[cfg(test)]
mod tests;
