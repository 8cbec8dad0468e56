//! How distance is measured, and servers are ordered by it.

use std::time::Duration;

use super::{ms, secs};

/// How distance is measured: one sample kind only, the time to INFO divided by its round trips.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct ProbeConfig {
    /// Default 2 s: nats-server itself drops a client that is silent for 2 s after INFO, so a slower
    /// answer could not be used either.
    pub timeout: Duration,
    /// Probes in flight at once. Default 32: all servers of a usual super-cluster in one go.
    pub in_flight_max: usize,
    /// Between two probes of an endpoint. Default 30 s: ranks hold for months (week-to-week shifts of
    /// more than 5 ms in 3 % of city pairs), so a probe is only due against slow drift.
    pub interval: Duration,
    /// The interval doubles up to this while ranks hold. Default 5 min: at that rate 9 endpoints cost 12 bytes
    /// per second (measured by loadgen, without TCP's own).
    pub interval_max: Duration,
    /// Between two probes of each server of a better region while away from it. Default 5 s: five good
    /// ones over 30 s are asked for before a return.
    pub away_interval: Duration,
    /// Share by which each interval is varied. Default 0.2: clients that started together drift apart.
    pub jitter: f64,
    /// Probes per minute and client, above the start. Default 120: nine endpoints at the away interval
    /// make 108; more endpoints are then probed less often.
    pub budget_per_minute: u32,
    /// Samples taken of each endpoint before the first choice, if it answers quickly enough. Default 3: a process
    /// that starts is busy, and one delayed sample would make a near region look like the next one.
    pub start_samples: usize,
    /// At start the choice is made at this multiple of the first time to INFO. Default 3: the nearest
    /// server has then answered even if its first packet was queued behind others ...
    pub start_window_factor: u32,
    /// ... but not before this much time. Default 20 ms: below that the order of answers is chance.
    pub start_window_min: Duration,
    /// ... and not after this much. Default 50 ms: the user waits.
    pub start_window_max: Duration,
    /// When the first link is live, every endpoint is measured a second time. Then, after this long at most, the client
    /// moves if another region turned out to be nearer. Default zero, which leaves it out: `start_samples` come before
    /// the choice. Browsers choose after one sample, and set 4 s, which is twice the probe's time limit.
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

/// How servers are ordered: regions first, by the lowest base RTT among their healthy servers.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct RankConfig {
    /// The base RTT is the minimum of this many last samples. Default 10 (as MongoDB, BBR): queues come and go.
    pub samples: usize,
    /// Samples older than this many probe intervals do not count. Default 4.
    pub sample_age_intervals: u32,
    /// Regions within this share of the best count as equally near. Default 0.2 ...
    pub tie_ratio: f64,
    /// ... at least this. Default 3 ms: below that, two data centres are one place.
    pub tie_min: Duration,
    /// ... at most this. Default 15 ms (MongoDB's window): more would make Frankfurt part of London.
    pub tie_max: Duration,
    /// A refused or silent server is not chosen for this long unless it answers. Default 10 s: two away intervals.
    pub unhealthy_for: Duration,
    /// A region is not entered, while there is another, before this many of its servers answer. Default 1; more keeps
    /// clients off the first servers of a region that comes up. It must not exceed what is listed or advertised.
    pub servers_min: usize,
    /// How long the client avoids a region that failed a health check, while there is another. The time doubles with each
    /// attempt that fails, up to `probe.interval_max`. Default 30 s: `fail_back.good_for`.
    pub useless_for: Duration,
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
        useless_for: secs(30),
    };
}
