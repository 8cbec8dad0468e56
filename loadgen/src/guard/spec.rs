//! The shape of a rule file. Doc comments are the reference.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::topology::Span;

/// A rule file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct GuardSpec {
    /// Pause between two queries of the servers, `"1s"` to `"1h"`. Default `"5s"`, so that several queries see a failure of 30 s.
    pub every: Option<Span>,
    /// Rules. Each has its own condition, its own action and its own rate limit.
    #[serde(default)]
    pub rule: Vec<RuleSpec>,
}

/// A rule: one condition and one action.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RuleSpec {
    /// Name of the rule in the output and in the audit file.
    pub name: String,
    /// Condition: see [conditions](#conditions).
    pub when: ConditionKind,
    /// Time for which the condition must hold without a break, `"0s"` to `"1d"`. Default `"30s"`. `certificate-expires` and
    /// `slow-consumers` take `within` instead.
    #[serde(rename = "for")]
    pub lasts: Option<Span>,
    /// Regions of the rule. Default: all regions that guard has seen. Not for `stream-lag`. With `region-silent`, a region in this
    /// list also counts as silent if guard has never seen it.
    pub regions: Option<Vec<String>>,
    /// `stream-lag`: streams of the rule. Default: all streams of the account.
    pub streams: Option<Vec<String>>,
    /// `load-uneven`: percent by which the fullest server exceeds the mean of its region, 1 to 1000. Default 50.
    pub percent: Option<u16>,
    /// `certificate-expires`: time before the end of a certificate, default `"7d"`. `slow-consumers`: time in which the count
    /// grows, default `"1m"`.
    pub within: Option<Span>,
    /// `stream-lag`: number of messages that a mirror or source may lag behind. Required.
    pub messages: Option<u64>,
    /// `slow-consumers`: number of slow consumers that one server closes within `within`. Default 1.
    pub count: Option<u64>,
    /// Action: see [actions](#actions).
    #[serde(rename = "do")]
    pub action: ActionKind,
    /// Rate limit of the action, as in `"2 per 1h"`. Default `"1 per 1h"`.
    pub at_most: Option<String>,
    /// Time after which guard repeats the action while the condition holds, `"1s"` to `"30d"`. Default: never, so that one failure
    /// causes one action.
    pub repeat: Option<Span>,
    /// `notify`: address that receives the POST, with `http` or `https`.
    pub url: Option<String>,
    /// `notify`: name of an environment variable with the address, if the address itself is a secret.
    pub url_from: Option<String>,
    /// `notify`: HTTP headers, each with the name of the environment variable that holds its value.
    pub headers: Option<BTreeMap<String, String>>,
    /// `run`: program, as an absolute path or as a name that is on `PATH`.
    pub program: Option<String>,
    /// `run`: arguments of the program. No shell reads them.
    pub args: Option<Vec<String>>,
    /// `notify` and `run`: time after which guard ends the action, `"1s"` to `"1h"`. Default `"10s"` for `notify`, `"1m"` for `run`.
    pub time_limit: Option<Span>,
    /// `rebalance`: number of clients of a region that guard asks to move at once, 1 to 1000. Default 5.
    pub batch: Option<u16>,
    /// `rebalance`: pause after a batch, `"10ms"` to `"1d"`. Default `"1s"`.
    pub pause: Option<Span>,
    /// `rebalance`: number of clients that one action asks in all. Default: no limit.
    pub clients: Option<u32>,
}

/// The kinds of conditions.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ConditionKind {
    /// No server of the region answers a query through another region.
    RegionSilent,
    /// The server answers no query through any region.
    ServerSilent,
    /// The fullest server of a region has many more connections than the mean.
    LoadUneven,
    /// The TLS certificate of a client port ends soon.
    CertificateExpires,
    /// A mirror or source lags behind its origin.
    StreamLag,
    /// A server has closed further clients because they read too slowly.
    SlowConsumers,
}

/// The kinds of actions.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum ActionKind {
    /// Prints a line.
    Warn,
    /// Sends a JSON document to a URL.
    Notify,
    /// Runs a program.
    Run,
    /// Asks clients of full servers to move.
    Rebalance,
}

impl ConditionKind {
    /// The name in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RegionSilent => "region-silent",
            Self::ServerSilent => "server-silent",
            Self::LoadUneven => "load-uneven",
            Self::CertificateExpires => "certificate-expires",
            Self::StreamLag => "stream-lag",
            Self::SlowConsumers => "slow-consumers",
        }
    }
}

impl ActionKind {
    /// The name in the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Warn => "warn",
            Self::Notify => "notify",
            Self::Run => "run",
            Self::Rebalance => "rebalance",
        }
    }
}

impl fmt::Display for ConditionKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

impl fmt::Display for ActionKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}
