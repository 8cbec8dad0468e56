//! The clients of the simulation: each selector has a small driver, which follows the same steps as the native driver.

use std::collections::BTreeMap;
use std::time::Duration;

use super::health::HealthCheck;
use super::transport::{Flow, FlowId, Message, Purpose, Stage};
use super::{Happening, Seen, World};
use crate::core::rng::Rng;
use crate::core::{
    Action, Call, Cause, Config, ConfigError, ConnId, Endpoint, EndpointId, Event, Log, OpenError,
    ProbeError, ProbeReport, Selector, Time,
};

/// A timer fires late by up to this much: the granularity of tokio's.
const TIMER_GRANULARITY: Duration = Duration::from_millis(1);

/// A client's host: its selector, its clock, its network.
#[derive(Debug)]
pub(super) struct Host {
    pub(super) site: usize,
    pub(super) log: Log,
    pub(super) selector: Selector,
    rng: Rng,
    /// The clock of the host shows the time of the world, and this much more ...
    pub(super) ahead: Duration,
    /// ... and this much less.
    pub(super) behind: Duration,
    pub(super) cut_out: bool,
    pub(super) cut_in: bool,
    /// Nothing runs before.
    pub(super) stalled_until: Time,
    /// Nothing arrives before.
    pub(super) asleep_until: Time,
    /// The connections of its links.
    links: BTreeMap<ConnId, FlowId>,
    pub(super) health_checks: BTreeMap<ConnId, HealthCheck>,
    /// What waits until the host goes on.
    held: Vec<Happening>,
    /// When the timer is to fire, in the time of the world.
    armed: Option<Time>,
}

impl Host {
    pub(super) fn new(site: usize, config: &Config, rng: &mut Rng) -> Result<Self, ConfigError> {
        let seed = rng.next_u64();
        Ok(Self {
            site,
            selector: Selector::new(config.clone(), seed, Time::ZERO)?,
            log: Log::new(config.clone(), seed, Time::ZERO),
            rng: Rng::new(rng.next_u64()),
            ahead: Duration::ZERO,
            behind: Duration::ZERO,
            cut_out: false,
            cut_in: false,
            stalled_until: Time::ZERO,
            asleep_until: Time::ZERO,
            links: BTreeMap::new(),
            health_checks: BTreeMap::new(),
            held: Vec::new(),
            armed: None,
        })
    }

    pub(super) fn is_stalled(&self, now: Time) -> bool {
        now < self.stalled_until
    }

    pub(super) fn is_cut_out(&self, now: Time) -> bool {
        self.cut_out || now < self.asleep_until
    }

    pub(super) fn is_cut_in(&self, now: Time) -> bool {
        self.cut_in || now < self.asleep_until
    }

    pub(super) fn hold(&mut self, happening: Happening) {
        self.held.push(happening);
    }

    pub(super) fn clock(&self, now: Time) -> Time {
        let shown = now.since_start().saturating_add(self.ahead).saturating_sub(self.behind);
        Time::from_start(shown)
    }

    /// When, in the time of the world, the clock shows `at`.
    fn world_time(&self, at: Time) -> Time {
        let shown = at.since_start().saturating_add(self.behind).saturating_sub(self.ahead);
        Time::from_start(shown)
    }
}

impl World {
    pub(super) fn discover(&mut self, client: usize, server: usize) {
        let endpoint = Endpoint::new(EndpointId(server as u64), self.servers[server].name.clone());
        self.happen(Happening::Tell(client, Event::Discovered(endpoint)));
    }

    pub(super) fn tell(&mut self, client: usize, event: Event) {
        self.call(client, Call::Event(event));
    }

