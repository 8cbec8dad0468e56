//! The report of a client, for programs that monitor many clients.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::history::{Move, Peer};
use super::{Observed, Stats};
use crate::core::{RankedServer, Reason, Region, ServerRef, Snapshot, Time};
use crate::native::connect::Progress;
use crate::native::hub::{Hub, lock};

/// The state and health of a client, which [`GeoClient::report`](crate::GeoClient::report) returns. The report contains
/// values for programs and the error texts of servers, but no secrets. Durations in JSON are in milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Report {
    /// Name of the client; see [`GeoOptions::name`](crate::GeoOptions::name).
    pub client: Option<String>,
    /// Version of nats-geo.
    pub version: String,
    /// Time since the start of the client.
    #[serde(rename = "uptime_ms", serialize_with = "millis")]
    pub uptime: Duration,
    /// State of the client in one word.
    pub status: Status,
    /// The active server, which gets new traffic.
    pub here: Option<Peer>,
    /// The standby, if it is open.
    pub standby: Option<Peer>,
    /// Number of known servers.
    pub total_members: usize,
    /// Number of servers that answer.
    pub total_peers: usize,
    /// Regions with their members. The best region comes first, and the best member comes first in each region.
    pub regions: Vec<RegionReport>,
    /// Members that the client does not choose now, with the reason.
    pub unhealthy: Vec<Unhealthy>,
    /// The last moves, oldest first, at most 32.
    pub moves: Vec<Move>,
    /// The counters since the start.
    pub counters: Stats,
}

/// The state of a client in one word.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Status {
    /// No link has been live yet.
    Connecting,
    /// The client uses the region that ranks first now, which need not be the home region.
    Home,
    /// The client uses a region that does not rank first now.
    Away,
    /// The active link is silent.
    Suspect,
    /// No link is live.
    Offline,
    /// The client was closed.
    Closed,
}

/// A region, with its members.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct RegionReport {
    /// The name of the region.
    pub region: Region,
    /// The lowest base RTT of the members that answer.
    #[serde(rename = "base_rtt_ms", serialize_with = "optional_millis")]
    pub base_rtt: Option<Duration>,
    /// Number of members that answer.
    pub peers: usize,
    /// The servers of the region, best first.
    pub members: Vec<Member>,
}

/// A known server.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Member {
    /// The server's `host:port`.
    pub address: String,
    /// The server's name; `None` until the server has answered.
    pub server: Option<String>,
    /// The RTT that determines the rank: the minimum of recent samples. `None` without samples.
    #[serde(rename = "base_rtt_ms", serialize_with = "optional_millis")]
    pub base_rtt: Option<Duration>,
    /// Whether several servers answer at this address; see [`RankedServer::shared`].
    pub shared: bool,
    /// Reason for the server's rank.
    #[serde(flatten)]
    pub standing: Standing,
}

/// Reason for the rank of a member: [`Reason`](crate::core::Reason) in a form for JSON.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "standing", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Standing {
    /// The server's region is the nearest.
    Nearest,
    /// The client is connected to the server, and no probe has measured the server yet.
    Connected,
    /// The server's region is as near as the nearest region.
    Tied {
        /// Additional round-trip time, compared with the nearest region.
        #[serde(rename = "behind_ms", serialize_with = "millis")]
        behind: Duration,
    },
    /// The server's region is farther away.
    Farther {
        /// Additional round-trip time, compared with the nearest region.
        #[serde(rename = "behind_ms", serialize_with = "millis")]
        behind: Duration,
    },
    /// The server's region failed too often.
    Damped {
        /// Time until which the client avoids the region, on the client's clock.
        #[serde(rename = "until_ms", serialize_with = "time_millis")]
        until: Time,
    },
    /// Too few servers of the region answer.
    TooFew {
        /// Number of servers of the region that answer.
        answering: usize,
    },
    /// The server's region failed a health check.
    UnhealthyRegion {
        /// Time at which the client considers the region again, on the client's clock.
        #[serde(rename = "until_ms", serialize_with = "time_millis")]
        until: Time,
    },
    /// A server of the region refused the credentials.
    CredentialsRefused {
        /// Time at which the client tries the region again, on the client's clock. `null`: the client
        /// tries the other servers of the region before this server.
        #[serde(rename = "until_ms", serialize_with = "optional_time_millis")]
        until: Option<Time>,
    },
    /// The server failed its last probe or dial: it refused, or did not answer.
    Unhealthy,
    /// The server is in lame duck mode: it will soon close the connections of its clients.
    LameDuck,
    /// The server has not answered a probe yet.
    Unmeasured,
}

