//! Faults on the super-cluster: injected, recorded, and undone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::crowd::{Change, Crowd};
use super::links;
use super::{FaultRecord, PlayError};
use crate::clock;
use crate::cluster::SuperCluster;
use crate::cluster::faults::{FaultError, LinkFaultId};
use crate::scenario::{FaultKind, META, Order, ReplaceBy, Scenario, TimedFault};
use crate::seed::Lcg;

/// Injects and undoes the faults of a scenario.
#[derive(Debug)]
pub(super) struct Injector<'a> {
    scenario: &'a Scenario,
    seed: u64,
    random: Lcg,
    records: Vec<FaultRecord>,
    /// What must be undone, by the fault's number.
    active: BTreeMap<usize, Active>,
    /// What was not linked again in time.
    late: Vec<String>,
}

/// What undoes a fault.
#[derive(Clone, Debug)]
enum Active {
    /// Start these servers.
    Restart(Vec<String>),
    /// Continue these servers.
    Resume(Vec<String>),
    /// End these faults of links.
    Links(Vec<LinkFaultId>),
    /// Stop to exchange clients.
    Clients,
}

impl<'a> Injector<'a> {
    pub(super) fn new(scenario: &'a Scenario, seed: u64) -> Self {
        Self {
            scenario,
            seed,
            random: Lcg::new(seed),
            records: Vec::new(),
            active: BTreeMap::new(),
            late: Vec::new(),
        }
    }

    /// What broke, and what was not linked again in time.
    pub(super) fn finish(self) -> (Vec<FaultRecord>, Vec<String>) {
        (self.records, self.late)
    }

    /// Injects a fault.
    pub(super) async fn inject(
        &mut self,
        number: usize,
        cluster: &mut SuperCluster,
        crowd: &mut Crowd<'_>,
    ) -> Result<(), PlayError> {
        let fault = &self.scenario.faults[number];
        let failed = |error: FaultError| not_done(fault, error);
        match fault.kind {
            FaultKind::Rolling => return self.roll(number, cluster, crowd).await,
            FaultKind::StepDown => self.step_down(number, cluster).await?,
            FaultKind::Churn | FaultKind::MassReconnect | FaultKind::Replace => {
                self.change_clients(number, crowd);
            }
            FaultKind::Silence
            | FaultKind::Refuse
            | FaultKind::Reset
            | FaultKind::Close
            | FaultKind::AcceptSilent
            | FaultKind::Split
            | FaultKind::Latency
            | FaultKind::Jitter
            | FaultKind::Bandwidth => {
                let faults = links::faults(fault, cluster.topology(), self.seed);
                let mut ids = Vec::new();
                let mut at = clock::now();
                for link_fault in faults {
                    let (id, began) = cluster.break_links(link_fault).map_err(failed)?;
                    ids.push(id);
                    at = began;
                }
                self.active.insert(number, Active::Links(ids));
                self.record(number, at, links::hit(fault, cluster.topology()));
            }
            _ => {
                let servers = self.servers(fault, cluster);
                let hit: BTreeSet<_> = servers.iter().cloned().collect();
                let at = strike(fault.kind, &servers, cluster).map_err(failed)?;
                self.record(number, at, hit);
                match fault.kind {
                    FaultKind::Pause => self.active.insert(number, Active::Resume(servers)),
                    FaultKind::Restart => {
                        let version = fault.options.version.as_deref();
                        self.start_with(&servers, version, cluster).await.map_err(failed)?;
                        self.over(number);
                        None
                    }
                    _ => self.active.insert(number, Active::Restart(servers)),
                };
            }
        }
        Ok(())
    }

    /// Lets a fault that flaps be gone for a while.
    pub(super) async fn release(
        &mut self,
        number: usize,
        cluster: &mut SuperCluster,
        crowd: &mut Crowd<'_>,
    ) -> Result<(), PlayError> {
        if let Some(Active::Restart(servers)) = self.active.get(&number) {
            let servers = servers.clone();
            cluster
                .start_servers(&servers)
                .map_err(|error| not_done(&self.scenario.faults[number], error))?;
            self.active.remove(&number);
            self.over(number);
            return Ok(());
        }
        self.undo(number, cluster, crowd).await
    }

