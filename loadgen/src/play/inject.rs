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
        self.undo(&[number], cluster, crowd).await
    }

    /// Undoes faults at once, and waits until the servers are linked again: of several that are down, none is ready alone.
    pub(super) async fn undo(
        &mut self,
        numbers: &[usize],
        cluster: &mut SuperCluster,
        crowd: &mut Crowd<'_>,
    ) -> Result<(), PlayError> {
        let mut dead = Vec::new();
        for number in numbers {
            let Some(active) = self.active.remove(number) else { continue };
            let failed = |error| not_done(&self.scenario.faults[*number], error);
            match active {
                Active::Restart(servers) => {
                    cluster.start_servers(&servers).map_err(failed)?;
                    dead.extend(servers);
                }
                Active::Resume(servers) => drop(cluster.resume_servers(&servers).map_err(failed)?),
                Active::Links(ids) => {
                    for id in ids {
                        cluster.mend_links(id).map_err(failed)?;
                    }
                }
                Active::Clients => crowd.end_change(*number),
            }
            self.over(*number);
        }
        let first = numbers.first().map(|number| &self.scenario.faults[*number]);
        if let Some(first) = first {
            let linked = cluster.wait_linked(&dead).await;
            self.unless_late(linked).map_err(|error| not_done(first, error))?;
        }
        Ok(())
    }

    /// Undoes everything that still holds.
    pub(super) async fn undo_all(
        &mut self,
        cluster: &mut SuperCluster,
        crowd: &mut Crowd<'_>,
    ) -> Result<(), PlayError> {
        let all: Vec<_> = self.active.keys().copied().collect();
        self.undo(&all, cluster, crowd).await
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
        let mut servers = BTreeSet::new();
        for target in &fault.targets {
            let of_region = cluster.topology().servers_of(target).map(|server| server.to_string()).collect();
            servers.extend(some(of_region, fault.options.servers, &mut self.random));
            if !cluster.topology().regions().contains(target) {
                servers.insert(target.clone());
            }
        }
        servers.into_iter().collect()
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

/// So many of the servers, or all of them.
fn some(mut servers: Vec<String>, count: Option<u16>, random: &mut Lcg) -> Vec<String> {
    let wanted = count.map_or(servers.len(), usize::from);
    while servers.len() > wanted {
        servers.remove(random.below(servers.len()));
    }
    servers
}

/// Hits these servers at once.
fn strike(kind: FaultKind, servers: &[String], cluster: &mut SuperCluster) -> Result<Instant, FaultError> {
    if matches!(kind, FaultKind::Kill | FaultKind::Restart) {
        return cluster.kill_servers(servers);
    }
    let mut at = clock::now();
    for server in servers {
        at = match kind {
            FaultKind::Terminate => cluster.terminate_server(server)?,
            FaultKind::LameDuck => cluster.lame_duck_server(server)?,
            _ => cluster.pause_server(server)?,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_chooses_some_servers_of_each_region() {
        let of = |region: &str| (1..=3).map(|number| format!("{region}-{number}")).collect::<Vec<_>>();
        let choose = |seed| {
            let mut random = Lcg::new(seed);
            [some(of("lon"), Some(2), &mut random), some(of("ams"), Some(2), &mut random)]
        };
        assert!((0..50).all(|seed| choose(seed).iter().all(|servers| servers.len() == 2)));
        assert_eq!(choose(7), choose(7));
        let different: BTreeSet<_> = (0..50).map(choose).collect();
        assert!(different.len() > 3, "{different:?}");
        assert_eq!(some(of("lon"), None, &mut Lcg::new(1)), of("lon"));
    }
}
