//! The streams, buckets and object stores that workloads write to, and their check at the end.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::consumer::{self, pull};
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::{self, ErrorCode, kv, object_store, stream};
use futures_util::StreamExt as _;

use super::bucket_user::HISTORY;
use super::number::Number;
use super::objects::{LEADERLESS_LIMIT, store_name};
use crate::clock;
use crate::cluster::SuperCluster;
use crate::play::counts::accounts::{AllGot, AllSent, totals};
use crate::play::{MessagesRecord, Observer, PlayError};
use crate::scenario::{Scenario, Workload, WorkloadKind};

/// The streams of a play.
#[derive(Debug)]
pub(crate) struct Streams {
    /// By workload.
    streams: BTreeMap<usize, Target>,
}

/// The subjects that clients publish to, and the streams that must have every message in the end.
#[derive(Debug)]
struct Target {
    subject: String,
    streams: Vec<String>,
    observer: Observer,
    /// How long the streams may need to have everything.
    patience: Duration,
}

/// A known fault of the measurement itself: the self-test must see it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Sabotage {
    /// None.
    None,
    /// So many messages vanish from each stream.
    Lose(u64),
    /// So many messages are in each stream twice.
    Duplicate(u64),
    /// The streams cannot be read.
    Blind,
}

impl Streams {
    /// Creates a stream for each workload that needs one.
    pub(crate) async fn create(scenario: &Scenario, cluster: &SuperCluster) -> Result<Self, PlayError> {
        let mut streams = BTreeMap::new();
        for (index, workload) in scenario.workloads.iter().enumerate() {
            let failed = |reason: String| PlayError::Stream {
                workload: workload.name.clone(),
                region: workload.region.clone(),
                reason,
            };
            if let Some(own) = &workload.own {
                let target = Target {
                    subject: own.subject.clone(),
                    streams: own.streams.clone(),
                    observer: Observer::Stream,
                    patience: CATCH_UP_LIMIT,
                };
                streams.insert(index, target);
            } else if has_store(workload.kind) {
                let context = jetstream::new(cluster.application_client().await?);
                let replicas = cluster.topology().servers_of(&workload.region).count().min(REPLICAS_MAX);
                let target = create(&context, index, workload, replicas).await.map_err(failed)?;
                streams.insert(index, target);
            }
        }
        Ok(Self { streams })
    }

    /// The subjects that clients publish to, by workload.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = (usize, String)> {
        self.streams.iter().map(|(workload, target)| (*workload, target.subject.clone()))
    }

    /// Does to the streams what the self-test must see.
    pub(crate) async fn sabotage(&self, cluster: &SuperCluster, sabotage: Sabotage) -> Result<(), PlayError> {
        for (target, stream) in
            self.streams.values().flat_map(|it| it.streams.iter().map(move |name| (it, name)))
        {
            spoil(cluster, &target.subject, stream, sabotage)
                .await
                .map_err(|reason| PlayError::Sabotage { stream: stream.clone(), reason })?;
        }
        Ok(())
    }

    /// Reads every stream, and holds it against what was published.
    pub(crate) async fn verify(&self, cluster: &SuperCluster, sent: &AllSent) -> Vec<MessagesRecord> {
        let mut records = Vec::new();
        for (workload, target) in &self.streams {
            for stream in &target.streams {
                // Each stream must have everything.
                let (got, result) = read_all(cluster, (stream, target.patience), (*workload, sent)).await;
                let unverified = result.err().map(|error| error.to_string());
                records.extend(totals(sent, *workload, &got).into_iter().map(|(population, totals)| {
                    MessagesRecord {
                        workload: *workload,
                        population,
                        observer: target.observer,
                        place: stream.clone(),
                        totals,
                        unverified: unverified.clone(),
                    }
                }));
            }
        }
        records
    }
}

/// Returns whether loadgen creates a stream, a bucket or an object store for a workload.
const fn has_store(kind: WorkloadKind) -> bool {
    use WorkloadKind::{Consume, Jetstream, Kv, Object};
    matches!(kind, Jetstream | Consume | Kv | Object)
}

/// Creates the stream, the bucket or the object store of a workload.
async fn create(
    context: &jetstream::Context,
    index: usize,
    workload: &Workload,
    replicas: usize,
) -> Result<Target, String> {
    let (name, region) = (stream_name(index), workload.region.clone());
    let placement = Some(stream::Placement { cluster: Some(region), tags: Vec::new() });
    let target = |subject: &str, streams: Vec<String>, observer| {
        let subject = subject.to_owned();
        Target { subject, streams, observer, patience: READ_LIMIT }
    };
    match workload.kind {
        WorkloadKind::Kv => {
            let config = kv::Config {
                bucket: name.clone(),
                history: HISTORY,
                num_replicas: replicas,
                placement,
                ..kv::Config::default()
            };
            context.create_key_value(config).await.map_err(|error| error.to_string())?;
            Ok(target(&name, vec![format!("KV_{name}")], Observer::Bucket))
        }
        WorkloadKind::Object => {
            let bucket = store_name(index);
            let config = object_store::Config {
                bucket: bucket.clone(),
                num_replicas: replicas,
                placement,
                ..object_store::Config::default()
            };
            context.create_object_store(config).await.map_err(|error| error.to_string())?;
            // `objects` reads them.
            Ok(target(&bucket, Vec::new(), Observer::Objects))
        }
        _ => {
            let subject = format!("loadgen.stream.{index}");
            let config = stream::Config {
                name: name.clone(),
                subjects: vec![format!("{subject}.>")],
                num_replicas: replicas,
                placement,
                ..stream::Config::default()
            };
            let created = context.create_stream(config).await.map_err(|error| error.to_string())?;
            if workload.kind == WorkloadKind::Consume {
                for population in workload.populations.iter().copied() {
                    let config = durable_config(&subject, population);
                    created.create_consumer(config).await.map_err(|error| error.to_string())?;
                }
            }
            Ok(target(&subject, vec![name], Observer::Stream))
        }
    }
}

