//! This module moves the leader of the JetStream meta group out of a region.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::monitor::Monitor;
use super::ready;
use super::{LoginError, SuperCluster};
use crate::clock;
use crate::topology::ServerName;

/// Why the meta leader did not move.
#[derive(Debug, thiserror::Error)]
pub enum MoveLeaderError {
    /// Every region is to be avoided.
    #[error("the meta leader cannot move, because all regions are excluded: {0}")]
    NoRegionLeft(String),
    /// The system account could not be reached.
    #[error("cannot send the meta leader the order to step down: {0}")]
    Ask(#[from] LoginError),
    /// It was asked again and again.
    #[error("the meta leader is still in {region} after {:.0} s: {last_answer}", limit.as_secs_f64())]
    Stayed {
        /// Where it is; empty during an election.
        region: String,
        /// How long it was waited for.
        limit: Duration,
        /// What the last request was answered with.
        last_answer: String,
    },
}

/// A connection's name that tells loadgen's own from those of clients.
pub(crate) const OWN_NAME: &str = "loadgen-own";

/// Moves the meta leader out of `avoid`, into the first other region that gateways join.
pub(super) async fn move_leader(
    cluster: &SuperCluster,
    avoid: &BTreeSet<&str>,
) -> Result<ServerName, MoveLeaderError> {
    let limit = cluster.ready_limit;
    let servers = &joined(cluster);
    let mut regions = servers.keys().map(ServerName::region);
    let target = regions.find(|region| !avoid.contains(region)).ok_or_else(|| {
        let avoided: Vec<_> = avoid.iter().copied().collect();
        MoveLeaderError::NoRegionLeft(avoided.join(", "))
    })?;
    let deadline = clock::now() + limit;
    let mut admin = None;
    let mut last_answer = "loadgen has sent it no order".to_owned();
    loop {
        let leader = ready::meta_leader(servers).await;
        match leader {
            Some(leader) if !avoid.contains(leader.region()) => return Ok(leader),
            _ if clock::now() >= deadline => {
                let region = leader.map(|leader| leader.region().to_owned()).unwrap_or_default();
                return Err(MoveLeaderError::Stayed { region, limit, last_answer });
            }
            Some(_) => {
                let client = match &admin {
                    Some(client) => client,
                    None => admin.insert(cluster.system_client().await?),
                };
                last_answer = step_down(client, target).await;
            }
            None => {}
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Moves the meta leader to another region than the one where it is. During an election there is none to move.
pub(super) async fn step_down_leader(cluster: &SuperCluster) -> Result<(), MoveLeaderError> {
    match ready::meta_leader(&joined(cluster)).await {
        Some(leader) => move_leader(cluster, &BTreeSet::from([leader.region()])).await.map(drop),
        None => Ok(()),
    }
}

/// A transfer of leadership takes some heartbeats of 1 s at worst; asking earlier would only start a second one.
const ASK_AGAIN: Duration = Duration::from_millis(300);

/// The servers that are up and heard, without leaf nodes: those have a JetStream of their own.
pub(super) fn joined(cluster: &SuperCluster) -> BTreeMap<ServerName, Monitor> {
    let is_hub = |region: &str| cluster.topology.cluster(region).is_some_and(|it| it.leaf_of.is_none());
    cluster.reachable().into_iter().filter(|(name, _)| is_hub(name.region())).collect()
}

/// Asks the leader to hand over to a server of `region`, and tells its answer.
async fn step_down(client: &async_nats::Client, region: &str) -> String {
    let request = serde_json::json!({ "placement": { "cluster": region } }).to_string();
    match client.request("$JS.API.META.LEADER.STEPDOWN", request.into()).await {
        Ok(answer) => String::from_utf8_lossy(&answer.payload).into_owned(),
        Err(error) => error.to_string(),
    }
}
