//! The reconnect rules of other clients, taken from their source code. These clients treat all servers as equal, notice
//! silence after minutes, and do not fail back.

use std::collections::VecDeque;
use std::time::Duration;

use super::client::{Ask, Told};
use crate::core::rng::Rng;
use crate::core::{ConnId, PingId, Time};

/// A client of another kind.
#[derive(Clone, Debug)]
pub(super) struct Stock {
    rules: StockRules,
    rng: Rng,
    /// Who is next; who was tried goes to the end.
    pool: VecDeque<Candidate>,
    /// Attempts since the last success.
    attempts: u32,
    state: State,
    asks: VecDeque<Ask>,
    next_conn: u64,
    next_ping: u64,
    /// The next PING.
    ping_due: Time,
    unanswered: u32,
}

#[derive(Clone, Copy, Debug)]
struct Candidate {
    server: usize,
    failed: u32,
    /// For rules that wait per server.
    tried_at: Option<Time>,
}

#[derive(Clone, Copy, Debug)]
enum State {
    /// The next dial is due.
    Waiting(Time),
    Dialing(ConnId),
    Connected(ConnId),
    /// Nobody is left to dial.
    GaveUp,
}

/// Reconnect rules of a stock client: another NATS client with its default behaviour. The defaults come from the source
/// code of the versions that [`Software`](super::Software) names.
///
/// ```
/// use nats_geo::sim::herd::StockRules;
/// use std::time::Duration;
///
/// let mut rules = StockRules::rust();
/// assert_eq!(rules.ping_interval, Duration::from_secs(60));
/// rules.ping_interval = Duration::from_secs(2);
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StockRules {
    /// Time between two PINGs. If two PINGs have no answer when the third is due, the client closes the connection.
    pub ping_interval: Duration,
    /// Longest time for a dial, up to the reply to CONNECT.
    pub connect_timeout: Duration,
    wait: Wait,
    ping_timer: PingTimer,
    /// A server is dropped after so many failures in a row.
    failures_max: u32,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Wait {
    /// async-nats: 0, 2, 4, 8 ms and so on up to 4 s, by attempt; a pass goes by number of failures.
    Doubling,
    /// nats.go: after everybody had a turn.
    AfterSweep,
    /// nats.js: between two attempts at one server.
    PerServer,
}

/// What the time to the next PING counts from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum PingTimer {
    /// async-nats: whatever came in last, which begins with the server's second INFO right after the answer to CONNECT. The
    /// timer ticks at once at first and runs on without a connection; a PING that is due then is sent with the next one. The
    /// servers' own PINGs, the first of which puts it off by 2 s, are not played.
    LastHeard,
    /// nats.go, nats.js: when the last PING was sent, or the connection made.
    LastSent,
}

/// `max_pings_out` or `MaxPingsOutstanding` of all three.
const PINGS_OUT_MAX: u32 = 2;

/// `ReconnectWait` of nats.go and `reconnectTimeWait` of nats.js ...
const RECONNECT_WAIT: Duration = Duration::from_secs(2);

/// ... and what both add to it at random, without TLS.
const RECONNECT_JITTER: Duration = Duration::from_millis(100);

/// The longest wait of async-nats' `reconnect_delay_callback_default`.
const DOUBLING_MAX: Duration = Duration::from_secs(4);

impl StockRules {
    /// Returns the rules of async-nats 0.51.
    #[must_use]
    pub const fn rust() -> Self {
        Self {
            wait: Wait::Doubling,
            ping_timer: PingTimer::LastHeard,
            connect_timeout: Duration::from_secs(5),
            ping_interval: Duration::from_secs(60),
            failures_max: u32::MAX,
        }
    }

    /// Returns the rules of nats.go 1.53.
    #[must_use]
    pub const fn go() -> Self {
        Self {
            wait: Wait::AfterSweep,
            ping_timer: PingTimer::LastSent,
            connect_timeout: Duration::from_secs(2),
            ping_interval: Duration::from_secs(120),
            failures_max: 60,
        }
    }

    /// Returns the rules of nats.js 3.4.
    #[must_use]
    pub const fn js() -> Self {
        Self {
            wait: Wait::PerServer,
            ping_timer: PingTimer::LastSent,
            connect_timeout: Duration::from_secs(20),
            ping_interval: Duration::from_secs(120),
            failures_max: 10,
        }
    }
}

impl Stock {
    pub(super) fn new(rules: StockRules, seed: u64, servers: usize, now: Time) -> Self {
        let mut rng = Rng::new(seed);
        let mut pool: Vec<_> =
            (0..servers).map(|server| Candidate { server, failed: 0, tried_at: None }).collect();
        shuffle(&mut pool, &mut rng);
        Self {
            rules,
            rng,
            pool: pool.into(),
            attempts: 0,
            state: State::Waiting(now),
            asks: VecDeque::new(),
            next_conn: 0,
            next_ping: 0,
            ping_due: now,
            unanswered: 0,
        }
    }

