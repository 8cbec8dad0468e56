//! Breaking and mending on request.

use std::time::Duration;

use serde::Deserialize;
use tokio::sync::{mpsc, oneshot, watch};

use super::world::World;
use crate::cluster::faults::FaultError;
use crate::cluster::{StartOptions, SuperCluster};
use crate::topology::MAX_RTT_MS;

/// What a person may ask for, as the demo sends it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(tag = "do", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Command {
    /// `kill -9` of one server.
    KillServer {
        /// Such as `lon-1`.
        server: String,
    },
    /// The server announces its end and closes its clients after a grace period.
    LameDuck {
        /// Such as `lon-1`.
        server: String,
    },
    /// `kill -9` of all servers of a region.
    KillRegion {
        /// Such as `lon`.
        region: String,
    },
    /// The region falls silent; nothing is closed.
    Silence {
        /// Such as `lon`.
        region: String,
    },
    /// Ends silence and starts what is dead.
    Heal {
        /// Such as `lon`.
        region: String,
    },
    /// Another distance, from now on.
    SetRtt {
        /// Two regions.
        between: [String; 2],
        /// Round-trip time, in the range of `--rtt`.
        rtt_ms: f64,
    },
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
    /// Not a distance.
    #[error("`rtt_ms` is {0}: choose 0 to {MAX_RTT_MS}")]
    Rtt(f64),
}

/// Does what it is told, one order after the other, and keeps the picture of the world true.
pub(super) async fn obey(
    mut cluster: SuperCluster,
    mut start: StartOptions,
    mut orders: mpsc::Receiver<Order>,
    worlds: watch::Sender<World>,
) {
    loop {
        show(&mut cluster, &start, &worlds);
        // Lame ducks end by themselves.
        let order = match tokio::time::timeout(LOOK_AGAIN, orders.recv()).await {
            Ok(Some(order)) => order,
            // Nobody can give orders: it only stays up.
            Ok(None) => return std::future::pending().await,
            Err(_elapsed) => continue,
        };
        if let Command::Heal { region } = &order.command {
            worlds.send_modify(|world| {
                world.busy = Some(format!("healing {region}"));
                world.revision += 1;
            });
        }
        let done = perform(&mut cluster, &mut start, &order.command).await;
        show(&mut cluster, &start, &worlds);
        // Whoever asked may have gone away.
        let _ = order.answer.send(done);
    }
}

async fn perform(
    cluster: &mut SuperCluster,
    start: &mut StartOptions,
    command: &Command,
) -> Result<(), ControlError> {
    match command {
        Command::KillServer { server } => cluster.kill_server(server).map(drop)?,
        Command::LameDuck { server } => cluster.lame_duck_server(server).map(drop)?,
        Command::KillRegion { region } => cluster.kill_region(region).map(drop)?,
        Command::Silence { region } => cluster.blackhole_region(region).map(drop)?,
        Command::Heal { region } => heal(cluster, start, region).await?,
        Command::SetRtt { between: [a, b], rtt_ms } => {
            if !(0.0..=MAX_RTT_MS).contains(rtt_ms) {
                return Err(ControlError::Rtt(*rtt_ms));
            }
            let rtt = Duration::from_secs_f64(rtt_ms / 1_000.0);
            cluster.set_rtt(a, b, rtt).map_err(FaultError::from)?;
            start.rtt.set(a, b, rtt);
        }
    }
    Ok(())
}

async fn heal(cluster: &mut SuperCluster, start: &StartOptions, region: &str) -> Result<(), FaultError> {
    if cluster.is_silent(region)? {
        cluster.heal_region(region).await?;
    }
    let mut is_down = false;
    for server in start.topology.servers_of(region) {
        is_down |= cluster.state(&server.to_string())? != "up";
    }
    if is_down {
        cluster.restart_region(region).await?;
    }
    Ok(())
}

fn show(cluster: &mut SuperCluster, start: &StartOptions, worlds: &watch::Sender<World>) {
    match World::of(cluster, start) {
        Ok(mut now) => {
            worlds.send_if_modified(|shown| {
                now.revision = shown.revision;
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
            read(r#"{"do": "kill-region", "region": "lon"}"#).unwrap(),
            Command::KillRegion { region: "lon".into() }
        );
        assert_eq!(
            read(r#"{"do": "set-rtt", "between": ["lon", "ams"], "rtt_ms": 200}"#).unwrap(),
            Command::SetRtt { between: ["lon".into(), "ams".into()], rtt_ms: 200.0 }
        );
        assert!(read(r#"{"do": "meteor", "region": "lon"}"#).unwrap_err().to_string().contains("meteor"));
        assert!(read(r#"{"do": "heal", "region": "lon", "x": 1}"#).is_err());
    }
}
