//! Effects of link faults, and how several of them on one path combine.

use std::fmt;
use std::num::{NonZeroU16, NonZeroU64};
use std::time::Duration;

use xxhash_rust::xxh64::xxh64;

/// The effect of a fault on each path that it selects. While it lasts, it also applies to connections that are new.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum LinkEffect {
    /// Bytes are lost and nothing is closed. A new connection gets no INFO; it is answered if it still waits when the
    /// silence ends. Connections that lived through the silence are reset then.
    Silence(Silence),
    /// New connections are refused (`ECONNREFUSED`). Open ones live on.
    Refuse,
    /// Both ends of an open connection get a RST. A new one gets it after one round trip.
    Reset,
    /// Both ends of an open connection get a FIN. A new one gets it after one round trip.
    Close,
    /// The path accepts a new connection and sends nothing on it, as a load balancer without a server does. Open ones
    /// fall silent. All of them are reset when the fault ends.
    AcceptSilent,
    /// Another round-trip time.
    Latency(Latency),
    /// Each parcel takes longer by a random time.
    Jitter {
        /// Largest extra time of one direction; the extra time is uniform between zero and this.
        up_to: Duration,
        /// The same seed repeats the same times.
        seed: u64,
        /// Whether a packet may overtake the one before it. Only [`Backend::Netns`](super::Backend::Netns) has packets.
        reorders: bool,
    },
    /// A rate limit for each direction of each connection.
    Bandwidth {
        /// The rate, in bytes per second.
        bytes_per_second: NonZeroU64,
    },
    /// Packets are lost, and TCP retransmits them. Only [`Backend::Netns`](super::Backend::Netns) has packets.
    Loss(Loss),
}

/// The packets that each direction of a path loses.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Loss {
    /// The lost share of all packets, in millionths.
    pub per_million: u32,
    /// Mean number of packets that are lost in a row; 1: each loss is independent.
    pub burst: NonZeroU16,
    /// The same seed loses the same packets.
    pub seed: u64,
}

/// The directions in which a [`LinkEffect::Silence`] loses bytes. The *server* is the end that was dialled.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Silence {
    /// Neither end hears the other.
    Both,
    /// The server hears nothing; the other end still receives.
    ToServer,
    /// The other end hears nothing; the server still receives.
    FromServer,
}

/// How a [`LinkEffect::Latency`] changes the round-trip time; each direction gets half.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Latency {
    /// This round-trip time in place of the path's own.
    Set(Duration),
    /// This much on top.
    Add(Duration),
}

/// An effect that no path can have.
#[derive(Debug, thiserror::Error)]
#[error(
    "a delay of {:.0} s is above the limit of {} s: choose a shorter one, or `LinkEffect::Silence`",
    .0.as_secs_f64(), MAX_DELAY.as_secs()
)]
pub struct LongDelayError(Duration);

/// Longest delay of one effect: every time-out of NATS passes within it, so a longer one is a silence.
const MAX_DELAY: Duration = Duration::from_secs(60);

impl LinkEffect {
    /// Refuses delays above 60 s.
    ///
    /// # Errors
    /// See [`LongDelayError`].
    pub fn check(&self) -> Result<(), LongDelayError> {
        match self {
            Self::Latency(Latency::Set(delay) | Latency::Add(delay)) | Self::Jitter { up_to: delay, .. }
                if *delay > MAX_DELAY =>
            {
                Err(LongDelayError(*delay))
            }
            _ => Ok(()),
        }
    }

    /// Returns whether two servers lose each other when the link between them has this effect.
    pub fn separates(&self) -> bool {
        matches!(self, Self::Silence(_) | Self::Reset | Self::Close | Self::AcceptSilent)
    }

    /// Returns whether two servers cannot link again when the link between them has this effect. A refusal leaves open
    /// connections alone.
    pub fn prevents_linking(&self) -> bool {
        self.separates() || matches!(self, Self::Refuse)
    }
}

impl fmt::Display for LinkEffect {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |delay: &Duration| delay.as_secs_f64() * 1_000.0;
        match self {
            Self::Silence(Silence::Both) => formatter.write_str("silence"),
            Self::Silence(Silence::ToServer) => formatter.write_str("silence towards the server"),
            Self::Silence(Silence::FromServer) => formatter.write_str("silence of the server"),
            Self::Refuse => formatter.write_str("new connections are refused"),
            Self::Reset => formatter.write_str("connections are reset"),
            Self::Close => formatter.write_str("connections are closed"),
            Self::AcceptSilent => formatter.write_str("connections are accepted without an answer"),
            Self::Latency(Latency::Set(rtt)) => write!(formatter, "a round-trip time of {} ms", millis(rtt)),
            Self::Latency(Latency::Add(rtt)) => write!(formatter, "{} ms more round-trip time", millis(rtt)),
            Self::Jitter { up_to, reorders, .. } => {
                let order = if *reorders { " that reorders packets" } else { "" };
                write!(formatter, "a jitter of up to {} ms{order}", millis(up_to))
            }
            Self::Bandwidth { bytes_per_second } => write!(formatter, "{bytes_per_second} bytes per second"),
            Self::Loss(Loss { per_million, burst, .. }) => {
                write!(formatter, "a loss of {} % of the packets", f64::from(*per_million) / 10_000.0)?;
                if burst.get() == 1 { Ok(()) } else { write!(formatter, " in bursts of {burst}") }
            }
        }
    }
}

/// The state of a path, from all effects on it.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Conditions {
    silent_to_server: bool,
    silent_from_server: bool,
    accept_silent: bool,
    reset: bool,
    close: bool,
    refuse: bool,
    rtt: Option<Duration>,
    added_rtt: Duration,
    jitter: Option<Jitter>,
    bandwidth: Option<NonZeroU64>,
    loss: Option<Loss>,
}

