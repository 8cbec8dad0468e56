//! Orders that break and repair the super-cluster.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::{mpsc, oneshot, watch};

use super::access::Access;
use super::effect::revive;
use super::injected::{InjectError, Injected};
use super::plan::Beside;
use super::world::World;
use crate::clock;
use crate::cluster::faults::FaultError;
use crate::cluster::{ReloadError, StartOptions, SuperCluster};
use crate::stdout::print_or_warn;
use crate::topology::{MAX_RTT_MS, Topology};

/// An order, as the demo and `loadgen ctl` send it. A target is the name of a region, or of a server.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// `kill -9` of a server, or of all servers of a region.
    Kill {
        /// Region or server.
        target: String,
    },
    /// A server, or each of a region, announces its end, and closes the connections of its clients after a grace period.
    Retire {
        /// Region or server.
        target: String,
    },
    /// A server, or all servers of a region, fall silent; nothing is closed.
    Silence {
        /// Region or server.
        target: String,
    },
    /// The processes stop; the kernel still accepts connections for them.
    Pause {
        /// Region or server.
        target: String,
    },
    /// Ends silence and pauses, and starts what is dead.
    Heal {
        /// Region or server.
        target: String,
    },
    /// Kills what lives, and starts it again.
    Restart {
        /// Region or server.
        target: String,
    },
    /// Another distance, from now on.
    SetRtt {
        /// Two regions.
        between: [String; 2],
        /// Round-trip time, in the range of `--rtt`.
        rtt_ms: f64,
    },
    /// A fault of the catalogue, from now on.
    Inject {
        /// Its one-liner, without a time.
        fault: String,
        /// When it ends by itself, in milliseconds from now; `null`: somebody undoes it.
        lasts_ms: Option<u64>,
    },
    /// Ends a fault of the catalogue, or all of them.
    Undo {
        /// Its number; `null`: all.
        number: Option<u32>,
    },
    /// Nothing is done: the answer is all that is asked for.
    Status,
    /// Nothing is done, and the control socket answers at once, also while another order takes time.
    Snapshot,
    /// An error, if the super-cluster is not stable.
    Check,
    /// Nothing is done: the control socket answers with addresses and credentials.
    Access,
}

/// For people, as in "kill lon".
impl fmt::Display for Command {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kill { target } => write!(formatter, "kill {target}"),
            Self::Retire { target } => write!(formatter, "retire {target}"),
            Self::Silence { target } => write!(formatter, "silence {target}"),
            Self::Pause { target } => write!(formatter, "pause {target}"),
            Self::Heal { target } => write!(formatter, "heal {target}"),
            Self::Restart { target } => write!(formatter, "restart {target}"),
            Self::SetRtt { between: [a, b], rtt_ms } => {
                write!(formatter, "set the distance {a}-{b} to {rtt_ms} ms")
            }
            Self::Inject { fault, .. } => write!(formatter, "inject {fault}"),
            Self::Undo { number: Some(number) } => write!(formatter, "undo fault {number}"),
            Self::Undo { number: None } => formatter.write_str("undo all faults"),
            Self::Status => formatter.write_str("status"),
            Self::Snapshot => formatter.write_str("snapshot"),
            Self::Check => formatter.write_str("check"),
            Self::Access => formatter.write_str("access"),
        }
    }
}

