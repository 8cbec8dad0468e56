//! The receivers of published messages: subscribers, members of queue groups, and clients that share a durable consumer.
//!
//! Each population has a receiver in every region, which is a client of its kind and connects in the same way as its
//! clients. So a fault hits receivers as well as publishers, and messages cross every distance. More receivers would
//! only repeat the same paths.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use hdrhistogram::Histogram;
use tokio::task::JoinHandle;

use super::brakes::{Brake, Brakes};
use super::number::Number;
use super::streams::{durable_name, stream_name};
use crate::clients::{Access, Client, Delivered, prove_subscribed};
use crate::clock;
use crate::cluster::{OWN_NAME, login_options};
use crate::play::counts::accounts::{AllGot, AllSent, totals};
use crate::play::dialer::Dialer;
use crate::play::phases::Phases;
use crate::play::{DeliveriesRecord, MessagesRecord, Observer, PlayError};
use crate::record::histograms::{micros, new_histogram};
use crate::record::ledger::Totals;
use crate::scenario::{Scenario, WorkloadKind};
use crate::topology::credentials::Login;

/// The receivers of a play.
#[derive(Debug)]
pub(crate) struct Receivers {
    inboxes: Vec<Arc<Inbox>>,
    brakes: Brakes,
    running: Vec<(Client, JoinHandle<()>)>,
}

/// The messages that arrived for one observer of a workload and a population.
#[derive(Debug)]
struct Inbox {
    workload: usize,
    population: usize,
    kind: WorkloadKind,
    /// Its name in the report.
    place: String,
    got: Mutex<AllGot>,
    phases: Phases,
    origin: Instant,
    /// Which servers' probes have arrived.
    probed: Mutex<BTreeSet<u64>>,
    /// Of first deliveries, by the receiver's region and the phase.
    latencies: Mutex<BTreeMap<(String, usize), Histogram<u32>>>,
}

impl Receivers {
    /// Connects and subscribes all receivers, and waits until messages from every server reach them.
    pub(crate) async fn start(
        scenario: &Scenario,
        servers: &BTreeMap<String, String>,
        dialer: &Dialer,
        (phases, origin): (&Phases, Instant),
    ) -> Result<Self, PlayError> {
        let mut receivers = Self {
            inboxes: Vec::new(),
            brakes: Brakes::new(scenario.populations.len()),
            running: Vec::new(),
        };
        for (workload, of) in scenario.workloads.iter().enumerate().filter(|(_, it)| it.kind.has_receivers())
        {
            for population in of.populations.iter().copied() {
                let inbox = |place: String| {
                    Arc::new(Inbox {
                        workload,
                        population,
                        kind: of.kind,
                        place,
                        got: Mutex::default(),
                        phases: phases.clone(),
                        origin,
                        probed: Mutex::default(),
                        latencies: Mutex::default(),
                    })
                };
                let regions = scenario.topology.regions();
                let inboxes: Vec<_> = inboxes_of(of.kind, regions).into_iter().map(inbox).collect();
                // Either each region has its own, or all share one.
                for (region, inbox) in regions.iter().zip(inboxes.iter().cycle()) {
                    let brake = receivers.brakes.of(population);
                    let running = begin(dialer, &of.name, region, Arc::clone(inbox), brake).await?;
                    receivers.running.push(running);
                }
                receivers.inboxes.extend(inboxes);
            }
        }
        receivers.await_interest(servers, &dialer.access()).await?;
        Ok(receivers)
    }

