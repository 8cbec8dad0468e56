//! The state machine that drivers run. It owns the stages and routes events between them. `mod.rs` handles events,
//! and `measure.rs` handles the results of probes. `due.rs` does the work that is due. `outage.rs` handles lost and
//! silent links, `refused.rs` handles refused credentials, and `herd.rs` handles overloaded regions. `moves.rs` leaves
//! a link that still works, and `unhealthy.rs` leaves a region that failed a health check. `reselect.rs` selects
//! a server again on request. `review.rs` checks the first choice after a short time. `standby.rs` keeps a
//! warm standby, and `home.rs` finds the home region. `link.rs` has the state of one connection, and `view.rs` makes
//! the snapshot. `action_queue.rs` queues decisions. `fast_forward.rs` skips quiet time in simulations.

mod action_queue;
mod due;
#[cfg(feature = "sim")]
pub(crate) mod fast_forward;
mod herd;
mod home;
mod link;
mod measure;
mod moves;
mod outage;
mod policy;
mod refused;
mod reselect;
mod review;
mod standby;
mod unhealthy;
mod view;

use std::time::Duration;

use super::connect::Dialer;
use super::damping::Damping;
use super::discovery::Roster;
use super::failback::FailBack;
use super::failover::Outage;
use super::name::Name;
use super::probe::Prober;
use super::record::Fingerprint;
use super::rng::Rng;
use super::sorted::SortedMap;
use super::unhealthy::UnhealthyRegions;
use super::watch::Watch;
use super::{
    Action, Cause, Config, ConfigError, ConnId, Event, NoticeKind, OpenError, PingId, Region, ServerIdentity,
    Time,
};
use action_queue::ActionQueue;
use link::{Link, LinkState, Peer};
pub(crate) use measure::Answer;
use moves::PlannedMove;
use policy::Policy;
use standby::Standby;

/// State machine that decides which server a client uses. It has no clock and does no I/O.
///
/// * [`handle_event`](Self::handle_event) and [`handle_timeout`](Self::handle_timeout) take facts and the time.
/// * [`poll_action`](Self::poll_action) returns the next decision. [`poll_timeout`](Self::poll_timeout) returns the
///   time of the next call of `handle_timeout`.
/// * [`snapshot`](Self::snapshot) returns the ranking of servers, with the reasons.
///
/// # Contracts
/// * The caller may make calls in any order, and need not take all actions.
/// * `now` may stall or go back: the selector then uses the latest time of all calls.
/// * An early or repeated timeout does nothing.
/// * The selector ignores late facts about ids that are no longer in use.
/// * All queues and tables are bounded.
/// * The same configuration, seed and inputs give the same actions, byte for byte.
///
/// ```
/// use nats_geo::core::{Action, Config, Endpoint, EndpointId, Event, Selector, Time};
///
/// let mut selector = Selector::new(Config::interactive(), 42, Time::ZERO)?;
/// selector.handle_event(Event::Discovered(Endpoint::new(EndpointId(1), "lon-1:4222")), Time::ZERO);
/// assert!(matches!(selector.poll_action(), Some(Action::Probe { endpoint: EndpointId(1), .. })));
/// # Ok::<(), nats_geo::core::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Selector {
    config: Policy,
    /// Which client this is: ties, cohorts and spreads depend on it.
    client: u64,
    now: Time,
    rng: Rng,
    roster: Roster,
    prober: Prober,
    dialer: Dialer,
    damping: Damping,
    unhealthy: UnhealthyRegions,
    /// Regions that refused the credentials.
    refusing: UnhealthyRegions,
    fail_back: FailBack,
    links: SortedMap<ConnId, Link>,
    /// Link for new traffic.
    active: Option<ConnId>,
    active_since: Time,
    /// There is no live, unsuspected link.
    outage: Option<Outage>,
    /// A move away from a link that works.
    planned: Option<PlannedMove>,
    /// The live link failed its health check, no other region passes, and the notice was sent.
    stranded: bool,
    /// The choice is being made again since this moment.
    reselecting: Option<Time>,
    /// The first choice is looked at once more, since this moment.
    review: Option<Time>,
    standby: Standby,
    start: Start,
    /// The order of regions when it was last looked at.
    region_order: Vec<Region>,
    /// Until when another look would change nothing, unless a probe brings news.
    review_holds_until: Time,
    actions: ActionQueue,
    /// When something is due next: as of the end of the last call, since only calls change it.
    due: Option<Time>,
    next_conn: u64,
    next_ping: u64,
}

/// The choice of the first server.
#[derive(Clone, Copy, Debug)]
enum Start {
    /// No endpoint is known.
    Empty,
    /// Probes are out since this moment; none has answered.
    Probing(Time),
    /// Choose at this moment among those that have answered. Whoever is asked first from now on gets as long.
    ChooseAt(Time, Duration),
    /// Chosen.
    Over,
}

