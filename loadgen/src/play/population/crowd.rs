//! The clients of a play: their number, their work, and the result of each.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use tokio::task::JoinSet;

use super::member::{Load, Member, Place, end, start_load};
use super::watch::Watch;
use crate::clients::{Client, ConnectError};
use crate::clock;
use crate::play::dialer::Dialer;
use crate::play::{ClientRecord, PlayError};
use crate::progress::Progress;
use crate::scenario::{ClientPlan, Population, Share};

/// All clients.
#[derive(Debug)]
pub(crate) struct Crowd {
    plan: Arc<ClientPlan>,
    /// The agent's share of each region.
    shares: BTreeMap<String, Share>,
    dialer: Arc<Dialer>,
    /// Those that are connected, the oldest first.
    members: BTreeMap<Place, VecDeque<Member>>,
    /// How many were ever begun, which gives the next its number.
    begun: BTreeMap<Place, u32>,
    connecting: JoinSet<(Place, Result<Connected, ConnectError>)>,
    /// How many of them, by place.
    expected: BTreeMap<Place, u32>,
    ending: JoinSet<ClientRecord>,
    ended: Vec<ClientRecord>,
    load: Option<Load>,
    /// With the number of clients that each has exchanged.
    changes: Vec<(Change, u32)>,
    progress: Progress,
    watch: Watch,
}

/// A new client, and how long it took to connect.
type Connected = (Client, Duration);

/// A fault that exchanges clients.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
pub(crate) struct Change {
    /// The fault.
    pub(crate) fault: usize,
    /// Whose clients end.
    pub(crate) from: usize,
    /// Whose begin.
    pub(crate) to: usize,
    /// Since when, from the origin.
    pub(crate) since: Duration,
    /// Clients per second, over all agents.
    pub(crate) per_s: f64,
    /// How many clients the population has, over all agents.
    pub(crate) of: u32,
}

impl Crowd {
    pub(crate) fn new(
        (plan, shares): (Arc<ClientPlan>, BTreeMap<String, Share>),
        dialer: Arc<Dialer>,
        progress: Progress,
    ) -> Self {
        Self {
            plan,
            shares,
            dialer,
            members: BTreeMap::new(),
            begun: BTreeMap::new(),
            connecting: JoinSet::new(),
            expected: BTreeMap::new(),
            ending: JoinSet::new(),
            ended: Vec::new(),
            load: None,
            changes: Vec::new(),
            progress,
            watch: Watch::default(),
        }
    }

    /// Connects the clients that are there from the start.
    pub(crate) async fn connect_first(&mut self) -> Result<(), PlayError> {
        let of = |(index, population): (usize, &Population)| {
            let start = population.start.iter();
            start.map(|(region, count)| ((index, region.clone()), *count)).collect::<Vec<_>>()
        };
        let places = self.plan.populations.iter().enumerate().flat_map(of).collect();
        Ok(self.connect_in_turn(places).await?)
    }

    /// Ends all clients. As many new ones connect, and begin what the workloads ask for.
    pub(crate) async fn renew(&mut self) {
        // Clients that are still connecting are new already.
        let members = self.members.iter();
        let places: Vec<_> = members.map(|(place, members)| (place.clone(), members.len() as u32)).collect();
        for (place, _) in &places {
            while self.end_oldest(place) {}
        }
        // A client that finds nobody while a fault holds tries again, and the phase begins without it.
        let _ = self.connect_in_turn(places).await;
    }

    /// Connects clients, those of a region one after the other: together they would measure how busy the emulation is.
    ///
    /// # Errors
    /// The last client that did not connect at its first try.
    async fn connect_in_turn(&mut self, places: Vec<(Place, u32)>) -> Result<(), ConnectError> {
        let mut all = Ok(());
        let most = places.iter().map(|(_, count)| *count).max();
        for number in 0..most.unwrap_or(0) {
            for (place, _) in places.iter().filter(|(_, count)| number < *count) {
                self.connect(place.clone());
            }
            for _ in 0..self.connecting.len() {
                if let Some(connected) = self.connecting.join_next().await {
                    all = self.take_in(connected).and(all);
                }
            }
        }
        all
    }

    /// From now on, clients send what the workloads ask for.
    pub(crate) fn begin(&mut self, load: Load) {
        let places: Vec<_> = self.members.keys().cloned().collect();
        for place in places {
            let Some(members) = self.members.get_mut(&place) else { continue };
            for member in members {
                member.running = start_load(&self.plan, &load, &place, &member.client, load.start);
            }
        }
        self.load = Some(load);
    }

    /// Looks after clients that come and go, for a moment.
    pub(crate) async fn turn(&mut self) {
        self.exchange(clock::now());
        self.show();
        tokio::select! {
            () = tokio::time::sleep(TICK) => {}
            Some(connected) = self.connecting.join_next() => drop(self.take_in(connected)),
            Some(ended) = self.ending.join_next() => self.ended.extend(ended),
        }
    }

    fn show(&mut self) {
        let Some(load) = &self.load else { return };
        let (plan, started, members) = (&self.plan, load.start, &self.members);
        let watch = &mut self.watch;
        self.progress.status(|| watch.look(plan, started, members));
    }

