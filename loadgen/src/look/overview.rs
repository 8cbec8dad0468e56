//! All that the system account shows of a super-cluster at one moment.

use serde::Serialize;

use super::answers::{Gatewayz, Leafz, Statsz, Varz};
use super::clusters::{ClusterRow, ClustersReport};
use super::gather::{GatherError, System};
use super::graph::{GatewayLink, Graph, LeafLink};
use super::jetstream::{AccountStreams, Jsz, MetaRow, meta_groups, streams_by_account};
use super::servers::{ServerRow, ServersReport, Totals};

/// A super-cluster at one moment.
#[derive(Clone, Debug, Serialize)]
pub struct Overview {
    /// One line of numbers: regions, servers, gateways and leaf nodes.
    pub summary: String,
    /// The servers that answered, by cluster and name.
    pub servers: Vec<ServerRow>,
    /// Their sums.
    pub totals: Totals,
    /// The clusters, by name.
    pub clusters: Vec<ClusterRow>,
    /// Gateways between two clusters each.
    pub gateways: Vec<GatewayLink>,
    /// Links to leaf nodes.
    pub leafs: Vec<LeafLink>,
    /// Regions and links as SVG.
    pub drawing: String,
    /// The meta group of each JetStream domain.
    pub meta: Vec<MetaRow>,
    /// The streams of each account.
    pub accounts: Vec<AccountStreams>,
    /// Servers that the others know, but that did not answer in time.
    pub silent: usize,
    /// Answers that are none, with their servers.
    pub failed: Vec<String>,
}

impl Overview {
    /// Asks all servers five times: for load, uptime, gateways, leaf nodes and streams.
    ///
    /// # Errors
    /// As those of [`System::ask`]. Servers without JetStream do not make an error.
    pub async fn look(system: &mut System) -> Result<Self, GatherError> {
        let stats = system.ask::<Statsz>(None).await?;
        let number = Some(stats.answers.len());
        let varz = system.ask::<Varz>(number).await?;
        let gateways = system.ask::<Gatewayz>(number).await?;
        let leafs = system.ask::<Leafz>(number).await?;
        let streams = system.ask_with::<Jsz>(number, Jsz::options()).await?;

        let infos: Vec<_> = stats.answers.iter().map(|answer| answer.server.clone()).collect();
        let graph = Graph::new(&infos, &gateways.answers, &leafs.answers);
        let meta = meta_groups(&stats.answers);
        let mut failed = [gateways.failures(), leafs.failures(), streams.failures()].concat();
        let servers = ServersReport::new(stats, varz);
        failed.extend(servers.failed.iter().cloned());
        Ok(Self {
            summary: graph.summary(),
            drawing: graph.to_svg(),
            clusters: ClustersReport::new(&servers).clusters,
            gateways: graph.gateways,
            leafs: graph.leafs,
            meta,
            accounts: streams_by_account(&streams.answers),
            silent: servers.silent,
            totals: servers.totals,
            servers: servers.servers,
            failed,
        })
    }
}
