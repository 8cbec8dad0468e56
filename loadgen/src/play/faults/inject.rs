//! This module injects faults on the super-cluster, records them, and undoes them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::strike::{Active, chosen, strike};
use super::{links, resolvers};
use crate::clock;
use crate::cluster::SuperCluster;
use crate::cluster::faults::FaultError;
use crate::name_server::NameServers;
use crate::play::agent::Agents;
use crate::play::agent::orders::{Counts, Order};
use crate::play::workload::brakes::Brakes;
use crate::play::{FaultRecord, PlayError};
use crate::scenario::{FaultKind, META, Pick, Scenario, TimedFault};
use crate::seed::Lcg;

/// Injects and undoes the faults of a scenario.
#[derive(Debug)]
pub(crate) struct Injector<'a> {
    pub(super) scenario: &'a Scenario,
    name_servers: &'a NameServers,
    seed: u64,
    /// The origin of the play.
    pub(super) origin: Instant,
    random: Lcg,
    pub(super) brakes: Brakes,
    records: Vec<FaultRecord>,
    /// The effects that must be undone, by the fault's number.
    pub(super) active: BTreeMap<usize, Active>,
    /// Parts of faults that were impossible, and servers that were not linked again in time.
    notes: Vec<String>,
}

impl<'a> Injector<'a> {
    pub(crate) fn new(
        scenario: &'a Scenario,
        name_servers: &'a NameServers,
        brakes: Brakes,
        (seed, origin): (u64, Instant),
    ) -> Self {
        Self {
            scenario,
            name_servers,
            seed,
            origin,
            random: Lcg::new(seed),
            brakes,
            records: Vec::new(),
            active: BTreeMap::new(),
            notes: Vec::new(),
        }
    }

    /// Seed of the play.
    pub(crate) const fn seed(&self) -> u64 {
        self.seed
    }

    /// A pause that the seed chooses: clients send PINGs at fixed intervals, and faults must not meet all at the same point.
    pub(crate) fn part_of_a_second(&mut self) -> Duration {
        Duration::from_secs(1).mul_f64(self.random.share())
    }

    /// Returns the faults, and notes about those that did not go as the scenario says.
    pub(crate) fn finish(self) -> (Vec<FaultRecord>, Vec<String>) {
        (self.records, self.notes)
    }

    /// Injects a fault.
    pub(crate) async fn inject(
        &mut self,
        number: usize,
        cluster: &mut SuperCluster,
        agents: &Agents,
    ) -> Result<(), PlayError> {
        let fault = &self.scenario.faults[number];
        let failed = |error: FaultError| not_done(fault, error);
        if let Some(effect) = resolvers::effect(fault) {
            let at = self.name_servers.inject(number, &resolvers::targets(fault, self.scenario), effect)?;
            self.active.insert(number, Active::Resolvers);
            // The servers stay healthy.
            self.record(number, at, BTreeSet::new());
            return Ok(());
        }
        match fault.kind {
            FaultKind::Rolling => return self.roll(number, cluster).await,
            FaultKind::StepDown => self.step_down(number, cluster).await,
            FaultKind::Churn | FaultKind::MassReconnect | FaultKind::Replace => {
                self.change_clients(number, agents).await?;
            }
            FaultKind::SlowConsumer => self.slow_down(number),
            FaultKind::Revoke | FaultKind::ConnectionLimit | FaultKind::ExpireCertificate => {
                let counts = counts(fault, agents).await?;
                self.configure(number, cluster, &counts).await.map_err(failed)?;
            }
            FaultKind::Silence
            | FaultKind::Refuse
            | FaultKind::Reset
            | FaultKind::Close
            | FaultKind::AcceptSilent
            | FaultKind::Split
            | FaultKind::Latency
            | FaultKind::Jitter
            | FaultKind::Bandwidth
            | FaultKind::Loss => {
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
                let servers = self.chosen(number, cluster, &counts(fault, agents).await?);
                if servers.is_empty() {
                    self.not_injected(fault, &"none of its servers is up");
                }
                let struck = strike(fault.kind, &servers, cluster).map_err(failed)?;
                for error in struck.refused {
                    self.not_injected(fault, &error);
                }
                let servers = struck.servers;
                if servers.is_empty() {
                    return Ok(());
                }
                self.record(number, struck.at, servers.iter().cloned().collect());
                match fault.kind {
                    FaultKind::Pause => self.active.insert(number, Active::Resume(servers)),
                    FaultKind::Restart => {
                        let version = fault.options.version.as_deref();
                        self.start_with(number, &servers, version, cluster).await.map_err(failed)?;
                        self.over(number);
                        None
                    }
                    _ => self.active.insert(number, Active::Restart(servers)),
                };
            }
        }
        Ok(())
    }

