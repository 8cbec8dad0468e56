//! The clients of a play: how many there are, what they do, and what came of each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::task::JoinSet;

use super::member::{Ended, Load, Member, Place, end, start_load};
use super::streams::{Published, Streams};
use super::{ClientRecord, PlayError};
use crate::clients::{self, Access, Client, ConnectError, Spec};
use crate::clock;
use crate::cluster::SuperCluster;
use crate::scenario::{ClientKind, Scenario};

/// All clients.
#[derive(Debug)]
pub(super) struct Crowd<'a> {
    scenario: &'a Scenario,
    /// The servers as seen from each region.
    urls: BTreeMap<String, Vec<String>>,
    access: Access,
    seed: u64,
    /// Those that are connected, the oldest first.
    members: BTreeMap<Place, VecDeque<Member>>,
    /// How many were ever begun, which gives the next its number.
    begun: BTreeMap<Place, u32>,
    connecting: JoinSet<(Place, Result<Client, ConnectError>)>,
    /// How many of them, by place.
    expected: BTreeMap<Place, u32>,
    ending: JoinSet<Ended>,
    ended: Vec<Ended>,
    load: Option<Load>,
    changes: Vec<Change>,
}

/// A fault that exchanges clients.
#[derive(Clone, Debug)]
pub(super) struct Change {
    /// The fault.
    pub(super) fault: usize,
    /// Whose clients end.
    pub(super) from: usize,
    /// Whose begin.
    pub(super) to: usize,
    /// Since when.
    pub(super) since: Instant,
    /// Clients per second.
    pub(super) per_s: f64,
    /// So many were exchanged.
    pub(super) done: u32,
}

impl<'a> Crowd<'a> {
    pub(super) fn new(
        scenario: &'a Scenario,
        cluster: &SuperCluster,
        access: Access,
        seed: u64,
    ) -> Result<Self, PlayError> {
        let mut urls = BTreeMap::new();
        for region in cluster.topology().regions() {
            let endpoints = cluster.endpoints(region)?.into_iter();
            urls.insert(region.clone(), endpoints.map(|endpoint| endpoint.tcp_url).collect());
        }
        Ok(Self {
            scenario,
            urls,
            access,
            seed,
            members: BTreeMap::new(),
            begun: BTreeMap::new(),
            connecting: JoinSet::new(),
            expected: BTreeMap::new(),
            ending: JoinSet::new(),
            ended: Vec::new(),
            load: None,
            changes: Vec::new(),
        })
    }

    /// Connects the clients that are there from the start: those of a region one after the other, or together they
    /// would measure how busy the emulation is.
    pub(super) async fn connect_first(&mut self) -> Result<(), PlayError> {
        let most = self.scenario.populations.iter().flat_map(|it| &it.start).map(|(_, count)| *count).max();
        for number in 0..most.unwrap_or(0) {
            for (index, population) in self.scenario.populations.iter().enumerate() {
                for (region, _) in population.start.iter().filter(|(_, count)| number < *count) {
                    self.connect((index, region.clone()));
                }
            }
            while let Some(connected) = self.connecting.join_next().await {
                let Ok((place, client)) = connected else { continue };
                self.arrived(place, client?);
            }
        }
        Ok(())
    }

    /// From now on, clients send what the workloads ask for.
    pub(super) fn begin(&mut self, start: Instant, streams: &Streams) {
        let workloads = 0..self.scenario.workloads.len();
        let subjects = workloads.filter_map(|index| Some((index, streams.subject(index)?.to_owned())));
        let load = Load { start, subjects: subjects.collect(), publishers: Arc::default() };
        self.load = Some(load.clone());
        let places: Vec<_> = self.members.keys().cloned().collect();
        for place in places {
            let Some(members) = self.members.get_mut(&place) else { continue };
            for member in members {
                member.running = start_load(self.scenario, &load, place.0, &member.client, start);
            }
        }
    }

    /// Lets time pass, and takes in clients that come and go.
    pub(super) async fn until(&mut self, deadline: Instant) {
        loop {
            self.exchange(clock::now());
            let wake = deadline.min(clock::now() + TICK);
            tokio::select! {
                biased;
                () = tokio::time::sleep_until(wake.into()) => if clock::now() >= deadline { return },
                Some(connected) = self.connecting.join_next() => self.take_in(connected),
                Some(ended) = self.ending.join_next() => self.ended.extend(ended),
            }
        }
    }

    /// Makes the numbers those of the stages.
    pub(super) fn resize(&mut self, at: Duration) {
        for (index, population) in self.scenario.populations.iter().enumerate() {
            for region in self.scenario.topology.regions() {
                if !population.stages.iter().any(|stage| stage.region == *region) {
                    continue;
                }
                let place = (index, region.clone());
                let (wanted, mut there) = (population.count_at(region, at), self.count(&place));
                while there < wanted {
                    self.connect(place.clone());
                    there += 1;
                }
                while there > wanted && self.end_newest(&place) {
                    there -= 1;
                }
            }
        }
    }

    /// All clients of a population close and connect again.
    pub(super) fn reconnect_all(&mut self, population: usize) {
        let places: Vec<_> = self.members.keys().filter(|place| place.0 == population).cloned().collect();
        for place in places {
            let count = self.members.get(&place).map_or(0, VecDeque::len);
            for _ in 0..count {
                self.end_oldest(&place);
                self.connect(place.clone());
            }
        }
    }

