//! One round: fresh clients at home, load, one fault, a look at what it did, and the heal.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures_util::future::{join_all, try_join_all};
use nats_geo::core::Config;

use crate::capacity::Load;
use crate::cli::FaultKind;
use crate::clients::{Access, Client, ConnectError, Outcome, Population, Seat, Sign, Spec};
use crate::clock;
use crate::cluster::faults::FaultError;
use crate::cluster::{CheckLeaksError, SuperCluster, UnknownNameError};
use crate::load::flow::{Flow, FlowError, Kind};
use crate::load::requests::{self, ECHO, Op, Requests};
use crate::load::responder::{ResponderError, Responders};
use crate::machine::ProcessorTime;
use crate::plan::Plan;
use crate::record::failover::{Record, Trace};
use crate::report::summary::{Connected, FlowRecord};

/// What one round does.
#[derive(Clone, Debug)]
pub struct Round {
    /// Whose clients. One population after the other, so that neither measures how busy the other one is.
    pub population: Population,
    /// What is broken.
    pub fault: FaultKind,
    /// Where.
    pub region: String,
    /// Which repetition, from 0.
    pub number: u16,
    /// Waited before the fault, so that it hits another phase of the PINGs each time.
    pub phase: Duration,
}

/// What one round saw.
#[derive(Debug, Default)]
pub struct Seen {
    /// Connects of its clients.
    pub connected: Vec<Connected>,
    /// Its (fault, client) pairs.
    pub records: Vec<Record>,
    /// Its flows.
    pub flows: Vec<FlowRecord>,
    /// Requests, by population and client region.
    pub ops: Vec<(Population, String, Vec<Op>)>,
    /// Connections that bypassed the emulation.
    pub leaks: Vec<String>,
    /// Share of the processor time that was idle while the load ran.
    pub idle: Option<f64>,
}

