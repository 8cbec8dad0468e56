//! The state of the super-cluster that the demo shows.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::injected::FaultView;
use crate::cluster::{StartOptions, SuperCluster, UnknownNameError};
use crate::record::stats::millis;

/// The super-cluster at one moment.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct World {
    /// Grows with every change.
    pub revision: u64,
    /// All regions, as they were named.
    pub regions: Vec<RegionView>,
    /// Round-trip time of each pair, such as `lon-ams`, as the first of the two sees it.
    pub rtt_ms: BTreeMap<String, f64>,
    /// What is being done and takes time.
    pub busy: Option<String>,
    /// Faults that `loadgen ctl inject` began.
    #[serde(default)]
    pub faults: Vec<FaultView>,
}

/// One region.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct RegionView {
    /// Its name.
    pub name: String,
    /// Whether its servers are silent towards everybody else.
    pub is_silent: bool,
    /// Its servers.
    pub servers: Vec<ServerView>,
    /// How a program in this region reaches every server, nearest first: `region=nats://...`.
    pub tcp_urls: Vec<String>,
    /// How a browser in this region reaches every server, nearest first: `region=ws://...`.
    pub websocket_urls: Vec<String>,
}

/// One server.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct ServerView {
    /// Its name, such as `lon-1`.
    pub name: String,
    /// `up`, `dead`, `paused`, `ending` after SIGTERM, or `a lame duck`.
    pub state: String,
    /// Whether it alone is silent.
    pub is_silent: bool,
}

impl World {
    /// What is so now.
    ///
    /// # Errors
    /// None, if `start` is what the super-cluster was started with.
    pub fn of(cluster: &mut SuperCluster, start: &StartOptions) -> Result<Self, UnknownNameError> {
        let names = start.topology.regions();
        let mut rtt_ms = BTreeMap::new();
        for (position, from) in names.iter().enumerate() {
            for to in &names[position + 1..] {
                // Every pair was looked up when the plan was made.
                let rtt = start.rtt.rtt(from, to).unwrap_or_default();
                rtt_ms.insert(format!("{from}-{to}"), millis(rtt));
            }
        }
        let regions: Result<_, _> = names.iter().map(|name| region(cluster, start, name)).collect();
        Ok(Self { revision: 0, regions: regions?, rtt_ms, busy: None, faults: Vec::new() })
    }
}

fn region(
    cluster: &mut SuperCluster,
    start: &StartOptions,
    name: &str,
) -> Result<RegionView, UnknownNameError> {
    let mut endpoints = cluster.endpoints(name)?;
    // Every pair was looked up when the plan was made.
    endpoints.sort_by_key(|endpoint| start.rtt.rtt(name, endpoint.server.region()).unwrap_or_default());
    let mut servers = Vec::new();
    for server in start.topology.servers_of(name) {
        let server = server.to_string();
        let (state, is_silent) = (cluster.state(&server)?.to_owned(), cluster.is_server_silent(&server));
        servers.push(ServerView { name: server, state, is_silent });
    }
    Ok(RegionView {
        name: name.to_owned(),
        is_silent: cluster.is_silent(name)?,
        servers,
        tcp_urls: endpoints.iter().map(|it| format!("{}={}", it.server.region(), it.tcp_url)).collect(),
        websocket_urls: endpoints
            .iter()
            .map(|it| format!("{}={}", it.server.region(), it.websocket_url))
            .collect(),
    })
}
