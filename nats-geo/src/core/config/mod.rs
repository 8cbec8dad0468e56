//! Every constant of the policy, with its unit, its default and why.
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
    /// How distance is measured.
    pub probe: ProbeConfig,
    /// How servers are ordered.
    pub rank: RankConfig,
    /// How connections are opened.
    pub dial: DialConfig,
    /// How a failing link is noticed.
    pub watch: WatchConfig,
    /// How the clients of a failing server are kept from acting as one.
    pub spread: SpreadConfig,
    /// When to return to, or move to, a better region.
    pub fail_back: FailBackConfig,
    /// When not to return to a region that keeps failing.
    pub damping: DampingConfig,
    /// How a link is left that still works.
    pub handover: HandoverConfig,
    /// The region that the client belongs to, for a client to which the nearest one is not home. A return to it counts as
    /// one after a failure, also if it was down at the start. Nearer regions are preferred all the same. Default none.
    #[cfg_attr(feature = "serde", serde(default))]
    pub home: Option<String>,
    /// Keep one more connection, to the best server of the next region: connected, authenticated, pinged,
    /// without subscriptions. Default off: it costs every server one idle connection more per client.
    pub warm_standby: bool,
}

impl Config {
    /// Many clients of one kind (the default): detection within about 3 s, first attempts spread out.
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

