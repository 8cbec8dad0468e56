//! All constants of the policy of a client, with unit, default, and the reason for the default.
//!
//! The defaults are tuned for WAN paths of 1 to 250 ms with 0.1 % loss and occasional bursts. They are based on the
//! papers and products that the fields name. Change a default only if a measurement justifies the new value.

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
    /// Settings for the return to a region that failed, and for the move to a faster region.
    pub fail_back: FailBackConfig,
    /// Settings for avoiding a region that keeps failing.
    pub damping: DampingConfig,
    /// Settings for leaving a link that still works.
    pub handover: HandoverConfig,
    /// Home region, for a client whose home is not the nearest region. A return to the home region counts as a fail
    /// back, even if the region was down at the start. The client still prefers nearer regions to the home region.
    /// Default none: the nearest region is the home region.
    #[cfg_attr(feature = "serde", serde(default))]
    pub home: Option<String>,
    /// Whether the client keeps a standby connection to the best server of the next region in the ranking. The client
    /// logs in and sends PINGs on this connection, and installs no subscriptions. Default off, because the standby costs
    /// each client one more idle connection.
    pub warm_standby: bool,
}

impl Config {
    /// Returns the preset for many clients of one kind, which is the default. With this preset, a client detects a
    /// failure within about 3 s. After a loss, it delays its first dial by a random time, so that not all clients dial
    /// at the same time.
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

    /// Returns the preset for few clients, such as a game, a trading application or a test. With this preset, a client
    /// detects a failure in much less than 1 s, and then dials without a random delay.
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
    /// Largest number of concurrent attempts. Default 3: with more, surviving servers would accept many connections that
    /// the clients do not use.
    pub in_flight_max: usize,
    /// Shortest time without an answer after which the client begins the next attempt. The time is clamp(2 SRTT + 4
    /// RTTVAR, `attempt_delay_min`, `attempt_delay_max`), with SRTT and RTTVAR as in TCP (RFC 6298). Default 100 ms (RFC
    /// 8305 section 8, recommended minimum).
    pub attempt_delay_min: Duration,
    /// Longest time without an answer after which the client begins the next attempt. Default 2 s (RFC 8305 section 8,
    /// maximum).
    pub attempt_delay_max: Duration,
    /// When the active link ends, the client first dials only servers of the same region. If none of them answers
    /// within this time, or if a dial of one of them fails, the client also dials the next region. It delays this dial
    /// as `spread.region_lost` says. Default 100 ms: a server of the same region answers within 10 ms.
    pub next_region_after: Duration,
    /// A region counts as down if this many of its servers refuse or reset connections within `siblings_down_within`.
    /// Default 2.
    pub siblings_down: usize,
    /// Time within which `siblings_down` servers must fail, so that their region counts as down. Default 1 s.
    pub siblings_down_within: Duration,
    /// Base of the back-off: the client pauses when all endpoints have failed. The n-th pause, counted from 0, is a
    /// random time between zero and min(`backoff_cap`, `backoff_base` x 2^n). This is "full jitter" (AWS Architecture
    /// Blog, 2015). Default 500 ms.
    pub backoff_base: Duration,
    /// Cap of the back-off. Default 30 s: clients notice within this time that servers are back.
    pub backoff_cap: Duration,
    /// The back-off returns to its base once a link has been live for this long. Default 30 s: a server that accepts a
    /// connection and then fails must not reset the back-off.
    pub stable_after: Duration,
    /// Number of attempts that a client may make without a pause. Default 10: enough to try each of nine servers once.
    pub budget_burst: u32,
    /// Attempts per second that the client may make after it has used up [`budget_burst`](Self::budget_burst). Default 0.5.
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

/// Settings for detecting a failing link. A lost packet costs TCP one retransmission time-out of SRTT + max(200 ms, 4
/// RTTVAR). SRTT is the smoothed round-trip time, and RTTVAR is its variation (RFC 6298). Two losses in a row cost
/// three of these time-outs. So the silence that makes a link suspect is longer than one retransmission takes. The
/// silence that makes a link dead is longer than two retransmissions take.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct WatchConfig {
    /// Time between two PINGs. Default 2 s (`fleet`), 500 ms (`interactive`): the PINGs cost about 80 (`fleet`) or 300
    /// (`interactive`) bytes per second (measured by loadgen, without TCP headers).
    pub ping_interval: Duration,
    /// Shortest silence that makes a link suspect. The threshold is max(`suspect_min`, 2 SRTT + 4 RTTVAR +
    /// `suspect_slack`). Default 250 ms.
    pub suspect_min: Duration,
    /// Time that is added to the round trip in the threshold of a suspect link. Default 200 ms: one lost packet does
    /// not make a link suspect.
    pub suspect_slack: Duration,
    /// Time that is added to the round trip in the threshold of a dead link, which is clamp(4 SRTT + 4 RTTVAR +
    /// `dead_slack`, `dead_min`, `dead_max`). Default 600 ms: two lost packets do not make a link dead.
    pub dead_slack: Duration,
    /// Shortest silence that makes a link dead. Default 1 s: on a simulated path of 9 ms, this value closes a working
    /// link about once in two days.
    pub dead_min: Duration,
    /// Longest silence before a link is dead. Default 5 s: users do not wait longer, even if the round-trip time varies
    /// much.
    pub dead_max: Duration,
    /// If bytes arrive but no PONG, the link becomes suspect after this long, because the outgoing path may be broken.
    /// Default 20 s: a PONG waits behind all data that the server already has for this client. The server may need 10 s
    /// (`write_deadline`) for its current write, and another 10 s for the data after it.
    pub progress_patience: Duration,
    /// A timer that fires this late means that the host slept or stalled. The client then draws no conclusion from
    /// silence. Default 500 ms: twice the default `suspect_min`.
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

/// Settings that spread the first reactions of many clients over time. Back-off acts only after a failed attempt, but the
/// first attempts of all clients together already overload servers. So each client delays its first attempt by a random
/// time between zero and these values.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct SpreadConfig {
    /// Longest delay of the first attempt to connect to another server of the region. Default 250 ms (`fleet`), none
    /// (`interactive`).
    pub server_lost: Duration,
    /// Longest delay of the first attempt to connect to another region, after the link is lost or suspect. Default 2 s
    /// (`fleet`), none (`interactive`).
    pub region_lost: Duration,
    /// Longest delay of the move away from a lame duck. Default 5 s (both presets): half the server's grace period of 10
    /// s, so that the client has time to drain its old link.
    pub lame_duck: Duration,
    /// Rate at which other regions accept clients. If this rate is set, the client computes the longest delay from it,
    /// instead of `region_lost`: see [`CapacityHint`]. Default none: the rate is unknown. If a dial waits too long or a
    /// server reports overload, the client assumes that the other regions are overloaded. Unless `region_lost` is zero,
    /// it then pauses longer after each dial, up to 8 s.
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

/// Number of clients of a lost region, and the rate at which other regions accept them. The longest delay of the first
/// attempt is 1.1 x `clients` / `accepts_per_second`.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct CapacityHint {
    /// Number of clients in a region.
    pub clients: u32,
    /// Connections per second that the next region accepts. This is the region to which most of these clients move,
    /// because it is the nearest one. If they move to several regions in equal shares, add the rates of these regions.
    pub accepts_per_second: f64,
}

