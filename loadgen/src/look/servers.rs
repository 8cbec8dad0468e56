//! `loadgen servers`: one row per server, and the totals.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::Serialize;

use super::answers::{Statsz, Varz};
use super::gather::{Answered, GatherError, Gathered, System};
use super::go_duration::uptime;
use super::table::{add, bytes, count, optional, titled};
use crate::text_table::table;

/// All servers, by cluster and name.
#[derive(Clone, Debug, Serialize)]
pub struct ServersReport {
    /// The servers that answered.
    pub servers: Vec<ServerRow>,
    /// Their sums.
    pub totals: Totals,
    /// Servers that the others know, but that did not answer in time.
    pub silent: usize,
    /// Answers that are none, with their servers.
    pub failed: Vec<String>,
}

/// A server.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ServerRow {
    /// Its cluster; empty outside of any. A leaf node outside of a cluster has its own name here.
    pub cluster: String,
    /// Its name.
    pub name: String,
    /// Its public key.
    pub id: String,
    /// Its address for clients, as it was configured; `0.0.0.0` means all of its addresses.
    pub host: String,
    /// Its version.
    pub version: String,
    /// Clients that are connected.
    pub connections: u64,
    /// Subscriptions that it knows, those of other servers included.
    pub subscriptions: u64,
    /// Other servers of its cluster that it is linked to.
    pub peers: usize,
    /// Connections to them: since 2.10 several to each. `nats server list` calls them routes, too.
    pub routes: usize,
    /// Clusters that it has dialled.
    pub gateways_out: usize,
    /// Connections that servers of other clusters have opened to it.
    pub gateways_in: u64,
    /// Connections of leaf nodes, one per account; `None` if the server did not tell in time.
    pub leaf_nodes: Option<u64>,
    /// Resident memory.
    pub memory_bytes: u64,
    /// Percent of one core.
    pub cpu_percent: f64,
    /// Clients closed because they read too slowly, since the start.
    pub slow_consumers: u64,
    /// Seconds since the start; `None` if the server did not tell in time.
    pub uptime_s: Option<f64>,
    /// Milliseconds from the request to this server's answer, over the connection to the one server that was dialled.
    pub rtt_ms: f64,
}

/// The sums over all servers.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Totals {
    /// Clusters.
    pub clusters: usize,
    /// Servers.
    pub servers: usize,
    /// Clients that are connected.
    pub connections: u64,
    /// Subscriptions, counted at each server that knows them.
    pub subscriptions: u64,
    /// Clusters dialled, summed over servers.
    pub gateways_out: usize,
    /// Connections accepted from other clusters.
    pub gateways_in: u64,
    /// Connections of leaf nodes, counted at both ends if both answered.
    pub leaf_nodes: u64,
    /// Resident memory.
    pub memory_bytes: u64,
    /// Clients closed because they read too slowly.
    pub slow_consumers: u64,
}

impl ServersReport {
    /// Asks all servers.
    ///
    /// # Errors
    /// As those of [`System::ask`].
    pub async fn look(system: &mut System) -> Result<Self, GatherError> {
        let stats = system.ask::<Statsz>(None).await?;
        let varz = system.ask::<Varz>(Some(stats.answers.len())).await?;
        Ok(Self::new(stats, varz))
    }

    /// Makes the rows.
    pub fn new(stats: Gathered<Statsz>, varz: Gathered<Varz>) -> Self {
        let failed = [stats.failures(), varz.failures()].concat();
        let varz: BTreeMap<_, _> =
            varz.answers.into_iter().map(|answer| (answer.server.id, answer.data)).collect();
        let silent = stats.silent;
        let rows = stats.answers.into_iter().map(|answer| {
            let varz = varz.get(&answer.server.id);
            row(answer, varz)
        });
        let mut servers: Vec<_> = rows.collect();
        servers.sort_by(|a, b| (&a.cluster, &a.name, &a.id).cmp(&(&b.cluster, &b.name, &b.id)));
        Self { totals: totals(&servers), servers, silent, failed }
    }

