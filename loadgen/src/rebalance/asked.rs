//! The clients that got the order to move, and whether each has moved.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::RebalanceError;
use super::clients::{Cluster, Server};
use super::plan::Load;
use super::report::StayedRow;
use crate::look::answers::Connection;

/// A client: the id of its server, and its number there.
type Key = (String, u64);

/// All clients that were asked, each once.
#[derive(Debug, Default)]
pub(super) struct Asked(BTreeMap<Key, Entry>);

/// A client that was asked.
#[derive(Debug)]
struct Entry {
    cluster: String,
    server: String,
    client: Connection,
    state: State,
}

/// The reaction of a client.
#[derive(Debug, Eq, PartialEq)]
enum State {
    /// It was asked at this time, and is still connected to that server.
    Waiting(Instant),
    /// Its connection to that server has ended.
    Moved,
    /// It was still connected when the patience ended.
    Stayed,
    /// The server did not carry out the order, for this reason.
    Refused(String),
}

/// How many clients of a cluster were asked, and their reactions.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Tally {
    pub(super) asked: usize,
    pub(super) moved: usize,
    pub(super) stayed: usize,
    pub(super) waiting: usize,
}

impl Asked {
    /// Records an order and its result.
    pub(super) fn add(
        &mut self,
        cluster: &Cluster,
        server: &Server,
        client: &Connection,
        result: Result<Instant, String>,
    ) {
        let state = match result {
            Ok(at) => State::Waiting(at),
            Err(reason) => State::Refused(reason),
        };
        let (cluster, name, client) = (cluster.name.clone(), server.name.clone(), client.clone());
        let key = (server.id.clone(), client.cid);
        self.0.insert(key, Entry { cluster, server: name, client, state });
    }

