//! TLS: `options` is what users set, `session` what links and probes share, `explain` what went wrong.

mod explain;
pub(crate) use explain::{NO_TLS, explain, find as find_error, is_in_clear};

mod options;
pub use options::{Tls, TlsError};

mod session;
pub(crate) use session::Sessions;

#[cfg(test)]
mod tests;