    pub(super) fn poll(&mut self) -> Option<Ask> {
        self.asks.pop_front()
    }

    pub(super) const fn due(&self) -> Option<Time> {
        match self.state {
            State::Waiting(at) => Some(at),
            State::Connected(_) => Some(self.ping_due),
            State::Dialing(_) | State::GaveUp => None,
        }
    }

    pub(super) fn wake(&mut self, now: Time) {
        match self.state {
            State::Waiting(at) if at <= now => self.dial(now),
            State::Connected(conn) if self.ping_due <= now => self.ping(conn, now),
            _ => {}
        }
    }

    pub(super) fn told(&mut self, told: Told, now: Time) {
        match (told, self.state) {
            (Told::Opened { conn, .. }, State::Dialing(dialling)) if conn == dialling => {
                self.attempts = 0;
                self.unanswered = 0;
                if let Some(current) = self.pool.back_mut() {
                    current.failed = 0;
                }
                self.state = State::Connected(conn);
                self.asks.push_back(Ask::Use { conn });
                let is_overdue = self.rules.ping_timer == PingTimer::LastHeard && self.ping_due <= now;
                self.ping_due = now + self.rules.ping_interval;
                if is_overdue {
                    self.ping(conn, now);
                }
            }
            (Told::OpenFailed { conn, .. }, State::Dialing(dialling)) if conn == dialling => {
                if let Some(current) = self.pool.back_mut() {
                    current.failed += 1;
                }
                let failures_max = self.rules.failures_max;
                self.pool.retain(|candidate| candidate.failed < failures_max);
                self.wait(now);
            }
            (Told::Pong { conn, .. }, State::Connected(current)) if conn == current => self.answered(now),
            (Told::Closed { conn }, State::Connected(current)) if conn == current => self.wait(now),
            _ => {}
        }
    }

    fn ping(&mut self, conn: ConnId, now: Time) {
        if self.unanswered >= PINGS_OUT_MAX {
            self.asks.push_back(Ask::Close { conn });
            return self.wait(now);
        }
        self.unanswered += 1;
        self.asks.push_back(Ask::Ping { conn, ping: PingId(self.next_ping) });
        self.next_ping += 1;
        self.ping_due = now + self.rules.ping_interval;
    }

    fn answered(&mut self, now: Time) {
        match self.rules.ping_timer {
            PingTimer::LastHeard => {
                self.unanswered = self.unanswered.saturating_sub(1);
                self.ping_due = now + self.rules.ping_interval;
            }
            PingTimer::LastSent => self.unanswered = 0,
        }
    }

    /// The next dial, as soon as the rules allow it.
    fn wait(&mut self, now: Time) {
        let servers = u32::try_from(self.pool.len()).unwrap_or(u32::MAX);
        let Some(next) = self.pool.front() else {
            self.state = State::GaveUp;
            return;
        };
        let wait = match self.rules.wait {
            Wait::Doubling => {
                if self.attempts.is_multiple_of(servers) {
                    let pool = self.pool.make_contiguous();
                    shuffle(pool, &mut self.rng);
                    pool.sort_by_key(|candidate| candidate.failed);
                }
                let doubled = Duration::from_millis(1 << self.attempts.min(31));
                if self.attempts == 0 { Duration::ZERO } else { doubled.min(DOUBLING_MAX) }
            }
            Wait::AfterSweep if self.attempts > 0 && self.attempts.is_multiple_of(servers) => {
                RECONNECT_WAIT + self.rng.up_to(RECONNECT_JITTER)
            }
            Wait::AfterSweep => Duration::ZERO,
            Wait::PerServer => match next.tried_at {
                Some(at) => (RECONNECT_WAIT + self.rng.up_to(RECONNECT_JITTER)).saturating_sub(now.since(at)),
                None => Duration::ZERO,
            },
        };
        self.state = State::Waiting(now + wait);
    }

    fn dial(&mut self, now: Time) {
        let Some(mut candidate) = self.pool.pop_front() else { return };
        candidate.tried_at = Some(now);
        self.pool.push_back(candidate);
        self.attempts += 1;
        let conn = ConnId(self.next_conn);
        self.next_conn += 1;
        self.state = State::Dialing(conn);
        self.asks.push_back(Ask::Dial {
            conn,
            server: candidate.server,
            timeout: self.rules.connect_timeout,
        });
    }
}

/// Fisher and Yates.
fn shuffle<T>(things: &mut [T], rng: &mut Rng) {
    for last in (1..things.len()).rev() {
        things.swap(last, (rng.unit() * (last + 1) as f64) as usize);
    }
}
