//! The shape of a collect file. Doc comments are the reference.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::topology::Span;

/// A collect file.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CollectSpec {
    /// Sources of figures. Each is queried on its own.
    #[serde(default)]
    pub(super) source: Vec<SourceSpec>,
}

/// A source: an HTTP API with `url` or `url_from`, or a DNS name with `look_up`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceSpec {
    /// Name of the source in the report.
    pub(super) name: String,
    /// Pause between two queries, `"1s"` to `"1h"`. Default `"10s"`. After the answer 429 or 503, loadgen waits as long as the header
    /// `Retry-After` says, and at least twice this pause.
    pub(super) every: Option<Span>,
    /// Time after which loadgen ends a query, `"100ms"` to `"1m"`. Default `"5s"`.
    pub(super) time_limit: Option<Span>,
    /// HTTP: address with `http` or `https`. loadgen sends GET, and reads the answer as JSON.
    pub(super) url: Option<String>,
    /// HTTP: name of an environment variable with the address, if the address itself is a secret.
    pub(super) url_from: Option<String>,
    /// HTTP: headers, each with the name of the environment variable that holds its value.
    pub(super) headers: Option<BTreeMap<String, String>>,
    /// HTTP: figures in the answer.
    #[serde(default)]
    pub(super) metric: Vec<MetricSpec>,
    /// DNS: name whose servers loadgen looks up. The figures are `lookup_ms`, the time of the query, and `servers`, the number of
    /// servers in the answer.
    pub(super) look_up: Option<String>,
    /// DNS: resolver that loadgen queries: `system`, `google`, `cloudflare`, `quad9` or an IP address, also after `tcp://`, `tls://` or
    /// `https://`. Default `"system"`.
    pub(super) resolver: Option<String>,
}

/// A figure in the answer of an HTTP API.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct MetricSpec {
    /// Name of the figure in the report.
    pub(super) name: String,
    /// JSON pointer (RFC 6901) to a number, as in `"/connections"`. A text with a number counts as a number, `true` as 1, and `false` as 0.
    pub(super) value: Option<String>,
    /// JSON pointer to a list: the figure is the number of its elements. `""` is the whole answer.
    pub(super) count: Option<String>,
    /// With `count`: only elements count whose values at these JSON pointers are these texts, as in `{ "/state" = "started" }`.
    #[serde(rename = "where")]
    pub(super) filter: Option<BTreeMap<String, String>>,
}
