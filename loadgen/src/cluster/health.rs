//! The health of every server, as one record each.

use serde::Serialize;

use super::ready::{self, View};
use super::{SuperCluster, server::State};
use crate::topology::ServerName;

/// How one server sees the others.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub struct MemberHealth {
    /// The server's name.
    pub member_id: String,
    /// Where its clients connect, past the emulated WAN.
    pub member_endpoint: String,
    /// Number of other servers that it should know.
    pub total_cluster_members: usize,
    /// Number of those that it is linked to: by a route, or by a gateway or leaf-node connection to their cluster.
    pub total_cluster_peers: usize,
    /// Endpoints of those that it is not linked to.
    pub unhealthy_members: Vec<String>,
    /// The server's own state.
    pub status: MemberStatus,
}

/// The state of a server.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum MemberStatus {
    /// Linked to all others.
    Stable,
    /// Not linked to all others.
    Connecting,
    /// It refuses new clients and will end.
    LameDuck,
    /// Its process is stopped.
    Paused,
    /// It does not answer.
    Unreachable,
    /// It has no process.
    Dead,
}

/// The health of all servers, in the order of their names.
pub(super) async fn report(cluster: &SuperCluster) -> Vec<MemberHealth> {
    let monitors = cluster.servers.iter().map(|(name, server)| (name.clone(), server.monitor())).collect();
    let views = ready::views(&monitors).await;
    let members = cluster.servers.keys();
    let report =
        members.map(|name| member(cluster, name, views.get(name).and_then(|view| view.as_ref().ok())));
    report.collect()
}

fn member(cluster: &SuperCluster, name: &ServerName, view: Option<&View>) -> MemberHealth {
    let others: Vec<_> = cluster.servers.keys().filter(|other| *other != name).collect();
    let is_up = |other: &ServerName| cluster.servers.get(other).is_some_and(super::Server::is_up);
    let is_peer =
        |other: &&&ServerName| is_up(other) && view.is_some_and(|view| is_linked(cluster, name, view, other));
    let unhealthy: Vec<_> =
        others.iter().filter(|other| !is_peer(other)).map(|other| endpoint(cluster, other)).collect();
    let status = match cluster.servers.get(name).map(super::Server::state) {
        Some(State::Up) if view.is_none() => MemberStatus::Unreachable,
        Some(State::Up) if unhealthy.is_empty() => MemberStatus::Stable,
        Some(State::Up) => MemberStatus::Connecting,
        Some(State::LameDuck | State::Ending) => MemberStatus::LameDuck,
        Some(State::Paused) => MemberStatus::Paused,
        Some(State::Dead) | None => MemberStatus::Dead,
    };
    MemberHealth {
        member_id: name.to_string(),
        member_endpoint: endpoint(cluster, name),
        total_cluster_members: others.len(),
        total_cluster_peers: others.len() - unhealthy.len(),
        unhealthy_members: unhealthy,
        status,
    }
}

/// Leaf nodes reach other leaf nodes through their hub, and clusters beyond the hub through its gateways.
fn is_linked(cluster: &SuperCluster, name: &ServerName, view: &View, other: &ServerName) -> bool {
    let topology = &cluster.topology;
    let hub_of = |region: &str| topology.cluster(region).and_then(|it| it.leaf_of.clone());
    if name.region() == other.region() {
        return view.is_routed_to(other);
    }
    if hub_of(name.region()).is_some() || hub_of(other.region()).is_some() {
        let is_leaf = hub_of(name.region()).is_some();
        return !is_leaf || view.has_leaf_connection();
    }
    view.has_gateway_to(other.region())
}

fn endpoint(cluster: &SuperCluster, name: &ServerName) -> String {
    cluster.servers.get(name).map(|server| server.client_addr().to_string()).unwrap_or_default()
}
