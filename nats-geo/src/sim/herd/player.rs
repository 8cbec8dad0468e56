//! One client with its pending inputs. The simulation runs it alone between two handshakes.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;
use std::time::Duration;

use super::client::{Ask, Failure, Maker, PROBE_ROUND_TRIPS, Program, Told};
use super::quiet::Quiet;
use super::{Herd, Loss};
use crate::core::{ConnId, EndpointId, QuietProbe, Time};

/// What is the same for everybody.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stage<'a> {
    pub(super) herd: &'a Herd,
    pub(super) maker: &'a Maker,
    /// PINGs and probes that change no decision are not played one by one.
    pub(super) skips_quiet_time: bool,
}

/// A client in the play.
#[derive(Clone, Debug)]
pub(super) struct Player {
    program: Program,
    /// The region that it sits in.
    pub(super) home: usize,
    links: Vec<Link>,
    /// What is on its way to it.
    queue: BinaryHeap<Reverse<Happening>>,
    sequence: u32,
    now: Time,
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
    /// What it asked for but PINGs, when, and its state when it was no probe.
    #[cfg(test)]
    pub(super) diary: Vec<(Time, Ask, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct Link {
    conn: ConnId,
    server: usize,
    is_open: bool,
}

/// A handshake that is asked for where others ask, too.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meeting {
    pub(super) at: Time,
    pub(super) server: usize,
    conn: ConnId,
    deadline: Time,
}

/// Something that happens to a client.
#[derive(Clone, Copy, Debug)]
struct Happening {
    at: Time,
    /// Of two at one moment, the one that was planned first comes first.
    sequence: u32,
    what: What,
}

#[derive(Clone, Copy, Debug)]
enum What {
    /// Its CONNECT reaches the server; it waits for an answer until then.
    Handshake(ConnId, Time),
    Told(Told),
}

impl Player {
    /// A client that starts now.
    pub(super) fn new(program: Program, home: usize, now: Time, stage: &Stage<'_>) -> Self {
        let mut player = Self {
            program,
            home,
            links: Vec::new(),
            queue: BinaryHeap::new(),
            sequence: 0,
            now,
            active: None,
            is_hit: false,
            dials: 0,
            handshakes: 0,
            back: None,
            at_home: None,
            #[cfg(test)]
            diary: Vec::new(),
        };
        player.ask_all(stage);
        player
    }

    pub(super) fn uses(&self, region: usize, herd: &Herd) -> bool {
        self.active.is_some_and(|(_, server)| herd.region_of(server) == region)
    }

    /// It takes no more room than what is in it.
    pub(super) fn shrink(&mut self) {
        self.queue.shrink_to_fit();
        self.links.shrink_to_fit();
    }

    /// Plays what comes before `end`, up to the next meeting.
    pub(super) fn run_until(&mut self, end: Time, stage: &Stage<'_>) -> Option<Meeting> {
        while self.next_at(end, stage).is_some_and(|at| at < end) {
            let meeting = self.step(stage);
            if meeting.is_some() {
                return meeting;
            }
        }
        None
    }

    /// When the next thing happens to it; quiet time up to there, or up to `end`, is over then.
    pub(super) fn next_at(&mut self, end: Time, stage: &Stage<'_>) -> Option<Time> {
        let told = self.told_at();
        if stage.skips_quiet_time {
            self.skip_quiet_time(told.map_or(end, |told| told.min(end)), stage);
        }
        // What went out meanwhile may be answered before.
        self.told_at().into_iter().chain(self.program.due()).min()
    }

    /// When something that is on its way arrives next.
    fn told_at(&self) -> Option<Time> {
        self.queue.peek().map(|Reverse(next)| next.at)
    }

    /// Plays the next thing that happens to it; what it is told comes before what it does by itself.
    pub(super) fn step(&mut self, stage: &Stage<'_>) -> Option<Meeting> {
        let (due, told) = (self.program.due(), self.told_at());
        if let Some(due) = due.filter(|due| told.is_none_or(|told| *due < told)) {
            self.now = self.now.max(due);
            self.program.wake(self.now);
        } else {
            let Reverse(Happening { at, what, .. }) = self.queue.pop()?;
            self.now = at;
            match what {
                What::Handshake(conn, deadline) => return self.handshake(conn, deadline, stage),
                What::Told(told) if !self.is_true_still(told) => return None,
                What::Told(told) => {
                    stage.maker.tell(&mut self.program, told, stage.herd.is_second_life(at), at);
                }
            }
        }
        self.ask_all(stage);
        None
    }

