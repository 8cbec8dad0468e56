//! The queue of happenings: who is told what, and when.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

use super::client::{Ask, Failure, Maker, Program, Told};
use super::{Herd, Loss};
use crate::core::{ConnId, Time};
use crate::sim::server::Server;

/// Clients, servers and what is on its way.
#[derive(Clone, Debug)]
pub(super) struct World<'a> {
    pub(super) herd: &'a Herd,
    maker: &'a Maker,
    pub(super) clients: Vec<Client>,
    queue: BinaryHeap<Reverse<Happening>>,
    sequence: u64,
    now: Time,
    /// Handshakes have to wait for each other.
    servers: Option<Vec<Server>>,
    /// Handshakes that each server was asked for, in each second since the loss.
    pub(super) load: Vec<Vec<u32>>,
}

#[derive(Clone, Debug)]
pub(super) struct Client {
    program: Program,
    /// The region that it sits in.
    pub(super) home: usize,
    links: Vec<Link>,
    wakes: Option<Time>,
    /// The server that new traffic goes to.
    active: Option<(ConnId, usize)>,
    /// It used the region that was lost.
    pub(super) is_hit: bool,
    /// Dials since the loss.
    pub(super) dials: u32,
    /// Handshakes that it asked others than the lost region for, since the loss.
    pub(super) handshakes: u32,
    /// When it had a place for its traffic again.
    pub(super) back: Option<Time>,
    /// Since when it has used its home region again.
    pub(super) at_home: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    conn: ConnId,
    server: usize,
    is_open: bool,
}

impl Client {
    pub(super) const fn new(program: Program, home: usize) -> Self {
        Self {
            program,
            home,
            links: Vec::new(),
            wakes: None,
            active: None,
            is_hit: false,
            dials: 0,
            handshakes: 0,
            back: None,
            at_home: None,
        }
    }

    fn link(&mut self, conn: ConnId) -> Option<&mut Link> {
        self.links.iter_mut().find(|link| link.conn == conn)
    }

    /// Takes a link out; says whether it was open.
    fn end(&mut self, conn: ConnId) -> Option<bool> {
        let place = self.links.iter().position(|link| link.conn == conn)?;
        if self.active.is_some_and(|(active, _)| active == conn) {
            self.active = None;
            self.at_home = None;
        }
        Some(self.links.swap_remove(place).is_open)
    }
}

/// Something that happens to a client.
#[derive(Clone, Copy, Debug)]
struct Happening {
    at: Time,
    /// Of two at one moment, the one that was planned first comes first.
    sequence: u64,
    client: u32,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    Wake,
    /// Its CONNECT reaches the server; it waits for an answer until then.
    Handshake(ConnId, Time),
    Told(Told),
}

impl<'a> World<'a> {
    pub(super) fn new(herd: &'a Herd, maker: &'a Maker, meets: bool) -> Self {
        let server = |number| Server::new(String::new(), herd.region_of(number), herd.accepts_per_second);
        Self {
            herd,
            maker,
            clients: Vec::new(),
            queue: BinaryHeap::new(),
            sequence: 0,
            now: Time::ZERO,
            servers: meets.then(|| (0..herd.servers()).map(server).collect()),
            load: if meets { vec![Vec::new(); herd.servers()] } else { Vec::new() },
        }
    }

    pub(super) fn enter(&mut self, client: Client, now: Time) {
        self.now = now;
        self.clients.push(client);
        self.ask_all(self.clients.len() - 1);
    }

    /// Takes the clients of another world in, with what is on its way to them.
    pub(super) fn join(&mut self, other: Self) {
        let first = self.clients.len() as u32;
        self.clients.extend(other.clients);
        // In their order, which the numbers that they get here keep.
        for Reverse(happening) in other.queue.into_sorted_vec().into_iter().rev() {
            self.at(happening.at, first + happening.client, happening.what);
        }
    }

    pub(super) fn uses(&self, client: usize, region: usize) -> bool {
        self.clients[client].active.is_some_and(|(_, server)| self.herd.region_of(server) == region)
    }

