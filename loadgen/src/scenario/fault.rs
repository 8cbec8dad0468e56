//! The catalogue of faults: their names, the targets of each, and its options.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::spec::{FaultSpec, OneOrMany};

/// What can be injected.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// SIGKILL: the connections of the server are reset, and its ports refuse new ones.
    Kill,
    /// SIGTERM: the server closes all connections and ends.
    Terminate,
    /// SIGUSR2: the server announces its shutdown, and closes the connections of its clients one by one.
    LameDuck,
    /// SIGSTOP: the server does nothing, but the kernel still accepts connections and acknowledges data.
    Pause,
    /// SIGKILL: loadgen kills the server, and starts it again at once.
    Restart,
    /// loadgen restarts all servers of the regions, one batch after the other.
    Rolling,
    /// The network carries no data, and closes no connection.
    #[serde(alias = "blackhole")]
    Silence,
    /// The network refuses new connections, and open ones continue.
    Refuse,
    /// The network resets connections (RST), and refuses new ones.
    Reset,
    /// The network closes connections (FIN), and refuses new ones.
    Close,
    /// The network accepts connections, but no server answers on them.
    AcceptSilent,
    /// The regions stay connected to each other, and no other region reaches them.
    Split,
    /// Another round-trip time between two regions.
    Latency,
    /// The delay of each direction between two regions varies.
    Jitter,
    /// Fewer bytes per second between two regions.
    Bandwidth,
    /// A share of the packets of a region is lost. Needs `--wan netns`.
    Loss,
    /// Servers revoke the user of a population's clients.
    Revoke,
    /// Servers accept fewer connections.
    ConnectionLimit,
    /// Servers present a certificate that has expired.
    ExpireCertificate,
    /// JetStream's meta leader, or the leader of a stream, steps down.
    StepDown,
    /// Clients of a population end, and new ones begin.
    Churn,
    /// All clients of a population close and connect again.
    MassReconnect,
    /// Clients of a population are replaced by those of another one.
    Replace,
    /// Receivers of a population take few messages, or none.
    SlowConsumer,
    /// A resolver answers with an error.
    DnsFail,
    /// A resolver answers late.
    DnsSlow,
    /// A resolver does not answer.
    DnsSilent,
    /// A resolver answers with the records of servers that have moved.
    DnsStale,
}

/// All of them, in the order of the reference.
pub const ALL_FAULTS: [FaultKind; 28] = [
    FaultKind::Kill,
    FaultKind::Terminate,
    FaultKind::LameDuck,
    FaultKind::Pause,
    FaultKind::Restart,
    FaultKind::Rolling,
    FaultKind::Silence,
    FaultKind::Refuse,
    FaultKind::Reset,
    FaultKind::Close,
    FaultKind::AcceptSilent,
    FaultKind::Split,
    FaultKind::Latency,
    FaultKind::Jitter,
    FaultKind::Bandwidth,
    FaultKind::Loss,
    FaultKind::Revoke,
    FaultKind::ConnectionLimit,
    FaultKind::ExpireCertificate,
    FaultKind::StepDown,
    FaultKind::Churn,
    FaultKind::MassReconnect,
    FaultKind::Replace,
    FaultKind::SlowConsumer,
    FaultKind::DnsFail,
    FaultKind::DnsSlow,
    FaultKind::DnsSilent,
    FaultKind::DnsStale,
];

/// The target of `step-down` that is no stream.
pub const META: &str = "meta";

/// The target of DNS faults that means every resolver.
pub const ALL_RESOLVERS: &str = "all";

/// What a fault is aimed at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum TargetKind {
    /// Regions or servers.
    Servers,
    /// Regions.
    Regions,
    /// Pairs of regions, `lon-ams`.
    Pairs,
    /// `meta`, or the name of a stream.
    Leader,
    /// A population.
    Population,
    /// Resolvers, or `all`.
    Resolvers,
}

