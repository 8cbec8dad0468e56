//! Settings for measuring the distance to servers, and for ranking servers by distance.

use std::time::Duration;

use super::{ms, secs};

/// Settings for measuring the distance to a server. The distance is the time from the dial to INFO, divided by the number
/// of round trips in this time.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct ProbeConfig {
    /// Longest time for one probe. Default 2 s: nats-server drops a client that sends nothing within 2 s after INFO. So
    /// the client could not connect to a slower server.
    pub timeout: Duration,
    /// Largest number of concurrent probes. Default 32: enough to probe all servers of a usual super-cluster at the same
    /// time.
    pub in_flight_max: usize,
    /// Time between two probes of an endpoint. Default 30 s: rankings stay the same for months, so probes need to find
    /// slow changes only. From one week to the next, the RTT of 3 % of city pairs changes by more than 5 ms.
    pub interval: Duration,
    /// Longest time between two probes of an endpoint: the interval doubles up to this value while the ranking does not
    /// change. Default 5 min: at this interval, the probes of 9 endpoints cost 12 bytes per second (measured by loadgen,
    /// without TCP headers).
    pub interval_max: Duration,
    /// Time between two probes of each server in the better regions, while the client is not connected to the best
    /// region. Default 5 s: the return to a better region needs five successful probes over 30 s.
    pub away_interval: Duration,
    /// Share by which each interval varies at random, up or down. Default 0.2: clients that start at the same time soon
    /// probe at different times.
    pub jitter: f64,
    /// Largest number of probes that a client sends per minute; at the start, it may send this many without a pause.
    /// Default 120: nine endpoints at `away_interval` need 108. With more endpoints, the client probes each of them
    /// less often.
    pub budget_per_minute: u32,
    /// Number of samples of each endpoint that the client takes before the first choice, if the endpoint answers quickly
    /// enough. Default 3: a process that starts is busy, and a single delayed sample would make a near region look
    /// farther away.
    pub start_samples: usize,
    /// The client makes the first choice when this multiple of the first measured time to INFO has passed since its
    /// first probe, or earlier if all probes have ended. Default 3: by then the nearest server has answered, even if
    /// its first packet waited behind other packets.
    pub start_window_factor: u32,
    /// Shortest time from the first probe to the first choice, unless all probes end earlier. Default 20 ms: before
    /// that, the order of the answers depends on chance.
    pub start_window_min: Duration,
    /// Longest time from the first probe to the first choice. If no server has answered by then, the client chooses at
    /// the first answer. Default 50 ms, so that a user does not wait long for the first connection.
    pub start_window_max: Duration,
    /// When the first link is live, the client measures every endpoint a second time. If another region is nearer, the
    /// client moves there, at most this long after the link became live. Default zero: no review, because the client
    /// has already taken `start_samples` samples when it chooses. Clients in browsers choose after one sample, and
    /// use 4 s here, which is twice the probe's time limit.
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

/// Settings for ranking servers. Regions are ordered by the lowest base RTT (see `samples`) among their healthy servers.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct RankConfig {
    /// Number of last samples whose minimum is the base RTT. Default 10, as in MongoDB and BBR: the minimum leaves out
    /// the time in queues, which varies.
    pub samples: usize,
    /// Samples expire after this many probe intervals. Default 4.
    pub sample_age_intervals: u32,
    /// Regions count as equally near if their RTT exceeds the lowest RTT by at most this share of the lowest RTT. Default
    /// 0.2.
    pub tie_ratio: f64,
    /// Regions whose RTT differs by less than this always count as equally near. Default 3 ms: with a smaller difference,
    /// two data centres are in the same place.
    pub tie_min: Duration,
    /// Largest difference that counts as equally near. Default 15 ms, as in MongoDB: with more, Frankfurt would count as
    /// near as London.
    pub tie_max: Duration,
    /// Time for which the client does not choose a server that refused or was silent, unless the server answers a
    /// probe. Default 10 s: twice the default `away_interval`.
    pub unhealthy_for: Duration,
    /// While there is another region, the client enters a region only if at least this many servers of the region
    /// answer. Default 1. With a larger number, clients do not all connect to the first servers of a region that
    /// starts. The value must not exceed the number of listed or advertised servers.
    pub servers_min: usize,
    /// Time for which the client does not choose a region that failed a health check, while another region is healthy.
    /// The time doubles with each further failure, up to `probe.interval_max`. Default 30 s, the same as
    /// `fail_back.good_for`.
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