    fn call(&mut self, client: usize, call: Call) {
        let host = &mut self.hosts[client];
        let at = host.clock(self.now);
        match &call {
            Call::Event(event) => host.selector.handle_event(event.clone(), at),
            Call::Timeout => host.selector.handle_timeout(at),
        }
        host.log.calls.push((at, call.clone()));
        self.seen.push(Seen::Called { client, call });
        while let Some(action) = self.hosts[client].selector.poll_action() {
            self.hosts[client].log.actions.push((at, action.clone()));
            self.seen.push(Seen::Decided { client, at, action: action.clone() });
            self.perform(client, action);
        }
        self.seen.push(Seen::CallOver { client });
        self.arm(client);
    }

    fn arm(&mut self, client: usize) {
        let host = &mut self.hosts[client];
        let Some(due) = host.selector.poll_timeout() else { return };
        let at = host.world_time(due).max(self.now) + host.rng.up_to(TIMER_GRANULARITY);
        if host.armed.is_none_or(|armed| at < armed) {
            host.armed = Some(at);
            self.at(at, Happening::Wake(client));
        }
    }

    /// The timer fires. Spurious ones are of no harm.
    pub(super) fn wake(&mut self, client: usize) {
        let host = &mut self.hosts[client];
        if host.armed.is_some_and(|armed| armed > self.now) {
            return;
        }
        host.armed = None;
        let now = host.clock(self.now);
        if host.selector.poll_timeout().is_some_and(|due| due <= now) {
            self.call(client, Call::Timeout);
        }
        self.arm(client);
    }

    /// The host goes on. Whether its timer or its sockets come first is chance.
    pub(super) fn host_back(&mut self, client: usize) {
        let now = self.now;
        let host = &mut self.hosts[client];
        if host.is_stalled(now) {
            return;
        }
        host.armed = None;
        let held = std::mem::take(&mut host.held);
        if host.rng.unit() < 0.5 {
            self.wake(client);
        }
        for happening in held {
            self.happen(happening);
        }
        self.wake(client);
    }

    fn perform(&mut self, client: usize, action: Action) {
        match action {
            Action::Probe { probe, endpoint, timeout } => {
                self.dial(client, endpoint, Purpose::Probe(probe), timeout);
            }
            Action::Open { conn, endpoint, timeout } => {
                self.dial(client, endpoint, Purpose::Link(conn), timeout);
            }
            Action::Ping { conn, ping } => {
                let sent = self.hosts[client].clock(self.now);
                self.send_on(client, conn, Message::Ping { ping, sent });
            }
            Action::Activate { conn, handover } => self.activate(client, conn, handover),
            Action::Close { conn, overlap, drain } => {
                let flow = self.flow_of(client, conn);
                if let Some(flow) = flow.and_then(|flow| self.flows.get_mut(&flow)) {
                    flow.stage = Stage::Draining;
                }
                let over = self.now + overlap + self.hosts[client].rng.up_to(drain);
                self.at(over, Happening::Drained { client, conn, flow });
            }
            Action::Notify(_) => {}
        }
    }

    fn dial(&mut self, client: usize, endpoint: EndpointId, purpose: Purpose, timeout: Duration) {
        let id = self.next_flow;
        self.next_flow += 1;
        let since = self.hosts[client].clock(self.now);
        let server = usize::try_from(endpoint.0).unwrap_or(usize::MAX);
        self.flows.insert(id, Flow::new(client, server, purpose, since));
        if let Purpose::Link(conn) = purpose {
            self.hosts[client].links.insert(conn, id);
        }
        self.send_to_server(id, Message::Syn);
        self.at(self.now + timeout, Happening::GiveUp(id));
    }

    pub(super) fn send_on(&mut self, client: usize, conn: ConnId, message: Message) {
        if let Some(flow) = self.flow_of(client, conn) {
            self.send_to_server(flow, message);
        }
    }

    fn flow_of(&self, client: usize, conn: ConnId) -> Option<FlowId> {
        self.hosts[client].links.get(&conn).copied()
    }

    /// The client forgets a connection.
    fn forget(&mut self, id: FlowId) -> Option<Flow> {
        let flow = self.flows.remove(&id)?;
        if let Purpose::Link(conn) = flow.purpose {
            let host = &mut self.hosts[flow.client];
            host.links.remove(&conn);
            host.health_checks.remove(&conn);
        }
        Some(flow)
    }

