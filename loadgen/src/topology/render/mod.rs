//! What other programs read, from a topology: configurations of nats-server, and files of other tools.
//!
//! Owns syntax and file names. Pure: text comes out, nothing is written. Must not know processes or the emulated WAN; the
//! caller says in a [`Wiring`](server::Wiring) by which addresses a server reaches the others.

pub mod server;

mod accounts;
mod streams;

pub use accounts::{AuthFiles, auth_files};
pub use streams::{Created, created};

/// Text between quotation marks in nats-server's configuration.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(", ")
}
