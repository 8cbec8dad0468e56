//! The way for an operator to stop guard: a Unix socket that only the owner may open.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};

use crate::topology::file_stem;
use crate::up::socket::{SocketError, folder};

/// Reason why guard cannot be stopped, or has no way to be stopped.
#[derive(Debug, thiserror::Error)]
pub enum StopError {
    /// The folder of sockets.
    #[error(transparent)]
    Folder(#[from] SocketError),
    /// Two guards would act twice.
    #[error(
        "a guard named `{0}` runs already: stop it with `loadgen guard stop --name {0}`, or choose another --name"
    )]
    Taken(String),
    /// No guard.
    #[error(
        "no guard of this user runs on this machine: run this command on the guard's machine, as the guard's \
         user and with the guard's XDG_RUNTIME_DIR, or send SIGTERM to the guard"
    )]
    NoGuard,
    /// Not that one.
    #[error("no guard named `{name}` runs: choose one of {}", running.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// Those that run.
        running: Vec<String>,
    },
    /// Several guards.
    #[error("several guards run: choose one of {} with --name", .0.join(", "))]
    Several(Vec<String>),
    /// The operating system refuses the socket.
    #[error("cannot use the socket {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
    /// Guard ended without an answer.
    #[error("guard `{0}` ended without an answer: read the last line of its audit file")]
    NoAnswer(String),
}

/// The socket of a guard. Dropping it removes the file.
#[derive(Debug)]
pub(super) struct StopSocket {
    listener: UnixListener,
    path: PathBuf,
}

/// An order to stop. The operator waits for the answer.
#[derive(Debug)]
pub(super) struct StopOrder(UnixStream);

/// The order, as it goes over the socket.
const ORDER: &str = "stop";
/// An operator's command sends the order at once.
const LINE_LIMIT: Duration = Duration::from_secs(1);
/// Longer than the order.
const LONGEST_LINE: u64 = 64;
/// The socket did not accept: soon it may.
const PAUSE: Duration = Duration::from_millis(100);

impl StopSocket {
    /// Opens the socket of a guard.
    ///
    /// # Errors
    /// A guard with this name runs, or the operating system refuses the socket.
    pub(super) fn open(name: &str) -> Result<Self, StopError> {
        let path = path_of(&folder()?, name);
        let failed = |error| StopError::Io { path: path.clone(), error };
        if std::os::unix::net::UnixStream::connect(&path).is_ok() {
            return Err(StopError::Taken(name.to_owned()));
        }
        // A file that nobody listens at is left over from a process that was killed.
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
            _ => {}
        }
        let listener = UnixListener::bind(&path).map_err(failed)?;
        Ok(Self { listener, path })
    }

    /// Waits for an order to stop.
    pub(super) async fn order(&self) -> StopOrder {
        loop {
            match self.listener.accept().await {
                Ok((mut stream, _)) => {
                    let mut line = String::new();
                    let mut limited = BufReader::new((&mut stream).take(LONGEST_LINE));
                    // A connection without a line only asks whether a guard listens.
                    let read = tokio::time::timeout(LINE_LIMIT, limited.read_line(&mut line)).await;
                    if matches!(read, Ok(Ok(_))) && line.trim() == ORDER {
                        return StopOrder(stream);
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, "the socket of guard does not accept");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

impl StopOrder {
    /// Answers with what was ended.
    pub(super) async fn answer(mut self, text: &str) {
        // The operator may have gone away.
        let _ = self.0.write_all(format!("{text}\n").as_bytes()).await;
    }
}

impl Drop for StopSocket {
    fn drop(&mut self) {
        // Either may be gone already, and the folder may hold the sockets of others.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.path.parent().map(std::fs::remove_dir);
    }
}

/// The end of the file's name. Those of deployments end in `.sock`.
const SUFFIX: &str = ".guard";

fn path_of(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!("{}{SUFFIX}", file_stem(name, 0)))
}

/// Stops a guard, and waits until its actions have ended. Returns its answer.
///
/// # Errors
/// See [`StopError`].
pub(super) async fn stop(name: Option<&str>) -> Result<String, StopError> {
    let folder = folder()?;
    let (name, path) = find(&folder, name)?;
    let failed = |error| StopError::Io { path: path.clone(), error };
    let mut stream = UnixStream::connect(&path).await.map_err(failed)?;
    stream.write_all(format!("{ORDER}\n").as_bytes()).await.map_err(failed)?;
    let mut answer = String::new();
    BufReader::new(stream).read_line(&mut answer).await.map_err(failed)?;
    let answer = answer.trim().to_owned();
    if answer.is_empty() { Err(StopError::NoAnswer(name)) } else { Ok(answer) }
}

fn find(folder: &Path, name: Option<&str>) -> Result<(String, PathBuf), StopError> {
    let running = running(folder)?;
    let names = || running.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    match (name, &running[..]) {
        (_, []) => Err(StopError::NoGuard),
        (Some(name), _) => {
            let path = path_of(folder, name);
            let is_running = running.iter().any(|(_, known)| *known == path);
            let unknown = || StopError::Unknown { name: name.to_owned(), running: names() };
            is_running.then(|| (name.to_owned(), path)).ok_or_else(unknown)
        }
        (None, [only]) => Ok(only.clone()),
        (None, _) => Err(StopError::Several(names())),
    }
}

fn running(folder: &Path) -> Result<Vec<(String, PathBuf)>, StopError> {
    let failed = |error| StopError::Io { path: folder.to_owned(), error };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(SUFFIX));
        if let Some(name) = name
            && std::os::unix::net::UnixStream::connect(&path).is_ok()
        {
            found.push((name.to_owned(), path.clone()));
        }
    }
    found.sort();
    Ok(found)
}