    pub(super) fn give_up(&mut self, id: FlowId) {
        let Some(flow) = self.flows.get(&id).filter(|flow| flow.stage == Stage::Dialing) else { return };
        let (client, purpose) = (flow.client, flow.purpose);
        self.forget(id);
        self.tell(client, failed(purpose, ProbeError::TimedOut, OpenError::TimedOut));
    }

    pub(super) fn drained(&mut self, client: usize, conn: ConnId, flow: Option<FlowId>) {
        if flow.is_some_and(|flow| self.forget(flow).is_some()) {
            self.tell(client, Event::Closed { conn, cause: Cause::Requested });
        }
    }

    /// A message has reached the client of this connection.
    pub(super) fn receive(&mut self, id: FlowId, message: Message) {
        let Some(flow) = self.flows.get_mut(&id) else { return };
        let (client, purpose, stage) = (flow.client, flow.purpose, flow.stage);
        match (message, purpose) {
            (Message::SynAck, _) => self.send_to_server(id, Message::Ack),
            (Message::Info, Purpose::Probe(probe)) => {
                let (since, server) = (flow.since, &self.servers[flow.server]);
                let identity = server.identity(self.regions[server.region]);
                let time_to_info = self.hosts[client].clock(self.now).since(since);
                self.forget(id);
                let report = ProbeReport { time_to_info, round_trips: 2, identity };
                self.tell(client, Event::Probed { probe, result: Ok(report) });
            }
            (Message::Info, Purpose::Link(_)) => self.send_to_server(id, Message::Connect),
            (Message::Welcome, Purpose::Link(conn)) if stage == Stage::Dialing => {
                flow.stage = Stage::Open;
                let server = &self.servers[flow.server];
                let identity = server.identity(self.regions[server.region]);
                self.tell(client, Event::Opened { conn, identity });
            }
            (Message::Pong { ping, sent }, _) => {
                let rtt = self.hosts[client].clock(self.now).since(sent);
                self.tell(client, Event::Pong { ping, rtt });
            }
            (Message::Subscribed, Purpose::Link(conn)) => self.tell(client, Event::Activated { conn }),
            (Message::Told { question, passed }, Purpose::Link(conn)) => {
                self.health_check_answered(client, conn, question, passed);
            }
            (Message::LameDuck, Purpose::Link(conn)) => self.tell(client, Event::LameDuck(conn)),
            (Message::Refused, _) => {
                self.forget(id);
                self.tell(client, failed(purpose, ProbeError::Refused, OpenError::Refused));
            }
            (Message::AuthRefused, _) => {
                self.received_end(id, Cause::Auth("Authorization Violation".into()));
            }
            (Message::End(cause), _) => self.received_end(id, cause),
            _ => {}
        }
    }

    /// The server has ended the connection.
    fn received_end(&mut self, id: FlowId, cause: Cause) {
        let Some(flow) = self.forget(id) else { return };
        let event = match (flow.purpose, flow.stage, cause) {
            (Purpose::Link(conn), Stage::Dialing, Cause::Auth(why)) => {
                Event::OpenFailed { conn, error: OpenError::Auth(why) }
            }
            (purpose, Stage::Dialing, cause) => {
                failed(purpose, ProbeError::Closed, OpenError::Other(cause.to_string()))
            }
            (Purpose::Link(conn), _, cause) => Event::Closed { conn, cause },
            (Purpose::Probe(_), _, _) => return,
        };
        self.tell(flow.client, event);
    }
}

fn failed(purpose: Purpose, probe_error: ProbeError, open_error: OpenError) -> Event {
    match purpose {
        Purpose::Probe(probe) => Event::Probed { probe, result: Err(probe_error) },
        Purpose::Link(conn) => Event::OpenFailed { conn, error: open_error },
    }
}