/// One direction of a connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Direction {
    /// From the end that dialled.
    ToServer,
    /// From the end that was dialled.
    FromServer,
}

impl Direction {
    pub(super) fn opposite(self) -> Self {
        match self {
            Self::ToServer => Self::FromServer,
            Self::FromServer => Self::ToServer,
        }
    }
}

/// The fate of a new connection.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Dials {
    /// It reaches the server.
    Carried,
    /// It waits in the kernel's queue.
    Unanswered,
    /// It is accepted, and nothing else.
    Held,
    /// It is accepted and ended.
    Ended(End),
    /// Nobody listens.
    Refused,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum End {
    /// By a RST.
    Reset,
    /// By a FIN.
    Close,
}

/// A random extra time for each parcel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Jitter {
    up_to: Duration,
    seed: u64,
    reorders: bool,
}

impl Conditions {
    /// Combines effects, in the order in which their faults began: silence dominates, then a path that accepts without an
    /// answer, RST, FIN and refusal; the last [`Latency::Set`] counts; times on top add up, and so do jitters, with the
    /// first one's seed; the smallest bandwidth holds; losses are independent of each other, with the longest burst and the first
    /// one's seed.
    pub fn of<'a>(effects: impl IntoIterator<Item = &'a LinkEffect>) -> Self {
        effects.into_iter().fold(Self::default(), Self::with)
    }

    fn with(mut self, effect: &LinkEffect) -> Self {
        match *effect {
            LinkEffect::Silence(silence) => {
                self.silent_to_server |= silence != Silence::FromServer;
                self.silent_from_server |= silence != Silence::ToServer;
            }
            LinkEffect::Refuse => self.refuse = true,
            LinkEffect::Reset => self.reset = true,
            LinkEffect::Close => self.close = true,
            LinkEffect::AcceptSilent => self.accept_silent = true,
            LinkEffect::Latency(Latency::Set(rtt)) => self.rtt = Some(rtt),
            LinkEffect::Latency(Latency::Add(rtt)) => self.added_rtt = self.added_rtt.saturating_add(rtt),
            LinkEffect::Jitter { up_to, seed, reorders } => {
                let before = self.jitter.unwrap_or(Jitter { up_to: Duration::ZERO, seed, reorders });
                self.jitter = Some(Jitter {
                    up_to: before.up_to.saturating_add(up_to),
                    seed: before.seed,
                    reorders: before.reorders || reorders,
                });
            }
            LinkEffect::Bandwidth { bytes_per_second } => {
                let smallest = self.bandwidth.map_or(bytes_per_second, |before| before.min(bytes_per_second));
                self.bandwidth = Some(smallest);
            }
            LinkEffect::Loss(loss) => self.loss = Some(self.loss.map_or(loss, |before| before.and(loss))),
        }
        self
    }

    /// Returns whether a direction of an open connection carries bytes.
    pub(super) fn carries(&self, direction: Direction) -> bool {
        !self.accept_silent
            && match direction {
                Direction::ToServer => !self.silent_to_server,
                Direction::FromServer => !self.silent_from_server,
            }
    }

    /// Returns whether an open connection is silent in at least one direction.
    pub(super) fn is_silent(&self) -> bool {
        self.accept_silent || self.is_dark()
    }

    /// A handshake needs both directions.
    fn is_dark(&self) -> bool {
        self.silent_to_server || self.silent_from_server
    }

    /// The fate of new connections.
    pub(super) fn dials(&self) -> Dials {
        match self {
            _ if self.is_dark() => Dials::Unanswered,
            _ if self.accept_silent => Dials::Held,
            _ => match self.end() {
                Some(end) => Dials::Ended(end),
                None if self.refuse => Dials::Refused,
                None => Dials::Carried,
            },
        }
    }

    /// How open connections end, if they do.
    pub(super) fn end(&self) -> Option<End> {
        match self {
            _ if self.is_silent() => None,
            _ if self.reset => Some(End::Reset),
            _ if self.close => Some(End::Close),
            _ => None,
        }
    }

    /// The round-trip time of a path whose own is `base`.
    pub(super) fn rtt(&self, base: Duration) -> Duration {
        self.rtt.unwrap_or(base).saturating_add(self.added_rtt)
    }

    /// Rate limit of each direction of a connection.
    pub(super) fn bandwidth(&self) -> Option<NonZeroU64> {
        self.bandwidth
    }

    /// Returns whether packets may overtake each other.
    #[cfg(target_os = "linux")]
    pub(super) fn reorders(&self) -> bool {
        self.jitter.is_some_and(|jitter| jitter.reorders)
    }

    /// The packets that each direction loses.
    #[cfg(target_os = "linux")]
    pub(super) fn loss(&self) -> Option<Loss> {
        self.loss
    }

    /// The extra time of a parcel: that of its number in its direction of a connection, which has a number on its path.
    pub(super) fn jitter(&self, path: &str, connection: u64, direction: Direction, parcel: u64) -> Duration {
        let Some(Jitter { up_to, seed, .. }) = self.jitter else { return Duration::ZERO };
        let direction = u64::from(direction == Direction::FromServer);
        let place = [connection, direction, parcel].map(u64::to_le_bytes);
        let random = xxh64(place.as_flattened(), xxh64(path.as_bytes(), seed));
        up_to.mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

impl Loss {
    fn and(self, other: Self) -> Self {
        const ALL: u64 = 1_000_000;
        let kept = |loss: Self| ALL.saturating_sub(loss.per_million.into());
        let per_million = ALL - kept(self) * kept(other) / ALL;
        // At most a million.
        Self { per_million: per_million as u32, burst: self.burst.max(other.burst), seed: self.seed }
    }
}

#[cfg(test)]
mod tests;
