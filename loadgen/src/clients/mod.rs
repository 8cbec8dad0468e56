//! The kinds of clients that loadgen measures, behind one interface: nats-geo (`geo`), nats-geo in a browser (`browser`), and
//! stock async-nats (`stock`).
//!
//! This folder owns the way in which a client of each kind connects, requests, publishes, subscribes and stores
//! (`stores`), and reports a move. It must not know faults, rounds or reports.

mod access;
mod answers;
mod browser;
mod geo;
mod stock;
mod stores;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::stream::BoxStream;

pub use access::Access;
pub use browser::{BrowserBucket, BrowserOpts, Browsers, FindBrowserError};
pub(crate) use stock::prove_subscribed;
pub use stores::{Bucket, Objects};

/// Which kind of client.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Population {
    /// nats-geo with the preset of the run.
    NatsGeo,
    /// nats-geo in the service worker of a real browser.
    Browser,
    /// async-nats with its defaults and the same server list.
    Stock,
}

impl std::fmt::Display for Population {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::NatsGeo => "nats-geo",
            Self::Browser => "browser",
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
    Browser(browser::Browser),
    Stock(stock::Stock),
}

/// Where a client is connected.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd, serde::Deserialize, serde::Serialize)]
pub struct Seat {
    /// Region, as the server says.
    pub region: String,
    /// Server name.
    pub server: String,
}

/// What a client noticed.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
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

    fn last_seat(&self) -> Option<Seat> {
        self.lock().seats.last().and_then(|(_, seat)| seat.clone())
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How one request ended.
#[derive(Clone, Copy, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
pub enum Outcome {
    /// Answered.
    Ok,
    /// An error came back.
    Failed,
    /// Nothing came back within the deadline of the load generator.
    TimedOut,
}

/// A message that a subscription or a consumer has delivered.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Delivered {
    /// Its content.
    pub payload: Bytes,
    /// Whether JetStream has delivered it before, perhaps to another client.
    pub is_redelivered: bool,
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
    /// The DNS name by which nats-geo finds the servers instead of `urls`; `None`: it takes `urls`.
    pub name: Option<nats_geo::dns::Dns>,
    /// Runs its tasks, so that its connections begin in its region; `None`: the runtime of the caller.
    pub runtime: Option<tokio::runtime::Handle>,
    /// Policy, for nats-geo.
    pub policy: nats_geo::core::Config,
    /// Seed, for nats-geo.
    pub seed: u64,
    /// Credentials and certificates.
    pub access: Access,
    /// The browser for clients that run in one.
    pub browsers: Browsers,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// No server could be reached.
    pub async fn connect(spec: Spec) -> Result<Self, ConnectError> {
        let Spec { population, region, number, .. } = spec.clone();
        let journal = Journal::default();
        let runtime = spec.runtime.clone();
        let connecting = connect(spec, journal.clone());
        let kind = match runtime {
            // The client's own tasks stay on that runtime, and so do its later dials.
            Some(runtime) => runtime.spawn(connecting).await.unwrap_or_else(|error| Err(error.to_string())),
            None => connecting.await,
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
            Kind::Browser(browser) => browser.seat(),
            Kind::Stock(stock) => stock.seat(),
        }
    }

    /// The RTT that a nats-geo client has measured to a region.
    pub fn base_rtt(&self, region: &str) -> Option<Duration> {
        match &self.kind {
            Kind::Geo(geo) => geo.base_rtt(region),
            Kind::Browser(_) | Kind::Stock(_) => None,
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
        within_deadline(async {
            match &self.kind {
                Kind::Geo(geo) => geo.request(subject, payload).await,
                Kind::Browser(browser) => browser.request(subject, payload).await,
                Kind::Stock(stock) => stock.request(subject, payload).await,
            }
        })
        .await
    }

    /// Publishes a message that no server confirms. `Ok` means that the client has accepted it.
    pub async fn publish(&self, subject: &str, payload: Bytes) -> Outcome {
        within_deadline(async {
            match &self.kind {
                Kind::Geo(geo) => geo.publish(subject, payload).await,
                Kind::Browser(browser) => browser.publish(subject, payload).await,
                Kind::Stock(stock) => stock.publish(subject, payload).await,
            }
        })
        .await
    }

    /// Waits until the server has every message that the client has accepted, at most until the deadline.
    pub async fn flush(&self) -> Outcome {
        within_deadline(async {
            match &self.kind {
                Kind::Geo(geo) => geo.flush().await,
                Kind::Browser(browser) => browser.flush().await,
                Kind::Stock(stock) => stock.flush().await,
            }
        })
        .await
    }

    /// Publishes to a stream and waits for its acknowledgement, at most until the deadline. The client resends by its own rules.
    pub async fn publish_to_stream(&self, subject: &str, payload: Bytes) -> Outcome {
        within_deadline(async {
            match &self.kind {
                Kind::Geo(geo) => geo.publish_to_stream(subject, payload).await,
                Kind::Browser(browser) => browser.publish_to_stream(subject, payload).await,
                Kind::Stock(stock) => stock.publish_to_stream(subject, payload).await,
            }
        })
        .await
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
            Kind::Browser(browser) => browser.subscribe(subject, group).await,
            Kind::Stock(stock) => stock.subscribe(subject, group).await,
        }
    }

    /// The messages of a durable pull consumer, which several clients may share. Each is acknowledged as it comes. The client pulls by
    /// its own defaults.
    ///
    /// # Errors
    /// In the client's words.
    pub async fn consume(
        &self,
        stream: &str,
        durable: &str,
    ) -> Result<BoxStream<'static, Delivered>, String> {
        match &self.kind {
            Kind::Geo(geo) => geo.consume(stream, durable).await,
            // The checks of scenarios let no browser have this workload.
            Kind::Browser(_) => Err("a browser consumes no streams".to_owned()),
            Kind::Stock(stock) => stock.consume(stream, durable).await,
        }
    }
}

async fn within_deadline(succeeds: impl Future<Output = bool>) -> Outcome {
    match tokio::time::timeout(REQUEST_DEADLINE, succeeds).await {
        Ok(true) => Outcome::Ok,
        Ok(false) => Outcome::Failed,
        Err(_) => Outcome::TimedOut,
    }
}

async fn connect(spec: Spec, journal: Journal) -> Result<Kind, String> {
    match spec.population {
        Population::NatsGeo => geo::Geo::connect(&spec, journal).await.map(Kind::Geo),
        Population::Browser => browser::Browser::connect(&spec, journal).await.map(Kind::Browser),
        Population::Stock => stock::Stock::connect(&spec, journal).await.map(Kind::Stock),
    }
}

/// Longer than any fault lasts, so that a client's own time-outs speak first.
const REQUEST_DEADLINE: Duration = Duration::from_secs(20);