/// Why a round could not be carried out.
#[derive(Debug, thiserror::Error)]
pub enum RoundError {
    /// A client does not connect.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// A responder does not.
    #[error(transparent)]
    Responder(#[from] ResponderError),
    /// A flow does not start.
    #[error(transparent)]
    Flow(#[from] FlowError),
    /// The fault was not injected or not undone.
    #[error(transparent)]
    Fault(#[from] FaultError),
    /// No such name in the super-cluster.
    #[error(transparent)]
    UnknownName(#[from] UnknownNameError),
    /// The monitoring endpoints do not answer.
    #[error(transparent)]
    Leaks(#[from] CheckLeaksError),
    /// A client is not where the fault is to find it.
    #[error("{0} did not come to rest within {SETTLE_LIMIT:?}")]
    Unsettled(String),
}

impl Round {
    /// Carries it out.
    ///
    /// # Errors
    /// Anything that leaves nothing to measure.
    pub async fn run(
        &self,
        plan: &Plan,
        load: &Load,
        cluster: &mut SuperCluster,
        responders: &mut Responders,
    ) -> Result<Seen, RoundError> {
        let mut seen = Seen::default();
        responders.complete(&cluster.server_urls()).await?;
        let clients = self.connect_all(plan, load, cluster, &mut seen.connected).await?;
        settle(plan, &clients).await?;
        seen.leaks = cluster.leaks().await?;

        let target = self.target(plan, &clients);
        if self.fault.hits_one_server() {
            responders.withdraw(&target).await;
        }
        let flows = self.start_flows(plan, cluster, &clients, &target).await?;
        let rate = |client: &Client| load.rate_in(plan, &client.region);
        let requests = requests::start_all(clients.iter().map(|client| (client.clone(), rate(client))));
        let before = ProcessorTime::now();
        tokio::time::sleep(WARM_UP + self.phase).await;

        let homes: Vec<_> = clients.iter().map(Client::seat).collect();
        let fault_at = self.inject(cluster, &target)?;
        tokio::time::sleep_until((fault_at + self.observed_for(&plan.policy())).into()).await;

        let after = ProcessorTime::now();
        seen.idle = after.zip(before).and_then(|(after, before)| after.idle_share_since(before));
        let landed: Vec<_> = clients.iter().map(Client::seat).collect();
        let ops = join_all(requests.into_iter().map(Requests::finish)).await;
        let tallies = self.finish_flows(flows, &mut seen.flows).await;
        for (index, client) in clients.iter().enumerate() {
            let (Some(home), ops) = (homes[index].clone(), &ops[index]) else { continue };
            let trace = Trace { fault_at, ops, signs: &client.signs() };
            let mut record = self.record(client, home, landed[index].clone(), &target, &trace);
            tracing::debug!(population = %client.population, number = client.number, hit = record.hit,
                failover = ?record.failover, signs = ?trace.signs_after_fault(), "client in {}", client.region);
            record.plain = tallies.get(&index).copied();
            seen.records.push(record);
            seen.ops.push((client.population, client.region.clone(), ops.clone()));
        }
        drop(clients);
        self.heal(cluster, &target).await?;
        seen.leaks.extend(cluster.leaks().await?);
        Ok(seen)
    }

    /// Connects all clients. Those of nats-geo, which probe every server, one per region at a time: together
    /// they would measure how busy the emulation is.
    async fn connect_all(
        &self,
        plan: &Plan,
        load: &Load,
        cluster: &SuperCluster,
        connected: &mut Vec<Connected>,
    ) -> Result<Vec<Client>, RoundError> {
        let at_once = match self.population {
            Population::NatsGeo => 1,
            Population::Stock => STOCK_CONNECTS_AT_ONCE,
        };
        let mut clients = Vec::new();
        let numbers: Vec<_> = (0..load.clients.max(load.bystanders)).collect();
        for numbers in numbers.chunks(at_once) {
            let mut wave = Vec::new();
            for region in plan.topology.regions() {
                let count = load.clients_in(plan, region);
                for number in numbers.iter().filter(|number| **number < count) {
                    wave.push(connect(self.spec(plan, cluster, region, *number)?));
                }
            }
            for result in join_all(wave).await {
                let (client, how) = result?;
                connected.extend(how);
                clients.push(client);
            }
        }
        Ok(clients)
    }

    fn spec(
        &self,
        plan: &Plan,
        cluster: &SuperCluster,
        region: &str,
        number: u16,
    ) -> Result<Spec, UnknownNameError> {
        let population = self.population;
        let endpoints = cluster.endpoints(region)?;
        let urls = endpoints.into_iter().map(|endpoint| endpoint.tcp_url).collect();
        let which = u64::from(number) + 1_000 * u64::from(self.number) + 1_000_000 * self.fault as u64;
        let place = plan.topology.regions().iter().position(|known| known == region).unwrap_or(0);
        let seed = plan.seed.wrapping_add(which).wrapping_add(1_000_000_000 * place as u64);
        Ok(Spec {
            population,
            region: region.to_owned(),
            number: number.into(),
            urls,
            policy: plan.policy(),
            seed,
            access: Access::default(),
        })
    }

    /// What is hit: the region, or its server with most of the clients that live there.
    fn target(&self, plan: &Plan, clients: &[Client]) -> String {
        if !self.fault.hits_one_server() {
            return self.region.clone();
        }
        // Clients of async-nats may sit anywhere, wherever they come from.
        let candidates = clients
            .iter()
            .filter(|client| self.population == Population::Stock || client.region == self.region);
        let seats: Vec<_> = candidates.filter_map(Client::seat).map(|seat| seat.server).collect();
        let count = |server: &String| seats.iter().filter(|seat| *seat == server).count();
        let servers = plan.topology.servers_of(&self.region).map(|server| server.to_string());
        servers.max_by_key(count).unwrap_or_default()
    }

    /// Flows for the clients of the fault region, fed from a place that the fault does not touch: loss on the
    /// feeder's side would not be the clients'.
    async fn start_flows(
        &self,
        plan: &Plan,
        cluster: &SuperCluster,
        clients: &[Client],
        target: &str,
    ) -> Result<Vec<RunningFlow>, RoundError> {
        let feeder_region = if self.fault.hits_one_server() {
            self.region.as_str()
        } else {
            plan.regions_by_distance(&self.region).get(1).copied().unwrap_or_default()
        };
        let mut endpoints = cluster.endpoints(feeder_region)?.into_iter();
        let spared = endpoints.find(|endpoint| {
            endpoint.server.region() == feeder_region && endpoint.server.to_string() != target
        });
        let feeder_url = &spared.map(|endpoint| endpoint.tcp_url).unwrap_or_default();
        let of_region: Vec<_> =
            (0..clients.len()).filter(|index| clients[*index].region == self.region).collect();
        let members: Vec<_> = of_region.iter().map(|index| clients[*index].clone()).collect();
        let flows = [Kind::Plain, Kind::Queue].map(async |kind| {
            let name = format!("loadgen.{}.{kind:?}", self.population);
            let flow = Flow::start(kind, &name, &members, feeder_url, flow_rate(self.fault)).await?;
            Ok(RunningFlow { population: self.population, kind, indices: of_region.clone(), flow })
        });
        try_join_all(flows).await
    }

    /// Ends the flows. Returns the tallies of plain subscriptions by client.
    async fn finish_flows(
        &self,
        flows: Vec<RunningFlow>,
        records: &mut Vec<FlowRecord>,
    ) -> BTreeMap<usize, crate::load::flow::Tally> {
        let mut of_clients = BTreeMap::new();
        let finish = async |running: RunningFlow| {
            let RunningFlow { population, kind, indices, flow } = running;
            (population, kind, indices, flow.finish().await)
        };
        for (population, kind, indices, tallies) in join_all(flows.into_iter().map(finish)).await {
            for (position, tally) in tallies.into_iter().enumerate() {
                records.push(FlowRecord { population, fault: self.fault, kind, tally });
                if kind == Kind::Plain {
                    of_clients.insert(indices[position], tally);
                }
            }
        }
        of_clients
    }

    fn inject(&self, cluster: &mut SuperCluster, target: &str) -> Result<Instant, FaultError> {
        match self.fault {
            FaultKind::ServerKill => cluster.kill_server(target),
            FaultKind::RegionKill => cluster.kill_region(target),
            FaultKind::Blackhole => cluster.blackhole_region(target),
            FaultKind::LameDuck => cluster.lame_duck_server(target),
        }
    }

    async fn heal(&self, cluster: &mut SuperCluster, target: &str) -> Result<(), FaultError> {
        match self.fault {
            FaultKind::ServerKill | FaultKind::LameDuck => cluster.restart_server(target).await.map(drop),
            FaultKind::RegionKill => cluster.restart_region(target).await.map(drop),
            FaultKind::Blackhole => cluster.heal_region(target).await.map(drop),
        }
    }

    /// Long enough for every nats-geo client to be back, with room; stock clients that need longer are counted
    /// as not back.
    fn observed_for(&self, policy: &Config) -> Duration {
        let spread = policy.spread.server_lost + policy.spread.region_lost;
        match self.fault {
            FaultKind::ServerKill | FaultKind::RegionKill => spread + Duration::from_secs(3),
            FaultKind::Blackhole => spread + policy.watch.ping_interval + Duration::from_secs(3),
            // The grace period of nats-server is 10 s; then it closes its clients one by one.
            FaultKind::LameDuck => Duration::from_secs(12),
        }
    }

    fn record(
        &self,
        client: &Client,
        home: Seat,
        landed: Option<Seat>,
        target: &str,
        trace: &Trace<'_>,
    ) -> Record {
        let hit = if self.fault.hits_one_server() { home.server == target } else { home.region == target };
        let failover = if self.fault == FaultKind::LameDuck {
            trace.longest_wait().filter(|_| landed.as_ref().is_some_and(|seat| *seat != home))
        } else {
            trace.failover()
        };
        let phases = failover.filter(|_| self.fault != FaultKind::LameDuck);
        Record {
            population: client.population,
            client_region: client.region.clone(),
            fault: self.fault,
            fault_region: self.region.clone(),
            hit,
            home,
            landed,
            failover,
            phases: phases.and_then(|failover| trace.phases(failover)),
            failed_requests: trace.failed_requests(),
            requests: trace.ops.len() as u64,
            moves: trace.moves(),
            plain: None,
        }
    }
}

struct RunningFlow {
    population: Population,
    kind: Kind,
    /// Which clients subscribed.
    indices: Vec<usize>,
    flow: Flow,
}

/// Connects and sends requests until one is answered.
async fn connect(spec: Spec) -> Result<(Client, Option<Connected>), ConnectError> {
    let started = clock::now();
    let client = Client::connect(spec).await?;
    let answered = client.request(ECHO, bytes::Bytes::from_static(b"first")).await == Outcome::Ok;
    let took = started.elapsed();
    let how = client.seat().filter(|_| answered).map(|seat| Connected {
        population: client.population,
        client_region: client.region.clone(),
        took,
        chosen: seat.region,
    });
    Ok((client, how))
}

/// Messages per second of each flow: many where none may be lost, few where the loss of a dead link is measured
/// and the machine has other things to do.
pub const fn flow_rate(fault: FaultKind) -> u16 {
    match fault {
        FaultKind::LameDuck => 500,
        FaultKind::ServerKill | FaultKind::RegionKill | FaultKind::Blackhole => 200,
    }
}

/// Waits until every nats-geo client has its standby, if it keeps one.
async fn settle(plan: &Plan, clients: &[Client]) -> Result<(), RoundError> {
    let limit = clock::now() + SETTLE_LIMIT;
    let is_ready = |client: &Client| client.signs().iter().any(|(_, sign)| *sign == Sign::StandbyReady);
    for client in
        clients.iter().filter(|client| client.population == Population::NatsGeo && plan.warm_standby)
    {
        while !is_ready(client) {
            if clock::now() > limit {
                return Err(RoundError::Unsettled(format!("the standby of a client in {}", client.region)));
            }
            tokio::time::sleep(SETTLE_STEP).await;
        }
    }
    Ok(())
}

/// Every server at its undelayed address: the one that clients of its own region use.
pub fn home_urls(cluster: &SuperCluster) -> Result<BTreeMap<String, String>, UnknownNameError> {
    let mut urls = BTreeMap::new();
    let regions: BTreeSet<_> = cluster.topology().regions().iter().cloned().collect();
    for region in regions {
        let endpoints = cluster.endpoints(&region)?.into_iter();
        let home = endpoints.filter(|endpoint| endpoint.server.region() == region);
        urls.extend(home.map(|endpoint| (endpoint.server.to_string(), endpoint.tcp_url)));
    }
    Ok(urls)
}

/// Per region. They open one connection each.
const STOCK_CONNECTS_AT_ONCE: usize = 6;

/// Load runs for this long before a fault, so that the baseline is warm.
const WARM_UP: Duration = Duration::from_millis(500);

/// A standby takes a few round trips.
const SETTLE_LIMIT: Duration = Duration::from_secs(10);

const SETTLE_STEP: Duration = Duration::from_millis(10);
