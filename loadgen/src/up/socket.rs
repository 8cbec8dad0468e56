//! The control socket: a Unix socket that only its owner may open, one for each deployment.

use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};

use super::access::Access;
use super::control::{Command, Order};
use super::world::World;
use crate::topology::file_stem;

/// One line over the socket, from `loadgen ctl`.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Request {
    /// What to do.
    pub command: Command,
}

/// One line over the socket, from `loadgen up`.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Reply {
    /// Why it was not done; `None`: it was.
    pub error: Option<String>,
    /// The super-cluster afterwards.
    pub world: World,
    /// The way into it, if that was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access: Option<Access>,
}

/// The state of the super-cluster that the socket answers with.
#[derive(Clone, Debug)]
pub struct State {
    /// The public part: regions, servers, addresses.
    pub world: watch::Receiver<World>,
    /// The way into it.
    pub access: watch::Receiver<Access>,
}

/// The socket of a super-cluster that is up. Dropping it removes the file.
#[derive(Debug)]
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
    deployment: String,
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// Somebody else is up.
    #[error("deployment `{0}` is up already: choose another `--deployment`, or end it")]
    Taken(String),
    /// The folder could be somebody else's.
    #[error("`{}` belongs to another user, or other users may write to it: remove it", .0.display())]
    Folder(PathBuf),
    /// The operating system said no.
    #[error("cannot use the control socket {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
}

impl ControlSocket {
    /// Opens the socket of a deployment. A name that the user did not choose gets a number when it is taken.
    ///
    /// # Errors
    /// See [`SocketError`].
    pub fn open(deployment: &str, is_chosen: bool) -> Result<Self, SocketError> {
        let folder = folder()?;
        for number in 1..=MOST_DEPLOYMENTS {
            let name = if number == 1 { deployment.to_owned() } else { format!("{deployment}-{number}") };
            let path = path_of(&folder, &name);
            let failed = |error| SocketError::Io { path: path.clone(), error };
            if std::os::unix::net::UnixStream::connect(&path).is_ok() {
                if is_chosen {
                    return Err(SocketError::Taken(name));
                }
                continue;
            }
            // A file that nobody listens at is left over from a process that was killed.
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
            let listener = UnixListener::bind(&path).map_err(failed)?;
            return Ok(Self { listener, path, deployment: name });
        }
        Err(SocketError::Taken(deployment.to_owned()))
    }

    /// The name by which `loadgen ctl --deployment` finds it.
    pub fn deployment(&self) -> &str {
        &self.deployment
    }

    /// Passes orders on, and answers each with the world after it. Never ends.
    pub async fn serve(&self, orders: mpsc::Sender<Order>, state: State) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    tokio::spawn(answer(stream, orders.clone(), state.clone()));
                }
                Err(error) => {
                    tracing::warn!(%error, "the control socket does not accept");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        // Either may be gone already, and the folder may hold the sockets of others.
        let _ = std::fs::remove_file(&self.path);
        let _ = self.path.parent().map(std::fs::remove_dir);
    }
}

/// More super-clusters do not fit on one machine.
const MOST_DEPLOYMENTS: u32 = 99;
/// Out of file descriptors, most likely: soon there may be one.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);
/// Longer than any order.
const LONGEST_LINE: u64 = 64 * 1024;

/// The sockets of deployments that are up, by name.
///
/// # Errors
/// See [`SocketError`].
pub fn deployments() -> Result<Vec<(String, PathBuf)>, SocketError> {
    let folder = folder()?;
    let failed = |error| SocketError::Io { path: folder.clone(), error };
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name =
            path.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".sock"));
        if let Some(name) = name
            && std::os::unix::net::UnixStream::connect(&path).is_ok()
        {
            found.push((name.to_owned(), path.clone()));
        }
    }
    found.sort();
    Ok(found)
}

/// Where the socket of a deployment is.
///
/// # Errors
/// See [`SocketError`].
pub fn path(deployment: &str) -> Result<PathBuf, SocketError> {
    Ok(path_of(&folder()?, deployment))
}

fn path_of(folder: &Path, deployment: &str) -> PathBuf {
    folder.join(format!("{}.sock", file_stem(deployment, 0)))
}