/// Settings for the fail back to a region that failed, and for the move to a region that became faster.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct FailBackConfig {
    /// Number of probes in a row that a server must answer (good probes) before a return to its region. Default 5.
    pub good_probes: u32,
    /// Shortest time from the first to the last of the good probes. Default 30 s: a server in a crash loop fails again
    /// earlier.
    pub good_for: Duration,
    /// Number of servers of the region that must have good probes; if the client knows fewer, all of them must. Default
    /// 2, so that not all clients return to the first server that is back.
    pub servers: usize,
    /// Share of clients that return at once, chosen by hash. Default 0.05: few clients suffer if the region fails again.
    pub cohort: f64,
    /// The other clients return after a random time between zero and this value. Default 120 s.
    pub spread: Duration,
    /// The RTT of a faster region must be lower than the current RTT by more than max(`gain_min`, `gain_ratio` x
    /// current RTT, 2 RTTVAR of the active link). Default 5 ms.
    pub gain_min: Duration,
    /// Share of the current RTT by which the RTT of a faster region must be lower. Default 0.2: together with
    /// `gain_min`, this ignores 97 % of the measured changes from one week to the next.
    pub gain_ratio: f64,
    /// Number of evaluations in a row in which a region must be faster. The client evaluates after its probes. Default
    /// 3.
    pub gain_evaluations: u32,
    /// Shortest time from the first to the last of these evaluations. Default 60 s.
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

/// Route-flap damping (RFC 2439) of regions. Each loss adds a penalty, which halves with every `half_life`. Lame duck
/// mode and losses while the client's own network was down add no penalty.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct DampingConfig {
    /// Penalty of one loss. Default 1000 (RFC 2439's unit).
    pub penalty: f64,
    /// Time in which a penalty halves. Default 300 s: losses 4 min apart or more never suppress a region.
    pub half_life: Duration,
    /// At or above this penalty the client does not return to a region. Default 2500: with the third loss in a row, the
    /// penalty exceeds this value.
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
    /// Shortest overlap, in which the old and the new link both have the subscriptions. The overlap is clamp(2 x
    /// largest known RTT, `overlap_min`, `overlap_max`). During the overlap, the gateways pass the interest of the new
    /// subscriptions on to other clusters. Default 250 ms.
    pub overlap_min: Duration,
    /// Longest overlap. Default 2 s.
    pub overlap_max: Duration,
    /// After the overlap, the client waits for requests in flight and queued deliveries. It stops waiting when none of
    /// them has made progress for this long. Default 2 s: with the overlap and the spread of 5 s, a move ends within
    /// the 10 s that a lame duck gives its clients.
    pub drain: Duration,
}

impl HandoverConfig {
    const DEFAULT: Self = Self { overlap_min: ms(250), overlap_max: secs(2), drain: secs(2) };
}