    /// A single client, a game, a trader, a test: detection well below 1 s, no first-attempt spread.
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

/// How connections are opened.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct DialConfig {
    /// One attempt, from SYN to PONG. Default 3 s: at 250 ms RTT a handshake over TLS takes 1.5 s, and one
    /// lost SYN costs another second.
    pub timeout: Duration,
    /// Attempts at once. Default 3: more would hit survivors with dials that are thrown away.
    pub in_flight_max: usize,
    /// The next attempt starts after clamp(2 SRTT + 4 RTTVAR, this, `attempt_delay_max`) without an answer.
    /// Default 100 ms (RFC 8305 section 8, recommended minimum).
    pub attempt_delay_min: Duration,
    /// Default 2 s (RFC 8305 section 8, maximum).
    pub attempt_delay_max: Duration,
    /// After a link ended, the next region is dialled too when no sibling has answered for this long, or
    /// at once when one refused. Default 100 ms: a sibling in the same region answers within 10.
    pub next_region_after: Duration,
    /// This many siblings that refuse or reset ...
    pub siblings_down: usize,
    /// ... within this long mean that the region is down. Defaults 2 and 1 s.
    pub siblings_down_within: Duration,
    /// Base of the back-off once every endpoint has failed: U(0, min(cap, base x 2^n)), "full jitter"
    /// (AWS Architecture Blog, 2015). Default 500 ms.
    pub backoff_base: Duration,
    /// Default 30 s: an operator waits no longer than that for clients to notice that servers are back.
    pub backoff_cap: Duration,
    /// The back-off starts from its beginning once a link has been live for this long. Default 30 s: a server that
    /// accepts a client and then dies must not reset it.
    pub stable_after: Duration,
    /// Attempts that may be made in a burst. Default 10: a whole pass over nine servers.
    pub budget_burst: u32,
    /// Attempts per second once the burst is spent. Default 0.5.
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

/// How a failing link is noticed. A lost packet costs TCP one retransmission time-out of
/// SRTT + max(200 ms, 4 RTTVAR), a second loss three of them: thresholds are rungs of that ladder.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct WatchConfig {
    /// Between two PINGs. Default 2 s (`fleet`), 500 ms (`interactive`): about 80 and 300 bytes per second, measured
    /// by loadgen without TCP's own.
    pub ping_interval: Duration,
    /// Suspect at max(this, 2 SRTT + 4 RTTVAR + `suspect_slack`). Default 250 ms.
    pub suspect_min: Duration,
    /// Default 200 ms: survives one lost packet.
    pub suspect_slack: Duration,
    /// Dead at clamp(4 SRTT + 4 RTTVAR + this, `dead_min`, `dead_max`). Default 600 ms: survives two.
    pub dead_slack: Duration,
    /// Default 1 s: in the model this gives half a false verdict per connection and day at 9 ms.
    pub dead_min: Duration,
    /// Default 5 s: whatever the variance, users do not wait longer.
    pub dead_max: Duration,
    /// With bytes coming in, but no PONG, a link is suspected after this long: the way out may be broken. Default
    /// 20 s: a PONG waits behind all that the server already has for this client, and nats-server takes up to 10 s
    /// (`write_deadline`) for what it is writing, before it gives the client up, and as long for what is behind that.
    pub progress_patience: Duration,
    /// If our own timer fires this late, the host stalled: verdicts are void. Default 500 ms: twice the shortest suspicion.
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

/// How the clients of a failing server are kept from acting as one. Back-off only acts after a failure;
/// the first wave is the damage, so the first attempt is spread, uniformly from zero to these.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct SpreadConfig {
    /// First attempt at a sibling. Default 250 ms (`fleet`), none (`interactive`).
    pub server_lost: Duration,
    /// First attempt at another region, after a loss or on suspicion. Default 2 s (`fleet`), none
    /// (`interactive`).
    pub region_lost: Duration,
    /// Leaving a lame duck. Default 5 s for both: half the server's default grace of 10 s, to leave room for drains.
    pub lame_duck: Duration,
    /// How many clients the surviving regions can accept; replaces `region_lost`. Default unknown: a client that finds them
    /// overloaded (a dial waits, or a server says so) asks less and less often, up to 8 s apart.
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

/// How many clients a lost region sends to servers that can take how many.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
pub struct CapacityHint {
    /// Clients that a region holds.
    pub clients: u32,
    /// Connections per second that the surviving regions accept together.
    pub accepts_per_second: f64,
}

/// When to return to a region that was left because it failed, and when to move to one that became faster.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct FailBackConfig {
    /// Good probes in a row before a return. Default 5 ...
    pub good_probes: u32,
    /// ... over at least this long. Default 30 s: longer than a crash loop.
    pub good_for: Duration,
    /// Servers of the region that must answer (or all known, if fewer). Default 2: the first server back
    /// must not get everybody.
    pub servers: usize,
    /// Share of clients that return at once, chosen by hash. Default 0.05: a canary.
    pub cohort: f64,
    /// The rest return at U(0, this). Default 120 s.
    pub spread: Duration,
    /// A region that only became faster must win by max(this, `gain_ratio` of the current, 2 RTTVAR).
    /// Default 5 ms.
    pub gain_min: Duration,
    /// Default 0.2: ignores 97 % of real week-to-week shifts.
    pub gain_ratio: f64,
    /// ... in this many evaluations in a row. Default 3 ...
    pub gain_evaluations: u32,
    /// ... over at least this long. Default 60 s.
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

/// Route-flap damping (RFC 2439) of regions: a penalty per loss that decays by half-lives.
/// Never for lame duck; never for losses while our own network was down.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct DampingConfig {
    /// Added per loss. Default 1000 (RFC 2439's unit).
    pub penalty: f64,
    /// Default 300 s: losses 4 min apart or more never suppress.
    pub half_life: Duration,
    /// Not returned to at or above this. Default 2500: the third loss in a row.
    pub suppress: f64,
    /// Returned to again at or below this. Default 750 (RFC 2439).
    pub reuse: f64,
    /// Never suppressed longer than this after the last loss. Default 30 min.
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

/// How a link is left that still works.
#[derive(Clone, Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
#[non_exhaustive]
pub struct HandoverConfig {
    /// Old and new subscriptions overlap for clamp(2 x largest known RTT, this, `overlap_max`), so that
    /// interest in the new ones has crossed the gateways. Default 250 ms.
    pub overlap_min: Duration,
    /// Default 2 s.
    pub overlap_max: Duration,
    /// Then requests in flight and queued deliveries end, unless nothing moves for this long. Default 2 s: with lame
    /// duck's spread of 5 s and the overlap that stays within the server's grace of 10 s.
    pub drain: Duration,
}

impl HandoverConfig {
    const DEFAULT: Self = Self { overlap_min: ms(250), overlap_max: secs(2), drain: secs(2) };
}