impl Selector {
    /// Creates a selector that starts at `now`. Give every client a different seed: clients with the same seed make the
    /// same random choices at the same time.
    ///
    /// # Errors
    /// A field of `config` is out of its bounds. The error names the first such field.
    pub fn new(config: Config, seed: u64, now: Time) -> Result<Self, ConfigError> {
        Self::of_policy(Policy::Own(Box::new(config)), seed, now)
    }

    /// Creates a selector like [`new`](Self::new), with a configuration that many selectors share.
    ///
    /// # Errors
    /// A field of `config` is out of its bounds. The error names the first such field.
    pub fn sharing(config: &'static Config, seed: u64, now: Time) -> Result<Self, ConfigError> {
        Self::of_policy(Policy::Shared(config), seed, now)
    }

    fn of_policy(config: Policy, seed: u64, now: Time) -> Result<Self, ConfigError> {
        config.check()?;
        let mut selector = Self {
            client: seed,
            now,
            rng: Rng::new(seed),
            roster: Roster::of_client(seed),
            prober: Prober::new(&config.probe, now),
            dialer: Dialer::new(&config.dial, now),
            damping: Damping::default(),
            unhealthy: UnhealthyRegions::default(),
            refusing: UnhealthyRegions::default(),
            fail_back: FailBack::new(seed),
            links: SortedMap::new(),
            active: None,
            active_since: now,
            outage: None,
            planned: None,
            stranded: false,
            reselecting: None,
            review: None,
            standby: Standby::default(),
            start: Start::Empty,
            region_order: Vec::new(),
            review_holds_until: Time::ZERO,
            actions: ActionQueue::default(),
            due: None,
            next_conn: 0,
            next_ping: 0,
            config,
        };
        selector.due = selector.next_due();
        Ok(selector)
    }

    /// Processes one event. `now` is the current time.
    pub fn handle_event(&mut self, event: Event, now: Time) {
        self.advance(now);
        match event {
            Event::Discovered(endpoint) => self.discovered(endpoint),
            Event::Withdrawn(endpoint) => self.withdrawn(endpoint),
            Event::LameDuck(conn) => self.lame_duck(conn),
            Event::Probed { probe, result: Ok(report) } => self.probed(probe, Ok(Answer::of(&report))),
            Event::Probed { probe, result: Err(error) } => self.probed(probe, Err(error)),
            Event::Opened { conn, identity } => self.opened(conn, identity),
            Event::OpenFailed { conn, error } => self.open_failed(conn, &error),
            Event::Activated { conn } => self.activated(conn),
            Event::ActivateFailed { conn } => self.activate_failed(conn),
            Event::Unhealthy { conn, why } => self.failed_health_check(conn, why),
            // By far the most frequent facts: as a rule they change one link's timers and nothing else.
            Event::Pong { ping, rtt } if !self.pong(ping, rtt) => return self.do_if_due(),
            Event::Progress { conn } if !self.progress(conn) => return self.do_if_due(),
            Event::Pong { .. } | Event::Progress { .. } => {}
            Event::Closed { conn, cause } => self.closed(conn, cause),
            Event::Reselect => self.reselect(),
            Event::Resumed => self.resume(),
        }
        self.do_what_is_due();
        self.due = self.next_due();
    }

    /// Handles several answers to probes together: the selector makes no choice before it has handled all of them.
    /// Drivers that cannot measure all servers at the same time, such as browsers, collect answers for this method.
    pub fn handle_answers(
        &mut self,
        answers: impl IntoIterator<Item = (super::ProbeId, super::ProbeReport)>,
        now: Time,
    ) {
        self.advance(now);
        for (probe, report) in answers {
            self.probed(probe, Ok(Answer::of(&report)));
        }
        self.do_what_is_due();
        self.due = self.next_due();
    }

    /// As [`handle_event`](Self::handle_event) of a probe that was answered, without a copy of who answered.
    #[cfg(feature = "sim")]
    pub(crate) fn handle_answer(&mut self, probe: super::ProbeId, answer: Answer<'_>, now: Time) {
        self.advance(now);
        self.probed(probe, Ok(answer));
        self.do_what_is_due();
        self.due = self.next_due();
    }

    /// Does the work that is due at `now`.
    pub fn handle_timeout(&mut self, now: Time) {
        self.advance(now);
        self.do_if_due();
    }

    /// Removes the oldest decision from the queue and returns it; `None` if the queue is empty.
    #[must_use]
    pub fn poll_action(&mut self) -> Option<Action> {
        self.actions.pop(&self.config.probe)
    }

    /// Returns the time at which to call [`handle_timeout`](Self::handle_timeout), unless an event comes first. `None`:
    /// without an event, no call is needed.
    #[must_use]
    pub const fn poll_timeout(&self) -> Option<Time> {
        self.due
    }

