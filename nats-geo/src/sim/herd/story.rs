//! This module simulates one stock client alone: its servers fail, and the result is the reaction of the client.

use std::time::Duration;

use super::client::{Ask, Failure, Told};
use super::stock::{Stock, StockRules};
use super::{HerdError, SERVERS_MAX};
use crate::core::{ConnId, Time};

/// A stock client, its servers, and the faults of the servers.
#[derive(Clone, Debug, PartialEq)]
pub struct StockScenario {
    /// The reconnect rules of the client.
    pub rules: StockRules,
    /// The client's round trip to each region.
    pub rtt: Vec<Duration>,
    /// Number of servers of each region. Servers are numbered region by region.
    pub servers_per_region: usize,
    /// The faults, one after the other.
    pub faults: Vec<StockFault>,
}

/// A fault of the servers of a stock client.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StockFault {
    /// The fault begins when the client has been connected for this long, since its start or since the previous fault.
    pub after: Duration,
    /// The servers that fail.
    pub hits: StockHits,
    /// The effect of the fault.
    pub loss: StockLoss,
}

/// The servers that a fault hits. The choice depends on the server that the client uses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StockHits {
    /// The server that the client uses.
    ItsServer,
    /// The region of that server.
    ItsRegion,
    /// All servers.
    Everything,
}

/// Effect of a fault on the servers that it hits.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum StockLoss {
    /// Connections are reset and dials are refused, without end.
    Refuse,
    /// Like `Refuse`, but only for this long.
    RefuseFor(Duration),
    /// Like `Refuse`, until the client has dialled this many times, at any server. 0 only resets connections.
    RefuseDials(u32),
    /// The servers are silent, without end.
    Silence,
}

/// Reaction of a client to a fault. All times are counted from the fault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct StockOutage {
    /// Time at which the client noticed the loss.
    pub lost_after: Duration,
    /// The dials of the client. All but the last dial failed.
    pub dials: Vec<StockDial>,
    /// Time at which the client was connected again.
    pub back_after: Duration,
}

/// A dial of a client without a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StockDial {
    /// Time of the dial.
    pub after: Duration,
    /// Number of the server that the client dialled.
    pub server: usize,
    /// Number of dials of this server that have failed since the last successful dial.
    pub failures: u32,
}

/// Simulates a scenario by the same rules as a [`Herd`](super::Herd). Returns the reaction of the client to each fault.
/// The same scenario and seed give the same result.
///
/// ```
/// use nats_geo::sim::herd::{StockFault, StockHits, StockLoss, StockRules, StockScenario, stock_story};
/// use std::time::Duration;
///
/// let scenario = StockScenario {
///     rules: StockRules::rust(),
///     rtt: vec![Duration::from_millis(1), Duration::from_millis(9)],
///     servers_per_region: 3,
///     faults: vec![StockFault {
///         after: Duration::from_secs(10),
///         hits: StockHits::Everything,
///         loss: StockLoss::RefuseDials(6),
///     }],
/// };
/// let outages = stock_story(&scenario, 1)?;
/// assert_eq!(outages[0].dials.len(), 7, "each server once, then one of them again");
/// assert!(outages[0].back_after > Duration::from_millis(2 + 4 + 8 + 16 + 32 + 64), "the client waits longer each time");
/// # Ok::<(), nats_geo::sim::herd::HerdError>(())
/// ```
///
/// # Errors
/// The scenario has no servers or too many, the PING interval is zero, or the client does not reconnect within an hour
/// after a fault.
pub fn stock_story(scenario: &StockScenario, seed: u64) -> Result<Vec<StockOutage>, HerdError> {
    let servers = scenario.rtt.len() * scenario.servers_per_region;
    if !(1..=SERVERS_MAX).contains(&servers) {
        let (value, bound) = (servers.to_string(), format!("1 to {SERVERS_MAX}, of all regions"));
        return Err(HerdError::Field { field: "servers_per_region", value, bound });
    }
    if scenario.rules.ping_interval.is_zero() {
        return Err(HerdError::Field { field: "ping_interval", value: "0".into(), bound: "above 0".into() });
    }
    let mut scene = Scene::new(scenario, servers, seed);
    scene.play_until_connected();
    let outage = |fault: &StockFault| {
        scene.play_fault(*fault).ok_or_else(|| HerdError::Field {
            field: "faults",
            value: format!("{fault:?}"),
            bound: format!("what a connected client comes back from within {OUTAGE_MAX:?}"),
        })
    };
    scenario.faults.iter().map(outage).collect()
}