/// A folder of the user's own, because a socket's file mode does not protect it everywhere.
///
/// # Errors
/// See [`SocketError`].
pub(crate) fn folder() -> Result<PathBuf, SocketError> {
    let user = nix::unistd::Uid::effective();
    let given = std::env::var_os("XDG_RUNTIME_DIR").filter(|folder| !folder.is_empty());
    let folder = match given {
        Some(folder) => PathBuf::from(folder).join("loadgen"),
        None => std::env::temp_dir().join(format!("loadgen-control-{user}")),
    };
    let failed = |error| SocketError::Io { path: folder.clone(), error };
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(&folder).map_err(failed)?;
    let metadata = std::fs::symlink_metadata(&folder).map_err(failed)?;
    let is_ours = metadata.is_dir() && metadata.uid() == user.as_raw();
    if !is_ours || metadata.permissions().mode() & 0o077 != 0 {
        return Err(SocketError::Folder(folder));
    }
    Ok(folder)
}

async fn answer(stream: UnixStream, orders: mpsc::Sender<Order>, state: State) {
    let (reader, mut writer) = stream.into_split();
    let mut lines = BufReader::new(reader.take(LONGEST_LINE)).lines();
    // A connection without a line only asked whether anybody listens.
    let Ok(Some(line)) = lines.next_line().await else { return };
    let request = serde_json::from_str::<Request>(&line);
    let asks_for_access = request.as_ref().is_ok_and(|request| request.command == Command::Access);
    let error = match request {
        Ok(Request { command: Command::Snapshot }) => None,
        Ok(request) => carry_out(request, &orders).await.err(),
        Err(error) => Some(format!("the order is not understood: {error}")),
    };
    let access = asks_for_access.then(|| state.access.borrow().clone());
    let reply = Reply { error, world: state.world.borrow().clone(), access };
    let Ok(mut text) = serde_json::to_string(&reply) else { return };
    text.push('\n');
    // Whoever asked may have gone away.
    let _ = writer.write_all(text.as_bytes()).await;
}

async fn carry_out(request: Request, orders: &mpsc::Sender<Order>) -> Result<(), String> {
    const ENDING: &str = "loadgen is ending";
    let (answer, answered) = oneshot::channel();
    let order = Order { command: request.command, answer };
    orders.send(order).await.map_err(|_| ENDING.to_owned())?;
    answered.await.map_err(|_| ENDING.to_owned())?.map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::topology::credentials::Login;

    /// Nobody takes the orders, as while a long one is carried out.
    #[tokio::test]
    async fn a_snapshot_waits_for_no_order() {
        let world = World {
            revision: 7,
            regions: Vec::new(),
            rtt_ms: BTreeMap::new(),
            busy: Some("healing lon".to_owned()),
            faults: Vec::new(),
        };
        let access = Access {
            servers: Vec::new(),
            system: Login::Anonymous,
            application: Login::Anonymous,
            ca: None,
            certificate: None,
            tls_first: false,
            logins: Vec::new(),
        };
        let (orders, _taken_by_nobody) = mpsc::channel(1);
        let (worlds, accesses) = (watch::Sender::new(world.clone()), watch::Sender::new(access));
        let state = State { world: worlds.subscribe(), access: accesses.subscribe() };
        let ask = async |command: Command| {
            let (client, server) = UnixStream::pair().unwrap();
            tokio::spawn(answer(server, orders.clone(), state.clone()));
            let (reader, mut writer) = client.into_split();
            let line = serde_json::to_string(&Request { command }).unwrap() + "\n";
            writer.write_all(line.as_bytes()).await.unwrap();
            let mut lines = BufReader::new(reader).lines();
            let line = tokio::time::timeout(Duration::from_millis(200), lines.next_line()).await;
            line.ok().map(|line| serde_json::from_str::<Reply>(&line.unwrap().unwrap()).unwrap())
        };
        assert!(ask(Command::Status).await.is_none(), "a status comes after the orders before it");
        let reply = ask(Command::Snapshot).await.unwrap();
        assert_eq!((reply.error, reply.world), (None, world));
    }
}
