//! Streams and key-value buckets.

use serde::Deserialize;

use super::super::units::{ByteSize, Span};

/// A stream to create.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct StreamSpec {
    /// Name of the stream. With `each_cluster`, the name contains `{cluster}`.
    pub name: String,
    /// Creates one such stream in each cluster, on the servers of that cluster. In the keys of the stream, `{cluster}` stands
    /// for the cluster's name.
    pub each_cluster: bool,
    /// Account. Default: the first one with JetStream.
    pub account: Option<String>,
    /// Cluster that stores the stream. Default: the meta leader of JetStream chooses.
    pub cluster: Option<String>,
    /// Subjects that the stream stores.
    pub subjects: Vec<String>,
    /// Number of replicas. Default 1.
    pub replicas: Option<u8>,
    /// Retention policy: `limits` (default), `interest` or `workqueue`.
    pub retention: Option<Retention>,
    /// Messages that a full stream drops: `old` (default) or `new`.
    pub discard: Option<Discard>,
    /// Storage: `file` (default) or `memory`.
    pub storage: Option<Storage>,
    /// Age at which the stream removes messages. Default: never.
    pub max_age: Option<Span>,
    /// Maximum size in bytes. Default: no limit.
    pub max_bytes: Option<ByteSize>,
    /// Time in which a message id counts as a duplicate. Default 2 m.
    pub duplicate_window: Option<Span>,
    /// Lets any replica answer direct gets, not only the leader.
    pub allow_direct: bool,
    /// Stream that this stream mirrors.
    pub mirror: Option<SourceSpec>,
    /// Streams whose messages this stream copies.
    pub sources: Vec<SourceSpec>,
}

/// A stream that another stream copies, as its mirror or from its sources.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct SourceSpec {
    /// Name of the stream to copy.
    pub stream: String,
    /// Copies one such stream from each cluster. In the stream's name, `{cluster}` stands for the cluster's name.
    pub each_cluster: bool,
    /// JetStream domain of the stream to copy, if it is in another domain.
    pub domain: Option<String>,
    /// Subjects of the messages to copy. Default: all.
    pub filter: Option<String>,
    /// Changes of the subjects of copied messages.
    #[serde(rename = "transform")]
    pub transforms: Vec<TransformSpec>,
}

/// A change of the subjects of copied messages.
#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields, default)]
pub struct TransformSpec {
    /// Subjects in the stream to copy.
    pub from: String,
    /// Subjects in this stream.
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
    /// Name of the bucket.
    pub name: String,
    /// Account. Default: the first one with JetStream.
    pub account: Option<String>,
    /// Cluster that stores the bucket.
    pub cluster: Option<String>,
    /// Number of replicas. Default 1.
    pub replicas: Option<u8>,
    /// Values kept per key, 1 to 64. Default 1.
    pub history: Option<u8>,
    /// Age at which the bucket removes values. Default: never.
    pub ttl: Option<Span>,
}
