//! JetStream, as the system account sees it: the meta group of each domain, and the streams of all accounts.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::answers::{Statsz, StreamInfo};
use super::gather::{Answered, Ask};
use super::streams::StreamsReport;
use crate::go_json::null_as_default;

/// JetStream in STATSZ.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct JetStreamStat {
    /// The meta group; `None` of a server outside of a cluster.
    pub meta: Option<MetaGroup>,
}

/// The meta group, as one of its servers sees it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct MetaGroup {
    /// Name of the leader; empty during an election.
    pub leader: String,
    /// Servers of the group, those that are down included.
    pub cluster_size: usize,
    /// The other servers. Only the leader lists them.
    #[serde(deserialize_with = "null_as_default")]
    pub replicas: Vec<MetaPeer>,
}

/// A server of the meta group, as its leader sees it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct MetaPeer {
    /// Its name.
    pub name: String,
    /// Whether it has everything.
    pub current: bool,
    /// Whether the leader knows that it is down. It does not know that of a server that was killed.
    pub offline: bool,
    /// Nanoseconds since the leader heard from it.
    pub active: i64,
    /// Entries of the log that it does not have yet.
    pub lag: u64,
}

/// JSZ with `accounts`, `streams` and `config`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct Jsz {
    /// The accounts that use JetStream on this server.
    #[serde(deserialize_with = "null_as_default")]
    pub account_details: Vec<AccountDetail>,
}

/// An account in JSZ.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub struct AccountDetail {
    /// Its name, or its public key.
    pub name: String,
    /// The streams of which this server holds a replica.
    #[serde(deserialize_with = "null_as_default")]
    pub stream_detail: Vec<StreamInfo>,
}

impl Ask for Jsz {
    const NAME: &'static str = "JSZ";
}

impl Jsz {
    /// The options of the request. Servers list up to 1024 accounts each.
    pub(super) fn options() -> String {
        serde_json::json!({ "accounts": true, "streams": true, "config": true, "limit": 1024 }).to_string()
    }
}

/// The meta group of a JetStream domain. It decides where streams and consumers are.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct MetaRow {
    /// The domain; empty if its servers have none.
    pub domain: String,
    /// The server that leads; empty if no server knows a leader. Without a leader, nobody can create or change a stream.
    pub leader: String,
    /// Servers of the group, those that are down included.
    pub servers: usize,
    /// Servers of the group that answered.
    pub answered: usize,
    /// Servers that name another leader, or none.
    pub disagree: Vec<String>,
    /// The servers that do not have everything, as the leader sees them.
    pub behind: Vec<BehindRow>,
}

/// A server of a meta group that does not have everything.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct BehindRow {
    /// Its name.
    pub server: String,
    /// Whether the leader knows that it is down. It does not know that of a server that was killed.
    pub offline: bool,
    /// Seconds since the leader heard from it.
    pub active_s: f64,
    /// Entries of the log that it does not have yet.
    pub lag: u64,
}

/// The streams of an account.
#[derive(Clone, Debug, Serialize)]
pub struct AccountStreams {
    /// Its name, or its public key.
    pub account: String,
    /// Its streams.
    #[serde(flatten)]
    pub report: StreamsReport,
}

/// Returns the meta groups, by domain.
pub(super) fn meta_groups(answers: &[Answered<Statsz>]) -> Vec<MetaRow> {
    let mut domains = BTreeMap::<&str, Vec<(&str, &MetaGroup)>>::new();
    for answer in answers {
        let meta = answer.data.jetstream.as_ref().and_then(|jetstream| jetstream.meta.as_ref());
        if let Some(meta) = meta {
            domains.entry(&answer.server.domain).or_default().push((&answer.server.name, meta));
        }
    }
    domains.into_iter().map(|(domain, members)| meta_group(domain, &members)).collect()
}

fn meta_group(domain: &str, members: &[(&str, &MetaGroup)]) -> MetaRow {
    // A server that names itself has the list of the others. After a partition, two may do so for some seconds.
    let leading = members.iter().find(|(name, meta)| meta.leader == *name);
    let named = || members.iter().find(|(_, meta)| !meta.leader.is_empty());
    let leader = leading.or_else(named).map_or("", |(_, meta)| meta.leader.as_str());
    let other = members.iter().filter(|(_, meta)| meta.leader != leader || leader.is_empty());
    let peers = leading.map_or(&[][..], |(_, meta)| &meta.replicas);
    let behind = peers.iter().filter(|peer| peer.offline || !peer.current).map(|peer| BehindRow {
        server: peer.name.clone(),
        offline: peer.offline,
        active_s: peer.active as f64 / 1e9,
        lag: peer.lag,
    });
    MetaRow {
        domain: domain.to_owned(),
        leader: leader.to_owned(),
        servers: members.iter().map(|(_, meta)| meta.cluster_size).max().unwrap_or_default(),
        answered: members.len(),
        disagree: other.map(|(name, _)| (*name).to_owned()).collect(),
        behind: behind.collect(),
    }
}

