//! A whole NATS client without sockets or clocks. Its driver passes facts, commands and the time to the engine, and
//! carries out the effects that the engine returns.
//!
//! The [`Selector`] decides which server the client uses, and the engine carries out these decisions (`actions.rs`).
//! `handshake.rs` opens links and takes samples, and `first_choice.rs` waits for samples to compare. `ops.rs` handles
//! the operations of servers, and `handover.rs` moves subscriptions and traffic. `ending.rs` handles the end of a link.
//! `publishing.rs`, `requests.rs` and `subscriptions.rs` carry out commands of the application, and `refusals.rs`
//! handles refusals by servers. `drain.rs` ends the client, and `due.rs` does the work that is due. `view.rs` and
//! `notices.rs` report the state and the events to the application.

use std::collections::VecDeque;
use std::time::Duration;

use nats_geo::core::{ConnId, Event, Selector, SortedMap, Time};

mod actions;
mod barrier;
mod code;
mod config;
mod drain;
mod due;
mod effect;
mod ending;
mod endpoints;
mod first_choice;
mod frames;
mod handover;
mod handshake;
mod json;
mod link;
mod memory;
mod notices;
mod ops;
mod options;
mod outgoing;
mod publishing;
mod refusals;
mod requests;
mod server_url;
mod subscriptions;
mod view;

#[cfg(test)]
mod tests;

pub use code::{Code, Refusal};
pub use effect::Effect;
pub use ending::SocketEnd;
pub use handshake::Credentials;
pub use link::SocketId;
pub use memory::Memory;
pub use options::{Auth, Options};

use barrier::Barriers;
use drain::Draining;
use endpoints::Endpoints;
use first_choice::HeldAnswers;
use link::Link;
use outgoing::Outgoing;
use requests::Requests;
use subscriptions::Subscription;
use view::Counters;

/// A NATS client that does no I/O.
///
/// * The driver calls methods with commands and facts, such as [`connect`](Self::connect), [`publish`](Self::publish)
///   and [`socket_received`](Self::socket_received).
/// * [`poll_effect`](Self::poll_effect), [`take_frames`](Self::take_frames) and [`transmit`](Self::transmit) give the
///   driver its tasks. [`poll_timeout`](Self::poll_timeout) returns the time of the next call of
///   [`handle_timeout`](Self::handle_timeout).
///
/// The driver may make calls in any order, and `now` may stall. The engine ignores late facts about closed sockets. All
/// its buffers are bounded.
#[derive(Debug)]
pub struct Engine {
    options: Options,
    selector: Selector,
    now: Time,
    phase: Phase,
    endpoints: Endpoints,
    links: SortedMap<SocketId, Link>,
    conns: SortedMap<ConnId, SocketId>,
    next_socket: u32,
    /// Where new traffic goes.
    live: Option<SocketId>,
    /// The link that the selector last decided for: an activation that was overtaken must not switch any more.
    aim: Option<ConnId>,
    /// The link that the last notice `connected` or `moved` named, until its loss.
    active: Option<ConnId>,
    subscriptions: SortedMap<u32, Subscription>,
    /// Subscriptions that links may have ended for.
    strikes: refusals::Strikes,
    requests: Requests,
    held: HeldAnswers,
    barriers: Barriers,
    /// Flushes and round trips that wait for a link: the operation, whether it is a round trip, and until when.
    waiting_pings: Vec<(u32, bool, Time)>,
    /// Publishes that wait for a link.
    kept: Outgoing,
    frames: Vec<u8>,
    effects: VecDeque<Effect>,
    counters: Counters,
    /// Whether the browser has a network, as far as it says.
    is_online: bool,
    /// Something waits for room in a socket's buffer.
    is_clogged: bool,
    last_failure: Option<(Code, String)>,
    woken_at: Option<Time>,
    losses: notices::Losses,
}

/// Where a client is in its life.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    New,
    /// Until the first link is live, at most until this moment; once later, if the host sleeps meanwhile.
    Connecting {
        until: Time,
        has_napped: bool,
    },
    Running,
    Draining(Draining),
    Closed,
}

/// The sockets, to which [`Engine::transmit`] writes.
pub trait Outlet {
    /// Returns the number of bytes that the socket has not sent yet.
    fn buffered(&mut self, socket: SocketId) -> usize;
    /// Sends a binary message.
    fn send(&mut self, socket: SocketId, bytes: &[u8]);
}

impl Engine {
    /// Creates a client. It does nothing before [`connect`](Self::connect).
    ///
    /// # Errors
    /// An option is not valid.
    pub fn new(mut options: Options, now: Time) -> Result<Self, Refusal> {
        let mut endpoints = Endpoints::default();
        let discovered = endpoints.list(&options.servers, options.is_secure_page)?;
        if options.memory.as_ref().is_some_and(|memory| endpoints.any_is_in(memory)) {
            // The memory decides at once; what is measured then corrects it.
            options.config.probe.start_samples = 2;
            options.config.probe.start_window_min = Duration::ZERO;
            options.config.probe.start_window_max = Duration::ZERO;
        }
        let mut engine = Self {
            selector: Selector::new(options.config.clone(), options.seed, now)?,
            requests: Requests::new(&options),
            now,
            phase: Phase::New,
            endpoints,
            links: SortedMap::new(),
            conns: SortedMap::new(),
            next_socket: 1,
            live: None,
            aim: None,
            active: None,
            subscriptions: SortedMap::new(),
            strikes: refusals::Strikes::default(),
            held: HeldAnswers::default(),
            barriers: Barriers::default(),
            waiting_pings: Vec::new(),
            kept: Outgoing::default(),
            frames: Vec::new(),
            effects: VecDeque::new(),
            counters: Counters::default(),
            is_online: true,
            is_clogged: false,
            last_failure: None,
            woken_at: None,
            losses: notices::Losses::default(),
            options,
        };
        for event in discovered {
            engine.selector.handle_event(event, now);
        }
        Ok(engine)
    }

