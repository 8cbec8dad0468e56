//! This module restarts servers with another version of nats-server.

use std::io;

use super::processes::cannot;
use super::{FaultError, Recovery};
use crate::cluster::{NatsServer, SuperCluster};
use crate::topology::ServerName;

impl SuperCluster {
    /// Fetches a nats-server for [`SuperCluster::restart_server_with`], so that a server that restarts is not down for the download.
    ///
    /// # Errors
    /// There is no such server, or [`FaultError::Version`]: there is no such nats-server.
    pub async fn fetch_version(&self, server: &str, version: &str) -> Result<(), FaultError> {
        look_up(&self.find(server)?, version).await.map(drop)
    }

    /// As [`SuperCluster::restart_server`], with another nats-server from now on: a version such as `2.14.6`, which is
    /// fetched first if need be, or the path of one.
    ///
    /// # Errors
    /// [`FaultError::Version`] if there is no such nats-server; else as a restart.
    pub async fn restart_server_with(&mut self, server: &str, version: &str) -> Result<Recovery, FaultError> {
        let name = self.find(server)?;
        self.check_restart(&name)?;
        let found = look_up(&name, version).await?;
        let before = self.other_versions.insert(name.clone(), found);
        let done = self.restart_all(std::slice::from_ref(&name)).await;
        if let Err(FaultError::Io { .. } | FaultError::Died { .. }) = &done {
            // It does not run: the next restart takes the version that did.
            match before {
                Some(before) => self.other_versions.insert(name, before),
                None => self.other_versions.remove(&name),
            };
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
