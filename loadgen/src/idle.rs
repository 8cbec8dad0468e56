//! What a nats-geo client costs that does nothing: bytes on the wire for PINGs and probes.

use std::time::Duration;

use crate::clients::{Access, Client, ConnectError, Population, Spec};
use crate::clock;
use crate::cluster::{SuperCluster, UnknownNameError};
use crate::plan::Plan;
use crate::report::model::Idle;

/// Why it could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum IdleError {
    /// A client does not connect.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No such region.
    #[error(transparent)]
    UnknownName(#[from] UnknownNameError),
    /// A client without a ranking has not probed.
    #[error("a client in {0} has not measured its own region")]
    Unmeasured(String),
}

/// Connects clients in the first region, counts what passes the emulated links while they do nothing, and
/// lets them go. Returns also the RTT that they measure inside their region.
///
/// # Errors
/// A client does not connect.
pub async fn measure(plan: &Plan, cluster: &SuperCluster) -> Result<(Idle, Duration), IdleError> {
    let region = &plan.topology.regions()[0];
    // The farthest region carries no link, only probes.
    let farthest = plan.regions_by_distance(region).last().copied().unwrap_or_default();
    let before = cluster.client_traffic(region, farthest)?;
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        clients.push(Client::connect(spec(plan, cluster, region, number)?).await?);
    }
    let policy = plan.policy();
    let window = policy.watch.ping_interval * PINGS;
    // The handshakes' last bytes have passed after the farthest round trip.
    tokio::time::sleep(plan.rtt(region, farthest) * 2 + QUIET).await;
    let after = cluster.client_traffic(region, farthest)?;
    let probes = (after.connections - before.connections).max(1);
    let bytes_per_probe = (after.bytes - before.bytes) as f64 / probes as f64;
    let (from, start) = (total(plan, cluster, region)?, clock::now());
    tokio::time::sleep(window).await;
    let bytes = total(plan, cluster, region)? - from;
    let ping_bytes_per_s = bytes as f64 / start.elapsed().as_secs_f64() / f64::from(CLIENTS);

    let home_rtt = clients[0].base_rtt(region).ok_or_else(|| IdleError::Unmeasured(region.clone()))?;
    let endpoints = plan.topology.servers().count() as f64;
    let probe_bytes_per_s = |interval: Duration| bytes_per_probe * endpoints / interval.as_secs_f64();
    let idle = Idle {
        ping_bytes_per_s,
        bytes_per_probe,
        probe_bytes_per_s_at_first: probe_bytes_per_s(policy.probe.interval),
        probe_bytes_per_s_settled: probe_bytes_per_s(policy.probe.interval_max),
    };
    Ok((idle, home_rtt))
}

fn spec(plan: &Plan, cluster: &SuperCluster, region: &str, number: u16) -> Result<Spec, UnknownNameError> {
    let endpoints = cluster.endpoints(region)?;
    Ok(Spec {
        population: Population::NatsGeo,
        region: region.to_owned(),
        number: number.into(),
        urls: endpoints.into_iter().map(|endpoint| endpoint.tcp_url).collect(),
        policy: plan.policy(),
        seed: plan.seed.wrapping_add(u64::from(number)),
        access: Access::default(),
    })
}

fn total(plan: &Plan, cluster: &SuperCluster, from: &str) -> Result<u64, UnknownNameError> {
    let regions = plan.topology.regions().iter();
    regions.map(|to| Ok(cluster.client_traffic(from, to)?.bytes)).sum()
}

/// A mean of some: each has its own phase.
const CLIENTS: u16 = 4;

/// Enough PINGs that one more or less at the edge of the window is below 15 %.
const PINGS: u32 = 8;

/// For a busy machine.
const QUIET: Duration = Duration::from_millis(200);