    /// The rows as a table for a terminal.
    pub fn render(&self) -> String {
        let mut shown = table(&[
            "cluster", "name", "host", "version", "conns", "subs", "peers", "routes", "gw out", "gw in",
            "leafs", "memory", "cpu %", "slow", "uptime", "rtt ms",
        ]);
        for row in &self.servers {
            add(&mut shown, TEXTS, cells(row));
        }
        let totals = &self.totals;
        let number = |number: u64| number.to_string();
        let empty = String::new;
        add(
            &mut shown,
            TEXTS,
            vec![
                count(totals.clusters, "cluster"),
                count(totals.servers, "server"),
                empty(),
                empty(),
                number(totals.connections),
                number(totals.subscriptions),
                empty(),
                empty(),
                totals.gateways_out.to_string(),
                number(totals.gateways_in),
                number(totals.leaf_nodes),
                bytes(totals.memory_bytes),
                empty(),
                number(totals.slow_consumers),
                empty(),
                empty(),
            ],
        );
        titled("Servers", &shown) + &self.silence()
    }

    /// Lines about servers that gave no answer, if there are any.
    pub(super) fn silence(&self) -> String {
        let mut lines = String::new();
        if self.silent > 0 {
            lines = format!(
                "\n{} that the others know did not answer: it is slower than --timeout, or it died in the last minutes",
                count(self.silent, "more server")
            );
        }
        for failed in &self.failed {
            lines.push('\n');
            lines.push_str(failed);
        }
        lines
    }
}

/// Cluster, name, host and version.
const TEXTS: usize = 4;

fn row(answer: Answered<Statsz>, varz: Option<&Varz>) -> ServerRow {
    let Answered { server, data, rtt } = answer;
    let peers: BTreeSet<_> = data.routes.iter().map(|route| route.name.as_str()).collect();
    ServerRow {
        cluster: server.cluster,
        name: if server.name.is_empty() { server.id.clone() } else { server.name },
        id: server.id,
        host: server.host,
        version: server.version,
        connections: data.connections,
        subscriptions: data.subscriptions,
        peers: peers.len(),
        routes: data.routes.len(),
        gateways_out: data.gateways.len(),
        gateways_in: data.gateways.iter().map(|gateway| gateway.inbound_connections).sum(),
        leaf_nodes: varz.map(|varz| varz.leafnodes),
        memory_bytes: data.mem,
        cpu_percent: data.cpu,
        slow_consumers: data.slow_consumers,
        uptime_s: varz.and_then(|varz| varz.uptime).map(|time| time.as_secs_f64()),
        rtt_ms: milliseconds(rtt),
    }
}

/// Three digits behind the point: finer ones are noise.
fn milliseconds(time: Duration) -> f64 {
    time.as_micros() as f64 / 1e3
}

fn totals(servers: &[ServerRow]) -> Totals {
    let named = servers.iter().map(|row| row.cluster.as_str()).filter(|cluster| !cluster.is_empty());
    let clusters: BTreeSet<_> = named.collect();
    let mut totals = Totals { clusters: clusters.len(), servers: servers.len(), ..Totals::default() };
    for row in servers {
        totals.connections += row.connections;
        totals.subscriptions += row.subscriptions;
        totals.gateways_out += row.gateways_out;
        totals.gateways_in += row.gateways_in;
        totals.leaf_nodes += row.leaf_nodes.unwrap_or_default();
        totals.memory_bytes += row.memory_bytes;
        totals.slow_consumers += row.slow_consumers;
    }
    totals
}

