//! A small simulated world for tests of the selector: servers with a round-trip time and a state, and events in the
//! order of their times.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::super::super::{
    Action, Cause, Config, ConnId, Endpoint, EndpointId, Event, Handover, Notice, NoticeKind, OpenError,
    PingId, ProbeError, ProbeId, ProbeReport, Selector, ServerIdentity, Time,
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Mood {
    Up,
    /// Nobody listens; connections were closed.
    Down,
    /// Nothing comes back.
    Silent,
    /// The credentials are refused.
    Locked,
    /// One connection per account.
    Limited,
    /// Room for no other client, whoever asks.
    Full,
    /// Too much to do for another client.
    Overloaded,
}

pub(super) struct Server {
    pub(super) region: &'static str,
    pub(super) rtt: Duration,
    pub(super) mood: Mood,
    /// Grows with each restart.
    pub(super) life: u32,
}

pub(super) struct World {
    pub(super) selector: Selector,
    pub(super) now: Time,
    pub(super) servers: Vec<Server>,
    pub(super) actions: Vec<(Time, Action)>,
    queue: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    /// Open connections and their servers.
    conns: BTreeMap<ConnId, usize>,
    /// When answers to probes are read at the earliest.
    busy: Duration,
    /// Connections that nothing comes back on, though their server lives.
    hung: BTreeSet<ConnId>,
    /// Regions that answer, but fail the checks of the application.
    pub(super) unhealthy: BTreeSet<&'static str>,
}

impl World {
    /// lon at 1 ms, ams at 9, dal at 113, three servers each; the client sits in lon.
    pub(super) fn new(config: Config, seed: u64) -> Self {
        Self::of(&[("lon", 1), ("ams", 9), ("dal", 113)], 3, config, seed)
    }

