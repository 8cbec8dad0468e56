//! Decisions out: what the core asks of a driver.

use std::time::Duration;

use super::{ConnId, EndpointId, Notice, PingId, ProbeId};

/// A decision for the driver to carry out. Results come back as [`Event`](super::Event)s.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Action {
    /// Dial on a connection of its own, read INFO, report how long it took, hang up.
    Probe {
        /// To be named in `Event::Probed`.
        probe: ProbeId,
        /// Endpoint to dial.
        endpoint: EndpointId,
        /// Report `ProbeError::TimedOut` after this long.
        timeout: Duration,
    },
    /// Dial, CONNECT, wait for PONG. No subscriptions.
    Open {
        /// To be named in `Event::Opened` or `Event::OpenFailed`.
        conn: ConnId,
        /// Endpoint to dial.
        endpoint: EndpointId,
        /// Report `OpenError::TimedOut` after this long.
        timeout: Duration,
    },
    /// Send a PING on a link.
    Ping {
        /// On this link.
        conn: ConnId,
        /// To be named in `Event::Pong`.
        ping: PingId,
    },
    /// Install the subscriptions on this link, and let new traffic go there. Then check with a round trip that the server
    /// has the subscriptions.
    Activate {
        /// The link.
        conn: ConnId,
        /// Moment from which the link may take new traffic.
        handover: Handover,
    },
    /// End a link. Answered by `Event::Closed`.
    Close {
        /// The link.
        conn: ConnId,
        /// Keep its subscriptions for this long first: a barrier proves one server, not that interest has
        /// crossed the gateways. Zero for a link that carries none.
        overlap: Duration,
        /// Then let requests in flight and queued deliveries end, as long as something moves without a pause of this. Zero:
        /// at once.
        drain: Duration,
    },
    /// Tell the user.
    Notify(Notice),
}

/// Moment from which a link that is being activated takes new traffic.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Handover {
    /// At once, right behind the SUBs: there is no better place (unplanned move).
    Pipelined,
    /// Only after the barrier: the old link still works (planned move, make-before-break).
    AfterBarrier,
}
