//! The spans of `tracing`.

use super::Level;

/// The name, level, fields and meaning of one `tracing` span.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SpanInfo {
    /// The name, such as `nats_geo.dial`.
    pub name: &'static str,
    /// The level.
    pub level: Level,
    /// The fields.
    pub fields: &'static [&'static str],
    /// The meaning of the span: when it begins and when it ends.
    pub meaning: &'static str,
}

macro_rules! spans {
    ($($constant:ident $name:literal $level:ident [$($field:literal)*] $meaning:literal)*) => {
        $(
            #[doc = $meaning]
            pub const $constant: SpanInfo = SpanInfo {
                name: concat!("nats_geo.", $name),
                level: Level::$level,
                fields: &[$($field),*],
                meaning: $meaning,
            };
        )*

        /// All spans.
        ///
        /// | span | level | fields | meaning |
        /// |---|---|---|---|
        $(#[doc = concat!(
            "| `nats_geo.", $name, "` | ", stringify!($level), " | ", $("`", $field, "` ",)* "| ", $meaning, " |"
        )])*
        pub const SPANS: &[SpanInfo] = &[$($constant),*];
    };
}

spans! {
    CLIENT_SPAN "client" Info ["client"] "The life of a client. It contains all other spans."
    PROBE_SPAN "probe" Debug ["address"] "One measurement of a server, from the dial to INFO."
    DIAL_SPAN "dial" Info ["conn" "address"] "One attempt to open a link, from the dial to the first PONG."
    ACTIVATE_SPAN "activate" Info ["conn" "handover"]
        "The preparation of a new link, from the first SUB until the server has confirmed all subscriptions."
    RETIRE_SPAN "retire" Info ["conn"] "The end of an old link, from the overlap until it is closed."
}
