//! The options of faults.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;

use super::seconds;
use crate::topology::{ByteSize, Span};

/// Options of faults. Each kind takes some of them.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct FaultOptions {
    /// So many servers of each region, chosen by the seed. Default: all.
    pub servers: Option<u16>,
    /// Which links: `all` (of clients and between regions), `clients` or `gateways`. Routes inside a region stay. Default `all`.
    pub links: Option<Links>,
    /// Which bytes are lost: `both`, `in` (to the servers) or `out`. Default `both`.
    pub direction: Option<Direction>,
    /// Flapping: how long the fault holds each time.
    pub down: Option<Span>,
    /// Flapping: how long it is gone each time.
    pub up: Option<Span>,
    /// Round-trip time in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Milliseconds that a round trip varies by.
    pub jitter_ms: Option<f64>,
    /// Bytes per second, each direction.
    pub bytes_per_s: Option<ByteSize>,
    /// How servers are replaced: `lame-duck` or `kill`. Default `lame-duck`.
    pub by: Option<ReplaceBy>,
    /// Batches: `server` (one at a time), `one-per-region` or `region`. Default `server`.
    pub order: Option<Order>,
    /// nats-server that starts instead: a version or a path. Default: the same.
    pub version: Option<String>,
    /// Clients per second.
    pub per_s: Option<f64>,
    /// The population that takes over.
    pub with: Option<String>,
}

/// Links that a fault hits.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Links {
    /// All of them.
    #[default]
    All,
    /// Those of clients.
    Clients,
    /// Those between regions.
    Gateways,
}

/// Bytes that are lost.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// All of them.
    #[default]
    Both,
    /// Those to the servers of the region.
    In,
    /// Those from the servers of the region.
    Out,
}

/// How a server is replaced.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum ReplaceBy {
    /// Announced, with a grace period.
    #[default]
    LameDuck,
    /// At once.
    Kill,
}

/// Batches of a rolling replacement.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Order {
    /// One server at a time.
    #[default]
    Server,
    /// One of each region at a time.
    OnePerRegion,
    /// One region at a time.
    Region,
}

impl FaultOptions {
    /// Names of the options that are given.
    pub fn given(&self) -> Vec<&'static str> {
        let is_given = [
            ("servers", self.servers.is_some()),
            ("links", self.links.is_some()),
            ("direction", self.direction.is_some()),
            ("down", self.down.is_some()),
            ("up", self.up.is_some()),
            ("rtt_ms", self.rtt_ms.is_some()),
            ("jitter_ms", self.jitter_ms.is_some()),
            ("bytes_per_s", self.bytes_per_s.is_some()),
            ("by", self.by.is_some()),
            ("order", self.order.is_some()),
            ("version", self.version.is_some()),
            ("per_s", self.per_s.is_some()),
            ("with", self.with.is_some()),
        ];
        is_given.into_iter().filter(|(_, given)| *given).map(|(name, _)| name).collect()
    }

    /// The two parts of a flap's period.
    pub fn flap(&self) -> Option<(Duration, Duration)> {
        Some((self.down?.duration(), self.up?.duration()))
    }
}

/// As in a one-liner: `,links=clients,down=2s`.
impl fmt::Display for FaultOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = |value: &dyn fmt::Debug| format!("{value:?}");
        let kebab = |text: String| {
            let mut out = String::new();
            for (index, letter) in text.char_indices() {
                if letter.is_uppercase() && index > 0 {
                    out.push('-');
                }
                out.extend(letter.to_lowercase());
            }
            out
        };
        let given = [
            ("servers", self.servers.map(|it| it.to_string())),
            ("links", self.links.map(|it| kebab(word(&it)))),
            ("direction", self.direction.map(|it| kebab(word(&it)))),
            ("down", self.down.map(|it| seconds(it.duration()))),
            ("up", self.up.map(|it| seconds(it.duration()))),
            ("rtt_ms", self.rtt_ms.map(|it| it.to_string())),
            ("jitter_ms", self.jitter_ms.map(|it| it.to_string())),
            ("bytes_per_s", self.bytes_per_s.map(|it| it.to_string())),
            ("by", self.by.map(|it| kebab(word(&it)))),
            ("order", self.order.map(|it| kebab(word(&it)))),
            ("version", self.version.clone()),
            ("per_s", self.per_s.map(|it| it.to_string())),
            ("with", self.with.clone()),
        ];
        for (name, value) in given.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            write!(f, ",{name}={value}")?;
        }
        Ok(())
    }
}
