//! The facts of one look at a super-cluster, and the evidence that a condition holds. Plain data.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use crate::scenario::seconds;

/// A time, as the span since the Unix epoch. It comes from the monotonic clock, so it never goes back while guard runs.
pub type Time = Duration;

/// The thing that all rules about regions, servers and load look at.
pub const SERVERS: &str = "the servers";
/// The thing that rules about streams look at.
pub const STREAMS: &str = "the streams";

/// One look at a super-cluster.
#[derive(Clone, Debug, Default)]
pub struct Observations {
    /// One view from each region that guard has a connection to. Without any, guard cannot see.
    pub views: Vec<View>,
    /// The certificates of client ports, if a rule needs them. A server whose certificate could not be read is in `unseen`.
    pub certificates: Vec<CertificateSeen>,
    /// Mirrors and sources, if a rule needs them; `None`: they could not be listed.
    pub copies: Option<Vec<CopySeen>>,
    /// Beginnings of the subjects of mirrors and sources whose servers did not answer the list.
    pub unlisted: Vec<String>,
    /// Things that guard could not look at, each with the reason.
    pub unseen: BTreeMap<String, String>,
}

/// The servers that answer in one region.
#[derive(Clone, Debug, Default)]
pub struct View {
    /// The region of the server that guard is connected to.
    pub region: String,
    /// Servers of all regions that answered through it.
    pub servers: Vec<ServerSeen>,
}

/// A server that answered.
#[derive(Clone, Debug, Default)]
pub struct ServerSeen {
    /// Its region: the name of its cluster, or its own name outside of a cluster.
    pub region: String,
    /// Its name.
    pub name: String,
    /// Its public key, which changes with a restart.
    pub id: String,
    /// Clients that are connected, without those of guard.
    pub connections: u64,
    /// Clients that it closed because they read too slowly, since its start.
    pub slow_consumers: u64,
}

/// A certificate.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct CertificateSeen {
    /// The name of the server, or its address if the server does not say its name.
    pub server: String,
    /// The end of its validity.
    pub not_after: Time,
}

/// A stream that is copied from another one.
#[derive(Clone, Debug, Default)]
pub struct CopySeen {
    /// Its JetStream domain; empty without one.
    pub domain: String,
    /// Its name.
    pub stream: String,
    /// The origin.
    pub source: String,
    /// Messages that are not copied yet.
    pub lag: u64,
}

impl CopySeen {
    /// Returns the beginning of the subjects of a domain, or of one stream in it.
    pub fn prefix(domain: &str, stream: Option<&str>) -> String {
        let place = if domain.is_empty() { String::new() } else { format!("{domain}/") };
        stream.map_or_else(|| place.clone(), |stream| format!("{place}{stream} from "))
    }

    /// Returns the subject of a condition about it.
    pub fn subject(&self) -> Subject {
        let subject = Self::prefix(&self.domain, Some(&self.stream)) + &self.source;
        Subject { subject, region: String::new() }
    }
}

/// The thing that a condition is about.
#[derive(Clone, Debug, Default, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize)]
pub struct Subject {
    /// The name of a region or a server, or a stream and its origin.
    pub subject: String,
    /// The region; empty for a stream.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub region: String,
}

impl Subject {
    /// A region.
    pub fn region(name: &str) -> Self {
        Self { subject: name.to_owned(), region: name.to_owned() }
    }

    /// A server.
    pub fn server(region: &str, name: &str) -> Self {
        Self { subject: name.to_owned(), region: region.to_owned() }
    }
}

/// The numbers by which a condition holds.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "condition", rename_all = "kebab-case")]
pub enum Evidence {
    /// No other region hears a server of the region.
    RegionSilent {
        /// Regions from which guard looked.
        seen_from: Vec<String>,
        /// Servers of the region that were seen before.
        servers: usize,
        /// Whether a server of the region still answers guard itself, so that only its gateways are gone.
        answers_guard: bool,
    },
    /// No region hears the server.
    ServerSilent {
        /// Regions from which guard looked.
        seen_from: Vec<String>,
    },
    /// The fullest server has many more connections than the mean.
    LoadUneven {
        /// The fullest server.
        server: String,
        /// Its connections.
        connections: u64,
        /// Connections per server of the region.
        mean: f64,
        /// Percent by which the server exceeds the mean.
        above_percent: f64,
    },
    /// A certificate ends soon.
    CertificateExpires {
        /// Seconds until its end; negative afterwards.
        ends_in_s: i64,
    },
    /// A mirror or source lags behind.
    StreamLag {
        /// The JetStream domain; empty without one.
        domain: String,
        /// The stream.
        stream: String,
        /// The origin.
        source: String,
        /// Messages that are not copied yet.
        lag: u64,
    },
    /// The count of slow consumers grew.
    SlowConsumers {
        /// The count before.
        before: u64,
        /// The count now.
        now: u64,
        /// Seconds between both.
        within_s: f64,
    },
}

/// The end of a sentence that begins with the subject.
impl fmt::Display for Evidence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RegionSilent { seen_from, answers_guard: true, .. } => {
                write!(
                    formatter,
                    "has lost its gateways: it answers guard directly, but not through {}",
                    seen_from.join(", ")
                )
            }
            Self::RegionSilent { seen_from, servers, .. } => {
                let from = seen_from.join(", ");
                write!(formatter, "is silent: none of its known servers ({servers}) answers through {from}")
            }
            Self::ServerSilent { seen_from } => {
                write!(formatter, "is silent: it does not answer through {}", seen_from.join(", "))
            }
            Self::LoadUneven { server, connections, mean, above_percent } => write!(
                formatter,
                "is uneven: {server} has {connections} connections, {above_percent:.0} % above the mean of {mean:.1}"
            ),
            Self::CertificateExpires { ends_in_s } if *ends_in_s <= 0 => {
                let ago = Duration::from_secs(ends_in_s.unsigned_abs());
                write!(formatter, "has a certificate that expired {} ago", in_words(ago))
            }
            Self::CertificateExpires { ends_in_s } => {
                let left = Duration::from_secs(ends_in_s.unsigned_abs());
                write!(formatter, "has a certificate that expires in {}", in_words(left))
            }
            Self::StreamLag { lag, .. } => write!(formatter, "lags {lag} messages behind"),
            Self::SlowConsumers { before, now, within_s } => write!(
                formatter,
                "closed {} slow consumers within {within_s:.0} s ({before} before, {now} now)",
                now - before
            ),
        }
    }
}

/// Days and hours for long spans, seconds for short ones.
pub(super) fn in_words(span: Duration) -> String {
    const HOUR: f64 = 3_600.0;
    let seconds_of = span.as_secs_f64();
    match seconds_of {
        long if long >= 48.0 * HOUR => format!("{:.1} days", long / (24.0 * HOUR)),
        long if long >= 2.0 * HOUR => format!("{:.1} hours", long / HOUR),
        _ => seconds(Duration::from_secs(span.as_secs())),
    }
}
