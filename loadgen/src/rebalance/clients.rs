//! The clients of each server.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;

use super::RebalanceError;
use super::report::{ClusterRow, ServerRow};
use crate::cluster::OWN_NAME;
use crate::look::answers::{Connection, Connz, ServerInfo, Statsz};
use crate::look::gather::{GatherError, System};

/// The clients of all servers, counted at one time.
#[derive(Debug)]
pub(super) struct Look {
    /// By name.
    pub(super) clusters: Vec<Cluster>,
    /// Servers that the others know, but that did not answer in time.
    pub(super) silent: usize,
}

/// The clients of one cluster.
#[derive(Debug)]
pub(super) struct Cluster {
    /// Its name. A server outside of a cluster is one of its own.
    pub(super) name: String,
    /// By name.
    pub(super) servers: Vec<Server>,
}

/// The clients of one server.
#[derive(Debug)]
pub(super) struct Server {
    /// Its public key: it changes with a restart.
    pub(super) id: String,
    pub(super) name: String,
    /// Those that a rebalancing may move, by their number.
    pub(super) clients: Vec<Connection>,
}

impl Look {
    /// Checks that each server of an earlier look answered again: without its clients, the mean would be wrong.
    ///
    /// # Errors
    /// One did not.
    pub(super) fn has_all_of(&self, earlier: &Self) -> Result<(), RebalanceError> {
        let known: BTreeSet<_> = self.servers().map(|server| server.id.as_str()).collect();
        match earlier.servers().find(|server| !known.contains(server.id.as_str())) {
            Some(server) => Err(RebalanceError::Silent { server: server.name.clone() }),
            None => Ok(()),
        }
    }

    fn servers(&self) -> impl Iterator<Item = &Server> {
        self.clusters.iter().flat_map(|cluster| &cluster.servers)
    }
}

impl Cluster {
    /// The numbers of clients, by server.
    pub(super) fn counts(&self) -> Vec<usize> {
        self.servers.iter().map(|server| server.clients.len()).collect()
    }

    /// As the tables show it.
    pub(super) fn row(&self) -> ClusterRow {
        let server = |server: &Server| ServerRow {
            name: server.name.clone(),
            id: server.id.clone(),
            clients: server.clients.len(),
        };
        ClusterRow { cluster: self.name.clone(), servers: self.servers.iter().map(server).collect() }
    }
}

/// The system account, as far as it counts clients.
#[derive(Debug)]
pub(super) struct Counter {
    pub(super) system: System,
    /// The name of the system account: its clients are not counted.
    account: String,
    /// The only cluster that is wanted.
    cluster: Option<String>,
}

/// Connections per answer. One connection takes about 600 bytes.
const PAGE: usize = 512;

impl Counter {
    /// Learns the name of the system account.
    ///
    /// # Errors
    /// No server says to which account this connection belongs.
    pub(super) async fn new(
        system: System,
        cluster: Option<String>,
        timeout: Duration,
    ) -> Result<Self, RebalanceError> {
        let account = system.account(timeout).await.ok_or(RebalanceError::NoAccount)?;
        Ok(Self { system, account, cluster })
    }

    /// Counts the clients of all servers.
    ///
    /// # Errors
    /// The servers do not answer, or no server belongs to the wanted cluster.
    pub(super) async fn look(&mut self) -> Result<Look, RebalanceError> {
        let stats = self.system.ask::<Statsz>(None).await?;
        let first = self.system.ask_with::<Connz>(Some(stats.answers.len()), options(0)).await?;
        let silent = stats.silent.max(first.silent);
        if let Some(failed) = first.failed.into_iter().next() {
            return Err(failed.into());
        }
        let mut clusters: BTreeMap<String, Vec<Server>> = BTreeMap::new();
        for answer in first.answers {
            let ServerInfo { name, id, cluster, .. } = answer.server;
            let name = if name.is_empty() { id.clone() } else { name };
            let cluster = if cluster.is_empty() { name.clone() } else { cluster };
            let is_wanted = self.cluster.as_ref().is_none_or(|wanted| *wanted == cluster);
            // Its name alone is enough for an error that lists the clusters.
            let servers = clusters.entry(cluster).or_default();
            if is_wanted {
                let clients = self.clients(&id, answer.data).await?;
                servers.push(Server { id, name, clients });
            }
        }
        if let Some(wanted) = &self.cluster {
            if !clusters.contains_key(wanted) {
                let known = clusters.into_keys().collect();
                return Err(RebalanceError::UnknownCluster { name: wanted.clone(), known });
            }
            clusters.retain(|name, _| name == wanted);
        }
        let clusters = clusters.into_iter().map(|(name, mut servers)| {
            servers.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
            Cluster { name, servers }
        });
        Ok(Look { clusters: clusters.collect(), silent })
    }