    /// Whether its clients dial anybody from the loss until `end`, as long as they meet nobody.
    pub(super) fn dials_until(&self, end: Time) -> bool {
        let mut rest = self.clone();
        rest.lose();
        rest.run_until(end);
        rest.clients.iter().any(|client| client.dials > 0)
    }

    /// The region is lost: whoever has a link there hears of it, unless it fell silent.
    pub(super) fn lose(&mut self) {
        self.now = self.herd.loss_at();
        if self.herd.loss == Loss::Blackhole {
            return;
        }
        for client in 0..self.clients.len() {
            for link in self.clients[client].links.clone() {
                if self.herd.region_of(link.server) == self.herd.lose {
                    let told = match link.is_open {
                        true => Told::Closed { conn: link.conn },
                        false => Told::OpenFailed { conn: link.conn, failure: Failure::Refused },
                    };
                    self.tell_after(self.rtt(client, link.server) / 2, client, told);
                }
            }
        }
    }

    pub(super) fn run_until(&mut self, end: Time) {
        while let Some(Reverse(next)) = self.queue.peek().filter(|Reverse(next)| next.at < end) {
            let Happening { at, client, what, .. } = *next;
            self.queue.pop();
            self.now = at;
            self.happen(client as usize, what);
        }
        self.now = end;
    }

    fn happen(&mut self, client: usize, what: What) {
        let now = self.now;
        match what {
            What::Wake if self.clients[client].wakes != Some(now) => return,
            What::Wake => {
                self.clients[client].wakes = None;
                self.clients[client].program.wake(now);
            }
            What::Handshake(conn, deadline) => return self.handshake(client, conn, deadline),
            What::Told(told) => {
                if !self.is_true_still(client, told) {
                    return;
                }
                let is_second_life = self.herd.loss == Loss::Crash && now >= self.herd.return_at();
                self.maker.tell(&mut self.clients[client].program, told, is_second_life, now);
            }
        }
        self.ask_all(client);
    }

    /// Changes the links as told; whether the client is to know.
    fn is_true_still(&mut self, client: usize, told: Told) -> bool {
        let client = &mut self.clients[client];
        match told {
            Told::Probed { .. } | Told::ProbeFailed { .. } => true,
            Told::Opened { conn, .. } => {
                client.link(conn).is_some_and(|link| !std::mem::replace(&mut link.is_open, true))
            }
            Told::OpenFailed { conn, .. } => {
                client.link(conn).is_some_and(|link| !link.is_open) && client.end(conn).is_some()
            }
            Told::InUse { conn } | Told::Pong { conn, .. } => client.link(conn).is_some(),
            Told::Closed { conn } => client.end(conn).is_some(),
        }
    }

    fn ask_all(&mut self, client: usize) {
        while let Some(ask) = self.clients[client].program.poll() {
            self.asked(client, ask);
        }
        let due = self.clients[client].program.due();
        if due != self.clients[client].wakes {
            self.clients[client].wakes = due;
            if let Some(due) = due {
                self.at(due, client as u32, What::Wake);
            }
        }
    }

    fn asked(&mut self, client: usize, ask: Ask) {
        match ask {
            Ask::Probe { probe, server, timeout } => {
                let rtt = self.rtt(client, server);
                let time_to_info = u32::from(super::client::PROBE_ROUND_TRIPS) * rtt;
                match self.fails(server, rtt, timeout) {
                    Some((after, failure)) => {
                        self.tell_after(after, client, Told::ProbeFailed { probe, failure })
                    }
                    None => {
                        self.tell_after(time_to_info, client, Told::Probed { probe, server, time_to_info })
                    }
                }
            }
            Ask::Dial { conn, server, timeout } => self.dial(client, conn, server, timeout),
            Ask::Use { conn } => self.use_link(client, conn),
            Ask::Ping { conn, ping } => {
                let Some(link) = self.clients[client].link(conn).copied() else { return };
                let rtt = self.rtt(client, link.server);
                // What the silence swallowed is sent again by TCP when it is over.
                let is_lost = self.herd.is_lost(link.server, self.now + rtt / 2);
                let at = if is_lost { self.herd.return_at() } else { self.now };
                let told = Told::Pong { conn, ping, rtt: at.since(self.now) + rtt };
                self.at(at + rtt, client as u32, What::Told(told));
            }
            Ask::Close { conn } => _ = self.clients[client].end(conn),
        }
    }

