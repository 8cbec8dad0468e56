//! The end of a link, and the handling of the operations that were in progress on this link.

use nats_geo::core::{Cause, ConnId, Event, OpenError, ProbeError, ProbeId, Time};
use nats_geo::wire::Complaint;

use super::link::{Link, Purpose, SocketId, Step, Whom};
use super::{Code, Effect, Engine};

/// Why a link ends.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// We want it.
    Requested,
    /// The socket could not be opened: a browser does not say why.
    Failed,
    /// A policy of the page forbids it: the socket failed without being closed.
    Blocked,
    /// The socket is closed; what the browser or the server said about it.
    Closed(String),
    /// It takes too long.
    TimedOut,
    /// The credentials are refused.
    Auth(String),
    /// A server of another cluster answers at an advertised address.
    OtherCluster { expected: String, found: String },
    /// The account allows no further connection.
    AccountLimit,
    /// The server allows no further connection.
    ServerFull,
    /// The server has too much to do for us.
    Overloaded(String),
    /// What came is not NATS.
    Protocol(String),
    /// Given up for a reason of ours.
    Reset(String),
}

/// The end of a socket: the `close` event, with its code and reason.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum SocketEnd {
    /// The code (1006 without a closing handshake) and the reason, which may be empty.
    Closed(u16, String),
}

/// Shown when a policy forbids a socket: the browser says so only in its console.
const BLOCKED: &str = "the browser may not open the link: check `connect-src` of the Content-Security-Policy";

pub(super) const NO_NETWORK: &str = "the browser has no network";

impl Engine {
    /// Handles the end of a socket: it was closed, or could not be opened.
    pub fn socket_closed(&mut self, socket: SocketId, end: SocketEnd, now: Time) {
        self.advance(now);
        if let Some(link) = self.links.get(&socket) {
            let end = match end {
                SocketEnd::Closed(..) if link.step == Step::Opening => End::Failed,
                SocketEnd::Closed(code, reason) if reason.is_empty() => End::Closed(code.to_string()),
                SocketEnd::Closed(code, reason) => End::Closed(format!("{code} {reason}")),
            };
            self.end_link(socket, end);
        }
        self.pump();
    }

    /// Handles the failure of a socket. A `close` event follows at once, unless the browser was not allowed to open the
    /// socket.
    pub fn socket_failed(&mut self, socket: SocketId, now: Time) {
        self.advance(now);
        if let Some(link) = self.links.get_mut(&socket).filter(|link| link.step == Step::Opening) {
            link.has_failed = true;
            link.deadline = link.deadline.min(self.now + CLOSE_FOLLOWS);
        }
        self.pump();
    }

    /// Ends a link and tells everybody who waits for something from it.
    pub(super) fn end_link(&mut self, socket: SocketId, end: End) {
        let Some(mut link) = self.drop_socket(socket) else { return };
        let end = explained(end, &link, self.now);
        self.remember_failure(&link, &end);
        match link.purpose {
            Purpose::Probe(probe) => self.probe_failed(probe, &end),
            Purpose::Traffic(conn) => {
                let was_live = link.step == Step::Live;
                self.find_culprit(&link, &end);
                self.settle(socket, &mut link);
                self.traffic_ended(conn, end, was_live);
            }
        }
    }

    /// Forgets a socket and has it closed.
    pub(super) fn drop_socket(&mut self, socket: SocketId) -> Option<Link> {
        let link = self.links.remove(&socket)?;
        if let Some(conn) = link.conn() {
            self.conns.remove(&conn);
        }
        if link.parked.is_none() {
            self.effects.push_back(Effect::CloseSocket { socket });
        }
        Some(link)
    }

    fn probe_failed(&mut self, probe: ProbeId, end: &End) {
        let error = match end {
            End::Failed if !self.is_online => ProbeError::Unreachable(NO_NETWORK.into()),
            End::Failed => ProbeError::Refused,
            End::Blocked => ProbeError::NotNats(BLOCKED.into()),
            End::TimedOut => ProbeError::TimedOut,
            End::Auth(text) => ProbeError::NotNats(format!("credentials refused: {text}")),
            End::Protocol(text) => ProbeError::NotNats(text.clone()),
            End::OtherCluster { expected, found } => {
                ProbeError::OtherCluster { expected: expected.clone(), found: found.clone() }
            }
            End::Requested
            | End::Closed(_)
            | End::AccountLimit
            | End::ServerFull
            | End::Overloaded(_)
            | End::Reset(_) => ProbeError::Closed,
        };
        self.tell(Event::Probed { probe, result: Err(error) });
    }

