//! The operations that break and repair a running super-cluster.
//!
//! Each operation returns the time at which it took effect, right after the system call, so that all effects on clients
//! come later. An operation that undoes a fault returns a [`Recovery`], or the caller waits with
//! [`SuperCluster::wait_recovered`].

mod configurations;
mod links;
mod processes;
mod versions;

use std::io;
use std::time::{Duration, Instant};

use super::binary::VersionError;
use super::ready::NotReadyError;
use super::streams::CreateStreamsError;
use super::{ReloadError, SuperCluster, UnknownNameError};
use crate::clock;
use crate::topology::ServerName;
use crate::wan::{LongDelayError, UnsupportedError};

pub use super::links::{LinkFault, LinkFaultId, LinkKind, LinkScope, Links};

/// Why a fault was not injected, or not undone.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// No such server or region.
    #[error(transparent)]
    UnknownName(#[from] UnknownNameError),
    /// The server is in no state for it.
    #[error("cannot {what} {server}: the server is {state}")]
    State {
        /// What was asked for.
        what: &'static str,
        /// Of whom.
        server: ServerName,
        /// What it is.
        state: &'static str,
    },
    /// No server of the region is in a state that allows it.
    #[error("cannot {what} {region}: none of its servers is in a state that allows this")]
    Nobody {
        /// What was asked for.
        what: &'static str,
        /// Of which region.
        region: String,
    },
    /// The region has not that many servers to kill.
    #[error("cannot kill {wanted} servers of {region}: choose 1 to {alive} (running servers: {alive})")]
    Count {
        /// Of which region.
        region: String,
        /// How many were asked for.
        wanted: usize,
        /// How many there are.
        alive: usize,
    },
    /// The operating system said no.
    #[error("cannot {what} {server}: {error}")]
    Io {
        /// What was asked for.
        what: &'static str,
        /// Of whom.
        server: ServerName,
        /// Error of the operating system.
        error: io::Error,
    },
    /// A restarted server ended at once.
    #[error("{server} ended during its restart: {reason}")]
    Died {
        /// Which one.
        server: ServerName,
        /// Its status and last words.
        reason: String,
    },
    /// A server got the order to end, and did not.
    #[error(
        "{server} is still {state} {:.1} s after the order to end: set `by = \"kill\"` in the fault, or look in the server's log \
         (`--keep` keeps the log) for the connection or stream that the server waits for",
        limit.as_secs_f64()
    )]
    Lingers {
        /// Which one.
        server: ServerName,
        /// How it was to end.
        state: &'static str,
        /// How long loadgen waited for its end.
        limit: Duration,
    },
    /// There is no such nats-server to restart with.
    #[error("cannot restart {server} with another version: {error}")]
    Version {
        /// Which one.
        server: ServerName,
        /// The problem.
        error: VersionError,
    },
    /// No link is among those that the fault names.
    #[error("the topology has no {0}: name a scope and kinds of links that the topology has")]
    NoLinks(Links),
    /// The effect is none.
    #[error(transparent)]
    Delay(#[from] LongDelayError),
    /// The emulation does not have it.
    #[error(transparent)]
    Unsupported(#[from] UnsupportedError),
    /// It has ended, or was never begun.
    #[error("link fault {0} is not active: mend each fault once, with the id that `break_links` returned")]
    NotActive(LinkFaultId),
    /// Servers did not take a configuration.
    #[error(transparent)]
    Reload(#[from] ReloadError),
    /// The fault is gone, but the super-cluster did not come back.
    #[error(transparent)]
    NotReady(#[from] NotReadyError),
    /// It came back, but streams do not hear each other.
    #[error(transparent)]
    Streams(#[from] CreateStreamsError),
}

/// When a fault was undone, and when the servers were linked again.
#[derive(Clone, Copy, Debug)]
pub struct Recovery {
    /// Clients can connect, or are heard, again.
    pub undone_at: Instant,
    /// [`SuperCluster::wait_ready`] was satisfied.
    pub ready_at: Instant,
}

impl SuperCluster {
    /// Waits, after a fault was undone, until all servers that should be up and heard are linked and the streams that copy
    /// others hear them. Returns when they did.
    ///
    /// # Errors
    /// [`FaultError::NotReady`] or [`FaultError::Streams`] names what is missing after the super-cluster's ready limit.
    pub async fn wait_recovered(&self) -> Result<Instant, FaultError> {
        self.wait_ready().await?;
        super::streams::wait_in_sync(self, clock::now() + self.ready_limit).await?;
        Ok(clock::now())
    }

    async fn recovered(&self, undone_at: Instant) -> Result<Recovery, FaultError> {
        Ok(Recovery { undone_at, ready_at: self.wait_recovered().await? })
    }
}
