//! This module waits until all servers of the super-cluster are connected and ready.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::links::CutPairs;
use super::monitor::{Gatewayz, Jsz, Leafz, Monitor, MonitorError, Routez};
use crate::clock;
use crate::topology::{ServerName, Topology};
pub(super) use meta_group::electors;

mod meta_group;

/// The super-cluster was not ready in time.
#[derive(Debug, thiserror::Error)]
#[error("the super-cluster was not ready after {:.1} s: {}", limit.as_secs_f64(), missing.join("; "))]
pub struct NotReadyError {
    /// How long it was waited for.
    pub limit: Duration,
    /// What was missing in the end.
    pub missing: Vec<String>,
}

/// Waits until every one of `servers` is linked to those that the topology joins it with, and agrees with them on a meta leader.
/// No link is expected between the regions of a pair in `cut`, and no leader of servers that cannot elect one.
pub(super) async fn wait_ready(
    topology: &Topology,
    servers: &BTreeMap<ServerName, Monitor>,
    cut: &CutPairs,
    limit: Duration,
) -> Result<(), NotReadyError> {
    let deadline = clock::now() + limit;
    loop {
        let missing = missing(topology, cut, &views(servers).await);
        if missing.is_empty() {
            return Ok(());
        }
        if clock::now() >= deadline {
            return Err(NotReadyError { limit, missing });
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Returns all that is missing now, a majority of a meta group included; nothing, if the super-cluster is stable.
pub(super) async fn missing_now(
    topology: &Topology,
    servers: &BTreeMap<ServerName, Monitor>,
    cut: &CutPairs,
) -> Vec<String> {
    let mut missing = missing(topology, cut, &views(servers).await);
    missing.extend(meta_group::without_majority(topology, cut, servers.keys()));
    missing
}

/// Returns the servers that are not up and that the topology cannot do without, each with its state.
///
/// `down` are the servers that are not up. A cluster with a `minimum` is complete when that many of its servers are up.
pub(super) fn missing_servers(topology: &Topology, down: &BTreeMap<ServerName, &'static str>) -> Vec<String> {
    let is_complete = |region: &str| {
        let minimum = topology.cluster(region).and_then(|cluster| cluster.minimum);
        let up = topology.servers_of(region).filter(|server| !down.contains_key(server)).count();
        minimum.is_some_and(|minimum| up >= usize::from(minimum))
    };
    let missing = down.iter().filter(|(server, _)| !is_complete(server.region()));
    missing.map(|(server, state)| format!("{server} is {state}")).collect()
}

/// What the meta group looks like from one of `servers`: the leader that they agree on.
pub(super) async fn meta_leader(servers: &BTreeMap<ServerName, Monitor>) -> Option<ServerName> {
    let views = views(servers).await;
    let leaders: BTreeSet<_> = views.values().map(|view| view.as_ref().ok().and_then(View::leader)).collect();
    let agreed = leaders.first().copied().flatten().filter(|_| leaders.len() == 1)?;
    servers.keys().find(|server| server.to_string() == agreed).cloned()
}

/// How often all servers are asked: a start takes about a second, and asking nine servers a few milliseconds.
const ASK_AGAIN: Duration = Duration::from_millis(50);

/// What one server says about its links.
pub(super) struct View {
    routes: Routez,
    gateways: Gatewayz,
    leaves: Leafz,
    jetstream: Jsz,
}

impl View {
    /// Returns whether a route leads to a server of its cluster.
    pub(super) fn is_routed_to(&self, other: &ServerName) -> bool {
        self.routes.routes.iter().any(|route| route.remote_name == other.as_str())
    }

    /// Returns whether a gateway leads to a cluster.
    pub(super) fn has_gateway_to(&self, region: &str) -> bool {
        self.gateways.outbound_gateways.contains_key(region)
    }

    /// Returns whether a leaf node is connected, in either direction.
    pub(super) fn has_leaf_connection(&self) -> bool {
        !self.leaves.leafs.is_empty()
    }

    fn leader(&self) -> Option<&str> {
        self.jetstream.meta_cluster.as_ref().map(|meta| meta.leader.as_str()).filter(|name| !name.is_empty())
    }
}

pub(super) type Views = BTreeMap<ServerName, Result<View, MonitorError>>;

pub(super) async fn views(servers: &BTreeMap<ServerName, Monitor>) -> Views {
    let asked = servers.iter().map(|(server, monitor)| async move { (server.clone(), view(monitor).await) });
    let mut views: Views = futures_util::future::join_all(asked).await.into_iter().collect();
    name_routes(&mut views);
    views
}

/// Old servers call the other end of a route by its id: looks its name up.
fn name_routes(views: &mut Views) {
    let id = |view: &Result<View, MonitorError>| view.as_ref().ok().map(|view| view.routes.server_id.clone());
    let names: BTreeMap<String, String> =
        views.iter().filter_map(|(server, view)| Some((id(view)?, server.to_string()))).collect();
    let routes =
        views.values_mut().filter_map(|view| view.as_mut().ok()).flat_map(|it| &mut it.routes.routes);
    for route in routes.filter(|route| route.remote_name.is_empty()) {
        route.remote_name = names.get(&route.remote_id).cloned().unwrap_or_default();
    }
}

async fn view(monitor: &Monitor) -> Result<View, MonitorError> {
    let (routes, gateways, leaves, jetstream) =
        tokio::try_join!(monitor.routez(), monitor.gatewayz(), monitor.leafz(), monitor.jsz())?;
    Ok(View { routes, gateways, leaves, jetstream })
}

fn missing(topology: &Topology, cut: &CutPairs, views: &Views) -> Vec<String> {
    if views.is_empty() {
        return vec!["no server runs and can be reached".to_owned()];
    }
    let mut missing = Vec::new();
    for (server, view) in views {
        match view {
            Ok(view) => missing.extend(missing_links(topology, cut, server, view, views)),
            Err(error) => missing.push(format!("{server}: {error}")),
        }
    }
    missing.extend(missing_inbound(topology, cut, views));
    for group in topology.meta_groups() {
        let electors = electors(topology, &group, cut, views.keys());
        missing.extend(meta_group::missing(&electors.regions, views));
    }
    missing
}

fn missing_links(
    topology: &Topology,
    cut: &CutPairs,
    server: &ServerName,
    view: &View,
    views: &Views,
) -> Vec<String> {
    // Routes are pooled: several connections lead to the same peer.
    let routed: BTreeSet<&str> = view.routes.routes.iter().map(|route| route.remote_name.as_str()).collect();
    let peers = views.keys().filter(|peer| peer.region() == server.region() && *peer != server);
    let routes = peers
        .filter(|peer| !routed.contains(peer.as_str()))
        .map(|peer| format!("{server}: no route to {peer}"));
    let is_whole = |region: &&str| !cut.contains(&(server.region().to_owned(), (*region).to_owned()));
    let heard: BTreeSet<_> = regions(views).into_iter().filter(is_whole).collect();
    let gateways = topology
        .gateways_of(server.region())
        .into_iter()
        .filter(|region| heard.contains(region) && !view.gateways.outbound_gateways.contains_key(*region))
        .map(|region| format!("{server}: no gateway to {region}"));
    let leaves = missing_leaves(topology, server, view, &heard);
    routes.chain(gateways).chain(leaves).collect()
}

/// A leaf node has one connection to its hub for each account.
fn missing_leaves(
    topology: &Topology,
    server: &ServerName,
    view: &View,
    heard: &BTreeSet<&str>,
) -> Option<String> {
    let cluster = topology.cluster(server.region())?;
    let hub = cluster.leaf_of.as_deref().filter(|hub| heard.contains(hub))?;
    let expected = topology.leaf_accounts(cluster).len();
    let connected = view.leaves.leafs.len();
    (connected < expected)
        .then(|| format!("{server}: {connected} of {expected} leaf-node connections to {hub}"))
}

/// Each server dials one server of each other region, any one. So it is the regions that must have been dialled by
/// everybody; a single server may have been dialled by nobody.
fn missing_inbound(topology: &Topology, cut: &CutPairs, views: &Views) -> Vec<String> {
    let heard = regions(views);
    let mut missing = Vec::new();
    for to in &heard {
        let is_whole = |from: &str| !cut.contains(&(from.to_owned(), (*to).to_owned()));
        for from in topology.gateways_of(to).into_iter().filter(|from| heard.contains(from) && is_whole(from))
        {
            let expected = views.keys().filter(|server| server.region() == from).count();
            let of_region = views.iter().filter(|(server, _)| server.region() == *to);
            let inbound: usize = of_region
                .filter_map(|(_, view)| view.as_ref().ok()?.gateways.inbound_gateways.get(from))
                .map(Vec::len)
                .sum();
            if inbound < expected {
                missing.push(format!("{to}: {inbound} of {expected} gateways from {from}"));
            }
        }
    }
    missing
}

fn regions(views: &Views) -> BTreeSet<&str> {
    views.keys().map(ServerName::region).collect()
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    fn topology() -> Topology {
        Topology::new(["lon", "ams"], 2).unwrap()
    }

    pub(super) fn missing_of(views: &Views) -> Vec<String> {
        missing(&topology(), &CutPairs::new(), views)
    }

    pub(super) fn complete_views() -> Views {
        let gateway = json!({ "connection": { "cid": 1, "ip": "127.0.0.1", "port": 1 } });
        let view = |region: &str, number: u16| {
            let other = if region == "lon" { "ams" } else { "lon" };
            let routes = json!({ "routes": [{ "remote_name": format!("{region}-{}", 3 - number) }] });
            // Both servers of the other region happened to dial number 1.
            let inbound = if number == 1 { vec![gateway.clone(), gateway.clone()] } else { vec![] };
            let gateways =
                json!({ "outbound_gateways": { other: gateway }, "inbound_gateways": { other: inbound } });
            let replicas = ["lon-2", "ams-1", "ams-2"].map(|name| json!({ "name": name, "current": true }));
            let meta =
                json!({ "meta_cluster": { "leader": "lon-1", "cluster_size": 4, "replicas": replicas } });
            View {
                routes: serde_json::from_value(routes).unwrap(),
                gateways: serde_json::from_value(gateways).unwrap(),
                leaves: Leafz::default(),
                jetstream: serde_json::from_value(meta).unwrap(),
            }
        };
        let topology = topology();
        let numbered = topology.servers().zip([1, 2, 1, 2]);
        numbered.map(|(server, number)| (server.clone(), Ok(view(server.region(), number)))).collect()
    }

    pub(super) fn change(views: &mut Views, server: &str, change: impl FnOnce(&mut View)) {
        let view = views.iter_mut().find(|(name, _)| name.to_string() == server).unwrap().1;
        change(view.as_mut().unwrap());
    }

    #[test]
    fn a_complete_super_cluster_is_ready() {
        assert_eq!(missing_of(&complete_views()), Vec::<String>::new());
    }

    #[test]
    fn a_cluster_with_its_minimum_is_complete() {
        let of = |text: &str| crate::topology::from_toml(text, "test", |_| Err("none".into())).unwrap();
        let topology =
            of("[[cluster]]\nname = \"lon\"\nminimum = 2\n[[cluster]]\nname = \"ams\"\nservers = 2\n");
        let down = |names: &[&str]| -> BTreeMap<ServerName, &'static str> {
            let servers = topology.servers().filter(|server| names.contains(&server.as_str()));
            servers.map(|server| (server.clone(), "dead")).collect()
        };
        assert_eq!(missing_servers(&topology, &down(&["lon-3"])), Vec::<String>::new());
        assert_eq!(
            missing_servers(&topology, &down(&["lon-3", "lon-1"])),
            ["lon-1 is dead", "lon-3 is dead"]
        );
        assert_eq!(missing_servers(&topology, &down(&["lon-3", "ams-2"])), ["ams-2 is dead"]);
    }

    #[test]
    fn each_missing_link_is_named() {
        let mut views = complete_views();
        change(&mut views, "lon-2", |view| view.routes.routes.clear());
        change(&mut views, "ams-2", |view| view.gateways.outbound_gateways.clear());
        change(&mut views, "ams-1", |view| view.gateways.inbound_gateways.clear());
        let expected =
            ["ams-2: no gateway to lon", "lon-2: no route to lon-1", "ams: 0 of 2 gateways from lon"];
        assert_eq!(missing_of(&views), expected);
    }

    #[test]
    fn a_pair_that_is_cut_need_not_be_linked() {
        let mut views = complete_views();
        change(&mut views, "ams-2", |view| view.gateways.outbound_gateways.clear());
        change(&mut views, "lon-1", |view| view.gateways.inbound_gateways.clear());
        let pair = |from: &str, to: &str| CutPairs::from([(from.to_owned(), to.to_owned())]);
        assert_eq!(missing(&topology(), &pair("ams", "lon"), &views), Vec::<String>::new());
        assert_eq!(missing(&topology(), &pair("lon", "ams"), &views).len(), 2);
    }
}