    /// Compares the clients that were asked with those that are connected now.
    ///
    /// # Errors
    /// A server refused an order about a client that is still connected.
    pub(super) fn settle(
        &mut self,
        clusters: &[Cluster],
        now: Instant,
        patience: Duration,
    ) -> Result<(), RebalanceError> {
        let servers = clusters.iter().flat_map(|cluster| &cluster.servers);
        let connected: BTreeSet<_> = servers
            .flat_map(|server| server.clients.iter().map(|client| (server.id.as_str(), client.cid)))
            .collect();
        for ((server_id, cid), entry) in &mut self.0 {
            let is_here = connected.contains(&(server_id.as_str(), *cid));
            match &entry.state {
                State::Waiting(_) | State::Stayed | State::Refused(_) if !is_here => {
                    entry.state = State::Moved;
                }
                State::Refused(reason) => {
                    let (server, reason) = (entry.server.clone(), reason.clone());
                    return Err(RebalanceError::Refused { server, cid: *cid, reason });
                }
                State::Waiting(since) if now.saturating_duration_since(*since) >= patience => {
                    entry.state = State::Stayed;
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Returns the load of a server, as the planner reads it.
    pub(super) fn load(&self, server: &Server) -> Load {
        let mut load = Load { clients: server.clients.len(), ..Load::default() };
        for client in &server.clients {
            match self.entry(server, client).map(|entry| &entry.state) {
                None => load.unasked += 1,
                Some(State::Waiting(_) | State::Refused(_)) => load.leaving += 1,
                Some(_) => {}
            }
        }
        load
    }

    /// Returns whether this client was asked before.
    pub(super) fn has(&self, server: &Server, client: &Connection) -> bool {
        self.entry(server, client).is_some()
    }

    fn entry(&self, server: &Server, client: &Connection) -> Option<&Entry> {
        self.0.get(&(server.id.clone(), client.cid))
    }

    /// Returns the sums over the clients of a cluster.
    pub(super) fn tally(&self, cluster: &str) -> Tally {
        let mut tally = Tally::default();
        for entry in self.0.values().filter(|entry| entry.cluster == cluster) {
            tally.asked += 1;
            match entry.state {
                State::Moved => tally.moved += 1,
                State::Stayed => tally.stayed += 1,
                State::Waiting(_) | State::Refused(_) => tally.waiting += 1,
            }
        }
        tally
    }

    /// Returns how many clients were asked.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// Returns the clients that stayed.
    pub(super) fn stayed(&self) -> Vec<StayedRow> {
        let stayed = self.0.values().filter(|entry| entry.state == State::Stayed);
        let row = |entry: &Entry| StayedRow {
            cluster: entry.cluster.clone(),
            server: entry.server.clone(),
            cid: entry.client.cid,
            name: entry.client.name.clone(),
            account: entry.client.account.clone(),
            ip: entry.client.ip.clone(),
            library: format!("{} {}", entry.client.lang, entry.client.version).trim().to_owned(),
        };
        stayed.map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const PATIENCE: Duration = Duration::from_secs(15);

    /// A cluster of one server with clients of these numbers.
    fn cluster(cids: &[u64]) -> Cluster {
        let client = |cid: &u64| Connection { cid: *cid, name: format!("c{cid}"), ..Connection::default() };
        let clients = cids.iter().map(client).collect();
        let server = Server { id: "NA".to_owned(), name: "lon-1".to_owned(), clients };
        Cluster { name: "lon".to_owned(), servers: vec![server] }
    }

    fn ask(asked: &mut Asked, cluster: &Cluster, position: usize, result: Result<Instant, String>) {
        let server = &cluster.servers[0];
        asked.add(cluster, server, &server.clients[position], result);
    }

    #[test]
    fn a_client_has_moved_when_its_connection_is_gone() {
        let (mut asked, now) = (Asked::default(), clock::now());
        let before = cluster(&[4, 5, 6]);
        ask(&mut asked, &before, 0, Ok(now));
        ask(&mut asked, &before, 1, Ok(now));
        let load = |asked: &Asked, cluster: &Cluster| asked.load(&cluster.servers[0]);
        assert_eq!(load(&asked, &before), Load { clients: 3, leaving: 2, unasked: 1 });

        let after = cluster(&[5, 6, 9]);
        asked.settle(std::slice::from_ref(&after), now + PATIENCE / 2, PATIENCE).unwrap();
        assert_eq!(asked.tally("lon"), Tally { asked: 2, moved: 1, stayed: 0, waiting: 1 });
        assert_eq!(load(&asked, &after), Load { clients: 3, leaving: 1, unasked: 2 });

        asked.settle(std::slice::from_ref(&after), now + PATIENCE, PATIENCE).unwrap();
        assert_eq!(asked.tally("lon"), Tally { asked: 2, moved: 1, stayed: 1, waiting: 0 });
        assert_eq!(load(&asked, &after), Load { clients: 3, leaving: 0, unasked: 2 });
        let stayed = asked.stayed();
        assert_eq!((stayed.len(), stayed[0].cid, stayed[0].name.as_str()), (1, 5, "c5"));

        asked.settle(&[cluster(&[6, 9])], now + PATIENCE * 2, PATIENCE).unwrap();
        assert_eq!(asked.tally("lon"), Tally { asked: 2, moved: 2, stayed: 0, waiting: 0 }, "it was late");
        assert_eq!(asked.tally("ams"), Tally::default());
    }

    #[test]
    fn a_refusal_counts_only_while_the_client_is_there() {
        let (mut asked, now) = (Asked::default(), clock::now());
        let before = cluster(&[4, 5]);
        ask(&mut asked, &before, 0, Err("no such client".to_owned()));
        asked.settle(&[cluster(&[5])], now, PATIENCE).unwrap();
        ask(&mut asked, &before, 1, Err("no responders".to_owned()));
        let error = asked.settle(&[cluster(&[5])], now, PATIENCE).unwrap_err().to_string();
        assert!(error.contains("lon-1") && error.contains("5") && error.contains("no responders"), "{error}");
    }
}
