//! Events: the facts that a driver reports to the core.

use std::time::Duration;

use super::{ConnId, Endpoint, EndpointId, PingId, ProbeId, ServerIdentity};

/// A fact that a driver reports. Facts can arrive late, so the core ignores facts about ids that are no longer in use.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Event {
    /// An endpoint became known, or a known endpoint changed.
    Discovered(Endpoint),
    /// The driver removed an endpoint from its list of servers. A live link to the endpoint stays open.
    Withdrawn(EndpointId),
    /// The server of this link announced that it will close the connections of its clients.
    LameDuck(ConnId),
    /// A probe ended.
    Probed {
        /// The id that `Action::Probe` gave to the probe.
        probe: ProbeId,
        /// The answer, or the reason why there is no answer.
        result: Result<ProbeReport, ProbeError>,
    },
    /// `Action::Open` succeeded: the server answered CONNECT with PONG. The link has no subscriptions yet.
    Opened {
        /// The connection.
        conn: ConnId,
        /// Identity of the server that answered.
        identity: ServerIdentity,
    },
    /// `Action::Open` failed. The core does not use the id of this connection again.
    OpenFailed {
        /// The connection.
        conn: ConnId,
        /// The reason.
        error: OpenError,
    },
    /// `Action::Activate` is done: a round trip to the server has confirmed the subscriptions.
    Activated {
        /// The connection.
        conn: ConnId,
    },
    /// `Action::Activate` failed, so the link cannot carry traffic.
    ActivateFailed {
        /// The connection.
        conn: ConnId,
    },
    /// A health check of the application failed on this link, although its server answers.
    Unhealthy {
        /// The connection.
        conn: ConnId,
        /// The error of the health check.
        why: String,
    },
    /// A PING was answered.
    Pong {
        /// The id that `Action::Ping` gave to the PING.
        ping: PingId,
        /// The time from writing the PING to the socket until its PONG arrived.
        rtt: Duration,
    },
    /// The link is alive although its PONG has not arrived. Either bytes arrived since the last report, or the PING
    /// still waits in the client's own buffers, and the client continues to write these buffers. Bytes that only
    /// entered the kernel are no progress: the kernel accepts bytes even if the network drops them all.
    Progress {
        /// The connection.
        conn: ConnId,
    },
    /// A link ended, because of `Action::Close` or for another reason.
    Closed {
        /// The connection.
        conn: ConnId,
        /// The reason.
        cause: Cause,
    },
    /// The application requests a new choice of the server. The client measures every endpoint again, and moves to the
    /// best region, unless it is there already. Without a live link, this event only ends a back-off.
    Reselect,
    /// The host slept or stalled, or has a network again. The core discards pending suspicions and samples in flight, and
    /// ends a back-off.
    Resumed,
}

/// The result of a probe that was answered.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct ProbeReport {
    /// The time from the start of the dial until INFO was complete.
    pub time_to_info: Duration,
    /// The number of round trips in that time: 2 over TCP (SYN, INFO), more with TLS or WebSocket. The core reads 0 as 1.
    pub round_trips: u8,
    /// Identity of the server that answered.
    pub identity: ServerIdentity,
}

impl ProbeReport {
    /// Returns the round-trip time: `time_to_info` divided by `round_trips`. The core ranks servers only by the
    /// round-trip times of probes.
    pub fn rtt(&self) -> Duration {
        self.time_to_info / u32::from(self.round_trips.max(1))
    }
}

/// Reason why a probe failed.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum ProbeError {
    /// The host refused the connection: no server listens on that port.
    #[error("connection refused")]
    Refused,
    /// No answer arrived in time.
    #[error("no answer in time")]
    TimedOut,
    /// The network has no route to the host, or the lookup of its name failed.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The connection ended before the INFO was complete.
    #[error("closed before INFO")]
    Closed,
    /// The other side is no NATS server, or a NATS server that this client does not support.
    #[error("not a NATS server that this client can use: {0}")]
    NotNats(String),
    /// The TLS handshake failed. The text has the reason and the remedy, and names the certificate if it is wrong.
    #[error("TLS: {0}")]
    Tls(String),
    /// The server waits for the TLS handshake before it sends INFO, and the client waits for INFO.
    #[error(
        "the server sent nothing, because the server, or a proxy before it, waits for the TLS handshake \
         (`handshake_first`): connect with `Tls::first`"
    )]
    AwaitsTls,
    /// A server advertised this address, but a server of another cluster answers there. The client sends no credentials
    /// to it.
    #[error(
        "the server that answers is in cluster `{found}`, but a server of `{expected}` advertised the address: set \
         `client_advertise` at the servers to addresses that clients reach, or ignore discovered servers"
    )]
    OtherCluster {
        /// The cluster of the server that advertised the address.
        expected: String,
        /// The cluster of the server that answered.
        found: String,
    },
}

impl ProbeError {
    /// Returns whether the server sent nothing at all: the sign of a blackhole, or of a problem of the client's host.
    pub(crate) const fn is_silence(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Unreachable(_))
    }
}

/// Reason why a connection could not be opened.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum OpenError {
    /// The host refused the connection: no server listens on that port.
    #[error("connection refused")]
    Refused,
    /// The dial was not complete in time.
    #[error("the dial was not complete in time")]
    TimedOut,
    /// The network has no route to the host, or the lookup of its name failed.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The server refused the credentials. The client also tries one server of each other region, because new credentials
    /// may not have reached every region yet.
    #[error("credentials refused: {0}")]
    Auth(String),
    /// The account allows no further connection. The client must close a link before it can open another one.
    #[error("the account allows no further connection")]
    ConnectionLimit,
    /// The server has reached its limit of connections of all clients. Closing a link to another server does not help.
    #[error("the server allows no further connection")]
    ServerFull,
    /// The server is overloaded: it limits the rate of connections (`Connection throttling is active`), or did not handle
    /// this connection in time (`Authentication Timeout`).
    #[error("the server is overloaded: {0}")]
    Overloaded(String),
    /// The TLS handshake failed. The text has the reason and the remedy, and names the certificate if it is wrong.
    #[error("TLS: {0}")]
    Tls(String),
    /// Any other error, as the transport reports it.
    #[error("{0}")]
    Other(String),
    /// A server advertised this address, but a server of another cluster answers there. The client sends no credentials
    /// to it.
    #[error(
        "the server that answers is in cluster `{found}`, but a server of `{expected}` advertised the address: set \
         `client_advertise` at the servers to addresses that clients reach, or ignore discovered servers"
    )]
    OtherCluster {
        /// The cluster of the server that advertised the address.
        expected: String,
        /// The cluster of the server that answered.
        found: String,
    },
}

impl OpenError {
    /// Returns whether the server sent nothing at all.
    pub(crate) const fn is_silence(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Unreachable(_))
    }

    /// Returns whether the server may accept this client later, when it has fewer to serve.
    pub(crate) const fn is_overload(&self) -> bool {
        matches!(self, Self::ConnectionLimit | Self::ServerFull | Self::Overloaded(_))
    }
}

/// Reason why a link ended.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Cause {
    /// The client closed the link.
    #[error("the client closed the link")]
    Requested,
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Eof,
    /// The connection was reset, or the transport failed in another way.
    #[error("connection reset: {0}")]
    Reset(String),
    /// The server closed the connection and sent the reason (`-ERR`).
    #[error("the server closed the connection: {0}")]
    ServerError(String),
    /// The server closed the connection, because the credentials expired or were revoked.
    #[error("credentials refused: {0}")]
    Auth(String),
}
