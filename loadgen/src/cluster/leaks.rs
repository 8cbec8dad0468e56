//! A check that no connection bypasses the emulated WAN.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::emulation::{Emulation, Way};
use super::meta::OWN_NAME;
use super::monitor::{Connection, Connz, Gatewayz, Monitor, MonitorError};
use super::paths::Paths;
use crate::topology::ServerName;
use crate::wan::Path;

/// Why the check for leaks could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot check {server} for connections that bypass the emulated WAN: {error}")]
pub struct CheckLeaksError {
    server: String,
    error: MonitorError,
}

/// Connections between regions, or of clients, that bypass the emulated WAN.
///
/// A connection that opens or closes between the look at the server and the look at the paths seems to leak, so only
/// what two looks in a row see counts.
pub(super) async fn leaks(
    servers: &BTreeMap<ServerName, Monitor>,
    paths: &Paths,
) -> Result<Vec<String>, CheckLeaksError> {
    let first = look(servers, paths).await?;
    if first.is_empty() {
        return Ok(Vec::new());
    }
    tokio::time::sleep(BETWEEN_LOOKS).await;
    let second = look(servers, paths).await?;
    Ok(first.intersection(&second).cloned().collect())
}

/// Longer than a path takes to notice that a connection is over.
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

async fn look(
    servers: &BTreeMap<ServerName, Monitor>,
    paths: &Paths,
) -> Result<BTreeSet<String>, CheckLeaksError> {
    let mut found = BTreeSet::new();
    for (server, monitor) in servers {
        let failed = |error| CheckLeaksError { server: server.to_string(), error };
        let (gateways, clients) = tokio::try_join!(monitor.gatewayz(), monitor.connz()).map_err(failed)?;
        found.extend(leaking_gateways(server, &gateways, paths));
        found.extend(leaking_clients(server, &clients, paths));
    }
    Ok(found)
}

fn leaking_gateways(server: &ServerName, gateways: &Gatewayz, paths: &Paths) -> Vec<String> {
    let mut found = Vec::new();
    for (region, gateway) in &gateways.outbound_gateways {
        let connection = &gateway.connection;
        let is_carried = match paths.emulation() {
            // An outbound connection is seen with the address that was dialled: the path's own.
            Emulation::Proxy { .. } => {
                let dialled = paths.gateway_addrs(server.region(), region);
                dialled.iter().any(|addr| addr.port() == connection.port)
            }
            Emulation::Netns(namespaces) => namespaces.leads_to(region, connection),
            Emulation::None => true,
        };
        if !is_carried {
            found.push(describe(server, &format!("gateway to {region}"), connection));
        }
    }
    for (region, inbound) in &gateways.inbound_gateways {
        let carried = paths.gateway_proxy(region, server).map(Path::upstream_ports).unwrap_or_default();
        let is_carried = |connection: &Connection| match paths.emulation() {
            Emulation::Proxy { .. } => carried.contains(&connection.port),
            Emulation::Netns(namespaces) => namespaces.is_of_servers(region, connection),
            Emulation::None => true,
        };
        let leaking = inbound.iter().filter(|gateway| !is_carried(&gateway.connection));
        found.extend(
            leaking.map(|gateway| describe(server, &format!("gateway from {region}"), &gateway.connection)),
        );
    }
    found
}

fn leaking_clients(server: &ServerName, clients: &Connz, paths: &Paths) -> Vec<String> {
    let proxies = paths.clients_of(server).filter_map(Way::proxy);
    let carried: BTreeSet<u16> = proxies.flat_map(Path::upstream_ports).collect();
    let leaf_proxies = paths.leaves_of(server).filter_map(Way::proxy);
    // A hub sees the ports of the paths' own connections, a leaf node the ports that it dialled.
    let leaves: BTreeSet<u16> = leaf_proxies.flat_map(Path::upstream_ports).collect();
    let dialled = paths.leaf_addrs(server.region());
    let is_carried = |client: &Connection| match paths.emulation() {
        Emulation::Proxy { .. } if client.kind == LEAF_NODE => {
            leaves.contains(&client.port) || dialled.iter().any(|addr| addr.port() == client.port)
        }
        Emulation::Proxy { .. } => carried.contains(&client.port),
        Emulation::Netns(_) if client.kind == LEAF_NODE => true,
        Emulation::Netns(namespaces) => namespaces.is_of_clients(client),
        Emulation::None => true,
    };
    // loadgen steers the servers, and answers, from outside of the emulated world.
    let leaking = clients.connections.iter().filter(|client| client.name != OWN_NAME && !is_carried(client));
    let kind = |client: &Connection| if client.kind == LEAF_NODE { "leaf node" } else { "client" };
    leaking.map(|client| describe(server, kind(client), client)).collect()
}

/// `kind` of leaf nodes in `/connz`.
const LEAF_NODE: &str = "Leafnode";

fn describe(server: &ServerName, kind: &str, connection: &Connection) -> String {
    let Connection { cid, ip, port, .. } = connection;
    format!("{server}: {kind} {cid} at {ip}:{port} bypasses the emulated WAN")
}
