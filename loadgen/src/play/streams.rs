//! The streams that workloads publish to, and the look at them in the end.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::jetstream::{self, consumer::pull, stream};
use futures_util::StreamExt as _;

use super::{MessagesRecord, PlayError};
use crate::cluster::{LoginError, SuperCluster};
use crate::record::ledger::{Ledger, Totals};
use crate::scenario::{Scenario, WorkloadKind};

/// The streams of a play.
#[derive(Debug)]
pub(super) struct Streams {
    /// By workload: the name, and the subject that clients publish to.
    streams: BTreeMap<usize, (String, String)>,
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
            streams.insert(index, (name, subject));
        }
        Ok(Self { streams })
    }

    /// The subject that the clients of a workload publish to, if it has a stream.
    pub(super) fn subject(&self, workload: usize) -> Option<&str> {
        self.streams.get(&workload).map(|(_, subject)| subject.as_str())
    }

    /// Reads every stream, and holds it against what was published.
    pub(super) async fn verify(
        &self,
        cluster: &SuperCluster,
        mut published: Published,
    ) -> Vec<MessagesRecord> {
        let mut unverified: BTreeMap<usize, String> = BTreeMap::new();
        for (workload, (name, _)) in &self.streams {
            if let Err(reason) = read(cluster, name, *workload, &mut published).await {
                unverified.insert(*workload, reason);
            }
        }
        let mut sums: BTreeMap<(usize, usize), Totals> = BTreeMap::new();
        for ((workload, population, _), ledger) in &published.ledgers {
            sums.entry((*workload, *population)).or_default().add(&ledger.totals());
        }
        let record = |((workload, population), totals)| MessagesRecord {
            workload,
            population,
            totals,
            unverified: unverified.get(&workload).cloned(),
        };
        sums.into_iter().map(record).collect()
    }
}

/// Like everything that looks, it connects past the emulation.
async fn read(
    cluster: &SuperCluster,
    name: &str,
    workload: usize,
    published: &mut Published,
) -> Result<(), String> {
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
        let key = (workload, number.population, number.publisher);
        if let Some(ledger) = published.ledgers.get_mut(&key) {
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