    /// Connects. [`Effect::Opened`] reports the first live link; [`Effect::Closed`] reports that the client could not
    /// connect.
    pub fn connect(&mut self, now: Time) {
        if self.phase == Phase::New {
            self.now = self.now.max(now);
            let until = self.now + self.options.connect_timeout;
            self.phase = Phase::Connecting { until, has_napped: false };
            self.pump();
        }
    }

    /// Replaces the list of servers. The live link stays open.
    ///
    /// # Errors
    /// A server is not valid. The list is then unchanged.
    pub fn set_servers(&mut self, servers: &[String], now: Time) -> Result<(), Refusal> {
        self.advance(now);
        for event in self.endpoints.list(servers, self.options.is_secure_page)? {
            self.tell(event);
        }
        self.pump();
        Ok(())
    }

    /// Chooses the server again. No message is lost: the live link works until the client has moved to a nearer server.
    pub fn reconnect(&mut self, now: Time) {
        self.advance(now);
        self.tell(Event::Reselect);
        self.pump();
    }

    /// Reports that the host slept or may have slept, so the silence of servers proves nothing.
    pub fn resumed(&mut self, now: Time) {
        self.advance(now);
        self.wake();
        self.pump();
    }

    /// Reports whether the browser has a network. When the network is back, the client stops waiting and tries servers
    /// at once.
    pub fn set_online(&mut self, is_online: bool, now: Time) {
        self.advance(now);
        if std::mem::replace(&mut self.is_online, is_online) != is_online && is_online {
            self.wake();
        }
        self.pump();
    }

    /// Returns the oldest effect, and removes it from the queue. Call [`take_frames`](Self::take_frames) first.
    #[must_use]
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Returns the messages that have arrived since the last call, as frames one after the other. Empty if there are
    /// none.
    #[must_use]
    pub fn take_frames(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.frames)
    }

    /// Returns the memory of earlier frames to the engine, which uses it for the next frames.
    pub fn reuse_frames(&mut self, mut frames: Vec<u8>) {
        if self.frames.is_empty() && frames.capacity() <= FRAMES_KEPT {
            frames.clear();
            self.frames = frames;
        }
    }

    /// Writes data to the sockets, and records how much data each socket still holds.
    pub fn transmit(&mut self, outlet: &mut dyn Outlet, now: Time) {
        self.now = self.now.max(now);
        self.is_clogged = false;
        for (socket, link) in self.links.iter_mut() {
            if link.out.is_empty() && link.buffered == 0 {
                continue;
            }
            link.buffered = outlet.buffered(*socket);
            self.is_clogged |= link.transmit(WINDOW_BYTES, self.now, |bytes| {
                outlet.send(*socket, bytes);
                outlet.buffered(*socket)
            });
        }
    }

    /// Returns whether [`transmit`](Self::transmit) has something to do.
    #[must_use]
    pub fn has_output(&self) -> bool {
        self.is_clogged || self.links.values().any(|link| !link.out.is_empty() || link.buffered > 0)
    }

    /// Returns whether so much data waits that the driver should call [`transmit`](Self::transmit) at once.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let live = self.live.and_then(|live| self.links.get(&live));
        live.is_some_and(|link| {
            link.out.queued_bytes() >= outgoing::SEGMENT_BYTES && link.buffered < WINDOW_BYTES
        })
    }

    /// Returns whether a link is live.
    #[must_use]
    pub const fn is_live(&self) -> bool {
        self.live.is_some()
    }

    /// Returns the latest time that the driver has passed to the engine.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }

    /// Returns whether the client has ended, and does not connect again.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Takes the time in. If our own timer is far too late, the host slept or stalled.
    fn advance(&mut self, now: Time) {
        let now = now.max(self.now);
        // What was late before the last wake-up proves no other.
        let since = self.woken_at.unwrap_or(Time::ZERO);
        let late = self.poll_timeout().map_or(Duration::ZERO, |due| now.since(due.max(since)));
        self.now = now;
        if late > self.options.config.watch.stall {
            self.wake();
        }
    }

    /// One function for all who look for links: a copy for each is what every browser would download.
    fn links_where(&self, is_meant: &dyn Fn(SocketId, &Link) -> bool) -> Vec<SocketId> {
        let meant = self.links.iter().filter(|(socket, link)| is_meant(**socket, link));
        meant.map(|(socket, _)| *socket).collect()
    }

    fn tell(&mut self, event: Event) {
        self.selector.handle_event(event, self.now);
    }

    /// Does what the selector has decided since the last time.
    fn pump(&mut self) {
        self.release_answers();
        while !matches!(self.phase, Phase::New | Phase::Closed) {
            let Some(action) = self.selector.poll_action() else { break };
            self.perform(action);
        }
        self.advance_drain();
    }
}

/// What a socket may hold. What it holds is lost with it, while what we hold can be sent on the next link; and an
/// emptied socket tells us nothing, so that less would have to be looked at too often.
const WINDOW_BYTES: usize = 1 << 20;

/// The buffer of frames that is kept for the next ones.
const FRAMES_KEPT: usize = 1 << 20;
