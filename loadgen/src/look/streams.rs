//! `loadgen streams`: the stream report and the replication report.

use std::fmt;

use serde::Serialize;

use super::answers::{Placement, StreamCluster, StreamInfo, StreamSource};
use super::table::{bytes, optional, titled};
use crate::text_table::{add, table};

/// The streams of one account, in one or more JetStream domains.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StreamsReport {
    /// By domain and name.
    pub streams: Vec<StreamRow>,
    /// Streams that are copied from others.
    pub replication: Vec<ReplicationRow>,
    /// Domains and streams that did not answer.
    pub failed: Vec<Failed>,
}

/// A stream.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StreamRow {
    /// Its domain; empty if its servers have none.
    pub domain: String,
    /// Its name.
    pub stream: String,
    /// `file` or `memory`.
    pub storage: String,
    /// The servers that may hold it: `cluster: lon tags: ssd`; empty if all may.
    pub placement: String,
    /// Consumers.
    pub consumers: u64,
    /// Messages.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Messages that are damaged on the disk.
    pub lost_messages: usize,
    /// Their bytes.
    pub lost_bytes: u64,
    /// Messages that were removed from between others.
    pub deleted: u64,
    /// The servers that hold it, by name; empty if the server is in no cluster and does not say.
    pub replicas: Vec<ReplicaRow>,
}

/// A server that holds a stream.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub struct ReplicaRow {
    /// Its name.
    pub server: String,
    /// Whether it takes the writes. The table marks it with `*`.
    pub leader: bool,
    /// Whether it is there and has everything. The table marks one that is not with `!`.
    pub current: bool,
}

/// A stream that is copied from another one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReplicationRow {
    /// The domain of the copy.
    pub domain: String,
    /// The copy.
    pub stream: String,
    /// How it is copied.
    pub kind: Kind,
    /// The API of the origin, such as `$JS.hub.API`; empty if it is that of the copy.
    pub api_prefix: String,
    /// The origin.
    pub source: String,
    /// Seconds since the origin was heard; `None` if it never was.
    pub active_s: Option<f64>,
    /// Messages that are not copied yet, as far as the copy knows: without a connection it is the last known number.
    pub lag: u64,
    /// The reason why nothing is copied; empty if there is none.
    pub error: String,
}

/// How a stream is copied.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// It is the same stream elsewhere.
    Mirror,
    /// It collects from one or more streams.
    Source,
}

/// A domain or a stream that did not answer.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
pub struct Failed {
    /// The domain; empty if there is none.
    pub domain: String,
    /// The stream; `None`: all of the domain.
    pub stream: Option<String>,
    /// The reason.
    pub reason: String,
}

impl fmt::Display for Failed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(stream) = &self.stream {
            write!(formatter, "stream `{stream}`")?;
        }
        match (self.domain.as_str(), &self.stream) {
            ("", None) => {}
            ("", Some(_)) => formatter.write_str(": ")?,
            (domain, None) => write!(formatter, "domain `{domain}`: ")?,
            (domain, Some(_)) => write!(formatter, " in domain `{domain}`: ")?,
        }
        formatter.write_str(&self.reason)
    }
}

impl StreamsReport {
    /// Adds the streams of a domain, and those that did not answer there, with the reasons.
    pub fn add(&mut self, domain: &str, streams: &[StreamInfo], failed: Vec<(String, String)>) {
        for info in streams {
            self.streams.push(stream(domain, info));
            let copy = |kind, source| replication(domain, &info.config.name, kind, source);
            self.replication.extend(info.mirror.iter().map(|source| copy(Kind::Mirror, source)));
            self.replication.extend(info.sources.iter().map(|source| copy(Kind::Source, source)));
        }
        self.failed.extend(failed.into_iter().map(|(stream, reason)| Failed {
            domain: domain.to_owned(),
            stream: Some(stream),
            reason,
        }));
    }

    /// Sorts by domain and name.
    pub fn sort(&mut self) {
        self.streams.sort_by(|a, b| (&a.domain, &a.stream).cmp(&(&b.domain, &b.stream)));
        self.replication
            .sort_by(|a, b| (&a.domain, &a.stream, &a.source).cmp(&(&b.domain, &b.stream, &b.source)));
    }

