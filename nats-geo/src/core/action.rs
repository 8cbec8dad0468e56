//! Actions: the decisions of the core, which a driver carries out.

use std::time::Duration;

use super::{ConnId, EndpointId, Notice, PingId, ProbeId};

/// A decision for the driver to carry out. The driver reports the results as [`Event`](super::Event)s.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Action {
    /// Measure a server: dial on a separate connection, read INFO, close the connection, and report the time that this
    /// took.
    Probe {
        /// Id of the probe, which `Event::Probed` must repeat.
        probe: ProbeId,
        /// Endpoint to dial.
        endpoint: EndpointId,
        /// Report `ProbeError::TimedOut` after this long.
        timeout: Duration,
    },
    /// Open a link: dial, send CONNECT, and wait for PONG. Do not install subscriptions yet.
    Open {
        /// Id of the link, which `Event::Opened` or `Event::OpenFailed` must repeat.
        conn: ConnId,
        /// Endpoint to dial.
        endpoint: EndpointId,
        /// Report `OpenError::TimedOut` after this long.
        timeout: Duration,
    },
    /// Send a PING on a link.
    Ping {
        /// The link.
        conn: ConnId,
        /// Id of the PING, which `Event::Pong` must repeat.
        ping: PingId,
    },
    /// Install the subscriptions on this link, and send new traffic there. Then confirm with a round trip that the server
    /// has the subscriptions.
    Activate {
        /// The link.
        conn: ConnId,
        /// Moment from which the driver may send new traffic on the link.
        handover: Handover,
    },
    /// End a link. The driver reports the end with `Event::Closed`.
    Close {
        /// The link.
        conn: ConnId,
        /// Keep the subscriptions of the link for this long before the drain. A round trip on the new link proves that
        /// the new server has the subscriptions. It does not prove that the gateways have passed them on to other
        /// clusters. Zero for a link without subscriptions.
        overlap: Duration,
        /// After the overlap, wait for requests in flight and queued deliveries. Close the link when none of them has
        /// made progress for this long. Zero: close the link at once.
        drain: Duration,
    },
    /// Pass a notice to the application.
    Notify(Notice),
}

/// Moment from which the driver sends new traffic on a link during its activation.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum Handover {
    /// At once, directly after the SUBs: the old link has failed (unplanned move).
    Pipelined,
    /// Only after the round trip that confirms the subscriptions: the old link still works (planned move,
    /// make-before-break).
    AfterBarrier,
}
