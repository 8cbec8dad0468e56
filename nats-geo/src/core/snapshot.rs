//! The printable state of a selector: the ranking of servers, and the reason for each rank.

use std::fmt;
use std::time::Duration;

use super::{Region, ServerRef, Time};

/// The state of a [`Selector`](super::Selector) at one moment.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Snapshot {
    /// Time of the snapshot.
    pub at: Time,
    /// The active server, which gets new traffic; `None` while the client is offline.
    pub active: Option<ServerRef>,
    /// The warm standby, if there is one.
    pub standby: Option<ServerRef>,
    /// Whether the active link is suspect: a PONG is late.
    pub suspect: bool,
    /// All known servers, best first.
    pub ranking: Vec<RankedServer>,
}

/// One server in the ranking.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct RankedServer {
    /// The server's `host:port`.
    pub address: String,
    /// The server's name; `None` until the server has answered.
    pub server: Option<String>,
    /// The server's region.
    pub region: Region,
    /// The RTT that determines the rank: the minimum of recent samples. `None` without samples.
    pub base_rtt: Option<Duration>,
    /// Whether several servers answer at this address, for example behind a load balancer. The other fields describe the
    /// server that the client is connected to, or was connected to last.
    pub shared: bool,
    /// Reason for the server's rank.
    pub reason: Reason,
}

/// Reason for the rank of a server.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Reason {
    /// The server's region is the nearest.
    Nearest,
    /// The client is connected to the server, and no probe has measured the server yet.
    Connected,
    /// The server's region is as near as the nearest region: the difference is within the tie window. A hash decided the
    /// order.
    Tied {
        /// Additional round-trip time, compared with the nearest region.
        behind: Duration,
    },
    /// The server's region is farther away.
    Farther {
        /// Additional round-trip time, compared with the nearest region.
        behind: Duration,
    },
    /// The server's region failed too often recently.
    Damped {
        /// Time at which the client considers the region again.
        until: Time,
    },
    /// Too few servers of the region answer: see [`RankConfig::servers_min`](super::RankConfig::servers_min).
    TooFew {
        /// Number of servers of the region that answer.
        answering: usize,
    },
    /// The server's region failed a health check.
    UnhealthyRegion {
        /// Time at which the client considers the region again.
        until: Time,
    },
    /// A server of the region refused the credentials.
    CredentialsRefused {
        /// Time until which the region ranks behind other regions. `None`: this server refused, so it ranks behind the
        /// other servers of its region.
        until: Option<Time>,
    },
    /// The server failed its last probe or dial: it refused, or did not answer.
    Unhealthy,
    /// The server announced that it will close the connections of its clients.
    LameDuck,
    /// The server has not answered a probe yet.
    Unmeasured,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nearest => f.write_str("nearest region"),
            Self::Connected => f.write_str("connected; not measured yet"),
            Self::Tied { behind } => write!(f, "tied with the nearest ({:.1} ms behind)", millis(*behind)),
            Self::Farther { behind } => write!(f, "{:.1} ms behind the nearest", millis(*behind)),
            Self::Damped { until } => write!(f, "its region failed too often; damped until {until}"),
            Self::TooFew { answering } => write!(f, "only {answering} servers of its region answer"),
            Self::UnhealthyRegion { until } => {
                write!(f, "its region failed a health check; considered again at {until}")
            }
            Self::CredentialsRefused { until: Some(until) } => {
                write!(f, "its region refused the credentials; the client tries it again at {until}")
            }
            Self::CredentialsRefused { until: None } => {
                f.write_str("it refused the credentials; the client tries other servers of its region first")
            }
            Self::Unhealthy => f.write_str("did not answer lately"),
            Self::LameDuck => f.write_str("lame duck"),
            Self::Unmeasured => f.write_str("not measured yet"),
        }
    }
}

impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.active {
            Some(place) if self.suspect => writeln!(f, "connected to {place}, which is silent")?,
            Some(place) => writeln!(f, "connected to {place}")?,
            None => writeln!(f, "not connected")?,
        }
        if let Some(place) = &self.standby {
            writeln!(f, "standby at {place}")?;
        }
        for (place, server) in self.ranking.iter().enumerate() {
            let name = server.server.as_deref().unwrap_or(&server.address);
            let rtt = server.base_rtt.map_or_else(|| "-".into(), |rtt| format!("{:.1} ms", millis(rtt)));
            let shared = if server.shared { "; other servers answer at its address, too" } else { "" };
            writeln!(
                f,
                "{:>3}. {:<12} {:<22} {rtt:>10}  {}{shared}",
                place + 1,
                server.region.as_str(),
                name,
                server.reason
            )?;
        }
        Ok(())
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}