    /// Interest must have crossed routes and gateways, else the first messages would count as lost.
    async fn await_interest(
        &self,
        servers: &BTreeMap<String, String>,
        access: &Access,
    ) -> Result<(), PlayError> {
        if self.inboxes.iter().all(|inbox| inbox.has_probe(0)) {
            return Ok(());
        }
        let mut clients = Vec::new();
        for (server, url) in servers {
            let failed = |reason: String| PlayError::Interest { server: server.clone(), reason };
            let login = access.login.clone().unwrap_or(Login::Anonymous);
            let options = async_nats::ConnectOptions::new().name(OWN_NAME);
            let options = login_options(options, &login, access.tls.as_ref())
                .map_err(|error| failed(error.to_string()))?;
            let client = options.connect(url).await.map_err(|error| failed(error.to_string()))?;
            clients.push((server, client));
        }
        let limit = clock::now() + INTEREST_LIMIT;
        for (number, (server, client)) in (0..).zip(&clients) {
            let failed = |reason: String| PlayError::Interest { server: (*server).clone(), reason };
            while !self.inboxes.iter().all(|inbox| inbox.has_probe(number)) {
                if clock::now() > limit {
                    return Err(failed(format!("a probe did not arrive within {INTEREST_LIMIT:?}")));
                }
                for inbox in self.inboxes.iter().filter(|inbox| !inbox.has_probe(number)) {
                    let subject = format!("{}.{PROBE}", inbox.subject());
                    let probe = Number {
                        population: inbox.population,
                        publisher: PROBER,
                        message: number,
                        due: Duration::ZERO,
                    };
                    let published = client.publish(subject, probe.payload(0)).await;
                    published.map_err(|error| failed(error.to_string()))?;
                }
                prove_subscribed(client).await.map_err(failed)?;
                tokio::time::sleep(LOOK_AGAIN).await;
            }
        }
        Ok(())
    }

    /// Waits until every message has arrived or none comes any more, and counts.
    pub(crate) async fn finish(self, sent: &AllSent) -> (Vec<MessagesRecord>, Vec<DeliveriesRecord>) {
        let ended = clock::now();
        while self.inboxes.iter().any(|inbox| inbox.is_missing(sent) && ended.elapsed() < inbox.patience()) {
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        self.running.iter().for_each(|(_, task)| task.abort());
        let (mut messages, mut deliveries) = (Vec::new(), Vec::new());
        for inbox in &self.inboxes {
            messages.extend(inbox.totals(sent).map(|totals| MessagesRecord {
                workload: inbox.workload,
                population: inbox.population,
                observer: Observer::Receiver,
                place: inbox.place.clone(),
                totals,
                unverified: None,
            }));
            deliveries.extend(inbox.deliveries());
        }
        (messages, deliveries)
    }

    /// Returns the brakes, which slow the receivers down.
    pub(crate) const fn brakes(&self) -> &Brakes {
        &self.brakes
    }

    /// The subjects that clients publish to, of workloads without a stream.
    pub(crate) fn subjects(&self) -> impl Iterator<Item = (usize, String)> {
        let live = self.inboxes.iter().filter(|inbox| inbox.kind != WorkloadKind::Consume);
        live.map(|inbox| (inbox.workload, subject(inbox.workload)))
    }
}

/// The names of a workload's receivers in the report.
fn inboxes_of(kind: WorkloadKind, regions: &[String]) -> Vec<String> {
    match kind {
        WorkloadKind::Queue => vec!["queue group".to_owned()],
        WorkloadKind::Consume => vec!["consumer".to_owned()],
        _ => regions.iter().map(|region| format!("subscriber {region}")).collect(),
    }
}

fn subject(workload: usize) -> String {
    format!("loadgen.live.{workload}")
}

async fn begin(
    dialer: &Dialer,
    workload: &str,
    region: &str,
    inbox: Arc<Inbox>,
    brake: Brake,
) -> Result<(Client, JoinHandle<()>), PlayError> {
    let client = Client::connect(dialer.spec(inbox.population, region, RECEIVER)).await?;
    let messages = match inbox.kind {
        WorkloadKind::Consume => {
            client.consume(&stream_name(inbox.workload), &durable_name(inbox.population)).await
        }
        kind => {
            let group = (kind == WorkloadKind::Queue).then_some("loadgen");
            let messages = client.subscribe(&format!("{}.*", inbox.subject()), group).await;
            let first = |payload| Delivered { payload, is_redelivered: false };
            messages.map(|messages| messages.map(first).boxed())
        }
    };
    let messages = messages.map_err(|reason| PlayError::Receiver {
        workload: workload.to_owned(),
        region: region.to_owned(),
        reason,
    })?;
    let task = tokio::spawn(receive(messages, inbox, region.to_owned(), brake));
    Ok((client, task))
}

async fn receive(
    mut messages: BoxStream<'static, Delivered>,
    inbox: Arc<Inbox>,
    region: String,
    mut brake: Brake,
) {
    while let Some(delivered) = messages.next().await {
        if let Some(number) = Number::read(&delivered.payload) {
            inbox.take(number, delivered.is_redelivered, &region, clock::now());
        }
        brake.wait().await;
    }
}

impl Inbox {
    fn subject(&self) -> String {
        format!("{}.{}", subject(self.workload), self.population)
    }

