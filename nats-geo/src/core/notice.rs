//! Notices: the events of a client that its application receives.

use std::fmt;

use super::{Cause, ConnId, EndpointId, OpenError, Region, Time};

/// An event of a client, with its time.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Notice {
    /// Time of the event, on the client's clock.
    pub at: Time,
    /// The event.
    pub kind: NoticeKind,
}

/// An event of a client.
///
/// [`vocabulary::EVENTS`](super::vocabulary::EVENTS) lists the cause and the remedy of each.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum NoticeKind {
    /// The first link of the client is live. From now on the client publishes and receives messages.
    Connected(ServerRef),
    /// The client dials a server.
    Dialing(ServerRef),
    /// A dial succeeded: the server answered CONNECT with PONG. The client does not use the link for traffic yet.
    Opened(ServerRef),
    /// A dial failed. The client tries other servers; the application need not act.
    OpenFailed {
        /// The server.
        place: ServerRef,
        /// Reason why the dial failed.
        error: OpenError,
    },
    /// A PING is overdue, and no bytes arrive on the link. The client dials other servers, and moves to the first one
    /// that answers. The silent link stays open, because the server may still answer.
    Suspected(ServerRef),
    /// A suspect link answers again. The client stops the dials that the suspicion began.
    Cleared(ServerRef),
    /// A link is lost. If the active link is lost, the requests that wait on it fail, and the client moves to another
    /// server.
    Lost {
        /// The server.
        place: ServerRef,
        /// Reason why the link ended; `None` if the client closed it, because no PONG arrived in time.
        cause: Option<Cause>,
    },
    /// The server of the active link announced that it will close the connections of its clients. The client moves
    /// to another server in time, and loses no messages.
    LameDuck(ServerRef),
    /// A server answers, but a health check of the application failed there. The client avoids the region for a while. If
    /// another region passes the check, the client moves there.
    Unhealthy {
        /// The server.
        place: ServerRef,
        /// The error of the health check.
        why: String,
    },
    /// The active region fails a health check, and no other region passes the check. The client stays. It sends this
    /// notice once, and can repeat it only after a region has passed.
    NoHealthyAlternative(ServerRef),
    /// The client sends new traffic to another server.
    Moved {
        /// The server that traffic went to before.
        from: ServerRef,
        /// The server that traffic goes to now.
        to: ServerRef,
        /// Reason why the client moved.
        cause: MoveCause,
        /// Whether the old link stays open for a while. During this time, plain subscriptions may receive duplicates; see
        /// [`HandoverConfig`](super::HandoverConfig).
        overlap: bool,
    },
    /// The warm standby is connected. The client can move there without a dial.
    StandbyReady(ServerRef),
    /// The client lost a region so often that it avoids this region for now.
    Damped {
        /// The region.
        region: Region,
        /// Time at which the client considers the region again, unless the region fails once more.
        until: Time,
    },
    /// A server advertised an address, but a server of another cluster answers there. The client does not use the
    /// server that answers, and sends it no credentials. The client sends this notice once, and can repeat it only
    /// after a server of the expected cluster has answered there.
    OtherCluster {
        /// The `host:port` that was advertised.
        address: String,
        /// The cluster of the server that advertised the address.
        expected: String,
        /// The cluster of the server that answered.
        found: String,
    },
    /// The application's label for the region of a server differs from the server's cluster. The client uses the label.
    /// The address may be wrong, so the client sends this notice, once for each cluster.
    LabelContradicted {
        /// The server's `host:port`.
        address: String,
        /// The label in the list of servers.
        label: Region,
        /// The cluster that the server is in.
        cluster: Region,
    },
    /// Every region that answered refused the credentials. The client tries one server of each region again, with growing
    /// pauses.
    CredentialsRefused {
        /// The regions that refused the credentials.
        regions: Vec<Region>,
    },
    /// The client has no link, and no server answers. The client continues to dial, with pauses.
    Offline,
    /// The account allows no second connection, so the client closes the active link before it opens the next one.
    BreakBeforeMake(ServerRef),
    /// The host slept or stalled: a timer fired much too late. The client discards pending suspicions, because silence
    /// during the stall proves nothing.
    Stalled,
    /// A server refused a subscription. The stream of this subscription has ended with an error.
    SubscriptionRefused {
        /// The first 48 characters of the subject of the subscription.
        subject: String,
        /// The error that the stream ended with.
        why: String,
    },
    /// A message is lost, because servers do not accept it. Either the client has no permission to publish to the subject
    /// of the message, or the subject is too long. The client sends one notice for each subject.
    PublishRefused {
        /// The first 48 characters of the subject.
        subject: String,
        /// The server's error.
        why: String,
    },
    /// The application reads a subscription too slowly, and its buffer is full. The client drops the newest messages. It
    /// sends this notice once, and can repeat it only after the application has emptied the buffer.
    SlowConsumer {
        /// The first 48 characters of the subject of the subscription.
        subject: String,
    },
    /// A stream that the application reads was reset, so its sequences began at 1 again. Either the stream was in
    /// memory and its server restarted, or the stream was deleted and created again. Watches and ordered readers read
    /// the stream from its start. Readers with acknowledgements end with an error.
    StreamReset {
        /// The stream.
        stream: String,
        /// The last sequence that was read before the reset.
        last_sequence: u64,
    },
    /// The client cannot read a message of another client. It drops the damaged headers or the whole message, and sends
    /// one notice for each subject.
    UnreadableMessage {
        /// The first 48 characters of the subject of the message.
        subject: String,
        /// The reason why the client cannot read the message.
        why: String,
        /// Whether the client dropped the whole message.
        is_left_out: bool,
    },
    /// A DNS lookup failed. The client keeps the servers of the last successful lookup.
    ResolverFailed {
        /// The DNS name.
        name: String,
        /// Reason why the lookup failed.
        why: String,
        /// Number of servers of this name that the client keeps.
        kept: usize,
    },
    /// A DNS lookup succeeded after failures.
    ResolverRecovered {
        /// The DNS name.
        name: String,
    },
}

