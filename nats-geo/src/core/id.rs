//! Ids that relate an action to the events with its result.

use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
        #[cfg_attr(feature = "serde", derive(serde::Deserialize, serde::Serialize))]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
    };
}

id! {
    /// One URL that a server may be reached at. Given out by the driver, which owns the URLs.
    EndpointId, "endpoint-"
}
id! {
    /// One probe. Given out by the core.
    ProbeId, "probe-"
}
id! {
    /// One connection, from the first dial to its end. Given out by the core.
    ConnId, "conn-"
}
id! {
    /// One PING. Given out by the core.
    PingId, "ping-"
}
