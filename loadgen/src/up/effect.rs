//! What a fault does to the servers and links of a super-cluster that is up, and what undoes it.

use crate::cluster::faults::{FaultError, LinkFaultId};
use crate::cluster::{MoveLeaderError, StepDownError, SuperCluster};
use crate::play::faults::links;
use crate::play::faults::strike::{some, strike};
use crate::scenario::{FaultKind, META, TimedFault};
use crate::seed::{self, Lcg};
use crate::topology::Topology;

/// What is to be undone.
#[derive(Debug)]
pub(super) enum Effect {
    /// These servers do not run, or are about to end.
    Down(Vec<String>),
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
        let servers = || servers_of(fault, cluster.topology(), seed);
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
                let servers = servers();
                cluster.limit_connections(&servers, fault.options.connections).await?;
                Ok(Some(Self::ConnectionLimit(servers)))
            }
            FaultKind::ExpireCertificate => {
                let servers = servers();
                cluster.expire_certificates(&servers, true).await?;
                Ok(Some(Self::ExpiredCertificate(servers)))
            }
            FaultKind::Kill | FaultKind::Terminate | FaultKind::LameDuck | FaultKind::Pause => {
                let servers = servers();
                Ok(Some(Self::Down(struck(fault.kind, &servers, cluster)?)))
            }
            FaultKind::Restart => {
                let servers = servers();
                let servers = struck(fault.kind, &servers, cluster)?;
                match &fault.options.version {
                    None => drop(cluster.restart_servers(&servers).await?),
                    Some(version) => {
                        for server in servers {
                            cluster.restart_server_with(&server, version).await?;
                        }
                    }
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
                servers.retain(|server| cluster.state(server).is_ok_and(|state| state != "up"));
                !servers.is_empty()
            }
            Self::Links(ids) => {
                ids.retain(|id| cluster.link_faults().any(|(active, _)| active == *id));
                !ids.is_empty()
            }
            Self::ConnectionLimit(_) | Self::ExpiredCertificate(_) => true,
        }
    }

    /// Ends the effect on links and configurations. Returns the servers that must be continued or started.
    ///
    /// # Errors
    /// The super-cluster said no. The effect is still there then.
    pub(super) async fn lift(&self, cluster: &mut SuperCluster) -> Result<Vec<String>, FaultError> {
        match self {
            Self::Down(servers) => return Ok(servers.clone()),
            Self::Links(ids) => {
                for id in ids {
                    cluster.mend_links(*id)?;
                }
            }
            Self::ConnectionLimit(servers) => drop(cluster.limit_connections(servers, None).await?),
            Self::ExpiredCertificate(servers) => drop(cluster.expire_certificates(servers, false).await?),
        }
        Ok(Vec::new())
    }
}

/// Continues and starts servers, and waits until they are linked. Those that are up stay as they are.
pub(super) async fn revive(cluster: &mut SuperCluster, servers: Vec<String>) -> Result<(), FaultError> {
    let mut down = Vec::new();
    for server in servers {
        match cluster.state(&server)? {
            "up" => {}
            "paused" => drop(cluster.resume_server(&server).await?),
            _ => down.push(server),
        }
    }
    if !down.is_empty() {
        cluster.restart_servers(&down).await?;
    }
    Ok(())
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

/// The servers that a fault is aimed at: named ones, all of a region, or as many of it as `servers` says.
fn servers_of(fault: &TimedFault, topology: &Topology, seed: u64) -> Vec<String> {
    let mut random = Lcg::new(seed);
    let mut servers = Vec::new();
    for target in &fault.targets {
        if !topology.regions().contains(target) {
            servers.push(target.clone());
            continue;
        }
        let of_region: Vec<_> = topology.servers_of(target).map(|server| server.to_string()).collect();
        let count = fault.options.servers.unwrap_or(u16::MAX);
        servers.extend(some(of_region, count, &mut random));
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
        let of = |text: &str| {
            servers_of(&fault_alone(&format!("{text}@0s").parse().unwrap(), &topology).unwrap(), &topology, 7)
        };
        assert_eq!(of("kill:lon"), ["lon-1", "lon-2", "lon-3"]);
        assert_eq!(of("kill:lon-1+lon,servers=3").len(), 3);
        assert_eq!(of("kill:lon+dal,servers=1").len(), 2);
        assert_eq!(of("pause:ams-2"), ["ams-2"]);
    }
}