    /// Returns the servers that a fault is aimed at.
    pub(super) fn chosen(
        &mut self,
        number: usize,
        cluster: &mut SuperCluster,
        counts: &Counts,
    ) -> Vec<String> {
        chosen(&self.scenario.faults[number], self.scenario, cluster, counts, &mut self.random)
    }

    /// Lets a fault that flaps be gone for a while.
    pub(crate) async fn release(
        &mut self,
        number: usize,
        cluster: &mut SuperCluster,
        agents: &Agents,
    ) -> Result<(), PlayError> {
        if let Some(Active::Restart(servers)) = self.active.get(&number) {
            let servers = servers.clone();
            self.revive(number, servers, cluster)?;
            self.active.remove(&number);
            self.over(number);
            return Ok(());
        }
        self.undo(&[number], cluster, agents).await
    }

    /// Undoes faults at once, and waits until the servers are linked again: of several that are down, none is ready alone.
    pub(crate) async fn undo(
        &mut self,
        numbers: &[usize],
        cluster: &mut SuperCluster,
        agents: &Agents,
    ) -> Result<(), PlayError> {
        let (mut dead, mut must_link) = (Vec::new(), false);
        for number in numbers {
            let Some(active) = self.active.remove(number) else { continue };
            must_link |= matches!(active, Active::Restart(_) | Active::Resume(_) | Active::Links(_));
            let failed = |error| not_done(&self.scenario.faults[*number], error);
            match active {
                Active::Restart(servers) => dead.extend(self.revive(*number, servers, cluster)?),
                Active::Resume(servers) => {
                    for server in servers {
                        self.unless_impossible(*number, cluster.resume_servers(&[server]))?;
                    }
                }
                Active::Links(ids) => {
                    for id in ids {
                        cluster.mend_links(id).map_err(failed)?;
                    }
                }
                Active::Users(_) | Active::Limit { .. } | Active::Certificates(_) => {
                    let done = self.reconfigure(&active, cluster).await;
                    self.unless_impossible(*number, done)?;
                }
                Active::Clients => agents.obey(Order::EndExchange { fault: *number }).await?,
                Active::Receivers { populations, .. } => self.set_speed(&populations),
                Active::Resolvers => self.name_servers.mend(*number),
            }
            self.over(*number);
        }
        if let Some(first) = numbers.first().filter(|_| must_link) {
            let linked = cluster.wait_linked(&dead).await;
            let fault = &self.scenario.faults[*first];
            self.unless_late(*first, linked).map_err(|error| not_done(fault, error))?;
        }
        Ok(())
    }

    /// Undoes everything that still holds.
    pub(crate) async fn undo_all(
        &mut self,
        cluster: &mut SuperCluster,
        agents: &Agents,
    ) -> Result<(), PlayError> {
        let all: Vec<_> = self.active.keys().copied().collect();
        self.undo(&all, cluster, agents).await
    }

    /// Starts servers that a fault ended, except those that another fault has started since. Returns those that it started.
    fn revive(
        &mut self,
        number: usize,
        servers: Vec<String>,
        cluster: &mut SuperCluster,
    ) -> Result<Vec<String>, PlayError> {
        let mut started = Vec::new();
        for server in servers {
            let done = cluster.start_servers(std::slice::from_ref(&server));
            if self.unless_impossible(number, done)? {
                started.push(server);
            }
        }
        Ok(started)
    }

