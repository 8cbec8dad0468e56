//! The world: one queue of future events, ordered by time. Events of the same time keep their order of insertion.
//!
//! `transport.rs` carries segments, and `health.rs` runs health checks. `serve.rs` simulates servers, and `drive.rs`
//! simulates clients. `faults.rs` begins and ends faults. `truth.rs` has the true state of the world.

mod drive;
mod faults;
mod health;
mod serve;
mod transport;
mod truth;

use std::collections::BTreeMap;
use std::time::Duration;

use super::scenario::{Fault, Scenario, Step};
use super::server::Server;
use super::wan::Path;
use crate::core::rng::Rng;
use crate::core::{Action, Call, ConfigError, ConnId, Event, Log, Time};
use drive::Host;
use transport::{Flow, FlowId, Message, Packet};

/// How often rules that depend on time alone are looked at.
const TICK: Duration = Duration::from_secs(1);

/// Servers, paths and clients, at one moment.
#[derive(Debug)]
pub(crate) struct World {
    now: Time,
    queue: BTreeMap<(Time, u64), Happening>,
    sequence: u64,
    regions: Vec<&'static str>,
    servers: Vec<Server>,
    /// What waits for a frozen server, in order.
    frozen: BTreeMap<usize, Vec<Happening>>,
    paths: Vec<Vec<Path>>,
    hosts: Vec<Host>,
    flows: BTreeMap<FlowId, Flow>,
    next_flow: FlowId,
    health_check_period: Option<Duration>,
    seen: Vec<Seen>,
}

/// What a checker is shown.
#[derive(Clone, Debug)]

pub(crate) enum Seen {
    /// Another second has passed.
    Tick,
    /// A client's selector was called.
    Called {
        /// The client.
        client: usize,
        /// With what.
        call: Call,
    },
    /// A client's selector decided.
    Decided {
        /// The client.
        client: usize,
        /// By its own clock.
        at: Time,
        /// What.
        action: Action,
    },
    /// All decisions of a call were seen.
    CallOver {
        /// The client.
        client: usize,
    },
    /// A client asks a server for a handshake.
    Handshake {
        /// The server.
        server: usize,
    },
}

/// What is to happen.
#[derive(Clone, Debug)]
enum Happening {
    Tick,
    Strike(Fault),
    /// A client is told of all servers.
    Start(usize),
    /// A segment leaves its sender, for the n-th time.
    Transmit(Packet, u32),
    Arrive(Packet, u32),
    /// A server has read a message.
    Serve(FlowId, Message),
    /// A server answers.
    Reply(FlowId, Message),
    /// A server in lame duck mode ends a connection.
    LameDuckEnd(FlowId),
    /// A server in lame duck mode ends, if it is still in this life.
    Exit {
        server: usize,
        life: u32,
    },
    /// A client has read a message.
    Receive(FlowId, Message),
    /// A client learns something that no connection told it.
    Tell(usize, Event),
    /// The timer of a client fires.
    Wake(usize),
    /// A dial or a probe has taken too long.
    GiveUp(FlowId),
    /// The drain of a link is over.
    Drained {
        client: usize,
        conn: ConnId,
        flow: Option<FlowId>,
    },
    /// The health check of a link runs again.
    HealthCheck {
        client: usize,
        conn: ConnId,
    },
    /// The answer to a health check is overdue.
    HealthCheckOverdue {
        client: usize,
        conn: ConnId,
        question: u64,
    },
    /// A stalled or sleeping host goes on, unless it has to stay longer.
    HostBack(usize),
}

