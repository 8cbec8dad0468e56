//! Streams and key-value buckets, in the form of JetStream's API.

use serde_json::{Value, json};

use super::super::model::{Topology, file_stem};
use super::super::spec::{BucketSpec, Discard, Retention, SourceSpec, Storage, StreamSpec, in_cluster};

/// A stream to create, as `nats stream add --config FILE` takes it.
#[derive(Clone, Debug, PartialEq)]
pub struct Created {
    /// Account that owns it.
    pub account: String,
    /// JetStream domain where it is created; `None`: the only one.
    pub domain: Option<String>,
    /// Cluster whose servers are asked; `None`: any that is no leaf node.
    pub cluster: Option<String>,
    /// Name of the stream.
    pub name: String,
    /// Name for a file.
    pub file: String,
    /// The stream's configuration.
    pub config: Value,
}

impl Created {
    /// Returns whether it copies other streams.
    pub fn copies(&self) -> bool {
        self.config.get("mirror").is_some() || self.config.get("sources").is_some()
    }
}

/// Every stream and bucket of a topology, in an order in which each comes after those that it copies.
pub fn created(topology: &Topology) -> Vec<Created> {
    let spec = topology.spec();
    let streams = spec.streams.iter().flat_map(|stream| {
        let places: Vec<Option<&str>> = if stream.each_cluster {
            topology.regions().iter().map(|name| Some(name.as_str())).collect()
        } else {
            vec![stream.cluster.as_deref()]
        };
        places.into_iter().map(move |place| self::stream(topology, stream, place))
    });
    let (copies, originals): (Vec<_>, Vec<_>) = streams.partition(Created::copies);
    let buckets = spec.buckets.iter().map(|bucket| self::bucket(topology, bucket));
    originals.into_iter().chain(copies).chain(buckets).collect()
}

fn stream(topology: &Topology, stream: &StreamSpec, cluster: Option<&str>) -> Created {
    let in_place = |text: &str| cluster.map_or_else(|| text.to_owned(), |cluster| in_cluster(text, cluster));
    let name = in_place(&stream.name);
    let mut config = json!({
        "name": name,
        "retention": match stream.retention {
            None | Some(Retention::Limits) => "limits",
            Some(Retention::Interest) => "interest",
            Some(Retention::Workqueue) => "workqueue",
        },
        "storage": match stream.storage { None | Some(Storage::File) => "file", Some(Storage::Memory) => "memory" },
        "discard": match stream.discard { None | Some(Discard::Old) => "old", Some(Discard::New) => "new" },
        "num_replicas": stream.replicas.unwrap_or(1),
        "max_age": stream.max_age.map_or(0, |age| age.nanos()),
        "max_bytes": stream.max_bytes.map_or_else(|| json!(UNLIMITED), |size| json!(size.bytes())),
        "max_msgs": UNLIMITED,
        "allow_direct": stream.allow_direct,
    });
    if !stream.subjects.is_empty() {
        config["subjects"] =
            stream.subjects.iter().map(|subject| in_place(subject)).collect::<Vec<_>>().into();
    }
    if let Some(window) = stream.duplicate_window {
        config["duplicate_window"] = window.nanos().into();
    }
    if let Some(mirror) = &stream.mirror {
        config["mirror"] = source(mirror, &in_place(&mirror.stream));
    }
    if !stream.sources.is_empty() {
        let sources = stream.sources.iter().flat_map(|given| sources(topology, given, &in_place));
        config["sources"] = sources.collect::<Vec<_>>().into();
    }
    finish(topology, stream.account.as_deref(), cluster, name, config)
}

const UNLIMITED: i64 = -1;

fn sources(topology: &Topology, given: &SourceSpec, in_place: &impl Fn(&str) -> String) -> Vec<Value> {
    if !given.each_cluster {
        return vec![source(given, &in_place(&given.stream))];
    }
    topology.regions().iter().map(|cluster| source(given, &in_cluster(&given.stream, cluster))).collect()
}

fn source(given: &SourceSpec, name: &str) -> Value {
    let mut source = json!({ "name": name });
    if let Some(filter) = &given.filter {
        source["filter_subject"] = filter.as_str().into();
    }
    if !given.transforms.is_empty() {
        let transforms = given.transforms.iter().map(|it| json!({ "src": it.from, "dest": it.to }));
        source["subject_transforms"] = transforms.collect::<Vec<_>>().into();
    }
    if let Some(domain) = &given.domain {
        source["external"] = json!({ "api": format!("$JS.{domain}.API"), "deliver": "" });
    }
    source
}

fn bucket(topology: &Topology, bucket: &BucketSpec) -> Created {
    // ADR-8: a bucket is a stream with these settings.
    let config = json!({
        "name": format!("KV_{}", bucket.name),
        "subjects": [format!("$KV.{}.>", bucket.name)],
        "max_msgs_per_subject": bucket.history.unwrap_or(1),
        "max_age": bucket.ttl.map_or(0, |age| age.nanos()),
        "max_msgs": UNLIMITED, "max_bytes": UNLIMITED,
        "num_replicas": bucket.replicas.unwrap_or(1),
        "storage": "file", "discard": "new",
        "allow_rollup_hdrs": true, "deny_delete": true, "allow_direct": true,
    });
    let name = format!("KV_{}", bucket.name);
    finish(topology, bucket.account.as_deref(), bucket.cluster.as_deref(), name, config)
}

fn finish(
    topology: &Topology,
    account: Option<&str>,
    cluster: Option<&str>,
    name: String,
    mut config: Value,
) -> Created {
    let place = cluster.and_then(|name| topology.cluster(name)).or_else(|| topology.hubs().next());
    // Inside a domain of one cluster there is nothing to choose.
    if let Some(cluster) =
        cluster.filter(|cluster| topology.cluster(cluster).is_some_and(|it| it.leaf_of.is_none()))
    {
        config["placement"] = json!({ "cluster": cluster });
    }
    let first = || topology.accounts().find(|account| account.jetstream).map(|account| account.name.clone());
    Created {
        account: account.map(str::to_owned).or_else(first).unwrap_or_default(),
        domain: place.and_then(|cluster| cluster.domain.clone()),
        cluster: cluster.map(str::to_owned),
        file: format!("{}.json", file_stem(&name, 0)),
        name,
        config,
    }
}