impl FaultKind {
    /// Its name in files.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Terminate => "terminate",
            Self::LameDuck => "lame-duck",
            Self::Pause => "pause",
            Self::Restart => "restart",
            Self::Rolling => "rolling",
            Self::Silence => "silence",
            Self::Refuse => "refuse",
            Self::Reset => "reset",
            Self::Close => "close",
            Self::AcceptSilent => "accept-silent",
            Self::Split => "split",
            Self::Latency => "latency",
            Self::Jitter => "jitter",
            Self::Bandwidth => "bandwidth",
            Self::Loss => "loss",
            Self::Revoke => "revoke",
            Self::ConnectionLimit => "connection-limit",
            Self::ExpireCertificate => "expire-certificate",
            Self::StepDown => "step-down",
            Self::Churn => "churn",
            Self::MassReconnect => "mass-reconnect",
            Self::Replace => "replace",
            Self::SlowConsumer => "slow-consumer",
            Self::DnsFail => "dns-fail",
            Self::DnsSlow => "dns-slow",
            Self::DnsSilent => "dns-silent",
            Self::DnsStale => "dns-stale",
        }
    }

    /// What happens, for the reference.
    pub const fn effect(self) -> &'static str {
        match self {
            Self::Kill => "SIGKILL: the connections of the server are reset, and its ports refuse new ones",
            Self::Terminate => "SIGTERM: the server closes all connections and ends",
            Self::LameDuck => {
                "SIGUSR2: the server announces its shutdown, and closes the connections of its clients one by one"
            }
            Self::Pause => "SIGSTOP: the server does nothing, but the kernel still accepts connections",
            Self::Restart => "SIGKILL: loadgen kills the server, and starts it again at once",
            Self::Rolling => "loadgen restarts all servers of the regions, one batch after the other",
            Self::Silence => "the network carries no data, and closes no connection",
            Self::Refuse => "the network refuses new connections, and open ones continue",
            Self::Reset => "the network resets connections (RST), and refuses new ones",
            Self::Close => "the network closes connections (FIN), and refuses new ones",
            Self::AcceptSilent => "the network accepts connections, but no server answers on them",
            Self::Split => {
                "the target regions stay connected to each other, and no other region reaches them"
            }
            Self::Latency => "another round-trip time between two regions",
            Self::Jitter => "the round-trip time between two regions varies",
            Self::Bandwidth => "a limit of bytes per second between two regions",
            Self::Loss => "the network loses a share of the packets; needs `--wan netns`",
            Self::Revoke => {
                "the servers revoke the user of the population: they close its connections, and refuse new ones"
            }
            Self::ConnectionLimit => {
                "each server accepts at most this many connections, and closes further ones"
            }
            Self::ExpireCertificate => {
                "the servers present an expired certificate: new connections fail, and open ones continue"
            }
            Self::StepDown => "JetStream's meta leader, or the leader of a stream, steps down",
            Self::Churn => "clients end, and loadgen starts new ones in their place",
            Self::MassReconnect => "all clients close and connect again at once",
            Self::Replace => "clients end, and clients of another population start in their place",
            Self::SlowConsumer => {
                "receivers of the workloads `publish`, `queue` and `consume` read `per_s` messages per second; by default none"
            }
            Self::DnsFail => "the resolver answers each query with an error",
            Self::DnsSlow => "the resolver sends each answer later",
            Self::DnsSilent => "the resolver answers no query",
            Self::DnsStale => {
                "the resolver answers with old records, which name an address where no server listens"
            }
        }
    }

    /// What it is aimed at.
    pub const fn target(self) -> TargetKind {
        match self {
            Self::Kill
            | Self::Terminate
            | Self::LameDuck
            | Self::Pause
            | Self::Restart
            | Self::ConnectionLimit
            | Self::ExpireCertificate => TargetKind::Servers,
            Self::Rolling
            | Self::Silence
            | Self::Refuse
            | Self::Reset
            | Self::Close
            | Self::AcceptSilent
            | Self::Split
            | Self::Loss => TargetKind::Regions,
            Self::Latency | Self::Jitter | Self::Bandwidth => TargetKind::Pairs,
            Self::StepDown => TargetKind::Leader,
            Self::Revoke | Self::Churn | Self::MassReconnect | Self::Replace | Self::SlowConsumer => {
                TargetKind::Population
            }
            Self::DnsFail | Self::DnsSlow | Self::DnsSilent | Self::DnsStale => TargetKind::Resolvers,
        }
    }

    /// The options that it takes.
    pub const fn options(self) -> &'static [&'static str] {
        match self {
            Self::Kill | Self::Pause => &["servers", "pick", "population", "down", "up", "vary"],
            Self::Terminate | Self::LameDuck | Self::ExpireCertificate => &["servers", "pick", "population"],
            Self::Restart => &["servers", "pick", "population", "version"],
            Self::Rolling => &["by", "order", "version"],
            Self::Silence => &["links", "direction", "down", "up", "vary"],
            Self::Refuse | Self::Reset | Self::Close | Self::AcceptSilent => &["links", "down", "up", "vary"],
            Self::Split | Self::Revoke | Self::StepDown | Self::MassReconnect => &[],
            Self::ConnectionLimit => &["servers", "pick", "population", "connections"],
            Self::Latency => &["rtt_ms"],
            Self::Jitter => &["jitter_ms", "reorder"],
            Self::Bandwidth => &["bytes_per_s"],
            Self::Loss => &["percent", "burst", "links"],
            Self::Churn | Self::SlowConsumer => &["per_s"],
            Self::Replace => &["with"],
            Self::DnsFail => &["answer", "down", "up", "vary"],
            Self::DnsSlow => &["latency_ms", "down", "up", "vary"],
            Self::DnsSilent | Self::DnsStale => &["down", "up", "vary"],
        }
    }

    /// The option without which it does nothing.
    pub const fn needs(self) -> Option<&'static str> {
        match self {
            Self::Latency => Some("rtt_ms"),
            Self::Jitter => Some("jitter_ms"),
            Self::Bandwidth => Some("bytes_per_s"),
            Self::Loss => Some("percent"),
            Self::ConnectionLimit => Some("connections"),
            Self::Churn => Some("per_s"),
            Self::Replace => Some("with"),
            Self::DnsSlow => Some("latency_ms"),
            _ => None,
        }
    }

    /// Returns whether it is over as soon as it is done, so that there is nothing to undo.
    pub const fn is_momentary(self) -> bool {
        matches!(self, Self::Restart | Self::StepDown | Self::MassReconnect)
    }
}

