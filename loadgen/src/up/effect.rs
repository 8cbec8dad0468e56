//! Effects of faults on the servers and links of a super-cluster that is up: how each begins, and how it ends.

use std::collections::BTreeSet;

use crate::cluster::faults::{FaultError, LinkFaultId};
use crate::cluster::{MoveLeaderError, StepDownError, SuperCluster};
use crate::play::faults::links;
use crate::play::faults::strike::{some, strike};
use crate::scenario::{FaultKind, META, TimedFault};
use crate::seed::{self, Lcg};
use crate::topology::Topology;

/// The effect of an active fault.
#[derive(Debug)]
pub(super) enum Effect {
    /// These servers do not run, or are about to end.
    Down(Vec<String>),
    /// These servers are paused.
    Paused(Vec<String>),
    /// These links are broken.
    Links(Vec<LinkFaultId>),
    /// These servers accept few connections.
    ConnectionLimit(Vec<String>),
    /// These servers present an expired certificate.
    ExpiredCertificate(Vec<String>),
}

/// Why a fault did not begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The super-cluster said no.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// A stream kept its leader.
    #[error(transparent)]
    StepDown(#[from] StepDownError),
    /// The meta group kept its leader.
    #[error(transparent)]
    MoveLeader(#[from] MoveLeaderError),
}

impl Effect {
    /// Begins a fault. Returns what is to be undone, unless it is over at once.
    ///
    /// # Errors
    /// See [`BeginError`]. Servers may be down then.
    pub(super) async fn begin(
        fault: &TimedFault,
        cluster: &mut SuperCluster,
    ) -> Result<Option<Self>, BeginError> {
        let seed = seed::random();
        let up = up(cluster);
        let servers = || match servers_of(fault, cluster.topology(), &up, seed) {
            none if none.is_empty() => {
                Err(FaultError::Nobody { what: fault.kind.as_str(), region: fault.targets.join(" or ") })
            }
            servers => Ok(servers),
        };
        match fault.kind {
            FaultKind::StepDown => {
                for target in &fault.targets {
                    if target == META {
                        cluster.step_down_meta().await?;
                    } else {
                        cluster.step_down_stream_leader(target).await?;
                    }
                }
                Ok(None)
            }
            FaultKind::ConnectionLimit => {
                let servers = servers()?;
                cluster.limit_connections(&each(&servers, fault.options.connections)).await?;
                Ok(Some(Self::ConnectionLimit(servers)))
            }
            FaultKind::ExpireCertificate => {
                let servers = servers()?;
                cluster.set_expired_certificates(&each(&servers, true)).await?;
                Ok(Some(Self::ExpiredCertificate(servers)))
            }
            FaultKind::Kill | FaultKind::Terminate | FaultKind::LameDuck => {
                let servers = servers()?;
                Ok(Some(Self::Down(struck(fault.kind, &servers, cluster)?)))
            }
            FaultKind::Pause => {
                let servers = servers()?;
                Ok(Some(Self::Paused(struck(fault.kind, &servers, cluster)?)))
            }
            FaultKind::Restart => {
                let servers = servers()?;
                match &fault.options.version {
                    None => {
                        let servers = struck(fault.kind, &servers, cluster)?;
                        cluster.restart_servers(&servers).await?;
                    }
                    Some(version) => replace(&servers, version, cluster).await?,
                }
                Ok(None)
            }
            _ => Ok(Some(Self::Links(break_links(fault, cluster, seed)?))),
        }
    }

    /// Returns whether something remains to be undone: another order, such as `heal`, may have done it.
    pub(super) fn is_there(&mut self, cluster: &mut SuperCluster) -> bool {
        match self {
            Self::Down(servers) => {
                let is_down = |state| !["up", "paused"].contains(&state);
                servers.retain(|server| cluster.state(server).is_ok_and(is_down));
                !servers.is_empty()
            }
            Self::Paused(servers) => {
                servers.retain(|server| cluster.state(server).is_ok_and(|state| state == "paused"));
                !servers.is_empty()
            }
            Self::Links(ids) => {
                ids.retain(|id| cluster.link_faults().any(|(active, _)| active == *id));
                !ids.is_empty()
            }
            Self::ConnectionLimit(_) | Self::ExpiredCertificate(_) => true,
        }
    }

    /// Returns whether it is the change of a server's configuration that a fault of this kind makes.
    pub(super) fn is_configuration_of(&self, kind: FaultKind) -> bool {
        match self {
            Self::ConnectionLimit(_) => kind == FaultKind::ConnectionLimit,
            Self::ExpiredCertificate(_) => kind == FaultKind::ExpireCertificate,
            Self::Down(_) | Self::Paused(_) | Self::Links(_) => false,
        }
    }

    /// Ends the effect on links and configurations. Returns the servers that must be continued or started.
    ///
    /// # Errors
    /// The super-cluster said no. The effect is still there then.
    pub(super) async fn lift(&self, cluster: &mut SuperCluster) -> Result<Vec<String>, FaultError> {
        match self {
            Self::Down(servers) | Self::Paused(servers) => return Ok(servers.clone()),
            Self::Links(ids) => {
                for id in ids {
                    cluster.mend_links(*id)?;
                }
            }
            Self::ConnectionLimit(servers) => {
                cluster.limit_connections(&each(servers, None)).await?;
            }
            Self::ExpiredCertificate(servers) => {
                cluster.set_expired_certificates(&each(servers, false)).await?;
            }
        }
        Ok(Vec::new())
    }
}

/// Continues and starts servers at once, and waits until they are linked: of several, none is ready alone. Those that are up stay as they
/// are.
pub(super) async fn revive(cluster: &mut SuperCluster, servers: Vec<String>) -> Result<(), FaultError> {
    let (mut paused, mut down) = (Vec::new(), Vec::new());
    for server in servers {
        match cluster.state(&server)? {
            "up" => {}
            "paused" => paused.push(server),
            _ => down.push(server),
        }
    }
    if paused.is_empty() && down.is_empty() {
        return Ok(());
    }
    cluster.resume_servers(&paused)?;
    if down.is_empty() {
        cluster.wait_recovered().await?;
    } else {
        cluster.restart_servers(&down).await?;
    }
    Ok(())
}

/// Restarts servers with another nats-server, one after the other, so that JetStream keeps its quorum. At the first one that does not come
/// back, the others stay as they are.
async fn replace(servers: &[String], version: &str, cluster: &mut SuperCluster) -> Result<(), FaultError> {
    if let Some(first) = servers.first() {
        cluster.fetch_version(first, version).await?;
    }
    for server in servers {
        struck(FaultKind::Restart, std::slice::from_ref(server), cluster)?;
        if let Err(error) = cluster.restart_servers_with(std::slice::from_ref(server), version).await {
            // The version that it had still works.
            revive(cluster, vec![server.clone()]).await?;
            return Err(error);
        }
    }
    Ok(())
}

/// The same value for each of these servers.
fn each<T: Copy>(servers: &[String], value: T) -> Vec<(String, T)> {
    servers.iter().map(|server| (server.clone(), value)).collect()
}

/// Hits the servers, and returns those that were hit.
fn struck(
    kind: FaultKind,
    servers: &[String],
    cluster: &mut SuperCluster,
) -> Result<Vec<String>, FaultError> {
    let struck = strike(kind, servers, cluster)?;
    match struck.refused.into_iter().next() {
        Some(refused) if struck.servers.is_empty() => Err(refused),
        _ => Ok(struck.servers),
    }
}

/// Breaks all links of a fault, or none.
fn break_links(
    fault: &TimedFault,
    cluster: &mut SuperCluster,
    seed: u64,
) -> Result<Vec<LinkFaultId>, FaultError> {
    let faults = links::faults(fault, cluster.topology(), seed);
    for fault in &faults {
        cluster.check_link_fault(fault)?;
    }
    faults.into_iter().map(|fault| Ok(cluster.break_links(fault)?.0)).collect()
}

/// The servers that are up.
fn up(cluster: &mut SuperCluster) -> BTreeSet<String> {
    let all: Vec<_> = cluster.topology().servers().map(|server| server.to_string()).collect();
    all.into_iter().filter(|server| cluster.state(server).is_ok_and(|state| state == "up")).collect()
}

/// The servers that a fault is aimed at: named ones, all of a region, or as many of it as `servers` says, of those that are up.
fn servers_of(fault: &TimedFault, topology: &Topology, up: &BTreeSet<String>, seed: u64) -> Vec<String> {
    let mut random = Lcg::new(seed);
    let mut servers = Vec::new();
    for target in &fault.targets {
        if !topology.regions().contains(target) {
            servers.push(target.clone());
            continue;
        }
        let of_region: Vec<_> = topology.servers_of(target).map(|server| server.to_string()).collect();
        match fault.options.servers {
            None => servers.extend(of_region),
            Some(count) => {
                let there = of_region.into_iter().filter(|server| up.contains(server)).collect();
                servers.extend(some(there, count, &mut random));
            }
        }
    }
    servers.sort();
    servers.dedup();
    servers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::fault_alone;
    use crate::topology::Preset;

    #[test]
    fn some_servers_of_a_region_are_chosen_once_each() {
        let topology = Preset::named("super-cluster").unwrap().topology().unwrap();
        let of_those = |up: BTreeSet<String>, text: &str| {
            let fault = fault_alone(&format!("{text}@0s").parse().unwrap(), &topology).unwrap();
            servers_of(&fault, &topology, &up, 7)
        };
        let all: BTreeSet<_> = topology.servers().map(|server| server.to_string()).collect();
        let of = |text: &str| of_those(all.clone(), text);
        assert_eq!(of("kill:lon"), ["lon-1", "lon-2", "lon-3"]);
        assert_eq!(of("kill:lon-1+lon,servers=3").len(), 3);
        assert_eq!(of("kill:lon+dal,servers=1").len(), 2);
        assert_eq!(of("pause:ams-2"), ["ams-2"]);
        let most_are_dead = BTreeSet::from(["lon-3".to_owned()]);
        assert_eq!(of_those(most_are_dead, "kill:lon,servers=1"), ["lon-3"]);
    }
}