    fn is_missing(&self, sent: &AllSent) -> bool {
        self.totals(sent).is_some_and(|totals| totals.lost() > 0)
    }

    /// `None`: nobody has published.
    fn totals(&self, sent: &AllSent) -> Option<Totals> {
        let got = self.got.lock().unwrap_or_else(PoisonError::into_inner);
        totals(sent, self.workload, &got).remove(&self.population)
    }

    /// How long messages may be on their way after the last publish.
    fn patience(&self) -> Duration {
        if self.kind == WorkloadKind::Consume { REDELIVERY_LIMIT } else { SETTLE_LIMIT }
    }

    fn take(&self, number: Number, is_redelivered: bool, region: &str, now: Instant) {
        if number.publisher == PROBER {
            self.probed.lock().unwrap_or_else(PoisonError::into_inner).insert(number.message);
            return;
        }
        let is_new = {
            let mut got = self.got.lock().unwrap_or_else(PoisonError::into_inner);
            let got = got.entry(number.publisher).or_default();
            if is_redelivered { got.redeliver(number.message) } else { got.deliver(number.message) }
        };
        if is_new {
            let due = self.origin + number.due;
            let place = (region.to_owned(), self.phases.at(due));
            let mut latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
            let histogram = latencies.entry(place).or_insert_with(new_histogram);
            histogram.saturating_record(micros(now.saturating_duration_since(due)));
        }
    }

    /// A consumer needs no probe: its stream waits for it.
    fn has_probe(&self, number: u64) -> bool {
        self.kind == WorkloadKind::Consume
            || self.probed.lock().unwrap_or_else(PoisonError::into_inner).contains(&number)
    }

    fn deliveries(&self) -> Vec<DeliveriesRecord> {
        let latencies = self.latencies.lock().unwrap_or_else(PoisonError::into_inner);
        let record = |((region, phase), latency): (&(String, usize), &Histogram<u32>)| DeliveriesRecord {
            workload: self.workload,
            population: self.population,
            region: region.clone(),
            phase: *phase,
            latency: latency.clone(),
        };
        latencies.iter().map(record).collect()
    }
}

/// The number of every receiver among the clients of its population and region: no other client has it.
const RECEIVER: u32 = u32::MAX;

/// The publisher of the probes: no client has this number.
const PROBER: u64 = (1 << 48) - 1;

/// The last token of the subject of probes.
const PROBE: &str = "probe";

/// Interest crosses a gateway within one RTT; the rest is for a busy machine.
const INTEREST_LIMIT: Duration = Duration::from_secs(20);

/// After the last publish, a message that has not arrived within this time is lost.
const SETTLE_LIMIT: Duration = Duration::from_secs(1);

/// JetStream redelivers the messages of a lost receiver after 5 s. A consumer of async-nats asks for more after two heartbeats of
/// 15 s that did not come.
const REDELIVERY_LIMIT: Duration = Duration::from_secs(40);

const LOOK_AGAIN: Duration = Duration::from_millis(20);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latencies_count_once_in_the_phase_in_which_messages_were_due() {
        let origin = clock::now();
        let phases = Phases::default();
        phases.begin(origin);
        phases.begin(origin + Duration::from_secs(1));
        let inbox = Inbox {
            workload: 0,
            population: 0,
            kind: WorkloadKind::Queue,
            place: "queue group".into(),
            got: Mutex::default(),
            phases,
            origin,
            probed: Mutex::default(),
            latencies: Mutex::default(),
        };
        let number =
            |due| Number { population: 0, publisher: 7, message: 0, due: Duration::from_millis(due) };
        inbox.take(number(990), false, "lon", origin + Duration::from_millis(1_005));
        inbox.take(number(990), false, "ams", origin + Duration::from_millis(1_500));
        inbox.take(Number { publisher: PROBER, ..number(0) }, false, "lon", origin);
        let deliveries = inbox.deliveries();
        let [only] = deliveries.as_slice() else { panic!("{deliveries:?}") };
        assert_eq!((only.region.as_str(), only.phase, only.latency.len()), ("lon", 0, 1));
        let took = only.latency.max();
        assert!((14_990..15_010).contains(&took), "{took} µs");
        assert!(inbox.has_probe(0));
    }
}
