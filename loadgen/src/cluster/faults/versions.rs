//! This module restarts servers with another version of nats-server.

use std::io;

use super::processes::cannot;
use super::{FaultError, Recovery};
use crate::cluster::{NatsServer, SuperCluster};
use crate::topology::ServerName;

impl SuperCluster {
    /// Fetches a nats-server for [`SuperCluster::restart_servers_with`], so that a server that restarts is not down for the download.
    ///
    /// # Errors
    /// There is no such server, or [`FaultError::Version`]: there is no such nats-server.
    pub async fn fetch_version(&self, server: &str, version: &str) -> Result<(), FaultError> {
        look_up(&self.find(server)?, version).await.map(drop)
    }

    /// As [`SuperCluster::restart_servers`], with another nats-server from now on: a version such as `2.14.6`, which is
    /// fetched first if need be, or the path of one.
    ///
    /// # Errors
    /// [`FaultError::Version`] if there is no such nats-server; else as a restart.
    pub async fn restart_servers_with(
        &mut self,
        servers: &[String],
        version: &str,
    ) -> Result<Recovery, FaultError> {
        let names = self.find_all(servers)?;
        for name in &names {
            self.check_restart(name)?;
        }
        let Some(first) = names.first() else { return self.restart_all(&names).await };
        let found = look_up(first, version).await?;
        let before = self.other_versions.clone();
        self.other_versions.extend(names.iter().map(|name| (name.clone(), found.clone())));
        let done = self.restart_all(&names).await;
        if let Err(FaultError::Io { .. } | FaultError::Died { .. }) = &done {
            // It does not run: the next restart takes the versions that did.
            self.other_versions = before;
        }
        done
    }
}

/// Finds a nats-server by its version or path, and fetches it if need be.
async fn look_up(server: &ServerName, version: &str) -> Result<NatsServer, FaultError> {
    let wanted = version.to_owned();
    let found = tokio::task::spawn_blocking(move || NatsServer::of_topology(&wanted)).await;
    let found = found.map_err(|error| cannot("restart", server, io::Error::other(error)))?;
    found.map_err(|error| FaultError::Version { server: server.clone(), error })
}