impl World {
    /// A world in which nothing has happened yet. The same scenario and seed give the
    /// same world.
    ///
    /// # Errors
    /// The policy of a client is out of its bounds.
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Result<Self, ConfigError> {
        let mut rng = Rng::new(seed);
        let server = |index: usize| {
            let region = index / scenario.servers_per_region;
            Server::new(format!("{}-{index}", scenario.regions[region]), region, scenario.accepts_per_second)
        };
        let servers = (0..scenario.servers()).map(server).collect();
        let row = |row: &Vec<_>, rng: &mut Rng| -> Vec<Path> {
            row.iter().map(|model: &super::PathModel| Path::new(model.clone(), rng.next_u64())).collect()
        };
        let paths = scenario.paths.iter().map(|models| row(models, &mut rng)).collect();
        let hosts = scenario.clients.iter().map(|(site, config)| Host::new(*site, config, &mut rng));
        let hosts = hosts.collect::<Result<_, _>>()?;
        let mut world = Self {
            now: Time::ZERO,
            queue: BTreeMap::new(),
            sequence: 0,
            regions: scenario.regions.clone(),
            servers,
            frozen: BTreeMap::new(),
            paths,
            hosts,
            flows: BTreeMap::new(),
            next_flow: 0,
            health_check_period: scenario.health_check_period,
            seen: Vec::new(),
        };
        world.at(world.now + TICK, Happening::Tick);
        for Step { at, fault } in &scenario.steps {
            world.at(Time::from_start(*at), Happening::Strike(fault.clone()));
        }
        for client in 0..world.hosts.len() {
            let share = client as f64 / world.hosts.len() as f64;
            world.at(Time::from_start(scenario.start_over.mul_f64(share)), Happening::Start(client));
        }
        Ok(world)
    }

    /// Lets the next thing happen, unless it is after `end`. Returns whether one did.
    pub(crate) fn step(&mut self, end: Time) -> bool {
        let Some(entry) = self.queue.first_entry().filter(|entry| entry.key().0 <= end) else {
            self.now = self.now.max(end);
            return false;
        };
        let ((at, _), happening) = entry.remove_entry();
        self.now = self.now.max(at);
        self.happen(happening);
        true
    }

    /// What was seen since the last call.
    pub(crate) fn take_seen(&mut self) -> Vec<Seen> {
        std::mem::take(&mut self.seen)
    }

    /// What has been recorded of each client.
    pub(crate) fn logs(&self) -> impl ExactSizeIterator<Item = &Log> {
        self.hosts.iter().map(|host| &host.log)
    }

    /// What was recorded of each client.
    pub(crate) fn into_logs(self) -> Vec<Log> {
        self.hosts.into_iter().map(|host| host.log).collect()
    }

    fn happen(&mut self, happening: Happening) {
        if let Some(client) = self.stalled(&happening) {
            return self.hosts[client].hold(happening);
        }
        match happening {
            Happening::Tick => {
                self.seen.push(Seen::Tick);
                self.at(self.now + TICK, Happening::Tick);
            }
            Happening::Strike(fault) => self.strike(fault),
            Happening::Start(client) => {
                (0..self.servers.len()).for_each(|server| self.discover(client, server));
            }
            Happening::Transmit(packet, attempt) => self.transmit(packet, attempt),
            Happening::Arrive(packet, attempt) => self.arrive(packet, attempt),
            Happening::Serve(flow, message) => self.serve(flow, message),
            Happening::Reply(flow, message) => self.reply(flow, message),
            Happening::LameDuckEnd(flow) => self.lame_duck_end(flow),
            Happening::Exit { server, life } => self.exit(server, life),
            Happening::Receive(flow, message) => self.receive(flow, message),
            Happening::Tell(client, event) => self.tell(client, event),
            Happening::Wake(client) => self.wake(client),
            Happening::GiveUp(flow) => self.give_up(flow),
            Happening::Drained { client, conn, flow } => self.drained(client, conn, flow),
            Happening::HealthCheck { client, conn } => self.check_health(client, conn),
            Happening::HealthCheckOverdue { client, conn, question } => {
                self.health_check_answered(client, conn, question, false);
            }
            Happening::HostBack(client) => self.host_back(client),
        }
    }

    /// The stalled client that is to do this.
    fn stalled(&self, happening: &Happening) -> Option<usize> {
        let client = match happening {
            Happening::Receive(flow, _) | Happening::GiveUp(flow) => self.flows.get(flow)?.client,
            Happening::Drained { client, .. }
            | Happening::HealthCheck { client, .. }
            | Happening::HealthCheckOverdue { client, .. }
            | Happening::Tell(client, _)
            | Happening::Wake(client) => *client,
            _ => return None,
        };
        self.hosts[client].is_stalled(self.now).then_some(client)
    }

    fn at(&mut self, at: Time, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), happening);
    }
}
