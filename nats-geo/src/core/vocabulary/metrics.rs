//! The metrics of the feature `metrics`.

/// One metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct MetricInfo {
    /// The name, such as `nats_geo_moves_total`.
    pub name: &'static str,
    /// The kind.
    pub kind: MetricKind,
    /// The labels, without `client`, which every metric has.
    pub labels: &'static [&'static str],
    /// The unit.
    pub unit: &'static str,
    /// The meaning, as one or two sentences.
    pub meaning: &'static str,
}

/// The kind of a metric.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum MetricKind {
    /// A number that only increases.
    Counter,
    /// A number that increases and decreases.
    Gauge,
    /// A distribution of values.
    Histogram,
}

impl MetricKind {
    /// Returns the name in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
        }
    }
}

macro_rules! metrics {
    ($($constant:ident $name:literal $kind:ident [$($label:literal)*] $unit:literal $meaning:literal)*) => {
        $(
            #[doc = $meaning]
            pub const $constant: MetricInfo = MetricInfo {
                name: concat!("nats_geo_", $name),
                kind: MetricKind::$kind,
                labels: &[$($label),*],
                unit: $unit,
                meaning: $meaning,
            };
        )*

        /// All metrics.
        ///
        /// | metric | kind | labels | unit | meaning |
        /// |---|---|---|---|---|
        $(#[doc = concat!(
            "| `nats_geo_", $name, "` | ", stringify!($kind), " | ", $("`", $label, "` ",)* "| ", $unit, " | ",
            $meaning, " |"
        )])*
        pub const METRICS: &[MetricInfo] = &[$($constant),*];
    };
}

metrics! {
    PUBLISHED_TOTAL "published_total" Counter [] "messages" "Publishes that the client accepted."
    DELIVERED_TOTAL "delivered_total" Counter [] "messages" "Messages that subscriptions delivered to the application."
    UNCONFIRMED_TOTAL "unconfirmed_total" Counter [] "messages"
        "Publishes on lost links that the server had not confirmed: each may or may not have arrived."
    DISCARDED_TOTAL "discarded_total" Counter [] "messages" "Messages that are certainly lost."
    RESENT_TOTAL "resent_total" Counter [] "messages" "Publishes of lost links that the client resent on another link."
    REFUSED_TOTAL "refused_total" Counter [] "messages"
        "Publishes that the client refused, because too many were unconfirmed."
    DENIED_TOTAL "denied_total" Counter [] "messages" "Publishes that a server did not permit. Each is lost."
    UNREADABLE_TOTAL "unreadable_total" Counter [] "messages"
        "Messages of other clients that this client could not read. The client dropped the headers or the whole message."
    DROPPED_UNCONFIRMED_TOTAL "dropped_unconfirmed_total" Counter [] "messages"
        "Unconfirmed publishes that the client dropped from the full resend buffer, to make room for newer ones."
    EXPIRED_UNCONFIRMED_TOTAL "expired_unconfirmed_total" Counter [] "messages"
        "Unconfirmed publishes that were too old to be resent."
    PINGS_TOTAL "pings_total" Counter [] "PINGs" "PINGs that the client sent on its links."
    PROBES_TOTAL "probes_total" Counter [] "probes" "Measurements of servers."
    PROBE_BYTES_TOTAL "probe_bytes_total" Counter [] "bytes" "Bytes of probes, in both directions."
    MOVES_TOTAL "moves_total" Counter ["cause"] "moves" "Moves of traffic to another link."
    REGION_SECONDS_TOTAL "region_seconds_total" Counter ["region"] "seconds" "Time during which traffic went to a region."
    OFFLINE_SECONDS_TOTAL "offline_seconds_total" Counter [] "seconds" "Time without a link, the start included."
    LIVE_LINKS "live_links" Gauge ["region"] "clients" "Clients whose traffic goes to a region now."
    MOVE_SECONDS "move_seconds" Histogram ["cause" "phase"] "seconds"
        "Duration of each phase of a move: `detect`, `select`, `connect`, `resume`."
}
