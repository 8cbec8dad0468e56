//! Files for other programs, made from a topology: configurations of nats-server, and files of other tools.
//!
//! The flow: [`addresses`] has the address of each server, [`server`] writes one server's configuration, and one module
//! per tool makes a folder: [`folder`], [`compose`], [`helm`], [`fly`], [`cloud_init`], [`contexts`], [`mod@env`]. This
//! folder owns syntax and file names. It is pure: it returns text and writes nothing. It must not know processes or the
//! emulated WAN; the caller passes a [`Wiring`](server::Wiring) with the addresses by which a server reaches the
//! others.

pub mod addresses;
pub mod cloud_init;
pub mod compose;
pub mod contexts;
pub mod env;
pub mod files;
pub mod fly;
pub mod folder;
pub mod helm;
pub mod names;
pub mod server;

mod accounts;
mod monitoring;
mod shell;
mod streams;
mod toxiproxy;
mod users;
mod yaml;

pub use accounts::{AuthFiles, auth_files};
pub use files::{Certificates, Inputs, RenderedFile};
pub use streams::{Created, created};

/// Text between quotation marks in nats-server's configuration.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

fn list(items: impl IntoIterator<Item = String>) -> String {
    items.into_iter().collect::<Vec<_>>().join(", ")
}
