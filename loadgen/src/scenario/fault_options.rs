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
    /// Number of servers in each region that the fault hits. Default: all.
    pub servers: Option<u16>,
    /// Choice of the servers that the fault hits: `random` (the seed chooses) or `fullest` (the servers with most of loadgen's
    /// clients). Default `random`.
    pub pick: Option<Pick>,
    /// Population whose clients `fullest` counts. Default: all.
    pub population: Option<String>,
    /// Links that the fault hits: `all` (of clients and between regions), `clients` or `gateways`. Routes inside a region stay. Default `all`.
    pub links: Option<Links>,
    /// Direction of the bytes that are lost: `both`, `in` (to the servers) or `out`. Default `both`.
    pub direction: Option<Direction>,
    /// Flapping: time for which the fault lasts each time.
    pub down: Option<Span>,
    /// Flapping: time between two faults.
    pub up: Option<Span>,
    /// Flapping: the largest change of each `down` and each `up`, as a share of it, from 0 to 0.9. The seed chooses the changes.
    /// Default 0: all are equal.
    pub vary: Option<f64>,
    /// Round-trip time in milliseconds.
    pub rtt_ms: Option<f64>,
    /// Variation of the round-trip time in milliseconds.
    pub jitter_ms: Option<f64>,
    /// Lets packets overtake each other. Needs `--wan netns`. Default: no.
    pub reorder: Option<bool>,
    /// Percentage of the packets that are lost in each direction.
    pub percent: Option<f64>,
    /// Mean number of packets that are lost in a row. Default 1: each loss is independent.
    pub burst: Option<u16>,
    /// Bytes per second in each direction.
    pub bytes_per_s: Option<ByteSize>,
    /// Number of connections that each server accepts. loadgen's own responders use two connections in each region.
    pub connections: Option<u32>,
    /// Method by which loadgen ends the old servers: `lame-duck` or `kill`. Default `lame-duck`.
    pub by: Option<ReplaceBy>,
    /// Servers that restart at once: `server` (one), `one-per-region` or `region` (all of a region). Default `server`.
    pub order: Option<Order>,
    /// nats-server that starts in place of the old server: a version or a path. Default: the same version.
    pub version: Option<String>,
    /// Clients per second; for `slow-consumer`, messages per second that each receiver reads.
    pub per_s: Option<f64>,
    /// The population that replaces the clients.
    pub with: Option<String>,
    /// The error that a resolver answers with: `servfail`, `nxdomain` or `refused`. Default `servfail`.
    pub answer: Option<DnsAnswer>,
    /// Additional delay of each answer of a resolver, in milliseconds.
    pub latency_ms: Option<f64>,
}

/// Choice of some servers of a region.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Pick {
    /// By the seed.
    #[default]
    Random,
    /// By the number of loadgen's clients, the most first.
    Fullest,
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

/// Method by which a server is replaced.
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

/// Errors of a resolver.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum DnsAnswer {
    /// The resolver cannot find the answer.
    #[default]
    Servfail,
    /// There is no such name.
    Nxdomain,
    /// The resolver does not serve this client.
    Refused,
}

impl FaultOptions {
    /// Names of the options that are given.
    pub fn given(&self) -> Vec<&'static str> {
        let is_given = [
            ("servers", self.servers.is_some()),
            ("pick", self.pick.is_some()),
            ("population", self.population.is_some()),
            ("links", self.links.is_some()),
            ("direction", self.direction.is_some()),
            ("down", self.down.is_some()),
            ("up", self.up.is_some()),
            ("vary", self.vary.is_some()),
            ("rtt_ms", self.rtt_ms.is_some()),
            ("jitter_ms", self.jitter_ms.is_some()),
            ("reorder", self.reorder.is_some()),
            ("percent", self.percent.is_some()),
            ("burst", self.burst.is_some()),
            ("bytes_per_s", self.bytes_per_s.is_some()),
            ("connections", self.connections.is_some()),
            ("by", self.by.is_some()),
            ("order", self.order.is_some()),
            ("version", self.version.is_some()),
            ("per_s", self.per_s.is_some()),
            ("with", self.with.is_some()),
            ("answer", self.answer.is_some()),
            ("latency_ms", self.latency_ms.is_some()),
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
            ("pick", self.pick.map(|it| kebab(word(&it)))),
            ("population", self.population.clone()),
            ("links", self.links.map(|it| kebab(word(&it)))),
            ("direction", self.direction.map(|it| kebab(word(&it)))),
            ("down", self.down.map(|it| seconds(it.duration()))),
            ("up", self.up.map(|it| seconds(it.duration()))),
            ("vary", self.vary.map(|it| it.to_string())),
            ("rtt_ms", self.rtt_ms.map(|it| it.to_string())),
            ("jitter_ms", self.jitter_ms.map(|it| it.to_string())),
            ("reorder", self.reorder.map(|it| it.to_string())),
            ("percent", self.percent.map(|it| it.to_string())),
            ("burst", self.burst.map(|it| it.to_string())),
            ("bytes_per_s", self.bytes_per_s.map(|it| it.to_string())),
            ("connections", self.connections.map(|it| it.to_string())),
            ("by", self.by.map(|it| kebab(word(&it)))),
            ("order", self.order.map(|it| kebab(word(&it)))),
            ("version", self.version.clone()),
            ("per_s", self.per_s.map(|it| it.to_string())),
            ("with", self.with.clone()),
            ("answer", self.answer.map(|it| kebab(word(&it)))),
            ("latency_ms", self.latency_ms.map(|it| it.to_string())),
        ];
        for (name, value) in given.iter().filter_map(|(name, value)| Some((name, value.as_ref()?))) {
            write!(f, ",{name}={value}")?;
        }
        Ok(())
    }
}