impl From<&Reason> for Standing {
    fn from(reason: &Reason) -> Self {
        match *reason {
            Reason::Nearest => Self::Nearest,
            Reason::Connected => Self::Connected,
            Reason::Tied { behind } => Self::Tied { behind },
            Reason::Farther { behind } => Self::Farther { behind },
            Reason::Damped { until } => Self::Damped { until },
            Reason::TooFew { answering } => Self::TooFew { answering },
            Reason::UnhealthyRegion { until } => Self::UnhealthyRegion { until },
            Reason::CredentialsRefused { until } => Self::CredentialsRefused { until },
            Reason::Unhealthy => Self::Unhealthy,
            Reason::LameDuck => Self::LameDuck,
            Reason::Unmeasured => Self::Unmeasured,
        }
    }
}

impl Standing {
    /// Returns whether the server answers.
    const fn is_peer(&self) -> bool {
        !matches!(self, Self::Unhealthy | Self::LameDuck | Self::Unmeasured)
    }
}

/// A member that the client does not choose now.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Unhealthy {
    /// The server's `host:port`.
    pub address: String,
    /// The server's name; `None` until the server has answered.
    pub server: Option<String>,
    /// The server's region.
    pub region: Region,
    /// Reason why the client does not choose the member.
    #[serde(flatten)]
    pub standing: Standing,
    /// Error of the last probe or dial; `None` if it succeeded.
    pub error: Option<String>,
}

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sources<'a> {
    pub(crate) name: Option<&'a str>,
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) hub: &'a Hub,
    pub(crate) observed: &'a Observed,
    pub(crate) progress: &'a Progress,
}

impl Report {
    pub(crate) fn of(sources: Sources<'_>) -> Self {
        let Sources { name, snapshot, hub, observed, progress } = sources;
        let regions = regions(&snapshot.ranking);
        let history = lock(&observed.history);
        let (moves, is_closed, was_connected) =
            (history.moves(), history.is_closed(), history.was_connected());
        drop(history);
        let is_home = |place: &ServerRef| regions.first().is_some_and(|best| best.region == place.region);
        let status = match &snapshot.active {
            _ if is_closed => Status::Closed,
            Some(_) if snapshot.suspect => Status::Suspect,
            Some(place) if is_home(place) => Status::Home,
            Some(_) => Status::Away,
            None if was_connected => Status::Offline,
            None => Status::Connecting,
        };
        let peer = |place: &Option<ServerRef>| place.as_ref().filter(|_| !is_closed).map(Peer::from);
        let unhealthy = snapshot.ranking.iter().filter_map(|server| {
            let standing = Standing::from(&server.reason);
            let RankedServer { address, server, region, .. } = server.clone();
            let error = progress.failure(&address).map(|failure| failure.to_string());
            // Who was not asked yet is neither.
            let is_unhealthy = match standing {
                Standing::Unmeasured => error.is_some(),
                Standing::UnhealthyRegion { .. } | Standing::CredentialsRefused { .. } => true,
                _ => !standing.is_peer(),
            };
            is_unhealthy.then_some(Unhealthy { address, server, region, standing, error })
        });
        Self {
            client: name.map(Into::into),
            version: env!("CARGO_PKG_VERSION").into(),
            uptime: snapshot.at.since_start(),
            status,
            here: peer(&snapshot.active),
            standby: peer(&snapshot.standby),
            total_members: snapshot.ranking.len(),
            total_peers: regions.iter().map(|region| region.peers).sum(),
            unhealthy: unhealthy.collect(),
            regions,
            moves,
            counters: Stats::of(hub, observed, snapshot.at),
        }
    }
}

fn regions(ranking: &[RankedServer]) -> Vec<RegionReport> {
    let mut regions: Vec<RegionReport> = Vec::new();
    let mut seen = BTreeSet::new();
    for RankedServer { address, server, region, base_rtt, shared, reason } in ranking.iter().cloned() {
        if seen.insert(region.clone()) {
            regions.push(RegionReport { region, base_rtt: None, peers: 0, members: Vec::new() });
        }
        // Servers of a region stand together.
        let Some(its) = regions.last_mut() else { continue };
        let standing = Standing::from(&reason);
        if standing.is_peer() {
            its.peers += 1;
            its.base_rtt = its.base_rtt.into_iter().chain(base_rtt).min();
        }
        its.members.push(Member { address, server, base_rtt, shared, standing });
    }
    regions
}

/// In milliseconds, to the microsecond.
fn rounded(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}

pub(super) fn millis<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(rounded(*duration))
}

pub(super) fn optional_millis<S: Serializer>(
    duration: &Option<Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    duration.map(rounded).serialize(serializer)
}

pub(super) fn time_millis<S: Serializer>(time: &Time, serializer: S) -> Result<S::Ok, S::Error> {
    millis(&time.since_start(), serializer)
}

pub(super) fn optional_time_millis<S: Serializer>(
    time: &Option<Time>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    optional_millis(&time.map(Time::since_start), serializer)
}

pub(super) fn millis_by_region<S: Serializer>(
    times: &BTreeMap<Region, Duration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    serializer.collect_map(times.iter().map(|(region, time)| (region, rounded(*time))))
}