/// Twenty times what the slowest defaults take to notice silence: who takes longer is not coming back.
const OUTAGE_MAX: Duration = Duration::from_secs(3_600);

#[derive(Debug)]
struct Scene<'a> {
    scenario: &'a StockScenario,
    stock: Stock,
    now: Time,
    /// On its way to the client.
    coming: Vec<(Time, Told)>,
    servers: Vec<Server>,
    /// The dial under way.
    dialled: Option<usize>,
    seat: Option<Seat>,
    /// Of the last fault.
    fault_at: Time,
    lost_at: Option<Time>,
    dials: Vec<StockDial>,
    /// After so many dials nobody refuses any longer.
    refused_dials: u32,
}

#[derive(Clone, Copy, Debug)]
struct Server {
    health: Health,
    failures: u32,
}

#[derive(Clone, Copy, Debug)]
enum Health {
    Fine,
    RefusesUntil(Time),
    /// Until the client has dialled often enough.
    RefusesDials,
    Silent,
}

#[derive(Clone, Copy, Debug)]
struct Seat {
    conn: ConnId,
    server: usize,
    since: Time,
}

impl<'a> Scene<'a> {
    fn new(scenario: &'a StockScenario, servers: usize, seed: u64) -> Self {
        Self {
            scenario,
            stock: Stock::new(scenario.rules, seed, servers, Time::ZERO),
            now: Time::ZERO,
            coming: Vec::new(),
            servers: vec![Server { health: Health::Fine, failures: 0 }; servers],
            dialled: None,
            seat: None,
            fault_at: Time::ZERO,
            lost_at: None,
            dials: Vec::new(),
            refused_dials: 0,
        }
    }

    fn play_fault(&mut self, fault: StockFault) -> Option<StockOutage> {
        let at = self.seat?.since + fault.after;
        while self.next_at().is_some_and(|next| next < at) {
            self.step();
        }
        self.now = at;
        self.hit(fault, self.seat?);
        while self.lost_at.is_none() && self.is_soon() {
            self.step();
        }
        self.play_until_connected();
        for server in &mut self.servers {
            if matches!(server.health, Health::RefusesDials) {
                server.health = Health::Fine;
            }
        }
        Some(StockOutage {
            lost_after: self.lost_at?.since(at),
            dials: std::mem::take(&mut self.dials),
            back_after: self.seat?.since.since(at),
        })
    }

    fn play_until_connected(&mut self) {
        while self.seat.is_none() && self.is_soon() {
            self.step();
        }
    }

    fn is_soon(&self) -> bool {
        self.next_at().is_some_and(|next| next < self.fault_at + OUTAGE_MAX)
    }

    fn hit(&mut self, fault: StockFault, seat: Seat) {
        (self.fault_at, self.lost_at) = (self.now, None);
        self.dials.clear();
        let region = self.region_of(seat.server);
        for server in 0..self.servers.len() {
            let is_hit = match fault.hits {
                StockHits::ItsServer => server == seat.server,
                StockHits::ItsRegion => self.region_of(server) == region,
                StockHits::Everything => true,
            };
            if is_hit {
                self.servers[server].health = match fault.loss {
                    StockLoss::Refuse => Health::RefusesUntil(Time::NEVER),
                    StockLoss::RefuseFor(time) => Health::RefusesUntil(self.now + time),
                    StockLoss::RefuseDials(_) => Health::RefusesDials,
                    StockLoss::Silence => Health::Silent,
                };
            }
        }
        if let StockLoss::RefuseDials(count) = fault.loss {
            self.refused_dials = count;
        }
        self.coming.clear();
        if fault.loss != StockLoss::Silence {
            self.tell_after(self.rtt(seat.server) / 2, Told::Closed { conn: seat.conn });
        }
    }

