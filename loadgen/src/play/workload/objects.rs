//! The check of all objects at the end of a play.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::{self, object_store::ObjectStore};
use futures_util::StreamExt as _;
use tokio::io::AsyncReadExt as _;

use super::object_user::{Slots, StoredObjects, look};
use crate::clock;
use crate::cluster::SuperCluster;
use crate::play::counts::accounts::{AllGot, AllSent, Publisher, totals};
use crate::play::counts::tallies::Seen;
use crate::play::{MessagesRecord, Observer};
use crate::scenario::{Workload, WorkloadKind};

/// The objects of all clients of an agent.
#[derive(Clone, Debug, Default)]
pub(crate) struct AllSlots(Arc<Mutex<Vec<Arc<Slots>>>>);

impl AllSlots {
    /// Adds those of a new client.
    pub(crate) fn add(&self, slots: Arc<Slots>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(slots);
    }

    /// Returns the objects that the clients have stored.
    pub(crate) fn stored(&self) -> Vec<StoredObjects> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().map(|slots| slots.stored()).collect()
    }
}

/// Reads every object that must be there, past the emulation.
pub(crate) async fn verify(
    cluster: &SuperCluster,
    workloads: &[Workload],
    (mut stored, sent): (Vec<StoredObjects>, &AllSent),
) -> Vec<MessagesRecord> {
    let mut records = Vec::new();
    let workloads = workloads.iter().enumerate();
    for (workload, _) in workloads.filter(|(_, workload)| workload.kind == WorkloadKind::Object) {
        let name = store_name(workload);
        let mut of_workload: Vec<_> =
            stored.extract_if(.., |stored| stored.whose.workload == workload).collect();
        let unverified = read_all(cluster, &name, &mut of_workload).await.err();
        let got: AllGot = of_workload.into_iter().map(|stored| (stored.whose.number, stored.got)).collect();
        records.extend(totals(sent, workload, &got).into_iter().map(|(population, totals)| MessagesRecord {
            workload,
            population,
            observer: Observer::Objects,
            place: name.clone(),
            totals,
            unverified: unverified.clone(),
        }));
    }
    records
}

/// The name of the object store that loadgen creates for a workload.
pub(crate) fn store_name(workload: usize) -> String {
    format!("LOADGEN_{workload}")
}

async fn read_all(cluster: &SuperCluster, name: &str, all: &mut [StoredObjects]) -> Result<(), String> {
    let store = &open(cluster, name).await?;
    let ended = clock::now();
    let expected = all
        .iter()
        .enumerate()
        .flat_map(|(index, stored)| stored.expected.iter().map(move |number| (index, stored.whose, *number)));
    let looks =
        futures_util::stream::iter(expected.collect::<Vec<_>>()).map(async |(index, whose, number)| {
            while !is_there(store, whose, number).await {
                if ended.elapsed() > LOOK_LIMIT {
                    return None;
                }
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Some((index, number))
        });
    let mut found = looks.buffer_unordered(LOOKS_AT_ONCE);
    while let Some(found) = found.next().await {
        if let Some((index, number)) = found {
            all[index].got.deliver(number);
        }
    }
    Ok(())
}

/// Asks again while nobody answers for the store, as during the election of a leader.
async fn open(cluster: &SuperCluster, name: &str) -> Result<ObjectStore, String> {
    let context = jetstream::new(cluster.application_client().await.map_err(|error| error.to_string())?);
    let started = clock::now();
    loop {
        match context.get_object_store(name).await {
            Ok(store) => return Ok(store),
            Err(error) if started.elapsed() > LEADERLESS_LIMIT => return Err(error.to_string()),
            Err(_) => tokio::time::sleep(LOOK_AGAIN).await,
        }
    }
}

/// Returns whether the store has this object or a later one of its name, with every byte.
async fn is_there(store: &ObjectStore, whose: Publisher, number: u64) -> bool {
    let name = whose.object(number);
    let read = async {
        let mut content = Vec::new();
        store.get(name).await.ok()?.read_to_end(&mut content).await.ok()?;
        Some(content)
    };
    let read = tokio::time::timeout(READ_LIMIT, read).await.ok().flatten();
    read.is_some_and(|content| look(whose, number, &content) == Seen::Right)
}

/// An election in nats-server takes 4 to 9 s, and all servers of a stream, or of the meta group, may just have come back: twice
/// that for each of the two, and as much again on a busy machine.
pub(crate) const LEADERLESS_LIMIT: Duration = Duration::from_secs(60);

/// A reader on this machine gets an object within milliseconds; a replica may be behind after a fault.
const LOOK_LIMIT: Duration = Duration::from_secs(10);

const READ_LIMIT: Duration = Duration::from_secs(5);

/// Each read makes a consumer, which takes the servers a second on a busy machine.
const LOOKS_AT_ONCE: usize = 16;

const LOOK_AGAIN: Duration = Duration::from_millis(200);
