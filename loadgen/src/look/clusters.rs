//! `loadgen clusters`: one row per cluster, and the totals.

use std::collections::BTreeMap;

use serde::Serialize;

use super::servers::ServersReport;
use super::table::{add, count, titled};
use crate::text_table::table;

/// All clusters, by name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ClustersReport {
    /// The clusters.
    pub clusters: Vec<ClusterRow>,
    /// Their sums; the name is empty.
    pub totals: ClusterRow,
    /// Servers that the others know, but that did not answer in time.
    pub silent: usize,
    /// Answers that are none, with their servers.
    pub failed: Vec<String>,
    #[serde(skip)]
    note: String,
}

/// A cluster.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ClusterRow {
    /// Its name.
    pub cluster: String,
    /// Servers that answered.
    pub nodes: usize,
    /// Clusters dialled, summed over its servers.
    pub gateways_out: usize,
    /// Connections that servers of other clusters have opened to its servers.
    pub gateways_in: u64,
    /// Clients that are connected.
    pub connections: u64,
}

impl ClusterRow {
    fn add(&mut self, other: &Self) {
        self.nodes += other.nodes;
        self.gateways_out += other.gateways_out;
        self.gateways_in += other.gateways_in;
        self.connections += other.connections;
    }
}

impl ClustersReport {
    /// Sums the servers of each cluster.
    pub fn new(report: &ServersReport) -> Self {
        let mut clusters = BTreeMap::<_, ClusterRow>::new();
        let mut totals = ClusterRow::default();
        for server in &report.servers {
            let one = ClusterRow {
                cluster: server.cluster.clone(),
                nodes: 1,
                gateways_out: server.gateways_out,
                gateways_in: server.gateways_in,
                connections: server.connections,
            };
            totals.add(&one);
            clusters.entry(one.cluster.clone()).and_modify(|cluster| cluster.add(&one)).or_insert(one);
        }
        let clusters = clusters.into_values().collect();
        let (silent, failed) = (report.silent, report.failed.clone());
        Self { clusters, totals, silent, failed, note: report.silence() }
    }

    /// The rows as a table for a terminal.
    pub fn render(&self) -> String {
        let mut shown =
            table(&["cluster", "node count", "outgoing gateways", "incoming gateways", "connections"]);
        let total = count(self.clusters.len(), "cluster");
        let named = self.clusters.iter().map(|row| (row.cluster.clone(), row));
        for (name, row) in named.chain([(total, &self.totals)]) {
            let numbers = [row.nodes as u64, row.gateways_out as u64, row.gateways_in, row.connections];
            let numbers = numbers.map(|number| number.to_string());
            add(&mut shown, 1, [name].into_iter().chain(numbers).collect());
        }
        titled("Clusters", &shown) + &self.note
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_are_summed_by_cluster() {
        let report = ClustersReport::new(&super::super::servers::tests::report());
        let row = |cluster: &str, nodes, gateways_out, gateways_in, connections| ClusterRow {
            cluster: cluster.to_owned(),
            nodes,
            gateways_out,
            gateways_in,
            connections,
        };
        assert_eq!(report.clusters, [row("a", 1, 1, 2, 0), row("b", 2, 2, 1, 2)]);
        assert_eq!(report.totals, row("", 3, 3, 3, 2));
        let text = report.render();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2 + 1 + 2 + 1 + 1, "{text}");
        assert!(lines[5].starts_with("| 2 clusters |") && lines[6].contains("broken"), "{text}");
    }
}