    /// The reports as tables for a terminal.
    pub fn render(&self) -> String {
        let mut parts = Vec::new();
        if self.streams.is_empty() {
            parts.push("This account has no streams here".to_owned());
        } else {
            parts.push(titled("Streams (* leader, ! not current)", &self.stream_table()));
        }
        if !self.replication.is_empty() {
            parts.push(titled("Replication", &self.replication_table()));
        }
        if !self.failed.is_empty() {
            let lines: Vec<_> = self.failed.iter().map(|failed| format!("* {failed}")).collect();
            parts.push(format!("Not listed\n{}", lines.join("\n")));
        }
        parts.join("\n\n")
    }

    fn stream_table(&self) -> comfy_table::Table {
        let mut shown = table(&[
            "domain",
            "stream",
            "storage",
            "placement",
            "consumers",
            "messages",
            "bytes",
            "lost",
            "deleted",
            "replicas",
        ]);
        for row in &self.streams {
            let lost = match row.lost_messages {
                0 => "0".to_owned(),
                lost => format!("{lost} ({})", bytes(row.lost_bytes)),
            };
            let mut cells =
                vec![row.domain.clone(), row.stream.clone(), row.storage.clone(), row.placement.clone()];
            cells.extend([row.consumers, row.messages].map(|number| number.to_string()));
            cells.extend([bytes(row.bytes), lost, row.deleted.to_string()]);
            cells.push(row.replicas.iter().map(ReplicaRow::marked).collect::<Vec<_>>().join(", "));
            add(&mut shown, cells);
        }
        shown
    }

    fn replication_table(&self) -> comfy_table::Table {
        let mut shown =
            table(&["domain", "stream", "kind", "api prefix", "source stream", "active", "lag", "error"]);
        for row in &self.replication {
            let kind = match row.kind {
                Kind::Mirror => "mirror",
                Kind::Source => "source",
            };
            let mut cells = vec![row.domain.clone(), row.stream.clone(), kind.to_owned()];
            cells.extend([row.api_prefix.clone(), row.source.clone()]);
            cells.push(optional(row.active_s, |seconds| format!("{seconds:.2}s")));
            cells.extend([row.lag.to_string(), row.error.clone()]);
            add(&mut shown, cells);
        }
        shown
    }
}

impl ReplicaRow {
    fn marked(&self) -> String {
        let leader = if self.leader { "*" } else { "" };
        let behind = if self.current { "" } else { "!" };
        format!("{}{leader}{behind}", self.server)
    }
}

fn stream(domain: &str, info: &StreamInfo) -> StreamRow {
    let (config, state) = (&info.config, &info.state);
    let lost = state.lost.as_ref();
    StreamRow {
        domain: domain.to_owned(),
        stream: config.name.clone(),
        storage: config.storage.clone(),
        placement: config.placement.as_ref().map(placement).unwrap_or_default(),
        consumers: state.consumer_count,
        messages: state.messages,
        bytes: state.bytes,
        lost_messages: lost.map_or(0, |lost| lost.msgs.len()),
        lost_bytes: lost.map_or(0, |lost| lost.bytes),
        deleted: state.num_deleted,
        replicas: info.cluster.as_ref().map(replicas).unwrap_or_default(),
    }
}

fn placement(placement: &Placement) -> String {
    let cluster = (!placement.cluster.is_empty()).then(|| format!("cluster: {}", placement.cluster));
    let tags = (!placement.tags.is_empty()).then(|| format!("tags: {}", placement.tags.join(", ")));
    cluster.into_iter().chain(tags).collect::<Vec<_>>().join(" ")
}

fn replicas(cluster: &StreamCluster) -> Vec<ReplicaRow> {
    let leader = (!cluster.leader.is_empty()).then(|| ReplicaRow {
        server: cluster.leader.clone(),
        leader: true,
        current: true,
    });
    let others = cluster.replicas.iter().map(|replica| ReplicaRow {
        server: replica.name.clone(),
        leader: false,
        current: replica.current && !replica.offline,
    });
    let mut all: Vec<_> = leader.into_iter().chain(others).collect();
    all.sort();
    all
}