    /// Starts servers, and waits until they are linked.
    async fn start(
        &mut self,
        number: usize,
        servers: &[String],
        cluster: &mut SuperCluster,
    ) -> Result<(), FaultError> {
        cluster.start_servers(servers)?;
        let linked = cluster.wait_linked(servers).await;
        self.unless_late(number, linked)
    }

    /// The same, with another nats-server if one is named.
    pub(super) async fn start_with(
        &mut self,
        number: usize,
        servers: &[String],
        version: Option<&str>,
        cluster: &mut SuperCluster,
    ) -> Result<(), FaultError> {
        let Some(version) = version else { return self.start(number, servers, cluster).await };
        let started = cluster.restart_servers_with(servers, version).await.map(drop);
        self.unless_late(number, started)
    }

    /// Leaders step down: of the meta group, or of streams.
    async fn step_down(&mut self, number: usize, cluster: &SuperCluster) {
        let fault = &self.scenario.faults[number];
        let mut has_moved = false;
        for target in &fault.targets {
            let done = if target == META {
                cluster.step_down_meta().await.map_err(|error| error.to_string())
            } else {
                cluster.step_down_stream_leader(target).await.map(drop).map_err(|error| error.to_string())
            };
            match done {
                Ok(()) => has_moved = true,
                Err(reason) => self.not_injected(fault, &reason),
            }
        }
        if has_moved {
            self.record(number, clock::now(), BTreeSet::new());
            self.over(number);
        }
    }

    /// Servers that need longer than the limit do not end the play: the report says so.
    fn unless_late(&mut self, number: usize, done: Result<(), FaultError>) -> Result<(), FaultError> {
        match done {
            Err(error @ (FaultError::NotReady(_) | FaultError::Streams(_))) => {
                let fault = &self.scenario.faults[number];
                self.notes.push(format!("`{fault}` was undone, but {error}"));
                Ok(())
            }
            done => done,
        }
    }

    /// A part of a fault that cannot be undone, because another fault has changed the server, does not end the play either.
    pub(super) fn unless_impossible<T>(
        &mut self,
        number: usize,
        done: Result<T, FaultError>,
    ) -> Result<bool, PlayError> {
        let fault = &self.scenario.faults[number];
        match done {
            Ok(_) => Ok(true),
            Err(error @ (FaultError::State { .. } | FaultError::Reload(_))) => {
                self.notes.push(format!("`{fault}` was not undone everywhere: {error}"));
                Ok(false)
            }
            Err(error) => Err(not_done(fault, error)),
        }
    }

    /// Notes for the report that a part of a fault was impossible.
    pub(super) fn not_injected(&mut self, fault: &TimedFault, reason: &dyn std::fmt::Display) {
        self.notes.push(format!("`{fault}` was not injected everywhere: {reason}"));
    }

    pub(super) fn record(&mut self, fault: usize, at: Instant, hit: BTreeSet<String>) {
        self.records.push(FaultRecord { fault, at, until: None, hit });
    }

    /// The fault is undone now.
    pub(super) fn over(&mut self, number: usize) {
        let now = clock::now();
        let open = self.records.iter_mut().filter(|record| record.fault == number && record.until.is_none());
        open.for_each(|record| record.until = Some(now));
    }
}

/// How many clients each server has, for faults that choose by it: agents of other machines need a moment to count.
async fn counts(fault: &TimedFault, agents: &Agents) -> Result<Counts, PlayError> {
    if fault.options.pick.unwrap_or_default() == Pick::Fullest {
        agents.counts().await
    } else {
        Ok(Counts::default())
    }
}

pub(super) fn not_done(fault: &TimedFault, error: FaultError) -> PlayError {
    PlayError::Fault { fault: fault.to_string(), error: Box::new(error) }
}
