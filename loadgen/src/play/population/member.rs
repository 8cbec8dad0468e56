//! One client of a play: its work, and its result.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::clients::Client;
use crate::load::pacer::Pacer;
use crate::load::ramp::{Ramp, RateChange};
use crate::load::requests::{ECHO, Op, Requests, SERVICE, Schedule};
use crate::play::ClientRecord;
use crate::play::counts::accounts::{Account, Accounts};
use crate::play::counts::tallies::{Tallies, Turns, Whose};
use crate::play::workload::bucket_user::{BucketUser, State};
use crate::play::workload::object_user::{ObjectUser, Slots};
use crate::play::workload::objects::AllSlots;
use crate::play::workload::publisher::Publisher;
use crate::play::workload::sizes::Sizes;
use crate::scenario::{ClientPlan, Pace, RateStage, Workload, WorkloadKind};

/// A population in a region.
pub(crate) type Place = (usize, String);

/// The load that clients begin with as soon as they are connected.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    /// Seed of the play.
    pub(crate) seed: u64,
    pub(crate) start: Instant,
    /// The time from which messages count when they were due.
    pub(crate) origin: Instant,
    /// Subject of each workload's messages, or the name of its bucket; workloads of requests have none.
    pub(crate) subjects: BTreeMap<usize, String>,
    pub(crate) accounts: Accounts,
    pub(crate) tallies: Tallies,
    pub(crate) slots: AllSlots,
}

#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) client: Client,
    pub(crate) connect_took: Duration,
    pub(crate) joined: Instant,
    pub(crate) running: Vec<Running>,
    /// How many of its signs and seats a report has already.
    pub(crate) reported: (usize, usize),
}

#[derive(Debug)]
pub(crate) struct Running {
    workload: usize,
    kind: WorkloadKind,
    operations: Requests,
}

impl Member {
    /// Returns its operations and moves since the last report.
    pub(crate) fn report(&mut self, place: &Place, now: Instant) -> ClientRecord {
        let mut record = ClientRecord::new(place, (self.connect_took, self.joined), now);
        for running in &self.running {
            add(running.workload, running.kind, running.operations.drain(), &mut record);
        }
        self.add_journal(&mut record);
        record
    }

    /// Adds what the client has noticed since the last report.
    fn add_journal(&mut self, record: &mut ClientRecord) {
        let (signs, seats) = (self.client.signs(), self.client.seats());
        record.number = self.client.number;
        record.signs.extend_from_slice(signs.get(self.reported.0..).unwrap_or_default());
        record.seats.extend_from_slice(seats.get(self.reported.1..).unwrap_or_default());
        self.reported = (signs.len(), seats.len());
    }

    /// Operations that succeeded so far, and those that did not.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let counts = self.running.iter().map(|running| running.operations.counts().get());
        counts.fold((0, 0), |(ok, failed), (more, more_failed)| (ok + more, failed + more_failed))
    }
}

/// Begins what the workloads ask of a client.
pub(crate) fn start_load(
    plan: &ClientPlan,
    load: &Load,
    (population, region): &Place,
    client: &Client,
    at: Instant,
) -> Vec<Running> {
    let population = *population;
    let does = plan.workloads.iter().enumerate().filter(|(_, it)| it.is_done_by(population, region));
    let running = does.filter_map(|(index, workload)| {
        let seed = seed(plan, load.seed, (index, population), client);
        let schedule = schedule(&workload.pace, client, (load.start, at), seed);
        let sizes = Sizes::new(workload.payload, seed);
        let whose = Whose { workload: index, population, region: client.region.clone() };
        let operations = match workload.kind {
            WorkloadKind::Request | WorkloadKind::Service => {
                let subject = if workload.kind == WorkloadKind::Service { SERVICE } else { ECHO };
                let call = workload.call.as_ref().map(|call| call.of(&client.region));
                let (subject, body) = call.unwrap_or_else(|| (subject.to_owned(), None));
                let (subject, body) = (Arc::<str>::from(subject), body.map(Bytes::from));
                let client = client.clone();
                Requests::of(schedule, move |_| {
                    let payload = body.clone().unwrap_or_else(|| Bytes::from(vec![b'x'; sizes.draw()]));
                    let (client, subject) = (client.clone(), Arc::clone(&subject));
                    async move { client.request(&subject, payload).await }
                })
            }
            _ => {
                let account = load.accounts.open(index, population);
                write(schedule, sizes, (workload, load), (client, &account, whose))?
            }
        };
        Some(Running { workload: index, kind: workload.kind, operations })
    });
    running.collect()
}