    fn do_if_due(&mut self) {
        self.due = self.next_due();
        if self.due.is_some_and(|due| due <= self.now) {
            self.do_what_is_due();
            self.due = self.next_due();
        }
    }

    /// Takes the time in. If our own timer is far too late, the host stalled.
    fn advance(&mut self, now: Time) {
        let now = now.max(self.now);
        let late = self.due.map_or(Duration::ZERO, |due| now.since(due));
        self.now = now;
        if late > self.config.watch.stall {
            self.resume();
        }
    }

    fn opened(&mut self, conn: ConnId, identity: ServerIdentity) {
        let Some(link) = self.links.get(&conn) else { return };
        let (endpoint, state) = (link.endpoint, link.state);
        if !matches!(state, LinkState::Dialing(_) | LinkState::DialingStandby(_)) {
            return;
        }
        self.identified(endpoint, Fingerprint::of(&identity), &identity);
        self.review_is_stale();
        let region = self.roster.region(endpoint).cloned();
        let record = self.roster.get_mut(endpoint);
        let base = record.and_then(|record| {
            record.link_opened();
            record.base.get()
        });
        if base.is_none() {
            self.prober.again(endpoint, self.now);
        }
        if let Some(link) = self.links.get_mut(&conn) {
            link.peer = region.map(|region| Peer { server: Name::new(&identity.server_name), region });
            link.watch = Watch::new(base, self.now);
            link.state = LinkState::Standby;
        }
        self.region_answered(endpoint);
        self.credentials_taken(endpoint);
        match state {
            LinkState::DialingStandby(_) => self.standby_opened(conn),
            _ => self.candidate_opened(conn),
        }
    }

    fn open_failed(&mut self, conn: ConnId, error: &OpenError) {
        let Some(link) = self.links.get(&conn) else { return };
        let (endpoint, state) = (link.endpoint, link.state);
        if let OpenError::OtherCluster { expected, found } = error {
            self.disown(endpoint, expected, found);
        }
        match state {
            LinkState::Dialing(_) => {
                self.notify_place(conn, |place| NoticeKind::OpenFailed { place, error: error.clone() });
                self.links.remove(&conn);
                self.look_for_herd_at(endpoint, error);
                self.dialer.failed(conn, self.is_in_a_hurry_after(error), self.now);
                self.candidate_failed(endpoint, error);
            }
            LinkState::DialingStandby(_) => {
                self.links.remove(&conn);
                self.standby_failed();
                if matches!(error, OpenError::Auth(_)) {
                    self.credentials_refused(endpoint);
                }
                if matches!(error, OpenError::Refused) || error.is_silence() {
                    self.endpoint_failed(endpoint, error.is_silence());
                }
            }
            _ => {}
        }
    }

    /// Returns whether a suspicion was lifted.
    fn pong(&mut self, ping: PingId, rtt: Duration) -> bool {
        let awaited = self.links.iter_mut().find(|(_, link)| link.watch.awaits(ping));
        let Some((conn, link)) = awaited else { return false };
        // A link that was left is under suspicion until it answers, even if a stall has voided the verdict meanwhile.
        let (conn, was_suspect) = (*conn, link.watch.is_suspect() || link.state == LinkState::Left);
        let lifts = link.watch.pong(ping, rtt) && was_suspect;
        if lifts {
            self.cleared(conn);
        }
        lifts
    }

    /// Returns whether a suspicion was lifted.
    fn progress(&mut self, conn: ConnId) -> bool {
        let Some(link) = self.links.get_mut(&conn).filter(|link| link.state.is_open()) else { return false };
        let lifts = link.watch.progress(self.now, &self.config.watch);
        if lifts {
            self.cleared(conn);
        }
        lifts
    }

    fn closed(&mut self, conn: ConnId, cause: Cause) {
        let Some(link) = self.links.get(&conn) else { return };
        match link.state {
            LinkState::Dialing(_) | LinkState::DialingStandby(_) => {
                self.open_failed(conn, &OpenError::Other(cause.to_string()));
            }
            LinkState::Standby => {
                self.links.remove(&conn);
                self.standby_failed();
            }
            LinkState::Activating(_) => self.target_lost(conn),
            LinkState::Active => self.active_lost(conn, Some(cause)),
            LinkState::Left => self.left_link_lost(conn, Some(cause)),
            LinkState::Closing(_) => self.closed_before_make(conn),
        }
    }

    /// The host slept: nothing that was awaited proves anything, and what kept everybody from answering may be over.
    fn resume(&mut self) {
        self.dialer.retry_now(self.now);
        for link in self.links.values_mut().filter(|link| link.state.is_open()) {
            link.watch.restart(self.now);
        }
        self.prober.restart(self.now, &self.config.probe, &mut self.rng);
        if self.active.is_some() && self.outage.take().is_some() {
            self.stop_race();
        }
        self.notify(NoticeKind::Stalled);
    }
}

#[cfg(test)]
mod tests;