/// A command, and where the answer goes.
#[derive(Debug)]
pub struct Order {
    /// What to do.
    pub command: Command,
    /// Whether it was done.
    pub answer: oneshot::Sender<Result<(), ControlError>>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The super-cluster said no.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// A fault of the catalogue.
    #[error(transparent)]
    Inject(#[from] InjectError),
    /// Something is missing.
    #[error("{}", .0.join("; "))]
    Unstable(Vec<String>),
    /// Not a distance.
    #[error("`rtt_ms` is {0}: choose 0 to {MAX_RTT_MS}")]
    Rtt(f64),
}

/// Carries out orders, one after the other, prints each, and keeps the picture of the world true.
pub(super) async fn obey(
    mut cluster: SuperCluster,
    mut start: StartOptions,
    mut orders: mpsc::Receiver<Order>,
    (worlds, accesses): (watch::Sender<World>, watch::Sender<Access>),
    mut beside: Beside,
) {
    let mut reported = clock::now();
    let mut injected = Injected::default();
    loop {
        if let Some((faults, undone)) = injected.undo_due(&mut cluster).await {
            match undone {
                Ok(()) => eprintln!("{faults}: over"),
                Err(error) => eprintln!("{faults}: over, but {error}"),
            }
        }
        show(&mut cluster, &start, &mut injected, &worlds);
        if beside.health_report.is_some_and(|every| reported.elapsed() >= every) {
            reported = clock::now();
            for member in cluster.health().await {
                // A record of texts and numbers is JSON.
                print_or_warn(&serde_json::to_string(&member).unwrap_or_default());
            }
        }
        if let Some(changed) = beside.watch.as_mut().and_then(|watch| watch.poll(clock::now())) {
            match changed {
                Ok(topology) => {
                    change(&mut cluster, &mut start, topology).await;
                    match Access::of(&cluster) {
                        Ok(access) => drop(accesses.send_replace(access)),
                        Err(error) => eprintln!(
                            "other commands of loadgen still log in with the old credentials: {error}"
                        ),
                    }
                }
                Err(error) => eprintln!("loadgen did not apply the topology file:\n{error}"),
            }
        }
        // Lame ducks end by themselves.
        let wait = injected.next_end().map_or(LOOK_AGAIN, |end| end.min(LOOK_AGAIN));
        let order = match tokio::time::timeout(wait, orders.recv()).await {
            Ok(Some(order)) => order,
            // Nobody can give orders: it only stays up.
            Ok(None) => return std::future::pending().await,
            Err(_elapsed) => continue,
        };
        if let Command::Heal { target } | Command::Restart { target } = &order.command {
            worlds.send_modify(|world| {
                world.busy = Some(format!("healing {target}"));
                world.revision += 1;
            });
        }
        let done = perform(&mut cluster, &mut start, &mut injected, &order.command).await;
        match &done {
            _ if matches!(
                order.command,
                Command::Status | Command::Snapshot | Command::Check | Command::Access
            ) => {}
            Ok(()) => eprintln!("{}: done", order.command),
            Err(error) => eprintln!("{}: {error}", order.command),
        }
        show(&mut cluster, &start, &mut injected, &worlds);
        // Whoever asked may have gone away.
        let _ = order.answer.send(done);
    }
}

/// Applies a changed topology file, if only accounts changed.
async fn change(cluster: &mut SuperCluster, start: &mut StartOptions, topology: Topology) {
    // The deployment keeps its name, whatever the file's is.
    let topology = topology.named(cluster.topology().name().to_owned());
    match topology.after(cluster.topology()) {
        Ok((_, changes)) if changes.is_empty() => {}
        Ok((topology, changes)) => {
            eprintln!("the topology file changed:");
            changes.iter().for_each(|change| eprintln!("  {change}"));
            match cluster.reload(topology.clone()).await {
                Ok(()) => {
                    start.topology = topology;
                    eprintln!("every server has applied the change");
                }
                Err(error @ ReloadError::NotRolledBack { .. }) => {
                    eprintln!("loadgen did not apply the change: {error}")
                }
                Err(error) => {
                    eprintln!(
                        "loadgen did not apply the change: {error}; all servers have the old configuration"
                    )
                }
            }
        }
        Err(error) => eprintln!("loadgen did not apply the topology file: {error}"),
    }
}

async fn perform(
    cluster: &mut SuperCluster,
    start: &mut StartOptions,
    injected: &mut Injected,
    command: &Command,
) -> Result<(), ControlError> {
    match command {
        Command::Kill { target } if is_region(start, target) => cluster.kill_region(target).map(drop)?,
        Command::Kill { target } => cluster.kill_server(target).map(drop)?,
        Command::Retire { target } => {
            for server in in_state(cluster, start, target, &["up"])? {
                cluster.lame_duck_server(&server)?;
            }
        }
        Command::Pause { target } => {
            for server in in_state(cluster, start, target, &["up"])? {
                cluster.pause_server(&server)?;
            }
        }
        Command::Silence { target } if is_region(start, target) => {
            cluster.blackhole_region(target).map(drop)?;
        }
        Command::Silence { target } => cluster.blackhole_server(target).map(drop)?,
        Command::Heal { target } => heal(cluster, start, target).await?,
        Command::Restart { target } => {
            for server in in_state(cluster, start, target, &["up", "paused"])? {
                cluster.kill_server(&server)?;
            }
            heal(cluster, start, target).await?;
        }
        Command::SetRtt { between: [a, b], rtt_ms } => {
            if !(0.0..=MAX_RTT_MS).contains(rtt_ms) {
                return Err(ControlError::Rtt(*rtt_ms));
            }
            let rtt = Duration::from_secs_f64(rtt_ms / 1_000.0);
            cluster.set_rtt(a, b, rtt).map_err(FaultError::from)?;
            start.rtt.set(a, b, rtt);
        }
        Command::Inject { fault, lasts_ms } => {
            injected.inject(cluster, fault, lasts_ms.map(Duration::from_millis)).await?;
        }
        Command::Undo { number } => injected.undo(cluster, *number).await?,
        Command::Status | Command::Snapshot | Command::Access => {}
        Command::Check => {
            let mut missing = cluster.missing().await;
            missing.extend(
                injected.views().into_iter().map(|it| format!("fault {} is active: {}", it.number, it.fault)),
            );
            if !missing.is_empty() {
                return Err(ControlError::Unstable(missing));
            }
        }
    }
    Ok(())
}

fn is_region(start: &StartOptions, target: &str) -> bool {
    start.topology.regions().iter().any(|region| region == target)
}

/// The servers that a target means, if they are in one of these states. A single server is returned in any state: the fault
/// itself says why it cannot be.
fn in_state(
    cluster: &mut SuperCluster,
    start: &StartOptions,
    target: &str,
    states: &[&str],
) -> Result<Vec<String>, FaultError> {
    if !is_region(start, target) {
        let state = cluster.state(target)?;
        return Ok(if state == "dead" && states.len() > 1 { Vec::new() } else { vec![target.to_owned()] });
    }
    let mut servers = Vec::new();
    for server in start.topology.servers_of(target) {
        let server = server.to_string();
        if states.contains(&cluster.state(&server)?) {
            servers.push(server);
        }
    }
    if servers.is_empty() && states.len() == 1 {
        return Err(FaultError::Nobody { what: "reach a running server of", region: target.to_owned() });
    }
    Ok(servers)
}

async fn heal(cluster: &mut SuperCluster, start: &StartOptions, target: &str) -> Result<(), FaultError> {
    let is_region = is_region(start, target);
    let servers: Vec<String> = if is_region {
        start.topology.servers_of(target).map(|server| server.to_string()).collect()
    } else {
        vec![target.to_owned()]
    };
    let is_server_silent = servers.iter().any(|server| cluster.is_server_silent(server));
    // All at once: a server that still is silent would keep the others from being ready.
    if is_region && (is_server_silent || cluster.is_silent(target)?) {
        cluster.heal_region(target).await?;
    } else if is_server_silent {
        cluster.heal_server(target).await?;
    }
    revive(cluster, servers).await
}

fn show(
    cluster: &mut SuperCluster,
    start: &StartOptions,
    injected: &mut Injected,
    worlds: &watch::Sender<World>,
) {
    for (server, reason) in cluster.reap() {
        eprintln!("{server} ended: {reason}");
    }
    injected.forget_undone(cluster);
    match World::of(cluster, start) {
        Ok(mut now) => {
            worlds.send_if_modified(|shown| {
                now.revision = shown.revision;
                now.faults = injected.views();
                let is_new = *shown != now;
                now.revision += u64::from(is_new);
                *shown = now;
                is_new
            });
        }
        // The names are its own.
        Err(error) => tracing::error!(%error, "the world cannot be shown"),
    }
}

/// How often the end of lame ducks is looked for.
const LOOK_AGAIN: Duration = Duration::from_millis(500);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_read_strictly() {
        let read = serde_json::from_str::<Command>;
        assert_eq!(
            read(r#"{"do": "kill", "target": "lon"}"#).unwrap(),
            Command::Kill { target: "lon".into() }
        );
        assert_eq!(
            read(r#"{"do": "set-rtt", "between": ["lon", "ams"], "rtt_ms": 200}"#).unwrap(),
            Command::SetRtt { between: ["lon".into(), "ams".into()], rtt_ms: 200.0 }
        );
        assert!(read(r#"{"do": "meteor", "target": "lon"}"#).unwrap_err().to_string().contains("meteor"));
        assert!(read(r#"{"do": "heal", "target": "lon", "x": 1}"#).is_err());
    }
}