    /// The region is lost: if it has a link there it hears of it, unless the region fell silent.
    pub(super) fn lose(&mut self, herd: &Herd) {
        self.now = herd.loss_at();
        self.is_hit = self.uses(herd.lose, herd);
        if herd.loss == Loss::Blackhole {
            return;
        }
        for link in self.links.clone() {
            if herd.region_of(link.server) == herd.lose {
                let told = match link.is_open {
                    true => Told::Closed { conn: link.conn },
                    false => Told::OpenFailed { conn: link.conn, failure: Failure::Refused },
                };
                self.tell_after(self.rtt(link.server, herd) / 2, told);
            }
        }
    }

    /// The server did the handshake, or lost patience, at this moment.
    pub(super) fn answered(&mut self, meeting: Meeting, answer: Result<Time, Time>, herd: &Herd) {
        let Meeting { server, conn, deadline, .. } = meeting;
        let way_back = self.rtt(server, herd) / 2;
        let (at, told) = match answer {
            Ok(done) => (done + way_back, Told::Opened { conn, server }),
            Err(dropped) => (dropped + way_back, Told::OpenFailed { conn, failure: Failure::Dropped }),
        };
        let in_time = at <= deadline;
        let told = if in_time { told } else { Told::OpenFailed { conn, failure: Failure::TimedOut } };
        self.at(at.min(deadline), What::Told(told));
    }

