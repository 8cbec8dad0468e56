//! Facts in: what a driver tells the core.

use std::time::Duration;

use super::{ConnId, Endpoint, EndpointId, PingId, ProbeId, ServerIdentity};

/// A fact from the world. A fact about an id that the core no longer knows is ignored: late is normal.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Event {
    /// An endpoint became known, or a known one changed.
    Discovered(Endpoint),
    /// An endpoint is no longer offered. A live link to it stays.
    Withdrawn(EndpointId),
    /// The server of this link announced that it will close its clients.
    LameDuck(ConnId),
    /// A probe ended.
    Probed {
        /// The probe of `Action::Probe`.
        probe: ProbeId,
        /// What it learned.
        result: Result<ProbeReport, ProbeError>,
    },
    /// `Action::Open` succeeded: CONNECT was answered by PONG. No subscription is installed yet.
    Opened {
        /// The connection.
        conn: ConnId,
        /// Who answered.
        identity: ServerIdentity,
    },
    /// `Action::Open` failed; the id is spent.
    OpenFailed {
        /// The connection.
        conn: ConnId,
        /// Why.
        error: OpenError,
    },
    /// `Action::Activate` is done: the subscriptions live there, proven by a barrier.
    Activated {
        /// The connection.
        conn: ConnId,
    },
    /// `Action::Activate` could not be carried out; the link is of no use.
    ActivateFailed {
        /// The connection.
        conn: ConnId,
    },
    /// What this link leads to is of no use to the application, though it answers: so says a check of its own.
    Unusable {
        /// The connection.
        conn: ConnId,
        /// Why, for people.
        why: String,
    },
    /// A PING was answered.
    Pong {
        /// The ping of `Action::Ping`.
        ping: PingId,
        /// From the moment it left for the socket to its answer.
        rtt: Duration,
    },
    /// The link is alive though its PONG is not back: bytes came in since the last report, or the PING
    /// still waits in our own buffers while they drain. Bytes that merely entered the kernel are not
    /// progress: a blackhole swallows those too.
    Progress {
        /// The connection.
        conn: ConnId,
    },
    /// A link ended, by itself or because of `Action::Close`.
    Closed {
        /// The connection.
        conn: ConnId,
        /// Why.
        cause: Cause,
    },
    /// The user wants the choice to be made again: every endpoint is measured anew, and a planned move leads to
    /// the best region unless the client is there. Without a live link it only ends a back-off.
    ChooseAfresh,
    /// The host slept or stalled, or has a network again: pending verdicts are void, samples in flight are
    /// worthless, and a back-off ends.
    Resumed,
}

/// What a probe that was answered learned.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct ProbeReport {
    /// From the start of the dial to the complete INFO.
    pub time_to_info: Duration,
    /// How many round trips that took: 2 over TCP (SYN, INFO); more when TLS or WebSocket come first.
    /// At least 1; 0 is read as 1.
    pub round_trips: u8,
    /// Who answered.
    pub identity: ServerIdentity,
}

impl ProbeReport {
    /// The round-trip time: the only kind of sample that ranks.
    pub fn rtt(&self) -> Duration {
        self.time_to_info / u32::from(self.round_trips.max(1))
    }
}

/// Why a probe was not answered.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum ProbeError {
    /// The host answered that nobody listens there.
    #[error("connection refused")]
    Refused,
    /// Nothing came back in time.
    #[error("no answer in time")]
    TimedOut,
    /// The network or the resolver says that there is no way to it.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The connection ended before the INFO was complete.
    #[error("closed before INFO")]
    Closed,
    /// What answered is not a NATS server, or not one that this client can talk to.
    #[error("not a usable NATS server: {0}")]
    NotNats(String),
    /// No TLS session came about: which certificate is wrong, and what helps.
    #[error("TLS: {0}")]
    Tls(String),
    /// The server waits for the TLS handshake before it sends INFO, and the client for INFO.
    #[error(
        "the server sent nothing, because it, or a proxy in front of it, waits for the TLS handshake \
         (`handshake_first`): connect with `Tls::first`"
    )]
    AwaitsTls,
    /// A server of another cluster answers at an address that a server had advertised for its own. It is shown no
    /// credentials.
    #[error(
        "the server that answers is of {found}, but the address was advertised by {expected}: set `client_advertise` \
         at its servers to addresses that clients reach, or ignore discovered servers"
    )]
    OtherCluster {
        /// That of the server that advertised it.
        expected: String,
        /// That of the server that answered.
        found: String,
    },
}

impl ProbeError {
    /// Whether nothing at all came back: the sign of a blackhole, or of trouble on our own side.
    pub(crate) const fn is_silence(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Unreachable(_))
    }
}

/// Why a connection could not be opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum OpenError {
    /// The host answered that nobody listens there.
    #[error("connection refused")]
    Refused,
    /// Not open in time.
    #[error("not open in time")]
    TimedOut,
    /// The network or the resolver says that there is no way to it.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The server refused the credentials. One server of each other region is asked as well: a region may not have
    /// heard of them yet.
    #[error("credentials refused: {0}")]
    Auth(String),
    /// The account allows no further connection: a link must be closed before another one can be opened.
    #[error("the account allows no further connection")]
    ConnectionLimit,
    /// The server allows no further connection, whoever asks. To close a link elsewhere makes no room there.
    #[error("the server allows no further connection")]
    ServerFull,
    /// The server has too much to do for another client: it limits the rate of connections (`Connection throttling is
    /// active`), or came to this one too late (`Authentication Timeout`).
    #[error("the server is overloaded: {0}")]
    Overloaded(String),
    /// No TLS session came about: which certificate is wrong, and what helps.
    #[error("TLS: {0}")]
    Tls(String),
    /// Anything else, in the transport's words.
    #[error("{0}")]
    Other(String),
    /// A server of another cluster answers at an address that a server had advertised for its own. It is shown no
    /// credentials.
    #[error(
        "the server that answers is of {found}, but the address was advertised by {expected}: set `client_advertise` \
         at its servers to addresses that clients reach, or ignore discovered servers"
    )]
    OtherCluster {
        /// That of the server that advertised it.
        expected: String,
        /// That of the server that answered.
        found: String,
    },
}

impl OpenError {
    /// Whether nothing at all came back.
    pub(crate) const fn is_silence(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Unreachable(_))
    }

    /// Whether the server may take this client later, when it has fewer to serve.
    pub(crate) const fn is_overload(&self) -> bool {
        matches!(self, Self::ConnectionLimit | Self::ServerFull | Self::Overloaded(_))
    }
}

/// Why a link ended.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Cause {
    /// The core asked for it.
    #[error("closed as asked")]
    Requested,
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Eof,
    /// The connection was reset, or the transport failed in another way.
    #[error("connection reset: {0}")]
    Reset(String),
    /// The server said why it ends the connection (`-ERR`).
    #[error("the server ended the connection: {0}")]
    ServerError(String),
    /// The server ended the connection because of the credentials (expired, revoked).
    #[error("credentials refused: {0}")]
    Auth(String),
}
