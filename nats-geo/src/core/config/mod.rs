//! Every constant of the policy, with its unit, its default and the reason.
//!
//! The defaults are tuned for WAN paths of 1 to 250 ms with 0.1 % loss and occasional bursts. Starting
//! values follow the papers and peers named at each field; a change is to be justified by measurement.

use std::time::Duration;

mod measuring;
pub use measuring::{ProbeConfig, RankConfig};

mod validate;
pub use validate::ConfigError;

const fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// The policy of a [`Selector`](super::Selector). Start from a preset and change fields;
/// [`Selector::new`](super::Selector::new) refuses values that cannot work.
///
/// ```
/// use nats_geo::core::Config;
/// use std::time::Duration;
///
/// let mut config = Config::fleet();
/// config.watch.ping_interval = Duration::from_secs(5);
/// config.warm_standby = true;
/// ```
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct Config {
    /// Settings for measuring distance.
    pub probe: ProbeConfig,
    /// Settings for ranking servers.
    pub rank: RankConfig,
    /// Settings for opening connections.
    pub dial: DialConfig,
    /// Settings for detecting a failing link.
    pub watch: WatchConfig,
    /// Settings that spread the first reactions of many clients over time.
    pub spread: SpreadConfig,
    /// Settings for the return, or the move, to a better region.
    pub fail_back: FailBackConfig,
    /// Settings for avoiding a region that keeps failing.
    pub damping: DampingConfig,
    /// Settings for leaving a link that still works.
    pub handover: HandoverConfig,
    /// Home region, for a client whose home is not the nearest region. A return to it counts as a fail back, also if it was
    /// down at the start. The client prefers nearer regions all the same. Default none: the nearest region is home.
    #[cfg_attr(feature = "serde", serde(default))]
    pub home: Option<String>,
    /// Keeps a standby connection to the best server of the next region. It is authenticated and pinged, and has no
    /// subscriptions. Default off: it costs one more idle connection for each client.
    pub warm_standby: bool,
}

impl Config {
    /// Returns the preset for many clients of one kind, which is the default. It detects a failure within about 3 s, and
    /// spreads first attempts out.
    pub const fn fleet() -> Self {
        Self {
            probe: ProbeConfig::DEFAULT,
            rank: RankConfig::DEFAULT,
            dial: DialConfig::DEFAULT,
            watch: WatchConfig::DEFAULT,
            spread: SpreadConfig::FLEET,
            fail_back: FailBackConfig::DEFAULT,
            damping: DampingConfig::DEFAULT,
            handover: HandoverConfig::DEFAULT,
            home: None,
            warm_standby: false,
        }
    }

    /// Returns the preset for few clients: a game, a trader, a test. It detects a failure well below 1 s, and does not
    /// spread first attempts.
    pub const fn interactive() -> Self {
        let mut config = Self::fleet();
        config.watch.ping_interval = ms(500);
        config.spread = SpreadConfig::NONE;
        config
    }
}

impl Default for Config {
    fn default() -> Self {
        Self::fleet()
    }
}

/// Settings for opening connections.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct DialConfig {
    /// Longest time for one attempt, from SYN to PONG. Default 3 s: at 250 ms RTT a handshake over TLS takes 1.5 s, and
    /// one lost SYN costs another second.
    pub timeout: Duration,
    /// Largest number of concurrent attempts. Default 3: with more, surviving servers accept dials in vain.
    pub in_flight_max: usize,
    /// Shortest delay before the next attempt. The delay is clamp(2 SRTT + 4 RTTVAR, this, `attempt_delay_max`) without an
    /// answer. Default 100 ms (RFC 8305 section 8, recommended minimum).
    pub attempt_delay_min: Duration,
    /// Longest delay before the next attempt. Default 2 s (RFC 8305 section 8, maximum).
    pub attempt_delay_max: Duration,
    /// After the end of a link, the client waits this long for another server of the region. Then it also dials the
    /// next region. It does so at once if one server refuses. Default 100 ms: a server of the same region answers
    /// within 10 ms.
    pub next_region_after: Duration,
    /// A region counts as down if this many of its servers refuse or reset within `siblings_down_within`. Default 2.
    pub siblings_down: usize,
    /// Time in which `siblings_down` servers must fail. Default 1 s.
    pub siblings_down_within: Duration,
    /// Base of the back-off once every endpoint has failed: U(0, min(cap, base x 2^n)), "full jitter"
    /// (AWS Architecture Blog, 2015). Default 500 ms.
    pub backoff_base: Duration,
    /// Cap of the back-off. Default 30 s: clients notice within this time that servers are back.
    pub backoff_cap: Duration,
    /// The back-off returns to its base once a link has been live for this long. Default 30 s: a server that
    /// accepts and dies must not reset the back-off.
    pub stable_after: Duration,
    /// Number of attempts in a burst. Default 10: enough to try each of nine servers once.
    pub budget_burst: u32,
    /// Attempts per second after the burst. Default 0.5.
    pub budget_per_second: f64,
}