    pub(super) fn of(regions: &[(&'static str, u64)], per_region: usize, config: Config, seed: u64) -> Self {
        Self::busy_at_start(regions, per_region, config, seed, Duration::ZERO)
    }

    /// The process reads no answer to its first probes before `busy`.
    pub(super) fn busy_at_start(
        regions: &[(&'static str, u64)],
        per_region: usize,
        config: Config,
        seed: u64,
        busy: Duration,
    ) -> Self {
        let selector = Selector::new(config, seed, Time::ZERO).unwrap();
        let server = |(region, rtt_ms): &(&'static str, u64)| Server {
            region,
            rtt: Duration::from_millis(*rtt_ms),
            mood: Mood::Up,
            life: 0,
        };
        let servers =
            regions.iter().flat_map(|region| (0..per_region).map(move |_| server(region))).collect();
        let mut world = Self {
            selector,
            now: Time::ZERO,
            servers,
            actions: Vec::new(),
            queue: BTreeMap::new(),
            sequence: 0,
            conns: BTreeMap::new(),
            busy,
            hung: BTreeSet::new(),
            unhealthy: BTreeSet::new(),
        };
        for index in 0..world.servers.len() {
            let address = format!("{}-{index}:4222", world.servers[index].region);
            world.event(Event::Discovered(Endpoint::new(EndpointId(index as u64), address)));
        }
        world.busy = Duration::ZERO;
        world
    }

    /// A world in which the client has been at home for ten seconds.
    pub(super) fn settled(config: Config, seed: u64) -> Self {
        let mut world = Self::new(config, seed);
        world.run_for(Duration::from_secs(10));
        assert_eq!(world.region(), Some("lon"));
        world
    }

    pub(super) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        loop {
            let event_at = self.queue.first_key_value().map(|((at, _), _)| *at);
            let timeout_at = self.selector.poll_timeout();
            let next = [event_at, timeout_at].into_iter().flatten().min().filter(|at| *at <= end);
            let Some(next) = next else { break };
            self.now = self.now.max(next);
            match event_at {
                Some(at) if at <= next => {
                    let (_, event) = self.queue.pop_first().unwrap();
                    self.event(event);
                }
                _ => {
                    self.selector.handle_timeout(self.now);
                    self.perform_all();
                    let due = self.selector.poll_timeout();
                    assert!(due.is_none_or(|due| due > self.now), "still due at {}: {due:?}", self.now);
                }
            }
        }
        self.now = end;
    }

    pub(super) fn event(&mut self, event: Event) {
        self.selector.handle_event(event, self.now);
        self.perform_all();
    }

    /// The server dies: its connections end after half a round trip.
    pub(super) fn kill(&mut self, server: usize) {
        self.servers[server].mood = Mood::Down;
        let delay = self.servers[server].rtt / 2;
        let dead: Vec<_> =
            self.conns.iter().filter(|(_, at)| **at == server).map(|(conn, _)| *conn).collect();
        for conn in dead {
            self.conns.remove(&conn);
            self.later(delay, Event::Closed { conn, cause: Cause::Eof });
        }
    }

    pub(super) fn hang(&mut self, conn: ConnId) {
        self.hung.insert(conn);
    }

    /// The host sleeps: time passes, and what happened meanwhile arrives afterwards.
    pub(super) fn sleep(&mut self, duration: Duration) {
        self.now += duration;
        self.selector.handle_timeout(self.now);
        self.perform_all();
    }

    /// The PINGs that went out on `conn` since then are answered after all.
    pub(super) fn late_pongs(&mut self, conn: ConnId, since: Time) {
        for (at, action) in self.actions.clone() {
            match action {
                Action::Ping { conn: on, ping } if on == conn && at >= since => {
                    self.event(Event::Pong { ping, rtt: Duration::from_millis(800) });
                }
                _ => {}
            }
        }
    }

    /// Its connections are not told.
    pub(super) fn silence(&mut self, server: usize) {
        self.servers[server].mood = Mood::Silent;
    }

    pub(super) fn restart(&mut self, server: usize) {
        self.servers[server].mood = Mood::Up;
        self.servers[server].life += 1;
    }

    pub(super) fn in_region(&self, region: &str) -> Vec<usize> {
        (0..self.servers.len()).filter(|index| self.servers[*index].region == region).collect()
    }

    pub(super) fn active(&self) -> Option<usize> {
        self.selector.snapshot(self.now).active.map(|place| place.endpoint.0 as usize)
    }

    pub(super) fn active_conn(&self) -> ConnId {
        self.selector.snapshot(self.now).active.unwrap().conn
    }

    pub(super) fn region(&self) -> Option<&'static str> {
        self.active().map(|server| self.servers[server].region)
    }

    pub(super) fn open_conns(&self) -> Vec<usize> {
        self.conns.values().copied().collect()
    }

    /// What was said since `since`, with the time that had passed.
    pub(super) fn notices(&self, since: Time) -> Vec<(Duration, NoticeKind)> {
        let notice = |(_, action): &(Time, Action)| match action {
            Action::Notify(Notice { at, kind }) if *at >= since => Some((at.since(since), kind.clone())),
            _ => None,
        };
        self.actions.iter().filter_map(notice).collect()
    }

    pub(super) fn opens(&self, since: Time) -> Vec<(Duration, usize)> {
        let open = |(at, action): &(Time, Action)| match action {
            Action::Open { endpoint, .. } if *at >= since => Some((at.since(since), endpoint.0 as usize)),
            _ => None,
        };
        self.actions.iter().filter_map(open).collect()
    }

    fn perform_all(&mut self) {
        while let Some(action) = self.selector.poll_action() {
            self.actions.push((self.now, action.clone()));
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Probe { probe, endpoint, timeout } => self.probe(probe, endpoint, timeout),
            Action::Open { conn, endpoint, timeout } => self.open(conn, endpoint, timeout),
            Action::Ping { conn, ping } => self.ping(conn, ping),
            Action::Activate { conn, handover } => {
                assert!(matches!(handover, Handover::Pipelined | Handover::AfterBarrier));
                if let Some(server) = self.answering(conn) {
                    let Server { region, rtt, .. } = self.servers[server];
                    // An unplanned move waits for no check.
                    let is_barred = self.unhealthy.contains(region) && handover == Handover::AfterBarrier;
                    self.later(rtt, if is_barred { unhealthy(conn) } else { Event::Activated { conn } });
                }
            }
            Action::Close { conn, drain, .. } => {
                if self.conns.remove(&conn).is_some() {
                    self.later(drain, Event::Closed { conn, cause: Cause::Requested });
                }
            }
            Action::Notify(_) => {}
        }
    }

    fn probe(&mut self, probe: ProbeId, endpoint: EndpointId, timeout: Duration) {
        let server = &self.servers[endpoint.0 as usize];
        let (delay, result) = match server.mood {
            Mood::Down => (server.rtt, Err(ProbeError::Refused)),
            Mood::Silent => (timeout, Err(ProbeError::TimedOut)),
            _ => {
                let time_to_info = (2 * server.rtt).max(self.busy);
                let identity = identity(endpoint.0 as usize, server);
                (time_to_info, Ok(ProbeReport { time_to_info, round_trips: 2, identity }))
            }
        };
        self.later(delay, Event::Probed { probe, result });
    }

    fn open(&mut self, conn: ConnId, endpoint: EndpointId, timeout: Duration) {
        let index = endpoint.0 as usize;
        let server = &self.servers[index];
        let rtt = server.rtt;
        let fail = |error| Event::OpenFailed { conn, error };
        let (delay, event) = match server.mood {
            Mood::Up => (3 * rtt, Event::Opened { conn, identity: identity(index, server) }),
            Mood::Limited if self.conns.is_empty() => {
                (3 * rtt, Event::Opened { conn, identity: identity(index, server) })
            }
            Mood::Limited => (3 * rtt, fail(OpenError::ConnectionLimit)),
            Mood::Full => (3 * rtt, fail(OpenError::ServerFull)),
            Mood::Overloaded => (2 * rtt, fail(OpenError::Overloaded("throttling".into()))),
            Mood::Down => (rtt, fail(OpenError::Refused)),
            Mood::Silent => (timeout, fail(OpenError::TimedOut)),
            Mood::Locked => (3 * rtt, fail(OpenError::Auth("no".into()))),
        };
        if matches!(event, Event::Opened { .. }) {
            self.conns.insert(conn, index);
        }
        self.later(delay, event);
    }

    fn ping(&mut self, conn: ConnId, ping: PingId) {
        if let Some(server) = self.answering(conn) {
            let rtt = self.servers[server].rtt;
            self.later(rtt, Event::Pong { ping, rtt });
        }
    }

    fn answering(&self, conn: ConnId) -> Option<usize> {
        let server = *self.conns.get(&conn)?;
        (self.servers[server].mood != Mood::Silent && !self.hung.contains(&conn)).then_some(server)
    }

    pub(super) fn later(&mut self, delay: Duration, event: Event) {
        self.sequence += 1;
        self.queue.insert((self.now + delay, self.sequence), event);
    }
}

pub(super) fn unhealthy(conn: ConnId) -> Event {
    Event::Unhealthy { conn, why: "JetStream does not answer".into() }
}

fn identity(index: usize, server: &Server) -> ServerIdentity {
    ServerIdentity::new(format!("server-{index}-{}", server.life), Some(server.region))
}
