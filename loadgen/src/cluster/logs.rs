//! Copies of the servers' logs, for readers after the end of the servers.

use std::io;
use std::path::{Path, PathBuf};

use super::SuperCluster;

/// The logs of the servers cannot be copied.
#[derive(Debug, thiserror::Error)]
#[error("cannot copy the logs of the servers to {}: {error}", folder.display())]
pub struct CopyLogsError {
    folder: PathBuf,
    error: io::Error,
}

impl SuperCluster {
    /// Copies the log of each server into a folder, which is made if it is missing. Returns the names of the files. A log names users,
    /// and holds no password: servers do not log what clients show.
    ///
    /// # Errors
    /// A file cannot be written.
    pub fn copy_logs(&self, folder: &Path) -> Result<Vec<String>, CopyLogsError> {
        let failed = |error| CopyLogsError { folder: folder.to_owned(), error };
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut names = Vec::new();
        for log in self.servers.values().map(super::server::Server::log) {
            let Some(name) = log.file_name() else { continue };
            std::fs::copy(log, folder.join(name)).map_err(failed)?;
            names.push(name.to_string_lossy().into_owned());
        }
        Ok(names)
    }
}