    fn next_at(&self) -> Option<Time> {
        self.coming.iter().map(|(at, _)| *at).chain(self.stock.due()).min()
    }

    /// What the client is told comes before what it does by itself, as in a herd.
    fn step(&mut self) {
        let Some(at) = self.next_at() else { return };
        self.now = self.now.max(at);
        match self.coming.iter().position(|(told_at, _)| *told_at == at) {
            Some(place) => {
                let (_, told) = self.coming.remove(place);
                self.note(told);
                self.stock.told(told, self.now);
            }
            None => self.stock.wake(self.now),
        }
        while let Some(ask) = self.stock.poll() {
            self.asked(ask);
        }
    }

    fn note(&mut self, told: Told) {
        match (told, self.dialled) {
            (Told::OpenFailed { .. }, Some(server)) => self.servers[server].failures += 1,
            (Told::Opened { .. }, Some(server)) => self.servers[server].failures = 0,
            (Told::Closed { .. }, _) => self.lose(),
            _ => {}
        }
    }

    fn lose(&mut self) {
        self.seat = None;
        self.lost_at = Some(self.now);
    }

    fn asked(&mut self, ask: Ask) {
        match ask {
            Ask::Dial { conn, server, timeout } => self.dial(conn, server, timeout),
            Ask::Use { conn } => {
                self.seat = self.dialled.take().map(|server| Seat { conn, server, since: self.now });
            }
            Ask::Ping { conn, ping } => {
                let answers = |seat: &Seat| !matches!(self.servers[seat.server].health, Health::Silent);
                if let Some(seat) = self.seat.filter(answers) {
                    let rtt = self.rtt(seat.server);
                    self.tell_after(rtt, Told::Pong { conn, ping, rtt });
                }
            }
            Ask::Close { .. } => self.lose(),
            // Those who probe are no stock clients.
            Ask::Probe { .. } => {}
        }
    }

    fn dial(&mut self, conn: ConnId, server: usize, timeout: Duration) {
        self.dialled = Some(server);
        let after = self.now.since(self.fault_at);
        self.dials.push(StockDial { after, server, failures: self.servers[server].failures });
        let rtt = self.rtt(server);
        let refused_dials = self.refused_dials as usize;
        let failure = match self.servers[server].health {
            Health::RefusesDials if self.dials.len() <= refused_dials => Some(Failure::Refused),
            Health::RefusesUntil(end) if self.now + rtt / 2 < end => Some(Failure::Refused),
            Health::Fine | Health::RefusesDials | Health::RefusesUntil(_) => None,
            Health::Silent => Some(Failure::TimedOut),
        };
        // SYN, SYN-ACK, INFO, CONNECT and its answer.
        let (answered, told) = match failure {
            Some(failure @ Failure::Refused) => (rtt, Told::OpenFailed { conn, failure }),
            Some(failure) => (timeout, Told::OpenFailed { conn, failure }),
            None => (3 * rtt, Told::Opened { conn, server }),
        };
        match answered <= timeout {
            true => self.tell_after(answered, told),
            false => self.tell_after(timeout, Told::OpenFailed { conn, failure: Failure::TimedOut }),
        }
    }

    fn region_of(&self, server: usize) -> usize {
        server / self.scenario.servers_per_region
    }

    fn rtt(&self, server: usize) -> Duration {
        self.scenario.rtt[self.region_of(server)]
    }

    fn tell_after(&mut self, delay: Duration, told: Told) {
        self.coming.push((self.now + delay, told));
    }
}
