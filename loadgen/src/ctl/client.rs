//! The client of the control socket: it sends an order and prints the state.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;

use super::env;
use super::opts::{CtlOpts, CtlOrder, WaitOpts};
use crate::clock;
use crate::up::access::Access;
use crate::up::control::Command;
use crate::up::injected::FaultView;
use crate::up::socket::{self, Reply, Request, SocketError};
use crate::up::world::{ServerView, World};

/// Why an order was not carried out.
#[derive(Debug, thiserror::Error)]
pub enum CtlError {
    /// No socket.
    #[error(transparent)]
    Socket(#[from] SocketError),
    /// Nothing to give orders to.
    #[error("no super-cluster is up: start one with `loadgen up --regions lon,ams,dal`")]
    NothingUp,
    /// That one is not up.
    #[error("deployment `{name}` is not up: choose one of {}", up.join(", "))]
    NotUp {
        /// The name that was given.
        name: String,
        /// Those that are up.
        up: Vec<String>,
    },
    /// Which one?
    #[error("several super-clusters are up: choose one of {} with `--deployment`", .0.join(", "))]
    Several(Vec<String>),
    /// The connection broke.
    #[error("cannot reach `loadgen up` over {}: {error}", path.display())]
    Io {
        /// The socket.
        path: PathBuf,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// It said something else.
    #[error("cannot read the answer of `loadgen up`: {0}; use the same version of loadgen as `loadgen up`")]
    Answer(#[from] serde_json::Error),
    /// Nobody has this name.
    #[error("no user `{user}`: {}", users_to_choose(users))]
    NoUser {
        /// The name that was given.
        user: String,
        /// The users of the topology.
        users: Vec<String>,
    },
    /// No region has this name.
    #[error("no region `{region}`: choose one of {}", regions.join(", "))]
    NoRegion {
        /// The name that was given.
        region: String,
        /// The regions of the topology.
        regions: Vec<String>,
    },
    /// Something is missing.
    #[error("the super-cluster is not stable after {} s: {missing}", limit.as_secs())]
    Unstable {
        /// How long it was waited for.
        limit: Duration,
        /// What was missing in the end.
        missing: String,
    },
    /// It said no.
    #[error("{0}")]
    Refused(String),
}

/// Sends the order; returns what to print.
///
/// # Errors
/// See [`CtlError`].
pub async fn run(opts: CtlOpts) -> Result<String, CtlError> {
    let reply = ask(opts.deployment.as_deref(), opts.order.clone().into()).await?;
    if let CtlOrder::Env(env) = &opts.order {
        return env::text(env, opts.json, &reply.world, &reply.access.ok_or_else(too_old)?);
    }
    if opts.json {
        return Ok(serde_json::to_string_pretty(&reply.world)?);
    }
    Ok(table(&reply.world))
}

/// Waits until the super-cluster is stable: every server up and linked, streams in sync, and enough instances of every service.
///
/// # Errors
/// It is not, within the limit: what is missing.
pub async fn wait(opts: WaitOpts) -> Result<String, CtlError> {
    let limit = Duration::from_secs(opts.stabilise_timeout.into());
    let started = clock::now();
    loop {
        let path = find(opts.deployment.as_deref())?;
        let reply = exchange(&path, &Request { command: Command::Check }).await?;
        let Some(missing) = reply.error else {
            return Ok(format!("stable after {:.1} s", started.elapsed().as_secs_f64()));
        };
        if started.elapsed() >= limit {
            return Err(CtlError::Unstable { limit, missing });
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Asks for addresses and credentials, so that another command can connect.
///
/// # Errors
/// See [`CtlError`].
pub async fn access(deployment: Option<&str>) -> Result<Access, CtlError> {
    ask(deployment, Command::Access).await?.access.ok_or_else(too_old)
}

/// Sends an order; returns the super-cluster after it.
///
/// # Errors
/// See [`CtlError`].
pub(crate) async fn order(deployment: Option<&str>, command: Command) -> Result<World, CtlError> {
    Ok(ask(deployment, command).await?.world)
}

async fn ask(deployment: Option<&str>, command: Command) -> Result<Reply, CtlError> {
    let reply = exchange(&find(deployment)?, &Request { command }).await?;
    match reply.error {
        Some(error) => Err(CtlError::Refused(error)),
        None => Ok(reply),
    }
}

/// An answer without the part that was asked for.
fn too_old() -> CtlError {
    const OLD: &str = "`loadgen up` has an older version than this command: start `loadgen up` again";
    CtlError::Refused(OLD.to_owned())
}

fn users_to_choose(users: &[String]) -> String {
    match users {
        [one] if one.is_empty() => "leave out the user, because all clients share one token".to_owned(),
        _ => format!("choose one of {}", users.join(", ")),
    }
}

/// How often the super-cluster is asked: it looks at all servers each time.
const ASK_AGAIN: Duration = Duration::from_millis(250);

fn find(deployment: Option<&str>) -> Result<PathBuf, CtlError> {
    let up = socket::deployments()?;
    let names = || up.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    match (deployment, &up[..]) {
        (_, []) => Err(CtlError::NothingUp),
        (Some(name), _) => {
            let path = socket::path(name)?;
            let is_up = up.iter().any(|(_, known)| *known == path);
            is_up.then_some(path).ok_or_else(|| CtlError::NotUp { name: name.to_owned(), up: names() })
        }
        (None, [(_, path)]) => Ok(path.clone()),
        (None, _) => Err(CtlError::Several(names())),
    }
}

async fn exchange(path: &PathBuf, request: &Request) -> Result<Reply, CtlError> {
    let failed = |error| CtlError::Io { path: path.clone(), error };
    let stream = UnixStream::connect(path).await.map_err(failed)?;
    let (reader, mut writer) = stream.into_split();
    let mut text = serde_json::to_string(request)?;
    text.push('\n');
    writer.write_all(text.as_bytes()).await.map_err(failed)?;
    let mut line = String::new();
    BufReader::new(reader).read_line(&mut line).await.map_err(failed)?;
    Ok(serde_json::from_str(&line)?)
}

fn table(world: &World) -> String {
    let mut text = String::new();
    for region in &world.regions {
        let silent = |is_silent: bool| if is_silent { " (silent)" } else { "" };
        let server = |it: &ServerView| format!("{} {}{}", it.name, it.state, silent(it.is_silent));
        let servers: Vec<_> = region.servers.iter().map(server).collect();
        // Writing into a String cannot fail.
        let _ = writeln!(text, "{}{}: {}", region.name, silent(region.is_silent), servers.join(", "));
    }
    for FaultView { number, fault, ends_at } in &world.faults {
        let end = ends_at.as_ref().map_or(String::new(), |at| format!(", ends at {at}"));
        let _ = writeln!(text, "fault {number}: {fault}{end}");
    }
    text.trim_end().to_owned()
}
