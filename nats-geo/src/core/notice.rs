//! What the user of a client is told.

use std::fmt;

use super::{Cause, ConnId, EndpointId, OpenError, Region, Time};

/// Something that the user may want to know, and when it happened.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Notice {
    /// When, in the driver's time.
    pub at: Time,
    /// What.
    pub kind: NoticeKind,
}

/// What happened.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub enum NoticeKind {
    /// The first link is live.
    Connected(Place),
    /// A dial began.
    Dialing(Place),
    /// A dial succeeded: CONNECT was answered by PONG.
    Opened(Place),
    /// A dial failed.
    OpenFailed {
        /// Where.
        place: Place,
        /// Why.
        error: OpenError,
    },
    /// A PING is overdue and nothing moves on the link.
    Suspected(Place),
    /// A suspected link answered after all.
    Cleared(Place),
    /// A link is gone.
    Lost {
        /// Which.
        place: Place,
        /// Why; `None` when it was given up as silent.
        cause: Option<Cause>,
    },
    /// The server of the live link will close its clients; this client leaves in an orderly way.
    LameDuck(Place),
    /// A link answers, but its region is of no use.
    Useless {
        /// Which.
        place: Place,
        /// Why.
        why: String,
    },
    /// The live link is of no use, but there is nothing better to go to: the client stays.
    NothingBetter(Place),
    /// New traffic goes to another link.
    Moved {
        /// Where it went before.
        from: Place,
        /// Where it goes now.
        to: Place,
        /// Why.
        cause: MoveCause,
        /// The old link works on for a while, so plain subscriptions may see messages twice; see
        /// the overlap in [`Config`](super::Config).
        overlap: bool,
    },
    /// The warm standby is connected.
    StandbyReady(Place),
    /// A region was left so often that it is not returned to for now.
    Damped {
        /// Which.
        region: Region,
        /// Until this moment, unless it fails again.
        until: Time,
    },
    /// A server of another cluster answers at an address that was advertised: it is not used. Said once, until the right
    /// one answers there.
    OtherCluster {
        /// The `host:port` that was advertised.
        address: String,
        /// The cluster of the server that advertised it.
        expected: String,
        /// The cluster of the server that answered.
        found: String,
    },
    /// A server says that it is in another cluster than the label of its region. The label holds; this is said once for
    /// each cluster, because a wrong address may be why.
    LabelContradicted {
        /// The server's `host:port`.
        address: String,
        /// The label that it was given.
        label: Region,
        /// The cluster that it is in.
        cluster: Region,
    },
    /// No region takes the credentials. The client goes on asking one server of each, more and more seldom.
    CredentialsRefused {
        /// The regions that refused them.
        regions: Vec<Region>,
    },
    /// Nothing is live and nothing answers.
    Offline,
    /// A connection limit forbids two links at once: the old one is closed before the new one opens.
    BreakBeforeMake(Place),
    /// The host slept or stalled; pending verdicts were dropped.
    Resumed,
    /// A server refused a subscription, whose stream has ended.
    SubscriptionRefused {
        /// The first 48 characters of its subject.
        subject: String,
        /// The error that the stream ended with.
        why: String,
    },
    /// A message is lost because servers do not take it: this user may not publish to its subject, or the subject is longer
    /// than they read. One notice for each subject.
    PublishRefused {
        /// The first 48 characters of the subject.
        subject: String,
        /// The server's words.
        why: String,
    },
    /// The application does not read a subscription as fast as messages come, and its buffer is full: the newest are lost.
    /// One notice until the subscription has been read to its end.
    SlowConsumer {
        /// The first 48 characters of its subject.
        subject: String,
    },
    /// A stream that is being read began again: it was in memory and its server started again, or it was deleted and made
    /// again. Watches and ordered readers start over; consumers that acknowledge end with an error.
    StreamBeganAgain {
        /// The stream.
        stream: String,
        /// The last sequence that was read before.
        last_sequence: u64,
    },
    /// Another client has published a message that cannot be read: its headers are delivered as far as they can be, or the
    /// message is left out. One notice for each subject.
    Unreadable {
        /// The first 48 characters of its subject.
        subject: String,
        /// What is wrong with it.
        why: String,
        /// The message was left out.
        is_left_out: bool,
    },
    /// A name cannot be looked up; the servers that it had are kept.
    ResolverFailed {
        /// Which name.
        name: String,
        /// Why.
        why: String,
        /// How many servers of it are kept.
        kept: usize,
    },
    /// The name can be looked up again.
    ResolverRecovered {
        /// Which name.
        name: String,
    },
}

/// A link and where it leads.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct Place {
    /// The link.
    pub conn: ConnId,
    /// Its endpoint.
    pub endpoint: EndpointId,
    /// The endpoint's `host:port`.
    pub address: String,
    /// The server's name, as far as known.
    pub server: Option<String>,
    /// The region.
    pub region: Region,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.region, self.server.as_deref().unwrap_or(&self.address))
    }
}