impl DialConfig {
    const DEFAULT: Self = Self {
        timeout: secs(3),
        in_flight_max: 3,
        attempt_delay_min: ms(100),
        attempt_delay_max: secs(2),
        next_region_after: ms(100),
        siblings_down: 2,
        siblings_down_within: secs(1),
        backoff_base: ms(500),
        backoff_cap: secs(30),
        stable_after: secs(30),
        budget_burst: 10,
        budget_per_second: 0.5,
    };
}

/// Settings for detecting a failing link. A lost packet costs TCP one retransmission time-out of
/// SRTT + max(200 ms, 4 RTTVAR), and a second loss costs three of them. So the first threshold is
/// longer than one retransmission, and the second one longer than two.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct WatchConfig {
    /// Time between two PINGs. Default 2 s (`fleet`), 500 ms (`interactive`): about 80 and 300 bytes per second, measured
    /// by loadgen without the bytes of TCP itself.
    pub ping_interval: Duration,
    /// Shortest silence that makes a link suspect: max(this, 2 SRTT + 4 RTTVAR + `suspect_slack`). Default 250 ms.
    pub suspect_min: Duration,
    /// Added to the round trip before a link is suspect. Default 200 ms: one lost packet does not make a link suspect.
    pub suspect_slack: Duration,
    /// Added to the round trip before a link is dead: clamp(4 SRTT + 4 RTTVAR + this, `dead_min`, `dead_max`). Default
    /// 600 ms: two lost packets do not make a link dead.
    pub dead_slack: Duration,
    /// Shortest silence that makes a link dead. Default 1 s: on a simulated path of 9 ms, this closes a working link about once
    /// in two days.
    pub dead_min: Duration,
    /// Longest silence before a link is dead. Default 5 s: users do not wait longer, whatever the variance.
    pub dead_max: Duration,
    /// While bytes arrive but no PONG, a link becomes suspect after this long, because the outgoing path may be broken.
    /// Default 20 s: a PONG waits behind everything that the server already has for this client. nats-server takes up to
    /// 10 s (`write_deadline`) for its current write, and as long for the data behind it.
    pub progress_patience: Duration,
    /// A timer that fires this late means that the host slept or stalled. The client then draws no conclusion from
    /// silence. Default 500 ms: twice the shortest suspicion.
    pub stall: Duration,
}

impl WatchConfig {
    const DEFAULT: Self = Self {
        ping_interval: secs(2),
        suspect_min: ms(250),
        suspect_slack: ms(200),
        dead_slack: ms(600),
        dead_min: secs(1),
        dead_max: secs(5),
        progress_patience: secs(20),
        stall: ms(500),
    };
}

/// Settings that spread the first reactions of many clients over time. Back-off acts only after a failed attempt, but the first
/// wave does the damage. So each client delays its first attempt by a random time between zero and these values.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct SpreadConfig {
    /// Longest delay of the first attempt at another server of the region. Default 250 ms (`fleet`), none (`interactive`).
    pub server_lost: Duration,
    /// Longest delay of the first attempt at another region, after a loss or on suspicion. Default 2 s (`fleet`), none
    /// (`interactive`).
    pub region_lost: Duration,
    /// Longest delay of the move away from a lame duck. Default 5 s (both presets): half the server's grace of 10 s, so that drains
    /// have time.
    pub lame_duck: Duration,
    /// Capacity of the surviving regions; it replaces `region_lost`. Default none: the capacity is unknown. A client
    /// that finds the surviving regions overloaded (a dial waits, or a server says so) pauses longer after each dial,
    /// up to 8 s.
    pub capacity: Option<CapacityHint>,
}