fn cells(row: &ServerRow) -> Vec<String> {
    vec![
        row.cluster.clone(),
        row.name.clone(),
        row.host.clone(),
        row.version.clone(),
        row.connections.to_string(),
        row.subscriptions.to_string(),
        row.peers.to_string(),
        row.routes.to_string(),
        row.gateways_out.to_string(),
        row.gateways_in.to_string(),
        optional(row.leaf_nodes, |leafs| leafs.to_string()),
        bytes(row.memory_bytes),
        format!("{:.1}", row.cpu_percent),
        row.slow_consumers.to_string(),
        optional(row.uptime_s, uptime),
        format!("{:.1}", row.rtt_ms),
    ]
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;

    /// Three servers in two clusters, as their answers come in.
    pub(crate) fn report() -> ServersReport {
        let statsz = |cluster: &str, number: u64, statsz: serde_json::Value| {
            let server = json!({ "name": format!("{cluster}-{number}"), "id": format!("N{cluster}{number}"),
                "cluster": cluster, "host": "0.0.0.0", "ver": "2.15.1" });
            let envelope = serde_json::from_value(json!({ "server": server, "statsz": statsz }));
            let envelope: super::super::answers::Envelope<Statsz> = envelope.unwrap();
            Answered {
                server: envelope.server,
                data: envelope.data.unwrap(),
                rtt: Duration::from_micros(2_904),
            }
        };
        let pooled: Vec<_> =
            ["b-2", "b-2", "b-2", "b-2"].iter().map(|name| json!({ "name": name })).collect();
        let to = |cluster: &str, inbound: u64| json!([{ "name": cluster, "inbound_connections": inbound }]);
        let answers = vec![
            statsz(
                "b",
                1,
                json!({ "mem": 1 << 20, "connections": 2, "routes": pooled, "gateways": to("a", 1) }),
            ),
            statsz(
                "a",
                1,
                json!({ "mem": 3 << 20, "subscriptions": 71, "gateways": to("b", 2), "cpu": 0.26 }),
            ),
            statsz("b", 2, json!({ "slow_consumers": 4, "gateways": to("a", 0), "mem": 512 })),
        ];
        let varz = answers.iter().take(2).map(|answer| Answered {
            server: answer.server.clone(),
            data: Varz { leafnodes: 1, uptime: Some(Duration::from_secs(214)) },
            rtt: Duration::ZERO,
        });
        let failed = vec![GatherError::Answer {
            subject: "$SYS.X".to_owned(),
            server: "b-2".to_owned(),
            reason: "error 500: broken".to_owned(),
        }];
        let varz = Gathered { answers: varz.collect(), silent: 0, failed };
        ServersReport::new(Gathered { answers, silent: 0, failed: Vec::new() }, varz)
    }

    #[test]
    fn rows_stand_by_cluster_and_name_above_their_sums() {
        let report = report();
        let names: Vec<_> = report.servers.iter().map(|row| row.name.as_str()).collect();
        assert_eq!(names, ["a-1", "b-1", "b-2"]);
        let b1 = &report.servers[1];
        assert_eq!((b1.peers, b1.routes, b1.gateways_out, b1.gateways_in), (1, 4, 1, 1));
        assert_eq!((b1.uptime_s, report.servers[2].uptime_s), (Some(214.0), None));
        let expected = Totals {
            clusters: 2,
            servers: 3,
            connections: 2,
            subscriptions: 71,
            gateways_out: 3,
            gateways_in: 3,
            leaf_nodes: 2,
            memory_bytes: (4 << 20) + 512,
            slow_consumers: 4,
        };
        assert_eq!(report.totals, expected);
    }

    #[test]
    fn the_table_has_a_line_per_server_and_one_of_totals() {
        let mut report = report();
        let text = report.render();
        let lines: Vec<_> = text.lines().collect();
        assert_eq!(lines.len(), 2 + 1 + 3 + 1 + 1, "{text}");
        assert_eq!(lines[7], "b-2 answered `$SYS.X` with error 500: broken");
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
        let a1 = [
            "a", "a-1", "0.0.0.0", "2.15.1", "0", "71", "0", "0", "1", "2", "1", "3.0 MiB", "0.3", "0",
            "3m34s", "2.9",
        ];
        assert_eq!(cells(lines[3])[1..17], a1, "{text}");
        let totals =
            ["2 clusters", "3 servers", "", "", "2", "71", "", "", "3", "3", "2", "4.0 MiB", "", "4", "", ""];
        assert_eq!(cells(lines[6])[1..17], totals, "{text}");
        assert!(cells(lines[5]).contains(&"-".to_owned()), "an unknown uptime: {text}");
        report.silent = 1;
        assert!(report.render().contains("\n1 more server that the others know did not answer"));
    }
}
