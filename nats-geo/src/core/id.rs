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
    /// Id of an endpoint: a URL at which a server may answer. The driver creates these ids.
    EndpointId, "endpoint-"
}
id! {
    /// Id of a probe. The core creates these ids.
    ProbeId, "probe-"
}
id! {
    /// Id of a connection, from the dial to the end. The core creates these ids.
    ConnId, "conn-"
}
id! {
    /// Id of a PING. The core creates these ids.
    PingId, "ping-"
}