    /// Reads the other pages of one server, and leaves out what no rebalancing moves.
    async fn clients(&self, server_id: &str, first: Connz) -> Result<Vec<Connection>, GatherError> {
        let mut connections: BTreeMap<u64, Connection> = BTreeMap::new();
        let (mut page, mut read) = (first, 0);
        while !page.connections.is_empty() {
            read += page.connections.len();
            connections.extend(page.connections.into_iter().map(|connection| (connection.cid, connection)));
            if read >= page.total {
                break;
            }
            page = self.system.ask_server::<Connz>(server_id, options(read)).await?.data;
        }
        Ok(connections.into_values().filter(|connection| is_movable(connection, &self.account)).collect())
    }
}

/// The page that begins behind this many connections, with accounts.
fn options(offset: usize) -> String {
    json!({ "auth": true, "sort": "cid", "offset": offset, "limit": PAGE }).to_string()
}

/// Returns whether it is a client of an application. MQTT clients hear nothing of a lame duck. Each client library names its
/// language; a probe that only reads INFO does not.
fn is_movable(connection: &Connection, system: &str) -> bool {
    connection.kind == "Client"
        && ["nats", "websocket"].contains(&connection.protocol.as_str())
        && !connection.lang.is_empty()
        && !connection.account.is_empty()
        && connection.account != system
        && connection.name != OWN_NAME
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clients_of_applications_are_movable() {
        let client = |kind: &str, protocol: &str, account: &str, name: &str| {
            let connection = json!({ "cid": 1, "kind": kind, "type": protocol, "account": account, "name": name, "lang": "go" });
            is_movable(&serde_json::from_value(connection).unwrap(), "SYS")
        };
        assert!(client("Client", "nats", "APP", "") && client("Client", "websocket", "$G", "shop"));
        assert!(!client("Client", "nats", "SYS", "monitor"), "the system account");
        assert!(!client("Client", "nats", "APP", OWN_NAME), "loadgen itself");
        assert!(!client("Client", "mqtt", "APP", ""), "it hears nothing of a lame duck");
        assert!(!client("Client", "nats", "", ""), "it has not logged in");
        let probe = json!({ "cid": 1, "kind": "Client", "type": "nats", "account": "$G" });
        assert!(!is_movable(&serde_json::from_value(probe).unwrap(), "SYS"), "a probe");
        for kind in ["Leafnode", "Router", "Gateway", "System", ""] {
            assert!(!client(kind, "nats", "APP", ""), "{kind}");
        }
    }

    #[test]
    fn a_server_that_falls_silent_is_named() {
        let look = |ids: &[&str]| {
            let server =
                |id: &&str| Server { id: (*id).to_owned(), name: format!("lon-{id}"), clients: Vec::new() };
            let servers = ids.iter().map(server).collect();
            Look { clusters: vec![Cluster { name: "lon".to_owned(), servers }], silent: 0 }
        };
        assert!(look(&["1", "2", "3"]).has_all_of(&look(&["1", "2"])).is_ok(), "a new server may come");
        let error = look(&["1", "3"]).has_all_of(&look(&["1", "2"])).unwrap_err().to_string();
        assert!(error.starts_with("lon-2 no longer answers: "), "{error}");
    }
}
