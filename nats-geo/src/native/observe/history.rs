//! The history of a client: the servers that it used, the reason for each move, and the duration of each phase.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::Serialize;

use super::report::{optional_millis, time_millis};
use crate::core::{ConnId, Event, MoveCause, Notice, NoticeKind, Region, ServerRef, Time};

/// A server, with its region and its address.
#[derive(Clone, Debug, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Peer {
    /// The server's region.
    pub region: Region,
    /// The server's name; `None` if it is not known.
    pub server: Option<String>,
    /// The server's `host:port`.
    pub address: String,
}

impl From<&ServerRef> for Peer {
    fn from(place: &ServerRef) -> Self {
        let ServerRef { region, server, address, .. } = place;
        Self { region: region.clone(), server: server.clone(), address: address.clone() }
    }
}

/// A move of new traffic to another link.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Move {
    /// Time of the move, on the client's clock.
    #[serde(rename = "at_ms", serialize_with = "time_millis")]
    pub at: Time,
    /// Server that got new traffic before the move.
    pub from: Peer,
    /// Server that gets new traffic after the move.
    pub to: Peer,
    /// The reason.
    pub cause: MoveCause,
    /// The durations of the phases of the move.
    #[serde(flatten)]
    pub phases: Phases,
}

/// Durations of the phases of a move. If a phase did not take place, its duration is `None`.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Phases {
    /// Time from the last data of the old link until the link became suspect or lost. The failure began at most this
    /// long before the client noticed it. `None` if the old link worked.
    #[serde(rename = "detect_ms", serialize_with = "optional_millis")]
    pub detect: Option<Duration>,
    /// Time from the end of `detect`, or from the announcement of the lame duck, to the start of the successful dial.
    /// This time includes random delays, back-off and failed dials. `None` if the old link worked and its server was
    /// no lame duck, such as in a fail back.
    #[serde(rename = "select_ms", serialize_with = "optional_millis")]
    pub select: Option<Duration>,
    /// Duration of the dial, up to the PONG. `None` if the link was already open: a standby, or a silent link that
    /// answers again.
    #[serde(rename = "connect_ms", serialize_with = "optional_millis")]
    pub connect: Option<Duration>,
    /// Time from the end of `connect` until the server has confirmed all subscriptions. `None` until then.
    #[serde(rename = "resume_ms", serialize_with = "optional_millis")]
    pub resume: Option<Duration>,
}

/// Moves that are remembered: a bad day. Older ones are in the counters only.
pub(crate) const MOVES_MAX: usize = 32;

/// The history of a client.
#[derive(Debug, Default)]
pub(crate) struct History {
    /// The link that new traffic goes to, its region, and since when that is so.
    here: Option<(ConnId, Region)>,
    since: Time,
    was_connected: bool,
    is_closed: bool,
    time_by_region: BTreeMap<Region, Duration>,
    time_offline: Duration,
    moves_by_cause: BTreeMap<MoveCause, u64>,
    /// Oldest first, with the links that they led to.
    moves: VecDeque<(ConnId, Move)>,
    links: BTreeMap<ConnId, Times>,
    /// Closed before its successor is opened.
    breaking: Option<ConnId>,
    /// Why the live link is to be left.
    trouble: Option<Trouble>,
}

/// Times of the events of a link. The dial of a standby is not among them.
#[derive(Clone, Copy, Debug, Default)]
struct Times {
    dialled: Option<Time>,
    opened: Option<Time>,
    alive: Option<Time>,
    activating: Option<Time>,
    activated: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
struct Trouble {
    since: Time,
    /// How long it had been silent by then; `None` if its server announced its end.
    silent_for: Option<Duration>,
}

impl History {
    /// Takes in a notice. Returns a move that is complete with it.
    pub(crate) fn noticed(&mut self, notice: &Notice) -> Option<Move> {
        let at = notice.at;
        match &notice.kind {
            NoticeKind::Dialing(place) => self.times(place.conn).dialled = Some(at),
            NoticeKind::Opened(place) => self.times(place.conn).opened = Some(at),
            NoticeKind::Connected(place) => {
                self.trouble = None;
                self.goes_to(Some(place), at);
            }
            NoticeKind::LameDuck(place) if self.is_here(place) => {
                self.trouble.get_or_insert(Trouble { since: at, silent_for: None });
            }
            NoticeKind::Suspected(place) => self.failed(place, at),
            NoticeKind::Cleared(place) if self.is_here(place) => self.trouble = None,
            NoticeKind::Lost { place, .. } if self.is_here(place) => {
                self.failed(place, at);
                self.links.remove(&place.conn);
                self.goes_to(None, at);
            }
            NoticeKind::BreakBeforeMake(place) => self.breaking = Some(place.conn),
            NoticeKind::Moved { from, to, cause, .. } => return self.moved(from, to, *cause, at),
            _ => {}
        }
        None
    }