/// Begins what a client publishes or stores.
fn write(
    schedule: Schedule,
    sizes: Sizes,
    (workload, load): (&Workload, &Load),
    (client, account, whose): (&Client, &Arc<Account>, Whose),
) -> Option<Requests> {
    let (client, account) = (client.clone(), Arc::clone(account));
    let subject = load.subjects.get(&whose.workload)?.clone();
    let (origin, tallies) = (load.origin, load.tallies.clone());
    Some(match workload.kind {
        WorkloadKind::Kv => {
            let state = Arc::new(Mutex::new(State::new(workload.gets)));
            let opened = Arc::default();
            let user =
                BucketUser { client, bucket: subject, opened, account, origin, sizes, whose, tallies, state };
            Requests::uncounted(schedule, move |due| user.clone().put_or_get(due))
        }
        WorkloadKind::Object => {
            let slots = Arc::new(Slots::new(Arc::clone(&account)));
            load.slots.add(Arc::clone(&slots));
            let user = ObjectUser {
                client,
                store: subject,
                opened: Arc::default(),
                account,
                sizes,
                whose,
                tallies,
                turns: Arc::new(Mutex::new(Turns::new(workload.gets))),
                one_put: Arc::default(),
                slots,
            };
            Requests::uncounted(schedule, move |due| user.clone().put_or_get(due))
        }
        kind => {
            let subject = format!("{subject}.{}", whose.population);
            let publisher = Publisher { client, subject, account, origin, sizes, in_order: Arc::default() };
            if matches!(kind, WorkloadKind::Jetstream | WorkloadKind::Consume) {
                Requests::of(schedule, move |due| publisher.clone().publish_to_stream(due))
            } else {
                Requests::uncounted(schedule, move |due| publisher.clone().publish(due))
            }
        }
    })
}

/// When the operations begin of a client that joins at a time of a load. Clients in step would queue behind each other.
fn schedule(pace: &Pace, client: &Client, (begin, joins): (Instant, Instant), seed: u64) -> Schedule {
    let share = f64::from(client.number % PHASES) / f64::from(PHASES);
    let start = begin.max(joins);
    let even = |rate: u16| start + Duration::from_secs(1).mul_f64(share) / u32::from(rate);
    match pace {
        Pace::Uniform(rate) => Pacer::new(even(*rate), *rate).into(),
        Pace::Poisson(rate) => Pacer::poisson(start, *rate, seed).into(),
        Pace::Changing { start: rate, changes, is_random } => {
            let change = |it: &RateStage| RateChange {
                at: it.at,
                over: it.over,
                from: it.from.into(),
                to: it.to.into(),
            };
            let ramp = Ramp::new(rate.map(f64::from), &changes.iter().map(change).collect::<Vec<_>>());
            Pacer::changing(begin, ramp, start, share, is_random.then_some(seed)).into()
        }
        Pace::Closed(concurrency) => Schedule::Closed { start, concurrency: *concurrency },
    }
}

/// Another one for each client and workload.
fn seed(plan: &ClientPlan, seed: u64, (workload, population): (usize, usize), client: &Client) -> u64 {
    let region = plan.regions.iter().position(|region| *region == client.region);
    let place = (workload, population, region, client.number);
    seed ^ xxhash_rust::xxh64::xxh64(format!("{place:?}").as_bytes(), 0)
}

/// Ends a client, after the answers that are on their way.
pub(crate) async fn end(place: Place, mut member: Member, left: Instant) -> ClientRecord {
    let mut record = ClientRecord::new(&place, (member.connect_took, member.joined), left);
    for running in std::mem::take(&mut member.running) {
        let Running { workload, kind, operations } = running;
        add(workload, kind, operations.finish().await, &mut record);
        if matches!(kind, WorkloadKind::Publish | WorkloadKind::Queue) {
            // Messages in the buffer of a client that ends would count as lost.
            member.client.flush().await;
        }
    }
    member.add_journal(&mut record);
    record
}

/// Adds operations that have ended.
fn add(workload: usize, kind: WorkloadKind, done: Vec<Op>, record: &mut ClientRecord) {
    match kind {
        WorkloadKind::Request | WorkloadKind::Service => {
            record.op_workloads.push((workload, done.len()));
            record.ops.extend(done);
        }
        WorkloadKind::Jetstream | WorkloadKind::Consume => record.publishes.extend(done),
        WorkloadKind::Kv | WorkloadKind::Object | WorkloadKind::Publish | WorkloadKind::Queue => {}
    }
}

/// Phases of a period over which clients are spread.
const PHASES: u32 = 64;