/// A link, and the server that it leads to.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct ServerRef {
    /// The link.
    pub conn: ConnId,
    /// The endpoint.
    pub endpoint: EndpointId,
    /// The endpoint's `host:port`.
    pub address: String,
    /// The server's name; `None` until it is known.
    pub server: Option<String>,
    /// The server's region.
    pub region: Region,
}

impl fmt::Display for ServerRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.region, self.server.as_deref().unwrap_or(&self.address))
    }
}

/// Reason why traffic moved to another link.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum MoveCause {
    /// The link was silent for too long. The link is still open, and another server answered first.
    Suspicion,
    /// The link ended, and another server of its region answered.
    ServerLost,
    /// The link ended, and no other server of its region answered.
    RegionLost,
    /// The silent link that the client had left answers again.
    Recovered,
    /// The server announced that it will close the connections of its clients.
    LameDuck,
    /// The region that the client had left is healthy again.
    FailBack,
    /// Another region became clearly faster.
    Faster,
    /// The application requested a new choice of the server.
    Requested,
    /// The servers of the region answer, but the region failed a health check.
    Unhealthy,
}

impl MoveCause {
    /// Returns whether the old link still worked when traffic moved.
    pub const fn is_planned(self) -> bool {
        match self {
            Self::Suspicion | Self::ServerLost | Self::RegionLost => false,
            Self::Recovered
            | Self::LameDuck
            | Self::FailBack
            | Self::Faster
            | Self::Requested
            | Self::Unhealthy => true,
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(place) => write!(f, "connected to {place}"),
            Self::Dialing(place) => write!(f, "dialing {place}"),
            Self::Opened(place) => write!(f, "the link to {place} is open"),
            Self::OpenFailed { place, error } => write!(f, "could not open a link to {place}: {error}"),
            Self::Suspected(place) => write!(f, "{place} is silent: a PING is overdue"),
            Self::Cleared(place) => write!(f, "{place} answers again"),
            Self::Lost { place, cause: Some(cause) } => write!(f, "lost {place}: {cause}"),
            Self::Lost { place, cause: None } => write!(f, "lost {place}: silent for too long"),
            Self::LameDuck(place) => write!(f, "{place} is in lame duck mode"),
            Self::Unhealthy { place, why } => write!(f, "{place} failed its health check: {why}"),
            Self::NoHealthyAlternative(place) => {
                write!(f, "staying at {place}: no other region passes the health check")
            }
            Self::Moved { from, to, cause, .. } => write!(f, "moved from {from} to {to}: {cause}"),
            Self::StandbyReady(place) => write!(f, "the standby at {place} is ready"),
            Self::Damped { region, until } => {
                write!(f, "{region} failed too often: the client avoids it until {until}")
            }
            Self::OtherCluster { address, expected, found } => write!(
                f,
                "a server of cluster {found} answers at {address}, which cluster {expected} advertised: the client does not \
                 use this server"
            ),
            Self::LabelContradicted { address, label, cluster } => {
                write!(f, "{address} is labelled `{label}`, but its server is in cluster `{cluster}`")
            }
            Self::CredentialsRefused { regions } => {
                let regions: Vec<_> = regions.iter().map(Region::as_str).collect();
                write!(f, "every region that answered refused the credentials: {}", regions.join(", "))
            }
            Self::Offline => f.write_str("offline: no server answers"),
            Self::BreakBeforeMake(place) => {
                write!(
                    f,
                    "connection limit: the client closes its link to {place} before it opens another link"
                )
            }
            Self::Stalled => {
                f.write_str("the host slept or stalled: the client discarded pending suspicions")
            }
            Self::SubscriptionRefused { why, .. } => write!(f, "a subscription ended: {why}"),
            Self::PublishRefused { subject, why } => write!(f, "a message to `{subject}` is lost: {why}"),
            Self::SlowConsumer { subject } => write!(
                f,
                "the application reads subscription `{subject}` too slowly: the client drops the newest messages"
            ),
            Self::StreamReset { stream, last_sequence } => {
                write!(f, "stream `{stream}` was reset after sequence {last_sequence} was read")
            }
            Self::UnreadableMessage { subject, why, is_left_out } => {
                let dropped = if *is_left_out { "a message" } else { "headers of a message" };
                write!(f, "the client dropped {dropped} to `{subject}`: {why}")
            }
            Self::ResolverFailed { name, why, kept } => {
                write!(f, "could not look up `{name}`: {why}; the client keeps {kept} servers of this name")
            }
            Self::ResolverRecovered { name } => write!(f, "the lookup of `{name}` succeeds again"),
        }
    }
}

impl fmt::Display for MoveCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}