    /// Takes in a fact. Returns a move that is complete with it.
    pub(crate) fn told(&mut self, event: &Event, at: Time) -> Option<Move> {
        match event {
            Event::Opened { conn, .. } => self.times(*conn).alive = Some(at),
            Event::Progress { conn } => self.alive(*conn, at),
            Event::Closed { conn, .. } | Event::OpenFailed { conn, .. } => self.closed_link(*conn, at),
            Event::Activated { conn } => return self.activated(*conn, at),
            _ => {}
        }
        None
    }

    /// The link showed life.
    pub(crate) fn alive(&mut self, conn: ConnId, at: Time) {
        // What is late must not bring it back.
        if let Some(times) = self.links.get_mut(&conn) {
            times.alive = Some(at);
        }
    }

    /// The link is being given the subscriptions.
    pub(crate) fn activating(&mut self, conn: ConnId, at: Time) {
        self.times(conn).activating = Some(at);
    }

    /// The client is closed: no time passes any more.
    pub(crate) fn closed(&mut self, at: Time) {
        self.goes_to(None, at);
        self.is_closed = true;
        self.links.clear();
    }

    pub(crate) const fn is_closed(&self) -> bool {
        self.is_closed
    }

    pub(crate) const fn was_connected(&self) -> bool {
        self.was_connected
    }

    /// Where new traffic goes.
    #[cfg(feature = "metrics")]
    pub(crate) fn region(&self) -> Option<&Region> {
        self.here.as_ref().map(|(_, region)| region)
    }

    pub(crate) const fn moves_by_cause(&self) -> &BTreeMap<MoveCause, u64> {
        &self.moves_by_cause
    }

    /// The last moves, oldest first.
    pub(crate) fn moves(&self) -> Vec<Move> {
        self.moves.iter().map(|(_, it)| it.clone()).collect()
    }

    /// How long traffic has gone to each region, and nowhere.
    pub(crate) fn times_at(&self, now: Time) -> (BTreeMap<Region, Duration>, Duration) {
        let (mut by_region, mut offline) = (self.time_by_region.clone(), self.time_offline);
        let so_far = now.since(self.since);
        match &self.here {
            Some((_, region)) => *by_region.entry(region.clone()).or_default() += so_far,
            None if self.is_closed => {}
            None => offline += so_far,
        }
        (by_region, offline)
    }

    fn moved(&mut self, from: &ServerRef, to: &ServerRef, cause: MoveCause, at: Time) -> Option<Move> {
        let trouble = self.trouble.take();
        let times = self.links.get(&to.conn).copied().unwrap_or_default();
        let is_new = |dialled: &Time| trouble.is_none_or(|trouble| trouble.since <= *dialled);
        let dialled = times.dialled.filter(is_new);
        let phases = Phases {
            detect: trouble.and_then(|trouble| trouble.silent_for).filter(|_| !cause.is_planned()),
            select: trouble.map(|trouble| dialled.unwrap_or(at).since(trouble.since)),
            connect: times.opened.zip(dialled).map(|(opened, dialled)| opened.since(dialled)),
            // Planned moves are announced behind the barrier, others before it.
            resume: times.activated.zip(times.activating).map(|(end, start)| end.since(start)),
        };
        let it = Move { at, from: from.into(), to: to.into(), cause, phases };
        self.goes_to(Some(to), at);
        *self.moves_by_cause.entry(cause).or_default() += 1;
        if self.moves.len() == MOVES_MAX {
            self.moves.pop_front();
        }
        self.moves.push_back((to.conn, it.clone()));
        phases.resume.is_some().then_some(it)
    }

    fn activated(&mut self, conn: ConnId, at: Time) -> Option<Move> {
        let times = self.links.get_mut(&conn)?;
        (times.alive, times.activated) = (Some(at), Some(at));
        let started = times.activating?;
        let is_open = |(to, it): &&mut (ConnId, Move)| *to == conn && it.phases.resume.is_none();
        let (_, it) = self.moves.iter_mut().rev().find(is_open)?;
        it.phases.resume = Some(at.since(started));
        Some(it.clone())
    }

    fn failed(&mut self, place: &ServerRef, at: Time) {
        let is_known = self.trouble.is_some_and(|trouble| trouble.silent_for.is_some());
        if self.is_here(place) && !is_known {
            let alive = self.links.get(&place.conn).and_then(|times| times.alive);
            self.trouble = Some(Trouble { since: at, silent_for: Some(at.since(alive.unwrap_or(at))) });
        }
    }

    fn closed_link(&mut self, conn: ConnId, at: Time) {
        let is_here = self.here.as_ref().is_some_and(|(here, _)| *here == conn);
        if self.breaking == Some(conn) {
            self.goes_to(None, at);
        } else if is_here {
            // What follows from it is a notice, which looks at the link once more.
            return;
        }
        self.links.remove(&conn);
    }

    fn goes_to(&mut self, place: Option<&ServerRef>, at: Time) {
        (self.time_by_region, self.time_offline) = self.times_at(at);
        self.since = at;
        self.here = place.map(|place| (place.conn, place.region.clone()));
        self.was_connected |= place.is_some();
    }

    fn is_here(&self, place: &ServerRef) -> bool {
        self.here.as_ref().is_some_and(|(here, _)| *here == place.conn)
    }

