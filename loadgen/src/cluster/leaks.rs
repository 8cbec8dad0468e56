//! Proof that nothing bypasses the emulated WAN.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::meta::OWN_NAME;
use super::monitor::{Connection, Connz, Gatewayz, Monitor, MonitorError};
use super::paths::Paths;
use crate::topology::ServerName;
use crate::wan::Path;

/// Why the check for leaks could not be made.
#[derive(Debug, thiserror::Error)]
#[error("cannot check {server} for connections past the emulated WAN: {error}")]
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
        // An outbound connection is seen with the address that was dialled: the path's own.
        if !paths.gateway_ports(server.region(), region).contains(&gateway.connection.port) {
            found.push(describe(server, &format!("gateway to {region}"), &gateway.connection));
        }
    }
    for (region, inbound) in &gateways.inbound_gateways {
        let carried = paths.gateway(region, server).map(Path::upstream_ports).unwrap_or_default();
        let leaking = inbound.iter().filter(|gateway| !carried.contains(&gateway.connection.port));
        found.extend(
            leaking.map(|gateway| describe(server, &format!("gateway from {region}"), &gateway.connection)),
        );
    }
    found
}

fn leaking_clients(server: &ServerName, clients: &Connz, paths: &Paths) -> Vec<String> {
    let carried: BTreeSet<u16> = paths.clients_of(server).flat_map(Path::upstream_ports).collect();
    let leaking = clients.connections.iter().filter(|client| {
        // loadgen steers the servers, and answers, from outside of the emulated world.
        client.name != OWN_NAME && !carried.contains(&client.port)
    });
    leaking.map(|client| describe(server, "client", client)).collect()
}

fn describe(server: &ServerName, kind: &str, connection: &Connection) -> String {
    let Connection { cid, ip, port, .. } = connection;
    format!("{server}: {kind} {cid} at {ip}:{port} bypasses the emulated WAN")
}