    /// Quiet time: nothing comes in before `until`, and servers that are there answer PINGs and probes.
    fn skip_quiet_time(&mut self, until: Time, stage: &Stage<'_>) {
        let Program::Selector(selector) = &mut self.program else { return };
        let herd = stage.herd;
        let changes = [herd.loss_at(), herd.return_at()].into_iter().find(|change| self.now < *change);
        let until = changes.map_or(until, |change| until.min(change));
        let mut world = Quiet { stage, home: self.home, now: self.now, sent: Vec::new() };
        selector.skip_quiet_time(until, &mut world);
        for sent in world.sent {
            let QuietProbe { at, probe, endpoint: EndpointId(server), timeout, is_answered } = sent;
            let ask = Ask::Probe { probe, server: server as usize, timeout };
            #[cfg(test)]
            self.note(at, ask);
            if !is_answered {
                self.now = at;
                self.asked(ask, stage.herd);
            }
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

    /// Changes the links as told; whether the client is to know.
    fn is_true_still(&mut self, told: Told) -> bool {
        match told {
            Told::Probed { .. } | Told::ProbeFailed { .. } => true,
            Told::Opened { conn, .. } => {
                self.link(conn).is_some_and(|link| !std::mem::replace(&mut link.is_open, true))
            }
            Told::OpenFailed { conn, .. } => {
                self.link(conn).is_some_and(|link| !link.is_open) && self.end(conn).is_some()
            }
            Told::InUse { conn } | Told::Pong { conn, .. } => self.link(conn).is_some(),
            Told::Closed { conn } => self.end(conn).is_some(),
        }
    }

    fn ask_all(&mut self, stage: &Stage<'_>) {
        while let Some(ask) = self.program.poll() {
            #[cfg(test)]
            self.note(self.now, ask);
            self.asked(ask, stage.herd);
        }
    }

    fn asked(&mut self, ask: Ask, herd: &Herd) {
        match ask {
            Ask::Probe { probe, server, timeout } => {
                let rtt = self.rtt(server, herd);
                let time_to_info = u32::from(PROBE_ROUND_TRIPS) * rtt;
                match self.fails(server, rtt, timeout, herd) {
                    Some((after, failure)) => self.tell_after(after, Told::ProbeFailed { probe, failure }),
                    None => self.tell_after(time_to_info, Told::Probed { probe, server, time_to_info }),
                }
            }
            Ask::Dial { conn, server, timeout } => self.dial(conn, server, timeout, herd),
            Ask::Use { conn } => self.use_link(conn, herd),
            Ask::Ping { conn, ping } => {
                let Some(link) = self.link(conn).copied() else { return };
                let rtt = self.rtt(link.server, herd);
                // What the silence swallowed is sent again by TCP when it is over.
                let is_lost = herd.is_lost(link.server, self.now + rtt / 2);
                let at = if is_lost { herd.return_at() } else { self.now };
                let told = Told::Pong { conn, ping, rtt: at.since(self.now) + rtt };
                self.at(at + rtt, What::Told(told));
            }
            Ask::Close { conn } => _ = self.end(conn),
        }
    }

    fn dial(&mut self, conn: ConnId, server: usize, timeout: Duration, herd: &Herd) {
        let (now, rtt) = (self.now, self.rtt(server, herd));
        self.dials += u32::from(now >= herd.loss_at());
        self.links.push(Link { conn, server, is_open: false });
        match self.fails(server, rtt, timeout, herd) {
            Some((after, failure)) => self.tell_after(after, Told::OpenFailed { conn, failure }),
            // SYN, SYN-ACK and INFO, and CONNECT on its way.
            None => self.at(now + rtt * 5 / 2, What::Handshake(conn, now + timeout)),
        }
    }

    /// Whether, when and how a dial or a probe that begins now fails.
    fn fails(
        &self,
        server: usize,
        rtt: Duration,
        timeout: Duration,
        herd: &Herd,
    ) -> Option<(Duration, Failure)> {
        herd.is_lost(server, self.now + rtt / 2).then_some(match herd.loss {
            Loss::Crash => (rtt, Failure::Refused),
            Loss::Blackhole => (timeout, Failure::TimedOut),
        })
    }

    /// Before the loss nobody waits for anybody.
    fn handshake(&mut self, conn: ConnId, deadline: Time, stage: &Stage<'_>) -> Option<Meeting> {
        let (now, herd) = (self.now, stage.herd);
        // It may have hung up meanwhile.
        let server = self.link(conn)?.server;
        let meeting = Meeting { at: now, server, conn, deadline };
        if herd.is_lost(server, now) {
            let (at, failure) = match herd.loss {
                Loss::Crash => (now + self.rtt(server, herd) / 2, Failure::Refused),
                Loss::Blackhole => (deadline, Failure::TimedOut),
            };
            self.at(at, What::Told(Told::OpenFailed { conn, failure }));
        } else if now < herd.loss_at() {
            self.answered(meeting, Ok(now), herd);
        } else {
            self.handshakes += u32::from(herd.region_of(server) != herd.lose);
            return Some(meeting);
        }
        None
    }

    fn use_link(&mut self, conn: ConnId, herd: &Herd) {
        let now = self.now;
        let Some(link) = self.link(conn).copied() else { return };
        self.active = Some((conn, link.server));
        let is_home = herd.region_of(link.server) == self.home;
        self.at_home = if is_home { self.at_home.or(Some(now)) } else { None };
        if now >= herd.loss_at() {
            self.back.get_or_insert(now);
        }
        let rtt = self.rtt(link.server, herd);
        if !herd.is_lost(link.server, now + rtt / 2) {
            self.tell_after(rtt, Told::InUse { conn });
        }
    }

    fn rtt(&self, server: usize, herd: &Herd) -> Duration {
        herd.rtt[self.home][herd.region_of(server)]
    }

    fn tell_after(&mut self, delay: Duration, told: Told) {
        self.at(self.now + delay, What::Told(told));
    }

    fn at(&mut self, at: Time, what: What) {
        self.sequence += 1;
        self.queue.push(Reverse(Happening { at, sequence: self.sequence, what }));
    }

    /// All that its software knows and plans, as one number.
    #[cfg(test)]
    pub(super) fn state(&self) -> u64 {
        xxhash_rust::xxh64::xxh64(format!("{:?}", self.program).as_bytes(), 0)
    }

    #[cfg(test)]
    fn note(&mut self, at: Time, ask: Ask) {
        match ask {
            Ask::Ping { .. } => {}
            // They are many, and the state is written out in full.
            Ask::Probe { .. } => self.diary.push((at, ask, 0)),
            Ask::Dial { .. } | Ask::Use { .. } | Ask::Close { .. } => {
                self.diary.push((at, ask, self.state()));
            }
        }
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