    /// Undoes a fault, and waits until the servers are linked again.
    pub(super) async fn undo(
        &mut self,
        number: usize,
        cluster: &mut SuperCluster,
        crowd: &mut Crowd<'_>,
    ) -> Result<(), PlayError> {
        let Some(active) = self.active.remove(&number) else { return Ok(()) };
        let fault = self.scenario.faults[number].to_string();
        let failed = |error| PlayError::Fault { fault: fault.clone(), error: Box::new(error) };
        match active {
            Active::Restart(servers) => {
                self.over(number);
                self.start(&servers, cluster).await.map_err(failed)?;
            }
            Active::Resume(servers) => {
                self.over(number);
                for server in servers {
                    let resumed = cluster.resume_server(&server).await.map(drop);
                    self.unless_late(resumed).map_err(failed)?;
                }
            }
            Active::Links(ids) => {
                for id in ids {
                    cluster.mend_links(id).map_err(failed)?;
                }
                self.over(number);
                let linked = cluster.wait_ready().await.map_err(FaultError::from);
                self.unless_late(linked).map_err(failed)?;
            }
            Active::Clients => {
                crowd.end_change(number);
                self.over(number);
            }
        }
        Ok(())
    }

    /// Undoes everything that still holds: dead servers of several faults start together, because none is ready alone.
    pub(super) async fn undo_all(
        &mut self,
        cluster: &mut SuperCluster,
        crowd: &mut Crowd<'_>,
    ) -> Result<(), PlayError> {
        let mut dead = Vec::new();
        let mut of = Vec::new();
        for (number, active) in std::mem::take(&mut self.active) {
            match active {
                Active::Restart(servers) => {
                    dead.extend(servers);
                    of.push(number);
                }
                other => {
                    self.active.insert(number, other);
                }
            }
        }
        if !dead.is_empty() {
            of.iter().for_each(|number| self.over(*number));
            let fault = of.first().map(|number| self.scenario.faults[*number].to_string());
            let failed =
                |error| PlayError::Fault { fault: fault.unwrap_or_default(), error: Box::new(error) };
            self.start(&dead, cluster).await.map_err(failed)?;
        }
        let left: Vec<_> = self.active.keys().copied().collect();
        for number in left {
            self.undo(number, cluster, crowd).await?;
        }
        Ok(())
    }

    /// Starts servers, and waits until they are linked.
    async fn start(&mut self, servers: &[String], cluster: &mut SuperCluster) -> Result<(), FaultError> {
        cluster.start_servers(servers)?;
        let linked = cluster.wait_linked(servers).await;
        self.unless_late(linked)
    }

    /// The same, with another nats-server if one is named.
    async fn start_with(
        &mut self,
        servers: &[String],
        version: Option<&str>,
        cluster: &mut SuperCluster,
    ) -> Result<(), FaultError> {
        let Some(version) = version else { return self.start(servers, cluster).await };
        for server in servers {
            let started = cluster.restart_server_with(server, version).await.map(drop);
            self.unless_late(started)?;
        }
        Ok(())
    }

    /// Leaders step down: of the meta group, or of streams.
    async fn step_down(&mut self, number: usize, cluster: &SuperCluster) -> Result<(), PlayError> {
        for target in &self.scenario.faults[number].targets {
            if target == META {
                cluster.step_down_meta().await?;
            } else {
                cluster.step_down_stream_leader(target).await?;
            }
        }
        self.record(number, clock::now(), BTreeSet::new());
        self.over(number);
        Ok(())
    }

    /// Servers that need longer than the limit do not end the play: the report says so.
    fn unless_late(&mut self, done: Result<(), FaultError>) -> Result<(), FaultError> {
        match done {
            Err(error @ (FaultError::NotReady(_) | FaultError::Streams(_))) => {
                self.late.push(error.to_string());
                Ok(())
            }
            done => done,
        }
    }

    fn record(&mut self, fault: usize, at: Instant, hit: BTreeSet<String>) {
        self.records.push(FaultRecord { fault, at, until: None, hit });
    }

    /// The fault is undone now.
    fn over(&mut self, number: usize) {
        let now = clock::now();
        let open = self.records.iter_mut().filter(|record| record.fault == number && record.until.is_none());
        open.for_each(|record| record.until = Some(now));
    }