/// Returns the streams of all accounts, by account, domain and name.
///
/// Each server lists its own replicas. The leader of a stream knows how far the others and the copies are, so its answer wins; a
/// stream without a leader is described by one of its followers.
pub(super) fn streams_by_account(answers: &[Answered<Jsz>]) -> Vec<AccountStreams> {
    let mut found = BTreeMap::<(&str, &str, &str), (bool, &StreamInfo)>::new();
    for answer in answers {
        for account in &answer.data.account_details {
            for info in &account.stream_detail {
                let leader = info.cluster.as_ref().map(|cluster| cluster.leader.as_str());
                let leads = leader.is_none_or(|leader| leader == answer.server.name);
                let key = (account.name.as_str(), answer.server.domain.as_str(), info.config.name.as_str());
                let known = found.entry(key).or_insert((leads, info));
                if leads && !known.0 {
                    *known = (leads, info);
                }
            }
        }
    }
    let mut accounts = BTreeMap::<&str, StreamsReport>::new();
    for ((account, domain, _), (_, info)) in found {
        accounts.entry(account).or_default().add(domain, std::slice::from_ref(info), Vec::new());
    }
    let with_rows = accounts.into_iter().map(|(account, mut report)| {
        report.sort();
        AccountStreams { account: account.to_owned(), report }
    });
    with_rows.collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Value, json};

    use super::super::answers::Envelope;
    use super::*;

    fn answered<T: serde::de::DeserializeOwned>(name: &str, data: Value) -> Answered<T> {
        let envelope = json!({ "server": { "name": name, "domain": "hub" }, "data": data });
        let envelope: Envelope<T> = serde_json::from_value(envelope).unwrap();
        Answered { server: envelope.server, data: envelope.data.unwrap(), rtt: Duration::ZERO }
    }

    fn meta(name: &str, leader: &str, replicas: Value) -> Answered<Statsz> {
        let meta = json!({ "leader": leader, "cluster_size": 3, "replicas": replicas });
        answered(name, json!({ "jetstream": { "config": {}, "meta": meta } }))
    }

    #[test]
    fn the_leader_says_who_is_behind() {
        let replicas = json!([
            { "name": "a-1", "current": true, "active": 5 },
            { "name": "a-3", "current": false, "offline": true, "active": 1_500_000_000_u64, "lag": 7 },
        ]);
        let rows = meta_groups(&[meta("a-1", "a-2", Value::Null), meta("a-2", "a-2", replicas)]);
        let behind = vec![BehindRow { server: "a-3".to_owned(), offline: true, active_s: 1.5, lag: 7 }];
        let expected = MetaRow {
            domain: "hub".to_owned(),
            leader: "a-2".to_owned(),
            servers: 3,
            answered: 2,
            disagree: Vec::new(),
            behind,
        };
        assert_eq!(rows, [expected]);
        let without = answered::<Statsz>("alone", json!({ "jetstream": { "config": {} } }));
        assert!(meta_groups(&[without, answered("none", json!({}))]).is_empty());
    }

    #[test]
    fn an_election_and_a_split_are_seen() {
        let rows = meta_groups(&[meta("a-1", "", Value::Null), meta("a-2", "", Value::Null)]);
        assert_eq!((rows[0].leader.as_str(), rows[0].disagree.len()), ("", 2));
        let rows = meta_groups(&[meta("a-1", "a-3", Value::Null), meta("a-2", "a-2", json!([]))]);
        assert_eq!((rows[0].leader.as_str(), &rows[0].disagree[..]), ("a-2", &["a-1".to_owned()][..]));
    }

    #[test]
    fn the_leader_of_a_stream_describes_it_and_else_a_follower() {
        let stream = |name: &str, leader: &str, messages: u64| {
            json!({ "name": name, "config": { "name": name, "storage": "file" }, "state": { "messages": messages },
                "cluster": { "leader": leader } })
        };
        let jsz = |name: &str, streams: Value| {
            answered::<Jsz>(name, json!({ "account_details": [{ "name": "ACC", "stream_detail": streams }] }))
        };
        let answers = [
            jsz("a-1", json!([stream("led", "a-2", 1), stream("orphan", "", 3)])),
            jsz("a-2", json!([stream("led", "a-2", 2)])),
            answered("a-3", json!({ "disabled": true })),
        ];
        let accounts = streams_by_account(&answers);
        assert_eq!(accounts.len(), 1);
        let rows: Vec<_> =
            accounts[0].report.streams.iter().map(|row| (&row.stream[..], row.messages)).collect();
        assert_eq!((accounts[0].account.as_str(), rows), ("ACC", vec![("led", 2), ("orphan", 3)]));
        let json = serde_json::to_value(&accounts).unwrap();
        assert_eq!((&json[0]["account"], &json[0]["streams"][0]["domain"]), (&json!("ACC"), &json!("hub")));
    }
}