impl fmt::Display for FaultKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A one-liner that is none.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("`{text}` is not a fault: {reason}; write `KIND:TARGET@AT/FOR`, as in `silence:lon@10s/30s`")]
pub struct ParseFaultError {
    text: String,
    reason: String,
}

impl ParseFaultError {
    /// Why, without a remedy: not every one-liner has a time.
    pub fn reason(&self) -> &str {
        &self.reason
    }
}

/// Reads `KIND:TARGET[+TARGET][,OPTION=VALUE]@AT[/FOR]`.
impl std::str::FromStr for FaultSpec {
    type Err = ParseFaultError;

    fn from_str(text: &str) -> Result<Self, ParseFaultError> {
        let wrong = |reason: String| ParseFaultError { text: text.to_owned(), reason };
        let (head, time) = text.rsplit_once('@').ok_or_else(|| wrong("it has no `@` with a time".into()))?;
        let mut parts = head.split(',');
        let first = parts.next().unwrap_or_default();
        let (kind, targets) = first.split_once(':').unwrap_or((first, ""));
        let mut table = toml::Table::new();
        for part in parts {
            let (name, value) =
                part.split_once('=').ok_or_else(|| wrong(format!("`{part}` is not OPTION=VALUE")))?;
            if ["inject", "target", "at", "for", "phase"].contains(&name.trim()) {
                return Err(wrong(format!("`{}` is not an option of a fault in one line", name.trim())));
            }
            table.insert(name.trim().to_owned(), scalar(value.trim()));
        }
        table.insert("inject".into(), kind.trim().into());
        let (at, lasts) = time.split_once('/').map_or((time, None), |(at, lasts)| (at, Some(lasts)));
        table.insert("at".into(), at.trim().into());
        if let Some(lasts) = lasts {
            table.insert("for".into(), lasts.trim().into());
        }
        let mut spec: Self =
            table.try_into().map_err(|error: toml::de::Error| wrong(error.message().to_owned()))?;
        let targets = targets.split('+').map(str::trim).filter(|target| !target.is_empty());
        spec.target = OneOrMany::Many(targets.map(str::to_owned).collect());
        Ok(spec)
    }
}

/// The value that a text stands for where TOML would have no quotes.
pub(super) fn scalar(text: &str) -> toml::Value {
    if let Ok(number) = text.parse::<i64>() {
        return number.into();
    }
    if let Ok(number) = text.parse::<f64>() {
        return number.into();
    }
    text.parse::<bool>().map_or_else(|_| text.into(), Into::into)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::scenario::Links;

    #[test]
    fn one_liners_are_read() {
        let spec: FaultSpec = "silence:lon,links=clients,down=2s,up=3s@10s/30s".parse().unwrap();
        assert_eq!((spec.inject, spec.target.to_vec()), (FaultKind::Silence, vec!["lon".to_owned()]));
        assert_eq!(spec.options.links, Some(Links::Clients));
        assert_eq!(spec.options.flap(), Some((Duration::from_secs(2), Duration::from_secs(3))));
        assert_eq!(spec.at.unwrap().duration(), Duration::from_secs(10));
        assert_eq!(spec.options.to_string(), ",links=clients,down=2s,up=3s");
        let spec: FaultSpec = "kill:lon,down=2s,up=3s,vary=0.3@10s/30s".parse().unwrap();
        assert_eq!(spec.options.to_string(), ",down=2s,up=3s,vary=0.3");
        let spec: FaultSpec = "latency:lon-ams,rtt_ms=80@5s".parse().unwrap();
        assert_eq!((spec.options.rtt_ms, spec.lasts), (Some(80.0), None));
        let spec: FaultSpec = "dns-fail:all,answer=nxdomain@10s/30s".parse().unwrap();
        assert_eq!(
            (spec.inject, spec.options.to_string().as_str()),
            (FaultKind::DnsFail, ",answer=nxdomain")
        );
        let spec: FaultSpec = "blackhole:lon@10s/30s".parse().unwrap();
        assert_eq!(spec.inject, FaultKind::Silence, "the word of the default run");
        let spec: FaultSpec = "kill:lon+ams@1m/10s".parse().unwrap();
        assert_eq!(spec.target.to_vec(), ["lon", "ams"]);
    }

    #[test]
    fn wrong_one_liners_say_why() {
        let error = |text: &str| text.parse::<FaultSpec>().unwrap_err().to_string();
        assert!(error("kill:lon").contains("no `@`"));
        assert!(error("meteor:lon@1s").contains("unknown variant `meteor`"));
        assert!(error("kill:lon,servers@1s").contains("`servers` is not OPTION=VALUE"));
        assert!(error("kill:lon,speed=3@1s").contains("speed"));
        assert!(error("kill:lon@soon").contains("`soon` is not a duration"));
    }
}