    /// The servers that a fault is aimed at: all of a region, or some that the seed chooses.
    fn servers(&mut self, fault: &TimedFault, cluster: &SuperCluster) -> Vec<String> {
        let topology = cluster.topology();
        let mut servers = Vec::new();
        for target in &fault.targets {
            let of_region: Vec<_> = topology.servers_of(target).map(|server| server.to_string()).collect();
            if of_region.is_empty() {
                servers.push(target.clone());
                continue;
            }
            let wanted = fault.options.servers.map_or(of_region.len(), usize::from);
            let mut left = of_region;
            while servers.len() < wanted && left.len() > 1 && left.len() > wanted - servers.len() {
                left.remove(self.random.below(left.len()));
            }
            servers.extend(left);
        }
        servers
    }

    fn change_clients(&mut self, number: usize, crowd: &mut Crowd<'_>) {
        let fault = &self.scenario.faults[number];
        let index = |name: &str| self.scenario.populations.iter().position(|it| it.name == name);
        let since = clock::now();
        for from in fault.targets.iter().filter_map(|target| index(target)) {
            if fault.kind == FaultKind::MassReconnect {
                crowd.reconnect_all(from);
                continue;
            }
            let to = fault.options.with.as_deref().and_then(index).unwrap_or(from);
            let lasts = fault.until.unwrap_or_else(|| self.scenario.duration()).saturating_sub(fault.at);
            // A replacement takes as long as the fault lasts.
            let all = f64::from(crowd.size(from)) / lasts.as_secs_f64().max(f64::EPSILON);
            let per_s = fault.options.per_s.unwrap_or(all);
            crowd.begin_change(Change { fault: number, from, to, since, per_s, done: 0 });
        }
        self.record(number, since, BTreeSet::new());
        if fault.kind == FaultKind::MassReconnect {
            self.over(number);
        } else {
            self.active.insert(number, Active::Clients);
        }
    }

    /// Replaces all servers, batch by batch. Each batch is up and linked before the next one begins.
    async fn roll(
        &mut self,
        number: usize,
        cluster: &mut SuperCluster,
        crowd: &mut Crowd<'_>,
    ) -> Result<(), PlayError> {
        let fault = self.scenario.faults[number].clone();
        let failed = |error: FaultError| not_done(&fault, error);
        for batch in batches(&fault, cluster) {
            let kind = match fault.options.by.unwrap_or_default() {
                ReplaceBy::LameDuck => FaultKind::LameDuck,
                ReplaceBy::Kill => FaultKind::Kill,
            };
            let at = strike(kind, &batch, cluster).map_err(failed)?;
            self.record(number, at, batch.iter().cloned().collect());
            for server in &batch {
                while !cluster.wait_exit(server, TICK).await.map_err(failed)? {
                    crowd.until(clock::now() + TICK).await;
                }
            }
            let version = fault.options.version.as_deref();
            self.start_with(&batch, version, cluster).await.map_err(failed)?;
            self.over(number);
        }
        Ok(())
    }
}

fn not_done(fault: &TimedFault, error: FaultError) -> PlayError {
    PlayError::Fault { fault: fault.to_string(), error: Box::new(error) }
}

/// Hits these servers at once.
fn strike(kind: FaultKind, servers: &[String], cluster: &mut SuperCluster) -> Result<Instant, FaultError> {
    let mut at = clock::now();
    for server in servers {
        at = match kind {
            FaultKind::Terminate => cluster.terminate_server(server)?,
            FaultKind::LameDuck => cluster.lame_duck_server(server)?,
            FaultKind::Pause => cluster.pause_server(server)?,
            _ => cluster.kill_server(server)?,
        };
    }
    Ok(at)
}

/// Servers that are replaced together.
fn batches(fault: &TimedFault, cluster: &SuperCluster) -> Vec<Vec<String>> {
    let topology = cluster.topology();
    let of =
        |region: &String| topology.servers_of(region).map(|server| server.to_string()).collect::<Vec<_>>();
    let regions: Vec<Vec<String>> = fault.targets.iter().map(of).collect();
    match fault.options.order.unwrap_or_default() {
        Order::Region => regions,
        Order::Server => regions.into_iter().flatten().map(|server| vec![server]).collect(),
        Order::OnePerRegion => {
            let most = regions.iter().map(Vec::len).max().unwrap_or(0);
            let row = |index: usize| regions.iter().filter_map(|it| it.get(index).cloned()).collect();
            (0..most).map(row).collect()
        }
    }
}

/// How often clients are looked after while a server ends.
const TICK: Duration = Duration::from_millis(100);
