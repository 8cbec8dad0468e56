//! How distance is measured, and servers are ordered by it.

use std::time::Duration;

use super::{ms, secs};

/// Settings for measuring distance. The measure is the time to INFO, divided by its round trips, and nothing else.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct ProbeConfig {
    /// Longest time for one probe. Default 2 s: nats-server drops a client that is silent for 2 s after INFO, so a slower
    /// server could not be used either.
    pub timeout: Duration,
    /// Largest number of concurrent probes. Default 32: all servers of a usual super-cluster at the same time.
    pub in_flight_max: usize,
    /// Time between two probes of an endpoint. Default 30 s: rankings stay the same for months, so probes need only
    /// notice slow drift. From week to week, 3 % of city pairs shift by more than 5 ms.
    pub interval: Duration,
    /// The interval doubles up to this while the ranking does not change. Default 5 min: at that rate 9 endpoints cost 12 bytes
    /// per second (measured by loadgen, without the bytes of TCP itself).
    pub interval_max: Duration,
    /// Time between two probes of each server of a better region, while the client is in another one. Default 5 s: a
    /// return needs five good probes over 30 s.
    pub away_interval: Duration,
    /// Random share by which each interval varies. Default 0.2: clients that started together drift apart.
    pub jitter: f64,
    /// Probes per minute and client, above the start. Default 120: nine endpoints at the away interval
    /// make 108; more endpoints are then probed less often.
    pub budget_per_minute: u32,
    /// Number of samples of each endpoint before the first choice, if it answers quickly enough. Default 3: a process
    /// that starts is busy, and one delayed sample would make a near region look like the next one.
    pub start_samples: usize,
    /// The client makes the first choice at this multiple of the first time to INFO. Default 3: by then the
    /// nearest server has answered, even if its first packet waited behind other packets.
    pub start_window_factor: u32,
    /// Earliest time of the first choice. Default 20 ms: below that the order of answers is chance.
    pub start_window_min: Duration,
    /// Latest time of the first choice. Default 50 ms, so that a user does not wait long for the first connection.
    pub start_window_max: Duration,
    /// When the first link is live, the client measures every endpoint a second time. After this long at most, it moves
    /// if another region is nearer. Default zero: no review, because the client has already taken `start_samples`
    /// samples when it chooses. Browsers choose after one sample, and set 4 s, which is twice the probe's time limit.
    pub start_review: Duration,
}

impl ProbeConfig {
    pub(super) const DEFAULT: Self = Self {
        timeout: secs(2),
        in_flight_max: 32,
        interval: secs(30),
        interval_max: secs(300),
        away_interval: secs(5),
        jitter: 0.2,
        budget_per_minute: 120,
        start_samples: 3,
        start_window_factor: 3,
        start_window_min: ms(20),
        start_window_max: ms(50),
        start_review: Duration::ZERO,
    };
}

/// Settings for ranking servers: regions first, by the lowest base RTT among their healthy servers.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct RankConfig {
    /// Number of last samples whose minimum is the base RTT. Default 10 (as MongoDB, BBR): the time in queues varies.
    pub samples: usize,
    /// Samples expire after this many probe intervals. Default 4.
    pub sample_age_intervals: u32,
    /// Regions count as equally near if their RTT is within this share of the best one. Default 0.2.
    pub tie_ratio: f64,
    /// Smallest difference that counts as farther. Default 3 ms: below that, two data centres are at one place.
    pub tie_min: Duration,
    /// Largest difference that counts as equally near. Default 15 ms (MongoDB's window): more would make Frankfurt part of
    /// London.
    pub tie_max: Duration,
    /// The client does not choose a server for this long after it refused or was silent, unless it answers a probe.
    /// Default 10 s: twice the default `away_interval`.
    pub unhealthy_for: Duration,
    /// While there is another region, the client enters a region only if this many of its servers answer. Default 1. A
    /// larger number keeps clients off the first servers of a region that comes up. It must not exceed the number of
    /// listed or advertised servers.
    pub servers_min: usize,
    /// While another region is healthy, the client does not choose a region for this long after it failed a health check.
    /// The time doubles with each further failure, up to `probe.interval_max`. Default 30 s: `fail_back.good_for`.
    pub unhealthy_region_for: Duration,
}

impl RankConfig {
    pub(super) const DEFAULT: Self = Self {
        samples: 10,
        sample_age_intervals: 4,
        tie_ratio: 0.2,
        tie_min: ms(3),
        tie_max: ms(15),
        unhealthy_for: secs(10),
        servers_min: 1,
        unhealthy_region_for: secs(30),
    };
}