    fn traffic_ended(&mut self, conn: ConnId, end: End, was_live: bool) {
        if end == End::Requested || was_live {
            let cause = match end {
                End::Requested => Cause::Requested,
                End::Auth(text) => Cause::Auth(text),
                End::Closed(text) if text.starts_with(ABNORMAL) => Cause::Reset(text),
                End::Closed(_) => Cause::Eof,
                End::Reset(text) | End::Protocol(text) | End::Overloaded(text) => Cause::Reset(text),
                End::Failed
                | End::Blocked
                | End::TimedOut
                | End::OtherCluster { .. }
                | End::AccountLimit
                | End::ServerFull => Cause::Eof,
            };
            return self.tell(Event::Closed { conn, cause });
        }
        let error = match end {
            End::Failed if self.is_online => OpenError::Refused,
            End::Failed => OpenError::Unreachable(NO_NETWORK.into()),
            End::TimedOut => OpenError::TimedOut,
            End::Auth(text) => OpenError::Auth(text),
            End::OtherCluster { expected, found } => OpenError::OtherCluster { expected, found },
            End::AccountLimit => OpenError::ConnectionLimit,
            End::ServerFull => OpenError::ServerFull,
            End::Overloaded(text) => OpenError::Overloaded(text),
            End::Blocked => OpenError::Other(BLOCKED.into()),
            End::Protocol(text) => {
                OpenError::Other(format!("not a NATS server that this client can use: {text}"))
            }
            End::Closed(text) => OpenError::Other(format!("closed: {text}")),
            End::Reset(text) => OpenError::Other(text),
            End::Requested => OpenError::TimedOut,
        };
        self.tell(Event::OpenFailed { conn, error });
    }

    /// What was under way on a link is moved, or told that it failed.
    fn settle(&mut self, socket: SocketId, link: &mut Link) {
        if self.live == Some(socket) {
            self.live = None;
        }
        self.counters.unconfirmed += link.unconfirmed();
        link.out.give_publishes_to(&mut self.kept, self.now);
        if self.live.is_some() {
            self.send_kept();
        } else {
            self.bound_kept();
        }
        self.requests_lost(socket);
        for waiter in std::mem::take(&mut link.waiters) {
            match waiter.whom {
                Whom::RoundTrip(op) => self.failed(op, Code::LinkLost, LOST_BEFORE_PONG),
                Whom::Barrier(barrier) => self.barrier_answered(barrier, false),
                Whom::Ended => self.begin_elsewhere(socket),
                // The selector and the purposes of the link itself learn of the end by its event.
                _ => {}
            }
        }
        // It was to take over: what has ended elsewhere for that begins there again.
        if let Some(live) = self.live.filter(|_| self.aim == link.conn()) {
            self.install_all(live);
        }
    }

    /// Refused credentials outlast what else fails: they are why the client cannot connect.
    fn remember_failure(&mut self, link: &Link, end: &End) {
        let (code, what) = match end {
            End::Requested => return,
            End::Auth(text) => (Code::Authorization, text.as_str()),
            End::Protocol(text) => (Code::Protocol, text.as_str()),
            End::Blocked => (Code::Connection, BLOCKED),
            End::TimedOut if link.parked.is_some() => (Code::Connection, NO_NETWORK),
            End::Failed => (Code::Connection, "the socket could not be opened"),
            End::TimedOut => (Code::Connection, "no answer in time"),
            End::OtherCluster { .. } => (Code::Connection, "a server of another cluster answers there"),
            End::AccountLimit => (Code::Connection, "the account allows no further connection"),
            End::ServerFull => (Code::Connection, "the server allows no further connection"),
            End::Closed(text) | End::Reset(text) | End::Overloaded(text) => (Code::Connection, text.as_str()),
        };
        let text = format!("{}: {what}", self.endpoints.shown(link.endpoint));
        if code == Code::Authorization || !matches!(self.last_failure, Some((Code::Authorization, _))) {
            self.last_failure = Some((code, text));
        }
    }

    pub(super) fn completed(&mut self, op: u32) {
        self.effects.push_back(Effect::Completed { op, code: None, text: None, value: None });
    }

    pub(super) fn completed_with(&mut self, op: u32, value: f64) {
        self.effects.push_back(Effect::Completed { op, code: None, text: None, value: Some(value) });
    }

    pub(super) fn failed(&mut self, op: u32, code: Code, text: &str) {
        self.effects.push_back(Effect::Completed {
            op,
            code: Some(code),
            text: Some(text.into()),
            value: None,
        });
    }
}

/// Browsers fire `close` in the same task as `error`.
const CLOSE_FOLLOWS: std::time::Duration = std::time::Duration::from_millis(100);

/// The code of a WebSocket that ended without a closing handshake (RFC 6455, section 7.1.5).
const ABNORMAL: &str = "1006";

pub(super) const LOST_BEFORE_PONG: &str =
    "the link was lost before the server confirmed the publishes; they may or may not have arrived";

/// A socket that ends right after a complaint ended because of it; most complaints leave it open.
const BLAME_LIMIT: std::time::Duration = std::time::Duration::from_secs(1);

fn explained(end: End, link: &Link, now: Time) -> End {
    let End::Closed(_) = &end else { return end };
    match &link.complaint {
        Some((text, at)) if now.since(*at) < BLAME_LIMIT => {
            if Complaint::of(text) == Complaint::Credentials {
                End::Auth(text.clone())
            } else {
                End::Reset(text.clone())
            }
        }
        _ => end,
    }
}
