//! The connection to a back channel.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::jetstream;

use super::opts::OpsUrl;

/// A connection to the back channel.
#[derive(Clone, Debug)]
pub struct Channel {
    pub(super) client: async_nats::Client,
    pub(super) jetstream: jetstream::Context,
}

/// Why the back channel failed.
#[derive(Debug, thiserror::Error)]
pub enum ChannelError {
    /// The file with the credentials cannot be read.
    #[error("cannot read --ops-creds {}: {error}", path.display())]
    Creds {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// No server took the connection.
    #[error(
        "cannot connect to the back channel at {url}: {error}; start one with `loadgen control`, or correct --ops or LOADGEN_OPS"
    )]
    Connect {
        /// The address, without credentials.
        url: String,
        /// The error.
        error: async_nats::ConnectError,
    },
    /// A part of it does not answer.
    #[error("loadgen cannot {doing} over the back channel: {reason}")]
    Failed {
        /// The task that failed.
        doing: &'static str,
        /// The reason.
        reason: String,
    },
}

impl ChannelError {
    pub(super) fn failed(doing: &'static str, reason: impl std::fmt::Display) -> Self {
        Self::Failed { doing, reason: reason.to_string() }
    }
}

impl Channel {
    /// Whether it is connected now.
    pub(crate) fn is_up(&self) -> bool {
        self.client.connection_state() == async_nats::connection::State::Connected
    }

    /// Connects. `name` is what the server's list of connections shows.
    ///
    /// # Errors
    /// See [`ChannelError`].
    pub async fn connect(url: &OpsUrl, creds: Option<&Path>, name: &str) -> Result<Self, ChannelError> {
        let options = async_nats::ConnectOptions::new().name(name);
        // It stays where it was sent: this channel makes no decisions.
        let options = options.ignore_discovered_servers().max_reconnects(None).ping_interval(PING_EVERY);
        let options = options.reconnect_delay_callback(|_| RECONNECT_AFTER);
        let options = match creds {
            None => url.login(options),
            Some(path) => options
                .credentials_file(path)
                .await
                .map_err(|error| ChannelError::Creds { path: path.to_owned(), error })?,
        };
        let client = options.connect(url.address()).await;
        let client = client.map_err(|error| ChannelError::Connect { url: url.to_string(), error })?;
        Ok(Self { jetstream: jetstream::new(client.clone()), client })
    }
}

/// A link that is silent for two of them is dialled again.
const PING_EVERY: Duration = Duration::from_secs(5);

const RECONNECT_AFTER: Duration = Duration::from_millis(250);
