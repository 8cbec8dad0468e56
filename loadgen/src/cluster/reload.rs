//! Changes of accounts while servers run: server by server, each verified, all rolled back when one refuses.

use std::io;
use std::time::Duration;

use nix::sys::signal::Signal;

use super::SuperCluster;
use super::start::write;
use crate::clock;
use crate::topology::credentials::KeyError;
use crate::topology::render::{auth_files, server};
use crate::topology::{ServerName, Topology};

/// Why a change was not applied. All servers have their old configuration then, except after [`NotRolledBack`](Self::NotRolledBack).
#[derive(Debug, thiserror::Error)]
pub enum ReloadError {
    /// No keys.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// Servers differ now: some have the new configuration.
    #[error(
        "{error}; and the old configuration is not back everywhere: {rollback}; end this super-cluster and start it again"
    )]
    NotRolledBack {
        /// Why the change was not applied.
        error: String,
        /// Why it was not undone.
        rollback: String,
    },
    /// A file or a process.
    #[error("cannot change the configuration of {server}: {error}")]
    Io {
        /// The server.
        server: ServerName,
        /// What the operating system said.
        error: io::Error,
    },
    /// The server did not take it.
    #[error("{server} refused the configuration: {reason}")]
    Refused {
        /// The server.
        server: ServerName,
        /// What it logged.
        reason: String,
    },
}

impl SuperCluster {
    /// Gives every server its configuration of `topology`, which may differ from the present one in accounts only. A server that
    /// is not up gets it with its next start.
    ///
    /// # Errors
    /// See [`ReloadError`].
    pub async fn reload(&mut self, topology: Topology) -> Result<(), ReloadError> {
        let old = std::mem::replace(&mut self.topology, topology);
        let done = self.reload_all().await;
        if done.is_err() {
            self.topology = old;
            // The servers that took the new one, and the files of the others. They ran with this one a moment ago.
            if let (Err(error), Err(rollback)) = (&done, self.reload_all().await) {
                let (error, rollback) = (error.to_string(), rollback.to_string());
                return Err(ReloadError::NotRolledBack { error, rollback });
            }
        }
        done
    }

    async fn reload_all(&self) -> Result<(), ReloadError> {
        for (name, text) in auth_files(&self.topology, &self.credentials)? {
            let file = self.wires().auth_dir().join(&name);
            let first = || self.servers.keys().next().cloned().unwrap_or_default();
            write(&file, text.expose()).map_err(|error| ReloadError::Io { server: first(), error })?;
        }
        for name in self.servers.keys() {
            self.reload_one(name).await?;
        }
        Ok(())
    }

    async fn reload_one(&self, name: &ServerName) -> Result<(), ReloadError> {
        let (Some(server), Some(described)) = (self.servers.get(name), self.topology.server(name)) else {
            return Ok(());
        };
        let failed = |error| ReloadError::Io { server: name.clone(), error };
        let refused = |reason: String| ReloadError::Refused { server: name.clone(), reason };
        let wires = self.wires();
        let text = server::config(
            &self.topology,
            described,
            &wires.of(described, server.ports()),
            &self.credentials,
        )?;
        let file = wires.files(name).config;
        if std::fs::read_to_string(&file).is_ok_and(|present| present == text) {
            return Ok(());
        }
        if !server.is_up() {
            return write(&file, &text).map_err(failed);
        }
        let monitor = server.monitor();
        let loaded = || async { monitor.varz().await.map(|varz| varz.config_load_time) };
        let before = loaded().await.map_err(|error| refused(error.to_string()))?;
        let logged = std::fs::metadata(server.log()).map_or(0, |metadata| metadata.len());
        write(&file, &text).map_err(failed)?;
        server.signal(Signal::SIGHUP).map_err(failed)?;
        let deadline = clock::now() + LIMIT;
        loop {
            if loaded().await.is_ok_and(|now| now != before) {
                return Ok(());
            }
            if let Some(reason) = failure(server.log(), logged) {
                return Err(refused(reason));
            }
            if clock::now() >= deadline {
                return Err(refused(format!("nothing within {} s", LIMIT.as_secs())));
            }
            tokio::time::sleep(ASK_AGAIN).await;
        }
    }
}

/// A reload takes milliseconds.
const LIMIT: Duration = Duration::from_secs(5);
/// How often the server is asked.
const ASK_AGAIN: Duration = Duration::from_millis(20);

/// Returns the reason of a failed reload that the server has logged beyond the first `from` bytes of its log.
fn failure(log: &std::path::Path, from: u64) -> Option<String> {
    let text = std::fs::read(log).ok()?;
    let new = String::from_utf8_lossy(text.get(usize::try_from(from).ok()?..)?).into_owned();
    let line = new.lines().find(|line| line.contains("Failed to reload"))?;
    Some(line.split_once("configuration: ").map_or(line, |(_, reason)| reason).to_owned())
}