    fn times(&mut self, conn: ConnId) -> &mut Times {
        self.links.entry(conn).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::{Cause, EndpointId, ServerIdentity};

    const LON: ConnId = ConnId(0);
    const AMS: ConnId = ConnId(1);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    fn place(conn: ConnId) -> ServerRef {
        let region = Region::new(if conn == LON { "lon" } else { "ams" });
        ServerRef { conn, endpoint: EndpointId(conn.0), address: "host:4222".into(), server: None, region }
    }

    /// At home in lon since 100 ms; its last sign of life came at 1 s.
    fn at_home() -> History {
        let mut history = History::default();
        notice(&mut history, 50, NoticeKind::Dialing(place(LON)));
        told(&mut history, 100, Event::Opened { conn: LON, identity: ServerIdentity::default() });
        notice(&mut history, 100, NoticeKind::Connected(place(LON)));
        history.alive(LON, Time::from_millis(1_000));
        history
    }

    fn notice(history: &mut History, at_ms: u64, kind: NoticeKind) -> Option<Move> {
        history.noticed(&Notice { at: Time::from_millis(at_ms), kind })
    }

    fn told(history: &mut History, at_ms: u64, event: Event) -> Option<Move> {
        history.told(&event, Time::from_millis(at_ms))
    }

    fn moved(cause: MoveCause) -> NoticeKind {
        NoticeKind::Moved { from: place(LON), to: place(AMS), cause, overlap: false }
    }

    fn dial_ams(history: &mut History, at_ms: u64) {
        notice(history, at_ms, NoticeKind::Dialing(place(AMS)));
        told(history, at_ms + 30, Event::Opened { conn: AMS, identity: ServerIdentity::default() });
        notice(history, at_ms + 30, NoticeKind::Opened(place(AMS)));
        history.activating(AMS, Time::from_millis(at_ms + 30));
    }

    #[test]
    fn a_lost_link_is_left_in_four_phases() {
        let mut history = at_home();
        told(&mut history, 1_400, Event::Closed { conn: LON, cause: Cause::Eof });
        notice(&mut history, 1_400, NoticeKind::Lost { place: place(LON), cause: Some(Cause::Eof) });
        dial_ams(&mut history, 1_500);
        assert_eq!(notice(&mut history, 1_530, moved(MoveCause::RegionLost)), None, "no barrier yet");
        let it = told(&mut history, 1_541, Event::Activated { conn: AMS }).unwrap();
        let phases = [it.phases.detect, it.phases.select, it.phases.connect, it.phases.resume];
        assert_eq!(phases, [400, 100, 30, 11].map(|phase| Some(ms(phase))));
        let (times, offline) = history.times_at(Time::from_millis(2_000));
        assert_eq!((times[&Region::new("lon")], times[&Region::new("ams")]), (ms(1_300), ms(470)));
        assert_eq!(offline, ms(230), "before the first link, and between the two");
        assert_eq!(history.moves_by_cause()[&MoveCause::RegionLost], 1);
    }

    #[test]
    fn an_orderly_move_detects_nothing_and_is_complete_when_it_is_announced() {
        let mut history = at_home();
        dial_ams(&mut history, 2_000);
        assert_eq!(told(&mut history, 2_050, Event::Activated { conn: AMS }), None);
        let it = notice(&mut history, 2_050, moved(MoveCause::Faster)).unwrap();
        let expected = Phases { connect: Some(ms(30)), resume: Some(ms(20)), ..Phases::default() };
        assert_eq!(it.phases, expected);
        told(&mut history, 3_000, Event::Closed { conn: LON, cause: Cause::Requested });
        assert_eq!(history.times_at(Time::from_millis(3_000)).1, ms(100));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_time_stands_still_when_closed() {
        let mut history = at_home();
        for _ in 0..2 * MOVES_MAX {
            notice(&mut history, 2_000, moved(MoveCause::Faster));
        }
        assert_eq!(history.moves().len(), MOVES_MAX);
        assert_eq!(history.moves_by_cause()[&MoveCause::Faster], 2 * MOVES_MAX as u64);
        // Late facts about links that are gone leave nothing behind.
        told(&mut history, 2_000, Event::Closed { conn: LON, cause: Cause::Requested });
        history.alive(LON, Time::from_millis(2_100));
        assert!(!history.links.contains_key(&LON));
        history.closed(Time::from_millis(3_000));
        assert_eq!(history.times_at(Time::from_millis(3_000)), history.times_at(Time::from_millis(9_000)));
    }

    #[test]
    fn a_link_that_is_closed_first_is_nowhere_in_between() {
        let mut history = at_home();
        notice(&mut history, 2_000, NoticeKind::BreakBeforeMake(place(LON)));
        told(&mut history, 2_100, Event::Closed { conn: LON, cause: Cause::Requested });
        dial_ams(&mut history, 2_100);
        notice(&mut history, 2_130, moved(MoveCause::LameDuck));
        assert_eq!(history.times_at(Time::from_millis(2_130)).1, ms(130));
    }
}