fn replication(domain: &str, stream: &str, kind: Kind, source: &StreamSource) -> ReplicationRow {
    let error = source.error.as_ref();
    ReplicationRow {
        domain: domain.to_owned(),
        stream: stream.to_owned(),
        kind,
        api_prefix: source.external.as_ref().map(|external| external.api.clone()).unwrap_or_default(),
        source: source.name.clone(),
        active_s: (source.active >= 0).then(|| source.active as f64 / 1e9),
        lag: source.lag,
        error: error.map(|error| format!("{} ({})", error.description, error.err_code)).unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report() -> StreamsReport {
        let replica = |name: &str, current| json!({ "name": name, "current": current });
        let sales = json!({
            "config": { "name": "sales", "storage": "file",
                "placement": { "cluster": "lon", "tags": ["ssd", "big"] } },
            "state": { "messages": 1234, "bytes": 4096, "consumer_count": 2, "num_deleted": 3,
                "lost": { "msgs": [7, 8], "bytes": 90 } },
            "cluster": { "leader": "nats-1", "replicas": [replica("nats-2", false), replica("nats-0", true)] },
            "sources": [
                { "name": "tickets-2", "external": { "api": "$JS.spoke-2.API" }, "active": 440_000_000, "lag": 0 },
                { "name": "tickets-1", "external": { "api": "$JS.spoke-1.API" }, "active": -1, "lag": 5,
                    "error": { "code": 500, "err_code": 10045, "description": "no reply" } },
            ],
        });
        let copy = json!({ "config": { "name": "copy", "storage": "memory" },
            "mirror": { "name": "sales", "active": 940_000_000, "lag": 1 } });
        let streams = |json| vec![serde_json::from_value::<StreamInfo>(json).unwrap()];
        let mut report = StreamsReport::default();
        report.add("hub", &streams(sales), vec![("gone".to_owned(), "its servers do not answer".to_owned())]);
        report.add("", &streams(copy), Vec::new());
        report.sort();
        report
    }

    fn cells(line: &str) -> Vec<&str> {
        line.trim_matches('|').split('|').map(str::trim).collect()
    }

    #[test]
    fn each_stream_has_its_replicas_with_the_leader_marked() {
        let text = report().render();
        let lines: Vec<_> = text.lines().collect();
        let copy = ["", "copy", "memory", "", "0", "0", "0 B", "0", "0", ""];
        assert_eq!(cells(lines[3]), copy, "{text}");
        let placement = "cluster: lon tags: ssd, big";
        let replicas = "nats-0, nats-1*, nats-2!";
        let sales = ["hub", "sales", "file", placement, "2", "1234", "4.0 KiB", "2 (90 B)", "3", replicas];
        assert_eq!(cells(lines[4]), sales, "{text}");
    }

    #[test]
    fn copies_are_listed_with_their_origins() {
        let text = report().render();
        let lines: Vec<_> = text.lines().skip_while(|line| *line != "Replication").collect();
        assert_eq!(cells(lines[3]), ["", "copy", "mirror", "", "sales", "0.94s", "1", ""], "{text}");
        let source = ["hub", "sales", "source", "$JS.spoke-1.API", "tickets-1", "-", "5", "no reply (10045)"];
        assert_eq!(cells(lines[4]), source, "{text}");
        assert_eq!(cells(lines[5])[3..6], ["$JS.spoke-2.API", "tickets-2", "0.44s"], "{text}");
    }

    #[test]
    fn streams_that_are_missing_are_named() {
        assert!(report().render().ends_with("* stream `gone` in domain `hub`: its servers do not answer"));
        let all = Failed { domain: "spoke".into(), stream: None, reason: "nobody answers".into() };
        assert_eq!(all.to_string(), "domain `spoke`: nobody answers");
        assert_eq!(StreamsReport::default().render(), "This account has no streams here");
    }
}
