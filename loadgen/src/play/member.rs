//! One client of a play: what it does, and what came of it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;

use super::ClientRecord;
use super::streams::Number;
use crate::clients::{Client, Outcome};
use crate::load::requests::Requests;
use crate::record::ledger::Ledger;
use crate::scenario::{Scenario, WorkloadKind};

/// A population in a region.
pub(super) type Place = (usize, String);

/// What clients begin with as soon as they are connected.
#[derive(Clone, Debug)]
pub(super) struct Load {
    pub(super) start: Instant,
    /// Subject of each workload's stream.
    pub(super) subjects: BTreeMap<usize, String>,
    /// Numbers of publishers: each client has its own for each stream.
    pub(super) publishers: Arc<AtomicU64>,
}

#[derive(Debug)]
pub(super) struct Member {
    pub(super) client: Client,
    pub(super) joined: Instant,
    pub(super) running: Vec<Running>,
}

#[derive(Debug)]
pub(super) struct Running {
    workload: usize,
    operations: Requests,
    /// Of its publisher.
    ledger: Option<(u64, Arc<Mutex<Ledger>>)>,
}

#[derive(Debug)]
pub(super) struct Ended {
    pub(super) record: ClientRecord,
    /// By workload and publisher.
    pub(super) ledgers: Vec<(usize, u64, Ledger)>,
}

/// Begins what the workloads ask of a client.
pub(super) fn start_load(
    scenario: &Scenario,
    load: &Load,
    population: usize,
    client: &Client,
    at: Instant,
) -> Vec<Running> {
    let does = scenario.workloads.iter().enumerate().filter(|(_, it)| it.populations.contains(&population));
    let running = does.filter_map(|(index, workload)| {
        // Clients in step would queue behind each other.
        let share = f64::from(client.number % PHASES) / f64::from(PHASES);
        let phase = Duration::from_secs(1).mul_f64(share) / u32::from(workload.rate);
        let start = load.start.max(at) + phase;
        match workload.kind {
            WorkloadKind::Request => {
                let payload = Bytes::from(vec![b'x'; workload.payload_bytes]);
                let operations = Requests::start(client.clone(), start, workload.rate, payload);
                Some(Running { workload: index, operations, ledger: None })
            }
            WorkloadKind::Jetstream => {
                let subject = load.subjects.get(&index)?;
                let subject = format!("{subject}.{population}");
                let ledger = Arc::new(Mutex::new(Ledger::default()));
                let number = load.publishers.fetch_add(1, Ordering::Relaxed);
                let publisher = Publisher {
                    client: client.clone(),
                    subject,
                    population,
                    number,
                    ledger: Arc::clone(&ledger),
                    bytes: workload.payload_bytes,
                };
                let operations = Requests::of(start, workload.rate, move || publisher.clone().publish());
                Some(Running { workload: index, operations, ledger: Some((number, ledger)) })
            }
        }
    });
    running.collect()
}

#[derive(Clone, Debug)]
struct Publisher {
    client: Client,
    subject: String,
    population: usize,
    number: u64,
    ledger: Arc<Mutex<Ledger>>,
    bytes: usize,
}

impl Publisher {
    async fn publish(self) -> Outcome {
        let message = self.lock().attempt();
        let number = Number { population: self.population, publisher: self.number, message };
        let outcome = self.client.publish_to_stream(&self.subject, number.payload(self.bytes)).await;
        if outcome == Outcome::Ok {
            self.lock().acknowledge(message);
        }
        outcome
    }

    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends a client, after the answers that are on their way.
pub(super) async fn end(place: Place, member: Member, left: Instant) -> Ended {
    let Member { client, joined, running } = member;
    let (mut ops, mut publishes) = (Vec::new(), Vec::new());
    let mut ledgers = Vec::new();
    for Running { workload, operations, ledger } in running {
        let done = operations.finish().await;
        match ledger {
            None => ops.extend(done),
            Some((publisher, ledger)) => {
                let ledger = ledger.lock().unwrap_or_else(PoisonError::into_inner).clone();
                ledgers.push((workload, publisher, ledger));
                publishes.extend(done);
            }
        }
    }
    let record = ClientRecord {
        population: place.0,
        region: place.1,
        number: client.number,
        joined,
        left,
        ops,
        publishes,
        signs: client.signs(),
        seats: client.seats(),
    };
    Ended { record, ledgers }
}

/// Phases of a period over which clients are spread.
const PHASES: u32 = 64;