    fn dial(&mut self, client: usize, conn: ConnId, server: usize, timeout: Duration) {
        let (now, rtt) = (self.now, self.rtt(client, server));
        self.clients[client].dials += u32::from(now >= self.herd.loss_at());
        self.clients[client].links.push(Link { conn, server, is_open: false });
        match self.fails(server, rtt, timeout) {
            Some((after, failure)) => self.tell_after(after, client, Told::OpenFailed { conn, failure }),
            // SYN, SYN-ACK and INFO, and CONNECT on its way.
            None => self.at(now + rtt * 5 / 2, client as u32, What::Handshake(conn, now + timeout)),
        }
    }

    /// Whether, when and how a dial or a probe that begins now fails.
    fn fails(&self, server: usize, rtt: Duration, timeout: Duration) -> Option<(Duration, Failure)> {
        self.herd.is_lost(server, self.now + rtt / 2).then_some(match self.herd.loss {
            Loss::Crash => (rtt, Failure::Refused),
            Loss::Blackhole => (timeout, Failure::TimedOut),
        })
    }

    fn handshake(&mut self, client: usize, conn: ConnId, deadline: Time) {
        let now = self.now;
        // It may have hung up meanwhile.
        let Some(server) = self.clients[client].link(conn).map(|link| link.server) else { return };
        let way_back = self.rtt(client, server) / 2;
        if self.herd.is_lost(server, now) {
            let (at, failure) = match self.herd.loss {
                Loss::Crash => (now + way_back, Failure::Refused),
                Loss::Blackhole => (deadline, Failure::TimedOut),
            };
            return self.at(at, client as u32, What::Told(Told::OpenFailed { conn, failure }));
        }
        self.count(client, server);
        let answer = match &mut self.servers {
            Some(servers) => servers[server].handshake(now),
            None => Ok(now),
        };
        let (at, told) = match answer {
            Ok(done) => (done + way_back, Told::Opened { conn, server }),
            Err(dropped) => (dropped + way_back, Told::OpenFailed { conn, failure: Failure::Dropped }),
        };
        let in_time = at <= deadline;
        let told = if in_time { told } else { Told::OpenFailed { conn, failure: Failure::TimedOut } };
        self.at(at.min(deadline), client as u32, What::Told(told));
    }

    fn count(&mut self, client: usize, server: usize) {
        let Some(load) = self.load.get_mut(server) else { return };
        let second = self.now.since(self.herd.loss_at()).as_secs() as usize;
        if load.len() <= second {
            load.resize(second + 1, 0);
        }
        load[second] += 1;
        if self.herd.region_of(server) != self.herd.lose {
            self.clients[client].handshakes += 1;
        }
    }

    fn use_link(&mut self, client: usize, conn: ConnId) {
        let (now, herd) = (self.now, self.herd);
        let Some(link) = self.clients[client].link(conn).copied() else { return };
        let user = &mut self.clients[client];
        user.active = Some((conn, link.server));
        let is_home = herd.region_of(link.server) == user.home;
        user.at_home = if is_home { user.at_home.or(Some(now)) } else { None };
        if now >= herd.loss_at() {
            user.back.get_or_insert(now);
        }
        let rtt = self.rtt(client, link.server);
        if !herd.is_lost(link.server, now + rtt / 2) {
            self.tell_after(rtt, client, Told::InUse { conn });
        }
    }

    fn rtt(&self, client: usize, server: usize) -> Duration {
        self.herd.rtt[self.clients[client].home][self.herd.region_of(server)]
    }

    fn tell_after(&mut self, delay: Duration, client: usize, told: Told) {
        self.at(self.now + delay, client as u32, What::Told(told));
    }

    fn at(&mut self, at: Time, client: u32, what: What) {
        self.sequence += 1;
        self.queue.push(Reverse(Happening { at, sequence: self.sequence, client, what }));
    }
}

impl Ord for Happening {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl PartialOrd for Happening {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Happening {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Happening {}