    /// Begins to exchange clients.
    pub(super) fn begin_change(&mut self, change: Change) {
        self.changes.push(change);
    }

    /// Ends what a fault exchanges. A replacement is completed.
    pub(super) fn end_change(&mut self, fault: usize) {
        for change in self.changes.extract_if(.., |change| change.fault == fault).collect::<Vec<_>>() {
            while change.from != change.to && self.exchange_one(&change) {}
        }
    }

    /// How many clients a population has.
    pub(super) fn size(&self, population: usize) -> u32 {
        let members = self.members.iter().filter(|(place, _)| place.0 == population);
        members.map(|(_, members)| members.len() as u32).sum()
    }

    /// Ends all clients. Returns what came of them, and what they published.
    pub(super) async fn finish(mut self) -> (Vec<ClientRecord>, Published) {
        let left = clock::now();
        for (place, members) in std::mem::take(&mut self.members) {
            for member in members {
                self.ending.spawn(end(place.clone(), member, left));
            }
        }
        while let Some(ended) = self.ending.join_next().await {
            self.ended.extend(ended);
        }
        let mut published = Published::default();
        let mut clients = Vec::new();
        for Ended { record, ledgers } in self.ended {
            for (workload, publisher, ledger) in ledgers {
                published.ledgers.insert((workload, record.population, publisher), ledger);
            }
            clients.push(record);
        }
        (clients, published)
    }

    fn count(&self, place: &Place) -> u32 {
        let members = self.members.get(place).map_or(0, VecDeque::len) as u32;
        members + self.expected.get(place).copied().unwrap_or(0)
    }

    fn connect(&mut self, place: Place) {
        self.connect_after(Duration::ZERO, place);
    }

    fn connect_after(&mut self, pause: Duration, place: Place) {
        let population = &self.scenario.populations[place.0];
        let number = self.begun.entry(place.clone()).or_default();
        let region_seed = self.urls.keys().position(|region| *region == place.1).unwrap_or_default() as u64;
        let seed = self.seed ^ ((place.0 as u64) << 48 | region_seed << 32 | u64::from(*number));
        let spec = Spec {
            population: match population.kind {
                ClientKind::NatsGeo => clients::Population::NatsGeo,
                ClientKind::AsyncNats => clients::Population::Stock,
            },
            region: place.1.clone(),
            number: *number,
            urls: self.urls.get(&place.1).cloned().unwrap_or_default(),
            policy: population.policy.clone(),
            seed,
            access: self.access.clone(),
        };
        *number += 1;
        *self.expected.entry(place.clone()).or_default() += 1;
        self.connecting.spawn(async move {
            tokio::time::sleep(pause).await;
            (place, Client::connect(spec).await)
        });
    }

    fn take_in(&mut self, connected: Result<(Place, Result<Client, ConnectError>), tokio::task::JoinError>) {
        match connected {
            Ok((place, Ok(client))) => self.arrived(place, client),
            Ok((place, Err(error))) => {
                // During a fault a client may find nobody: it tries again, as an application would.
                tracing::debug!(%error, "a client tries again");
                self.expect_one_less(&place);
                self.connect_after(TRY_AGAIN, place);
            }
            Err(error) => tracing::error!(%error, "a connect panicked"),
        }
    }

    fn arrived(&mut self, place: Place, client: Client) {
        self.expect_one_less(&place);
        let joined = clock::now();
        let running = match &self.load {
            Some(load) => start_load(self.scenario, load, place.0, &client, joined),
            None => Vec::new(),
        };
        self.members.entry(place).or_default().push_back(Member { client, joined, running });
    }

    fn expect_one_less(&mut self, place: &Place) {
        if let Some(expected) = self.expected.get_mut(place) {
            *expected = expected.saturating_sub(1);
        }
    }

    fn end_newest(&mut self, place: &Place) -> bool {
        let member = self.members.get_mut(place).and_then(VecDeque::pop_back);
        self.end(place, member)
    }

    fn end_oldest(&mut self, place: &Place) -> bool {
        let member = self.members.get_mut(place).and_then(VecDeque::pop_front);
        self.end(place, member)
    }

    fn end(&mut self, place: &Place, member: Option<Member>) -> bool {
        let there = member.is_some();
        if let Some(member) = member {
            self.ending.spawn(end(place.clone(), member, clock::now()));
        }
        there
    }

    /// Exchanges as many clients as are due.
    fn exchange(&mut self, now: Instant) {
        let mut changes = std::mem::take(&mut self.changes);
        for change in &mut changes {
            let due = (now.saturating_duration_since(change.since).as_secs_f64() * change.per_s) as u32;
            while change.done < due {
                change.done += 1;
                if !self.exchange_one(change) {
                    break;
                }
            }
        }
        self.changes = changes;
    }

    /// The region with most of them goes first.
    fn exchange_one(&mut self, change: &Change) -> bool {
        let of_population = self.members.iter().filter(|(place, _)| place.0 == change.from);
        let fullest = of_population.max_by_key(|(_, members)| members.len()).map(|(place, _)| place.clone());
        let Some(place) = fullest.filter(|place| self.members.get(place).is_some_and(|it| !it.is_empty()))
        else {
            return false;
        };
        self.end_oldest(&place);
        self.connect((change.to, place.1));
        true
    }
}

/// How often clients are exchanged, and connects and ends are looked at.
const TICK: Duration = Duration::from_millis(50);

/// Refused at once, a client would do nothing but dial.
const TRY_AGAIN: Duration = Duration::from_millis(200);