    /// Makes the numbers those of the stages.
    pub(crate) fn resize(&mut self, at: Duration) {
        let plan = Arc::clone(&self.plan);
        for (index, population) in plan.populations.iter().enumerate() {
            for region in &plan.regions {
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
    pub(crate) fn reconnect_all(&mut self, population: usize) {
        let places: Vec<_> = self.members.keys().filter(|place| place.0 == population).cloned().collect();
        for place in places {
            let count = self.members.get(&place).map_or(0, VecDeque::len);
            for _ in 0..count {
                self.end_oldest(&place);
                self.connect(place.clone());
            }
        }
    }

    /// Begins to exchange clients, at this agent's share of the rate.
    pub(crate) fn begin_change(&mut self, mut change: Change) {
        if change.of > 0 {
            change.per_s *= f64::from(self.size(change.from)) / f64::from(change.of);
        }
        self.changes.push((change, 0));
    }

    /// Ends what a fault exchanges. A replacement is completed.
    pub(crate) fn end_change(&mut self, fault: usize) {
        for (change, _) in self.changes.extract_if(.., |(it, _)| it.fault == fault).collect::<Vec<_>>() {
            while change.from != change.to && self.exchange_one(&change) {}
        }
    }

    /// How many clients of each population are connected to each server.
    pub(crate) fn by_server(&self) -> BTreeMap<usize, BTreeMap<String, u32>> {
        let mut counts = BTreeMap::<_, BTreeMap<_, _>>::new();
        for ((population, _), members) in &self.members {
            let of = counts.entry(*population).or_default();
            for seat in members.iter().filter_map(|member| member.client.seat()) {
                *of.entry(seat.server).or_default() += 1;
            }
        }
        counts
    }

    /// How many clients a population has.
    pub(crate) fn size(&self, population: usize) -> u32 {
        let members = self.members.iter().filter(|(place, _)| place.0 == population);
        members.map(|(_, members)| members.len() as u32).sum()
    }

    /// Returns the operations and moves of all clients since the last report.
    pub(crate) fn report(&mut self, now: Instant) -> Vec<ClientRecord> {
        let mut records = std::mem::take(&mut self.ended);
        for (place, members) in &mut self.members {
            records.extend(members.iter_mut().map(|member| member.report(place, now)));
        }
        records
    }

    /// Ends all clients. Returns what came of them.
    pub(crate) async fn finish(mut self, left: Instant) -> Vec<ClientRecord> {
        for (place, members) in std::mem::take(&mut self.members) {
            for member in members {
                self.ending.spawn(end(place.clone(), member, left));
            }
        }
        while let Some(ended) = self.ending.join_next().await {
            self.ended.extend(ended);
        }
        self.ended
    }

    fn count(&self, place: &Place) -> u32 {
        let members = self.members.get(place).map_or(0, VecDeque::len) as u32;
        members + self.expected.get(place).copied().unwrap_or(0)
    }

    fn connect(&mut self, place: Place) {
        self.connect_after(Duration::ZERO, place);
    }

    fn connect_after(&mut self, pause: Duration, place: Place) {
        let own = self.begun.entry(place.clone()).or_default();
        let number = self.shares.get(&place.1).copied().unwrap_or(Share::ALL).number(*own);
        let spec = self.dialer.spec(place.0, &place.1, number);
        *own += 1;
        *self.expected.entry(place.clone()).or_default() += 1;
        self.connecting.spawn(async move {
            tokio::time::sleep(pause).await;
            let began = clock::now();
            (place, Client::connect(spec).await.map(|client| (client, began.elapsed())))
        });
    }

    /// Takes a client in. During a fault one may find nobody: it tries again, as an application would.
    fn take_in(
        &mut self,
        connected: Result<(Place, Result<Connected, ConnectError>), tokio::task::JoinError>,
    ) -> Result<(), ConnectError> {
        match connected {
            Ok((place, Ok(connected))) => self.arrived(place, connected),
            Ok((place, Err(error))) => {
                tracing::debug!(%error, "a client tries again");
                self.expect_one_less(&place);
                self.connect_after(TRY_AGAIN, place);
                return Err(error);
            }
            Err(error) => tracing::error!(%error, "a connect panicked"),
        }
        Ok(())
    }

    fn arrived(&mut self, place: Place, (client, connect_took): Connected) {
        self.expect_one_less(&place);
        let joined = clock::now();
        let running = match &self.load {
            Some(load) => start_load(&self.plan, load, &place, &client, joined),
            None => Vec::new(),
        };
        self.members.entry(place).or_default().push_back(Member {
            client,
            connect_took,
            joined,
            running,
            reported: (0, 0),
        });
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
            self.watch.ends(place, &member);
            self.ending.spawn(end(place.clone(), member, clock::now()));
        }
        there
    }

    /// Exchanges as many clients as are due.
    fn exchange(&mut self, now: Instant) {
        let Some(since_origin) = self.load.as_ref().map(|load| now.saturating_duration_since(load.origin))
        else {
            return;
        };
        let mut changes = std::mem::take(&mut self.changes);
        for (change, done) in &mut changes {
            let due = (since_origin.saturating_sub(change.since).as_secs_f64() * change.per_s) as u32;
            while *done < due {
                *done += 1;
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