/// Why traffic moved.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum MoveCause {
    /// The link fell silent.
    Suspicion,
    /// The link ended and a sibling of its server took over.
    ServerLost,
    /// The link ended and no sibling answered.
    RegionLost,
    /// A suspected link answered after all.
    Recovered,
    /// The server announced its end.
    LameDuck,
    /// Home again after a failure.
    FailBack,
    /// Another region became clearly faster.
    Faster,
    /// The user asked for the choice to be made again.
    Requested,
    /// The region answers, but is of no use.
    Useless,
}

impl MoveCause {
    /// A name for machines, such as `region_lost`: in labels and reports it stays what it is.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Suspicion => "suspicion",
            Self::ServerLost => "server_lost",
            Self::RegionLost => "region_lost",
            Self::Recovered => "recovered",
            Self::LameDuck => "lame_duck",
            Self::FailBack => "fail_back",
            Self::Faster => "faster",
            Self::Requested => "requested",
            Self::Useless => "useless",
        }
    }

    /// Whether the old link still worked when traffic moved.
    pub const fn is_planned(self) -> bool {
        match self {
            Self::Suspicion | Self::ServerLost | Self::RegionLost => false,
            Self::Recovered
            | Self::LameDuck
            | Self::FailBack
            | Self::Faster
            | Self::Requested
            | Self::Useless => true,
        }
    }
}

impl fmt::Display for NoticeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(place) => write!(f, "connected to {place}"),
            Self::Dialing(place) => write!(f, "dialling {place}"),
            Self::Opened(place) => write!(f, "link to {place} is open"),
            Self::OpenFailed { place, error } => write!(f, "no link to {place}: {error}"),
            Self::Suspected(place) => write!(f, "{place} is silent"),
            Self::Cleared(place) => write!(f, "{place} answers again"),
            Self::Lost { place, cause: Some(cause) } => write!(f, "lost {place}: {cause}"),
            Self::Lost { place, cause: None } => write!(f, "gave up {place}: silent for too long"),
            Self::LameDuck(place) => write!(f, "{place} is in lame duck mode"),
            Self::Useless { place, why } => write!(f, "{place} is of no use: {why}"),
            Self::NothingBetter(place) => write!(f, "staying at {place}: nothing better answers"),
            Self::Moved { from, to, cause, .. } => write!(f, "moved from {from} to {to}: {cause}"),
            Self::StandbyReady(place) => write!(f, "standby at {place} is ready"),
            Self::Damped { region, until } => write!(f, "{region} failed too often: damped until {until}"),
            Self::OtherCluster { address, expected, found } => {
                write!(
                    f,
                    "a server of {found} answers at {address}, which {expected} advertised: it is not used"
                )
            }
            Self::LabelContradicted { address, label, cluster } => {
                write!(f, "{address} is labelled `{label}`, but its server is in cluster `{cluster}`")
            }
            Self::CredentialsRefused { regions } => {
                let regions: Vec<_> = regions.iter().map(Region::as_str).collect();
                write!(
                    f,
                    "the credentials were refused in every region that answered: {}",
                    regions.join(", ")
                )
            }
            Self::Offline => f.write_str("offline: no server answers"),
            Self::BreakBeforeMake(place) => {
                write!(f, "connection limit: {place} is closed before the next link opens")
            }
            Self::Resumed => f.write_str("resumed after a stall: pending verdicts dropped"),
            Self::SubscriptionRefused { why, .. } => write!(f, "a subscription ended: {why}"),
            Self::PublishRefused { subject, why } => write!(f, "a message to `{subject}` is lost: {why}"),
            Self::SlowConsumer { subject } => {
                write!(f, "subscription `{subject}` is not read fast enough: the newest messages are lost")
            }
            Self::StreamBeganAgain { stream, last_sequence } => {
                write!(f, "stream `{stream}` began again after message {last_sequence} was read")
            }
            Self::Unreadable { subject, why, is_left_out } => {
                let what = if *is_left_out { "a message is left out" } else { "headers are left out" };
                write!(f, "{what}: of a message to `{subject}`, {why}")
            }
            Self::ResolverFailed { name, why, kept } => {
                write!(f, "cannot look up {name}: {why}; {kept} servers of it are kept")
            }
            Self::ResolverRecovered { name } => write!(f, "{name} can be looked up again"),
        }
    }
}

impl fmt::Display for MoveCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Suspicion => "silent link",
            Self::ServerLost => "server lost",
            Self::RegionLost => "region lost",
            Self::Recovered => "recovered",
            Self::LameDuck => "lame duck",
            Self::FailBack => "fail back",
            Self::Faster => "faster region",
            Self::Requested => "asked for",
            Self::Useless => "of no use",
        })
    }
}
