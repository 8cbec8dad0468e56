//! The two kinds of clients that loadgen measures, behind one interface: nats-geo (`geo`) and stock async-nats (`stock`).
//!
//! Owns how a client of each kind connects, requests, publishes and subscribes, and how it reports a move. Must not know
//! faults, rounds or reports.

mod access;
mod geo;
mod stock;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::BoxStream;

pub use access::Access;
pub(crate) use stock::prove_subscribed;

/// Which kind of client.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Population {
    /// nats-geo with the preset of the run.
    NatsGeo,
    /// async-nats with its defaults and the same server list.
    Stock,
}

impl Population {
    /// Both.
    pub const ALL: [Self; 2] = [Self::NatsGeo, Self::Stock];
}

impl std::fmt::Display for Population {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NatsGeo => "nats-geo",
            Self::Stock => "async-nats",
        })
    }
}

/// One client and the journal of what happened to it.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its kind.
    pub population: Population,
    /// Where it is.
    pub region: String,
    /// Its number within its region and population, from 0.
    pub number: u32,
    kind: Kind,
    journal: Journal,
}

#[derive(Clone, Debug)]
enum Kind {
    Geo(geo::Geo),
    Stock(stock::Stock),
}

/// Where a client is connected.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Seat {
    /// Region, as the server says.
    pub region: String,
    /// Server name.
    pub server: String,
}

/// What a client noticed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Sign {
    /// Its link is gone or under suspicion.
    Trouble,
    /// It began to dial what became connection `0`.
    Dialing(u64),
    /// Connection `0` is open.
    Opened(u64),
    /// New traffic goes over connection `0`.
    Moved(u64),
    /// Its standby is ready.
    StandbyReady,
}

/// What a client noticed, and when.
#[derive(Clone, Debug, Default)]
pub struct Journal(Arc<Mutex<Entries>>);

#[derive(Clone, Debug, Default)]
struct Entries {
    signs: Vec<(Instant, Sign)>,
    seats: Vec<(Instant, Option<Seat>)>,
}

impl Journal {
    fn note(&self, at: Instant, sign: Sign) {
        self.lock().signs.push((at, sign));
    }

    /// From now on, it is there; `None`: nowhere.
    fn sits(&self, at: Instant, seat: Option<Seat>) {
        let mut entries = self.lock();
        if entries.seats.last().is_none_or(|(_, last)| *last != seat) {
            entries.seats.push((at, seat));
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How one request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Answered.
    Ok,
    /// An error came back.
    Failed,
    /// Nothing came back within the deadline of the load generator.
    TimedOut,
}

/// A client that could not connect.
#[derive(Debug, thiserror::Error)]
#[error("{population} client {number} in {region} cannot connect: {reason}")]
pub struct ConnectError {
    population: Population,
    region: String,
    number: u32,
    reason: String,
}

/// What a new client needs to know.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its kind.
    pub population: Population,
    /// Where it is.
    pub region: String,
    /// Its number.
    pub number: u32,
    /// The servers as seen from its region.
    pub urls: Vec<String>,
    /// Policy, for nats-geo.
    pub policy: nats_geo::core::Config,
    /// Seed, for nats-geo.
    pub seed: u64,
    /// Credentials and certificates.
    pub access: Access,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// No server could be reached.
    pub async fn connect(spec: Spec) -> Result<Self, ConnectError> {
        let Spec { population, region, number, .. } = spec.clone();
        let journal = Journal::default();
        let kind = match population {
            Population::NatsGeo => geo::Geo::connect(&spec, journal.clone()).await.map(Kind::Geo),
            Population::Stock => stock::Stock::connect(&spec, journal.clone()).await.map(Kind::Stock),
        };
        match kind {
            Ok(kind) => Ok(Self { population, region, number, kind, journal }),
            Err(reason) => Err(ConnectError { population, region, number, reason }),
        }
    }

    /// Where it is connected now.
    pub fn seat(&self) -> Option<Seat> {
        match &self.kind {
            Kind::Geo(geo) => geo.seat(),
            Kind::Stock(stock) => stock.seat(),
        }
    }

    /// The RTT that a nats-geo client has measured to a region.
    pub fn base_rtt(&self, region: &str) -> Option<Duration> {
        match &self.kind {
            Kind::Geo(geo) => geo.base_rtt(region),
            Kind::Stock(_) => None,
        }
    }

    /// What happened to it so far.
    pub fn signs(&self) -> Vec<(Instant, Sign)> {
        self.journal.lock().signs.clone()
    }

    /// Where it was, since when; `None`: nowhere.
    pub fn seats(&self) -> Vec<(Instant, Option<Seat>)> {
        self.journal.lock().seats.clone()
    }

    /// Sends a request and waits for its answer, at most until the deadline.
    pub async fn request(&self, subject: &str, payload: Bytes) -> Outcome {
        let answer = async {
            match &self.kind {
                Kind::Geo(geo) => geo.request(subject, payload).await,
                Kind::Stock(stock) => stock.request(subject, payload).await,
            }
        };
        match tokio::time::timeout(REQUEST_DEADLINE, answer).await {
            Ok(true) => Outcome::Ok,
            Ok(false) => Outcome::Failed,
            Err(_) => Outcome::TimedOut,
        }
    }

    /// Publishes to a stream and waits for its acknowledgement, at most until the deadline. The client resends by its own rules.
    pub async fn publish_to_stream(&self, subject: &str, payload: Bytes) -> Outcome {
        let acknowledged = async {
            match &self.kind {
                Kind::Geo(geo) => geo.publish_to_stream(subject, payload).await,
                Kind::Stock(stock) => stock.publish_to_stream(subject, payload).await,
            }
        };
        match tokio::time::timeout(REQUEST_DEADLINE, acknowledged).await {
            Ok(true) => Outcome::Ok,
            Ok(false) => Outcome::Failed,
            Err(_) => Outcome::TimedOut,
        }
    }

    /// The payloads of a subscription that is live at the server when this returns; in a queue group if one
    /// is named.
    ///
    /// # Errors
    /// In the client's words.
    pub async fn subscribe(
        &self,
        subject: &str,
        group: Option<&str>,
    ) -> Result<BoxStream<'static, Bytes>, String> {
        match &self.kind {
            Kind::Geo(geo) => geo.subscribe(subject, group).await,
            Kind::Stock(stock) => stock.subscribe(subject, group).await,
        }
    }
}

/// Longer than any fault lasts, so that a client's own time-outs speak first.
const REQUEST_DEADLINE: Duration = Duration::from_secs(20);