/// The name of the stream that loadgen creates for a workload.
pub(crate) fn stream_name(workload: usize) -> String {
    format!("LOADGEN_{workload}")
}

/// The name of the consumer that a population shares.
pub(crate) fn durable_name(population: usize) -> String {
    format!("LOADGEN_{population}")
}

fn durable_config(subject: &str, population: usize) -> pull::Config {
    pull::Config {
        durable_name: Some(durable_name(population)),
        filter_subject: format!("{subject}.{population}"),
        ack_policy: consumer::AckPolicy::Explicit,
        ack_wait: ACK_WAIT,
        ..pull::Config::default()
    }
}

async fn spoil(
    cluster: &SuperCluster,
    subject: &str,
    stream: &str,
    sabotage: Sabotage,
) -> Result<(), String> {
    if sabotage == Sabotage::None {
        return Ok(());
    }
    let client = cluster.application_client().await.map_err(|error| error.to_string())?;
    let context = jetstream::new(client);
    let found = context.get_stream(stream).await.map_err(|error| error.to_string())?;
    match sabotage {
        Sabotage::None => {}
        Sabotage::Lose(count) => {
            for sequence in 1..=count {
                found.delete_message(sequence).await.map_err(|error| error.to_string())?;
            }
        }
        Sabotage::Duplicate(count) => {
            for sequence in 1..=count {
                let message = found.get_raw_message(sequence).await.map_err(|error| error.to_string())?;
                let published = context.publish(format!("{subject}.again"), message.payload).await;
                let published = published.map_err(|error| error.to_string())?;
                published.await.map_err(|error| error.to_string())?;
            }
        }
        Sabotage::Blind => {
            context.delete_stream(stream).await.map_err(|error| error.to_string())?;
        }
    }
    Ok(())
}

/// Why a stream could not be read.
#[derive(Debug, thiserror::Error)]
enum ReadError {
    /// The super-cluster knows no such stream: nothing is going to change that.
    #[error("{0}")]
    Gone(String),
    /// Nobody answers for it, as while its servers elect a leader.
    #[error("{0}")]
    Unreadable(String),
}

/// Reads a stream until it has everything, or nothing new for some time: a stream that collects from others may be behind.
async fn read_all(
    cluster: &SuperCluster,
    (stream, patience): (&str, Duration),
    (workload, sent): (usize, &AllSent),
) -> (AllGot, Result<(), ReadError>) {
    let started = clock::now();
    loop {
        let mut got = AllGot::new();
        let result = read_once(cluster, stream, &mut got).await;
        let is_missing = totals(sent, workload, &got).values().any(|totals| totals.lost() > 0);
        let limit = match result {
            Ok(()) if !is_missing => Duration::ZERO,
            Ok(()) | Err(ReadError::Gone(_)) => patience,
            Err(ReadError::Unreadable(_)) => patience.max(LEADERLESS_LIMIT),
        };
        if started.elapsed() >= limit {
            return (got, result);
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Like everything that looks, it connects past the emulation.
async fn read_once(cluster: &SuperCluster, name: &str, got: &mut AllGot) -> Result<(), ReadError> {
    let unreadable = |error: &dyn std::fmt::Display| ReadError::Unreadable(error.to_string());
    let client = cluster.application_client().await.map_err(|error| unreadable(&error))?;
    let stream = jetstream::new(client).get_stream(name).await.map_err(|error| match error.kind() {
        GetStreamErrorKind::JetStream(answer) if answer.error_code() == ErrorCode::STREAM_NOT_FOUND => {
            ReadError::Gone(error.to_string())
        }
        _ => unreadable(&error),
    })?;
    let mut left = stream.cached_info().state.messages;
    let config = pull::OrderedConfig::default();
    let consumer = stream.create_consumer(config).await.map_err(|error| unreadable(&error))?;
    let mut messages = consumer.messages().await.map_err(|error| unreadable(&error))?;
    while left > 0 {
        let message = tokio::time::timeout(READ_LIMIT, messages.next()).await.map_err(|_| {
            unreadable(&format!("{left} messages of {name} did not come within {READ_LIMIT:?}"))
        })?;
        let message = message.ok_or_else(|| unreadable(&"the reader ended"))?;
        let message = message.map_err(|error| unreadable(&error))?;
        left -= 1;
        let Some(number) = Number::read(&message.payload) else { continue };
        got.entry(number.publisher).or_default().deliver(number.message);
    }
    Ok(())
}

/// A receiver acknowledges within milliseconds. After a lost receiver, its messages reach another one within a short scenario; the
/// server's default is 30 s.
const ACK_WAIT: Duration = Duration::from_secs(5);

/// As production streams have.
const REPLICAS_MAX: usize = 3;

/// nats-server waits longer and longer, up to two minutes, before it tries a source again that it could not reach.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(150);

const ASK_AGAIN: Duration = Duration::from_millis(500);

/// A reader on this machine gets thousands of messages in this time.
const READ_LIMIT: Duration = Duration::from_secs(5);
