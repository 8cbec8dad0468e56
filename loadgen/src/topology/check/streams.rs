//! Checks of streams and buckets: enough servers, unique names, existing sources.

use std::collections::BTreeSet;

use super::super::problem::ProblemKind;
use super::super::spec::{BucketSpec, ClusterSpec, SourceSpec, Spec, StreamSpec};
use super::{Problems, is_name, is_subject, names_of};

pub(super) fn check(spec: &Spec, found: &mut Problems) {
    let mut names = BTreeSet::new();
    for (at, stream) in spec.streams.iter().enumerate() {
        let key = format!("stream[{at}]");
        check_stream(spec, &key, stream, found);
        check_placement(spec, &key, &Placed::of_stream(stream), found);
        let place =
            (stream.account.as_deref(), domain_of(spec, stream.cluster.as_deref()), stream.name.as_str());
        if !names.insert(place) {
            found.push(
                format!("{key}.name"),
                ProblemKind::Twice { what: "stream", name: stream.name.clone() },
            );
        }
    }
    let mut names = BTreeSet::new();
    for (at, bucket) in spec.buckets.iter().enumerate() {
        let key = format!("bucket[{at}]");
        check_placement(spec, &key, &Placed::of_bucket(bucket), found);
        if !is_stream_name(&bucket.name) {
            found.push(format!("{key}.name"), ProblemKind::StreamName(bucket.name.clone()));
        } else if !names.insert((bucket.account.as_deref(), bucket.name.as_str())) {
            found.push(
                format!("{key}.name"),
                ProblemKind::Twice { what: "bucket", name: bucket.name.clone() },
            );
        }
        if bucket.history.is_some_and(|history| !(1..=MOST_HISTORY).contains(&history)) {
            let value = bucket.history.unwrap_or_default().to_string();
            found.push(
                format!("{key}.history"),
                ProblemKind::Range { value, range: "1 to 64 values per key" },
            );
        }
    }
}

/// JetStream's own limit for key-value buckets.
const MOST_HISTORY: u8 = 64;
/// JetStream's own limit.
const MOST_REPLICAS: u8 = 5;

/// Something that some servers hold.
struct Placed<'a> {
    account: Option<&'a str>,
    cluster: Option<&'a str>,
    replicas: u8,
    each_cluster: bool,
}

impl<'a> Placed<'a> {
    fn of_stream(stream: &'a StreamSpec) -> Self {
        let StreamSpec { account, cluster, replicas, each_cluster, .. } = stream;
        Self {
            account: account.as_deref(),
            cluster: cluster.as_deref(),
            replicas: replicas.unwrap_or(1),
            each_cluster: *each_cluster,
        }
    }

    fn of_bucket(bucket: &'a BucketSpec) -> Self {
        let BucketSpec { account, cluster, replicas, .. } = bucket;
        let replicas = replicas.unwrap_or(1);
        Self { account: account.as_deref(), cluster: cluster.as_deref(), replicas, each_cluster: false }
    }
}

fn check_placement(spec: &Spec, key: &str, placed: &Placed<'_>, found: &mut Problems) {
    match placed.account {
        Some(name) => {
            let known = spec.accounts.iter().map(|account| account.name.as_str());
            let is_known = found.known(format!("{key}.account"), "account", name, known);
            if is_known && !spec.accounts.iter().any(|account| account.name == name && account.jetstream) {
                found.push(format!("{key}.account"), ProblemKind::NoJetStream(format!("account `{name}`")));
            }
        }
        None if !spec.accounts.is_empty() && !spec.accounts.iter().any(|account| account.jetstream) => {
            found.push(key, ProblemKind::NoJetStream("every account".to_owned()));
        }
        None => {}
    }
    if !(1..=MOST_REPLICAS).contains(&placed.replicas) {
        found.push(format!("{key}.replicas"), ProblemKind::ReplicaCount(placed.replicas));
    }
    let key_of_cluster = format!("{key}.cluster");
    if let Some(cluster) = placed.cluster
        && !found.known(key_of_cluster, "cluster", cluster, names_of(&spec.clusters))
    {
        return;
    }
    let held_by =
        spec.clusters.iter().filter(|cluster| placed.cluster.is_none_or(|name| cluster.name == name));
    let held_by: Vec<_> = held_by
        .filter(|cluster| placed.cluster.is_some() || placed.each_cluster || cluster.leaf_of.is_none())
        .collect();
    // A stream never spans clusters, so the largest one decides, or each if each has one.
    let sizes = held_by.iter().map(|cluster| (jetstream_servers(spec, cluster), cluster.name.as_str()));
    let (servers, place) =
        if placed.each_cluster { sizes.min() } else { sizes.max() }.unwrap_or((0, "no cluster"));
    if servers == 0 {
        found.push(key, ProblemKind::NoJetStream(format!("cluster `{place}`")));
    } else if u16::from(placed.replicas) > servers {
        let place = format!("cluster `{place}`");
        found.push(
            format!("{key}.replicas"),
            ProblemKind::Replicas { replicas: placed.replicas, place, servers },
        );
    }
}

