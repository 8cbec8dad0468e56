//! The streams that workloads publish to, and the look at them in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::{self, consumer::pull, stream};
use futures_util::StreamExt as _;

use super::{MessagesRecord, PlayError};
use crate::clock;
use crate::cluster::{LoginError, SuperCluster};
use crate::record::ledger::{Ledger, Totals};
use crate::scenario::{Scenario, WorkloadKind};

/// The streams of a play.
#[derive(Debug)]
pub(super) struct Streams {
    /// By workload.
    streams: BTreeMap<usize, Target>,
}

/// What clients publish to, and the streams that must have every message in the end.
#[derive(Debug)]
struct Target {
    subject: String,
    streams: Vec<String>,
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

/// What the clients of one population published, by publisher.
#[derive(Debug, Default)]
pub(super) struct Published {
    /// By (workload, population, publisher).
    pub(super) ledgers: BTreeMap<(usize, usize, u64), Ledger>,
}

impl Streams {
    /// Creates a stream for each workload that needs one.
    pub(super) async fn create(scenario: &Scenario, cluster: &SuperCluster) -> Result<Self, PlayError> {
        let mut streams = BTreeMap::new();
        let wanted = scenario.workloads.iter().enumerate();
        for (index, workload) in wanted.filter(|(_, workload)| workload.kind == WorkloadKind::Jetstream) {
            if let Some(own) = &workload.own {
                let target = Target {
                    subject: own.subject.clone(),
                    streams: own.streams.clone(),
                    patience: CATCH_UP_LIMIT,
                };
                streams.insert(index, target);
                continue;
            }
            let region = workload.region.clone();
            let failed = |reason: String| PlayError::Stream {
                workload: workload.name.clone(),
                region: region.clone(),
                reason,
            };
            let client = cluster.application_client().await?;
            let (name, subject) = (format!("LOADGEN_{index}"), format!("loadgen.stream.{index}"));
            let config = stream::Config {
                name: name.clone(),
                subjects: vec![format!("{subject}.>")],
                num_replicas: cluster.topology().servers_of(&region).count().min(REPLICAS_MAX),
                placement: Some(stream::Placement { cluster: Some(region.clone()), tags: Vec::new() }),
                ..stream::Config::default()
            };
            let created = jetstream::new(client).create_stream(config).await;
            created.map_err(|error| failed(error.to_string()))?;
            streams.insert(index, Target { subject, streams: vec![name], patience: READ_LIMIT });
        }
        Ok(Self { streams })
    }

    /// The subject that the clients of a workload publish to, if it has a stream.
    pub(super) fn subject(&self, workload: usize) -> Option<&str> {
        self.streams.get(&workload).map(|target| target.subject.as_str())
    }

    /// Does to the streams what the self-test must see.
    pub(super) async fn sabotage(&self, cluster: &SuperCluster, sabotage: Sabotage) -> Result<(), PlayError> {
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
    pub(super) async fn verify(&self, cluster: &SuperCluster, published: &Published) -> Vec<MessagesRecord> {
        let mut records = Vec::new();
        for (workload, target) in &self.streams {
            for stream in &target.streams {
                // Each stream must have everything.
                let of_workload = published.ledgers.iter().filter(|((it, _, _), _)| it == workload);
                let mut ledgers: Ledgers = of_workload
                    .map(|((_, it, publisher), ledger)| ((*it, *publisher), ledger.clone()))
                    .collect();
                let unverified = read_all(cluster, stream, target.patience, &mut ledgers).await.err();
                let mut sums: BTreeMap<usize, Totals> = BTreeMap::new();
                for ((population, _), ledger) in &ledgers {
                    sums.entry(*population).or_default().add(&ledger.totals());
                }
                records.extend(sums.into_iter().map(|(population, totals)| MessagesRecord {
                    workload: *workload,
                    population,
                    stream: stream.clone(),
                    totals,
                    unverified: unverified.clone(),
                }));
            }
        }
        records
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

/// By population and publisher.
type Ledgers = BTreeMap<(usize, u64), Ledger>;

/// Reads a stream until it has everything, or nothing new for some time: a stream that collects from others may be behind.
async fn read_all(
    cluster: &SuperCluster,
    stream: &str,
    patience: Duration,
    ledgers: &mut Ledgers,
) -> Result<(), String> {
    let begun = ledgers.clone();
    let deadline = clock::now() + patience;
    loop {
        let mut read = begun.clone();
        let result = read_once(cluster, stream, &mut read).await;
        let is_missing = read.values().any(|ledger| ledger.totals().lost() > 0);
        if (result.is_ok() && !is_missing) || clock::now() >= deadline {
            *ledgers = read;
            return result;
        }
        tokio::time::sleep(ASK_AGAIN).await;
    }
}

/// Like everything that looks, it connects past the emulation.
async fn read_once(cluster: &SuperCluster, name: &str, ledgers: &mut Ledgers) -> Result<(), String> {
    let client = cluster.application_client().await.map_err(|error: LoginError| error.to_string())?;
    let stream = jetstream::new(client).get_stream(name).await.map_err(|error| error.to_string())?;
    let mut left = stream.cached_info().state.messages;
    let config = pull::OrderedConfig::default();
    let consumer = stream.create_consumer(config).await.map_err(|error| error.to_string())?;
    let mut messages = consumer.messages().await.map_err(|error| error.to_string())?;
    while left > 0 {
        let message = tokio::time::timeout(READ_LIMIT, messages.next()).await;
        let message =
            message.map_err(|_| format!("{left} messages of {name} did not come within {READ_LIMIT:?}"))?;
        let message = message.ok_or("the reader ended")?.map_err(|error| error.to_string())?;
        left -= 1;
        let Some(number) = Number::read(&message.payload) else { continue };
        if let Some(ledger) = ledgers.get_mut(&(number.population, number.publisher)) {
            ledger.deliver(number.message);
        }
    }
    Ok(())
}

/// What every message of loadgen begins with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Number {
    pub(super) population: usize,
    pub(super) publisher: u64,
    pub(super) message: u64,
}

impl Number {
    /// The number, and zeros up to the size.
    pub(super) fn payload(self, bytes: usize) -> bytes::Bytes {
        let mut payload = Vec::with_capacity(bytes);
        let publisher = (self.population as u64) << PUBLISHER_BITS | self.publisher;
        payload.extend_from_slice(&publisher.to_be_bytes());
        payload.extend_from_slice(&self.message.to_be_bytes());
        payload.resize(bytes.max(payload.len()), 0);
        payload.into()
    }

    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let word = |at: usize| Some(u64::from_be_bytes(payload.get(at..at + 8)?.try_into().ok()?));
        let publisher = word(0)?;
        let population = usize::try_from(publisher >> PUBLISHER_BITS).ok()?;
        Some(Self { population, publisher: publisher & ((1 << PUBLISHER_BITS) - 1), message: word(8)? })
    }
}

/// More publishers than any run has; the rest tells populations apart.
const PUBLISHER_BITS: u32 = 48;

/// As production streams have.
const REPLICAS_MAX: usize = 3;

/// nats-server waits longer and longer, up to two minutes, before it tries a source again that it could not reach.
const CATCH_UP_LIMIT: Duration = Duration::from_secs(150);

const ASK_AGAIN: Duration = Duration::from_millis(500);

/// A reader on this machine gets thousands of messages in this time.
const READ_LIMIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_from_messages() {
        let number = Number { population: 2, publisher: 70_000, message: 9 };
        let payload = number.payload(64);
        assert_eq!((payload.len(), Number::read(&payload)), (64, Some(number)));
        assert_eq!(Number::read(b"short"), None);
    }
}
