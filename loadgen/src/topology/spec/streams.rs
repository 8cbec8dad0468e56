//! Streams and key-value buckets.

use serde::Deserialize;

use super::super::units::{ByteSize, Span};

/// A stream to create.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct StreamSpec {
    /// Its name; `{cluster}` with `each_cluster`.
    pub name: String,
    /// Makes one such stream in each cluster, on the servers of that cluster. In its keys, `{cluster}` stands for the
    /// cluster's name.
    pub each_cluster: bool,
    /// Account. Default: the first one with JetStream.
    pub account: Option<String>,
    /// Cluster that holds it. Default: the server that leads JetStream chooses.
    pub cluster: Option<String>,
    /// Subjects that it stores.
    pub subjects: Vec<String>,
    /// Number of replicas. Default 1.
    pub replicas: Option<u8>,
    /// `limits` (default), `interest` or `workqueue`.
    pub retention: Option<Retention>,
    /// `old` (default) or `new`.
    pub discard: Option<Discard>,
    /// `file` (default) or `memory`.
    pub storage: Option<Storage>,
    /// Age at which the stream removes messages. Default: never.
    pub max_age: Option<Span>,
    /// Maximum size in bytes. Default: no limit.
    pub max_bytes: Option<ByteSize>,
    /// Time in which a message id counts as a duplicate. Default 2 m.
    pub duplicate_window: Option<Span>,
    /// Lets any replica answer direct gets, not only the leader.
    pub allow_direct: bool,
    /// Stream that it copies.
    pub mirror: Option<SourceSpec>,
    /// Streams that it collects.
    pub sources: Vec<SourceSpec>,
}

/// A stream that a mirror or a collecting stream copies.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SourceSpec {
    /// The other stream.
    pub stream: String,
    /// Copies one such stream from each cluster. In its name, `{cluster}` stands for the cluster's name.
    pub each_cluster: bool,
    /// Its JetStream domain, if it is another one.
    pub domain: Option<String>,
    /// Copies only these subjects. Default: all.
    pub filter: Option<String>,
    /// Changes of subjects.
    #[serde(rename = "transform")]
    pub transforms: Vec<TransformSpec>,
}

/// A change of subjects.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct TransformSpec {
    /// Subjects of the other stream.
    pub from: String,
    /// Subjects here.
    pub to: String,
}

/// Rule by which a stream removes messages.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Retention {
    /// The stream removes messages when it reaches a limit.
    Limits,
    /// The stream removes a message when every consumer has acknowledged it.
    Interest,
    /// The stream removes a message when one consumer has acknowledged it.
    Workqueue,
}

/// Reaction of a full stream to a new message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Discard {
    /// Drops the oldest message.
    Old,
    /// Refuses the newest one.
    New,
}

/// Storage of messages.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Storage {
    /// On disk.
    File,
    /// In memory.
    Memory,
}

/// A key-value bucket to create.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct BucketSpec {
    /// Its name.
    pub name: String,
    /// Account. Default: the first one with JetStream.
    pub account: Option<String>,
    /// Cluster that holds it.
    pub cluster: Option<String>,
    /// Number of replicas. Default 1.
    pub replicas: Option<u8>,
    /// Values kept per key, 1 to 64. Default 1.
    pub history: Option<u8>,
    /// Age at which values go. Default: never.
    pub ttl: Option<Span>,
}