fn jetstream_servers(spec: &Spec, cluster: &ClusterSpec) -> u16 {
    if cluster.jetstream.unwrap_or(spec.jetstream.enabled) { cluster.size() } else { 0 }
}

fn check_stream(spec: &Spec, key: &str, stream: &StreamSpec, found: &mut Problems) {
    if !is_stream_name(&stream.name) {
        found.push(format!("{key}.name"), ProblemKind::StreamName(stream.name.clone()));
    }
    if stream.each_cluster && !stream.name.contains("{cluster}") {
        found.push(format!("{key}.name"), ProblemKind::NoPlaceholder(stream.name.clone()));
    }
    for (number, subject) in stream.subjects.iter().enumerate() {
        if !is_subject(subject) {
            found.push(format!("{key}.subjects[{number}]"), ProblemKind::Subject(subject.clone()));
        }
    }
    if stream.mirror.is_some() && !(stream.subjects.is_empty() && stream.sources.is_empty()) {
        found.push(format!("{key}.mirror"), ProblemKind::MirrorWithSubjects);
    }
    if stream.mirror.is_none() && stream.subjects.is_empty() && stream.sources.is_empty() {
        found.push(format!("{key}.name"), ProblemKind::EmptyStream(stream.name.clone()));
    }
    if let Some(mirror) = &stream.mirror {
        check_source(spec, &format!("{key}.mirror"), &stream.name, mirror, found);
    }
    for (number, source) in stream.sources.iter().enumerate() {
        check_source(spec, &format!("{key}.sources[{number}]"), &stream.name, source, found);
    }
}

fn check_source(spec: &Spec, key: &str, copy: &str, source: &SourceSpec, found: &mut Problems) {
    // A stream that exists already may be meant only where this file makes none.
    let known = spec.streams.iter().map(|stream| stream.name.as_str()).filter(|name| *name != copy);
    found.known(format!("{key}.stream"), "stream", &source.stream, known);
    if source.each_cluster && !source.stream.contains("{cluster}") {
        found.push(format!("{key}.stream"), ProblemKind::NoPlaceholder(source.stream.clone()));
    }
    if let Some(domain) = &source.domain {
        let known = spec.clusters.iter().filter_map(|cluster| cluster.domain.as_deref());
        found.known(format!("{key}.domain"), "JetStream domain", domain, known);
    }
    let subjects = source.transforms.iter().enumerate().flat_map(|(at, transform)| {
        let key = format!("{key}.transform[{at}]");
        [(format!("{key}.from"), &transform.from), (format!("{key}.to"), &transform.to)]
    });
    let filter = source.filter.iter().map(|filter| (format!("{key}.filter"), filter));
    for (key, subject) in subjects.chain(filter) {
        if !is_subject(subject) {
            found.push(key, ProblemKind::Subject(subject.clone()));
        }
    }
}

/// The rule of nats-server: no subject token's separators or wildcards, no path.
fn is_stream_name(name: &str) -> bool {
    is_name(name) && !name.contains(['.', '*', '>', '/', '\\'])
}

fn domain_of<'a>(spec: &'a Spec, cluster: Option<&str>) -> Option<&'a str> {
    let cluster = spec.clusters.iter().find(|known| Some(known.name.as_str()) == cluster)?;
    cluster.domain.as_deref()
}