impl SpreadConfig {
    const FLEET: Self =
        Self { server_lost: ms(250), region_lost: secs(2), lame_duck: secs(5), capacity: None };
    const NONE: Self =
        Self { server_lost: Duration::ZERO, region_lost: Duration::ZERO, lame_duck: secs(5), capacity: None };

    /// The spread of first attempts at another region: 1.1 N/C with a capacity hint.
    pub(crate) fn region_lost_or_hint(&self) -> Duration {
        /// A tenth above N/C: at exactly N/C every burst of chance would queue.
        const HEADROOM: f64 = 1.1;
        self.capacity.map_or(self.region_lost, |hint| {
            Duration::try_from_secs_f64(HEADROOM * f64::from(hint.clients) / hint.accepts_per_second)
                .unwrap_or(Duration::MAX)
        })
    }
}

/// Number of clients of a lost region, and the rate at which other regions accept them.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct CapacityHint {
    /// Number of clients in a region.
    pub clients: u32,
    /// Connections per second that all surviving regions accept together.
    pub accepts_per_second: f64,
}

/// Settings for the fail back to a region that failed, and for the move to a region that became faster.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct FailBackConfig {
    /// Number of good probes in a row before a return. Default 5.
    pub good_probes: u32,
    /// Time over which the good probes must spread. Default 30 s: longer than a crash loop.
    pub good_for: Duration,
    /// Number of servers of the region that must answer (or all known ones, if fewer). Default 2: the first server
    /// that is back must not get all clients.
    pub servers: usize,
    /// Share of clients that return at once, chosen by hash. Default 0.05: few clients suffer if the region fails again.
    pub cohort: f64,
    /// The other clients return after a random time between zero and this. Default 120 s.
    pub spread: Duration,
    /// A region that became faster must be nearer by max(this, `gain_ratio` of the current RTT, 2 RTTVAR).
    /// Default 5 ms.
    pub gain_min: Duration,
    /// Share of the current RTT that a faster region must gain. Default 0.2: 97 % of measured shifts between
    /// two weeks are smaller.
    pub gain_ratio: f64,
    /// Number of evaluations in a row in which a region must be faster. Default 3.
    pub gain_evaluations: u32,
    /// Time over which these evaluations must spread. Default 60 s.
    pub gain_for: Duration,
}

impl FailBackConfig {
    const DEFAULT: Self = Self {
        good_probes: 5,
        good_for: secs(30),
        servers: 2,
        cohort: 0.05,
        spread: secs(120),
        gain_min: ms(5),
        gain_ratio: 0.2,
        gain_evaluations: 3,
        gain_for: secs(60),
    };
}

/// Route-flap damping (RFC 2439) of regions. Each loss adds a penalty, which halves with every `half_life`. Lame duck mode
/// and losses while the client's own network was down add none.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct DampingConfig {
    /// Penalty of one loss. Default 1000 (RFC 2439's unit).
    pub penalty: f64,
    /// Time in which a penalty halves. Default 300 s: losses 4 min apart or more never suppress a region.
    pub half_life: Duration,
    /// At or above this penalty the client does not return to a region. Default 2500: the third loss in a row exceeds
    /// it.
    pub suppress: f64,
    /// At or below this penalty the client may return. Default 750 (RFC 2439).
    pub reuse: f64,
    /// Longest suppression after the last loss. Default 30 min.
    pub suppress_max: Duration,
}

impl DampingConfig {
    const DEFAULT: Self = Self {
        penalty: 1_000.0,
        half_life: secs(300),
        suppress: 2_500.0,
        reuse: 750.0,
        suppress_max: secs(1_800),
    };
}

/// Settings for leaving a link that still works.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct HandoverConfig {
    /// Shortest overlap of old and new subscriptions. The overlap is clamp(2 x largest known RTT, this, `overlap_max`), so
    /// that interest in the new ones has crossed the gateways. Default 250 ms.
    pub overlap_min: Duration,
    /// Longest overlap. Default 2 s.
    pub overlap_max: Duration,
    /// After the overlap the client waits for requests in flight and queued deliveries, until nothing has moved for this
    /// long. Default 2 s: with lame duck's spread of 5 s and the overlap that stays within the server's grace of 10 s.
    pub drain: Duration,
}

impl HandoverConfig {
    const DEFAULT: Self = Self { overlap_min: ms(250), overlap_max: secs(2), drain: secs(2) };
}
