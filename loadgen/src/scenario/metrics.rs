//! The figures that thresholds can bound.

/// A figure that a threshold can bound.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Metric {
    /// Its name, such as `failover.p90`.
    pub name: &'static str,
    /// The unit of its value.
    pub unit: Unit,
    /// Labels that choose a part of it.
    pub labels: &'static [&'static str],
    /// Whether a disturbed generator may have caused it: times yes, losses no.
    pub depends_on_timing: bool,
    /// Its meaning, for the reference.
    pub meaning: &'static str,
}

impl Metric {
    /// Whether it is a time from an event of the controller to one of a client, or the other way round. With agents of other machines,
    /// it is known as exactly as their clocks.
    pub(crate) fn is_between_clocks(&self) -> bool {
        self.unit == Unit::Time && (self.name.starts_with("failover.") || self.name.starts_with("messages."))
    }
}

/// Unit of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Unit {
    /// Milliseconds; texts may say `200ms`, `2s`.
    Time,
    /// A number.
    Count,
    /// 0 to 1; texts may say `99%`.
    Share,
}

const CLIENTS: &[&str] = &["population", "region", "fault", "phase"];
const OPERATIONS: &[&str] = &["population", "region", "phase"];
const REQUESTS: &[&str] = &["population", "region", "phase", "workload"];
const MESSAGES: &[&str] = &["population", "workload"];
const DELIVERIES: &[&str] = &["population", "workload", "region", "phase"];

const fn metric(
    name: &'static str,
    unit: Unit,
    labels: &'static [&'static str],
    depends_on_timing: bool,
    meaning: &'static str,
) -> Metric {
    Metric { name, unit, labels, depends_on_timing, meaning }
}

/// All of them, in the order of the reference.
pub const METRICS: [Metric; 57] = [
    metric(
        "connect.p50",
        Unit::Time,
        &["population", "region"],
        true,
        "median time from a client's first dial until it is connected",
    ),
    metric(
        "connect.p90",
        Unit::Time,
        &["population", "region"],
        true,
        "90th percentile of the time of `connect.p50`",
    ),
    metric(
        "failover.p50",
        Unit::Time,
        CLIENTS,
        true,
        "median time from a fault to the first answer, for clients that the fault hit",
    ),
    metric("failover.p90", Unit::Time, CLIENTS, true, "90th percentile of the time of `failover.p50`"),
    metric("failover.max", Unit::Time, CLIENTS, true, "longest time of `failover.p50`"),
    metric(
        "failover.missed",
        Unit::Count,
        CLIENTS,
        false,
        "clients that a fault hit and that got no answer before it ended",
    ),
    metric(
        "failover.hit",
        Unit::Count,
        CLIENTS,
        false,
        "clients that a fault hit, each counted once for each fault",
    ),
    metric(
        "failover.nearest_share",
        Unit::Share,
        CLIENTS,
        false,
        "share of the clients hit by a fault that were in the nearest healthy region when the fault ended",
    ),
    metric("requests.sent", Unit::Count, REQUESTS, false, "requests that were sent"),
    metric("requests.failed", Unit::Count, REQUESTS, false, "requests that failed or got no answer"),
    metric(
        "requests.failed_share",
        Unit::Share,
        REQUESTS,
        false,
        "failed requests, as a share of all requests",
    ),
    metric(
        "latency.p50",
        Unit::Time,
        REQUESTS,
        true,
        "median response time, counted from the planned time of the request",
    ),
    metric("latency.p99", Unit::Time, REQUESTS, true, "99th percentile of the response time"),
    metric("latency.max", Unit::Time, REQUESTS, true, "longest response time"),
    metric("moves.total", Unit::Count, OPERATIONS, false, "moves of clients to another server"),
    metric("moves.max", Unit::Count, OPERATIONS, false, "largest number of moves of one client"),
    metric(
        "nearest_share",
        Unit::Share,
        OPERATIONS,
        false,
        "share of the time that clients spent in the nearest healthy region",
    ),
    metric(
        "offline_share",
        Unit::Share,
        OPERATIONS,
        false,
        "share of the time that clients had no connection",
    ),
    metric(
        "herd.peak",
        Unit::Count,
        &["population"],
        true,
        "largest number of new connections at one server within one second, divided by an even share; 1 is ideal",
    ),
    metric(
        "js.p50",
        Unit::Time,
        OPERATIONS,
        true,
        "median time from the planned time of a publish to its acknowledgement",
    ),
    metric("js.p99", Unit::Time, OPERATIONS, true, "99th percentile of the time of `js.p50`"),
    metric("js.acknowledged", Unit::Count, MESSAGES, false, "publishes that a stream acknowledged"),
    metric("js.failed", Unit::Count, MESSAGES, false, "publishes without an acknowledgement"),
    metric(
        "js.lost",
        Unit::Count,
        MESSAGES,
        false,
        "acknowledged messages that the stream does not have at the end",
    ),
    metric("js.duplicated", Unit::Count, MESSAGES, false, "messages that the stream has more than once"),
    metric(
        "messages.p50",
        Unit::Time,
        DELIVERIES,
        true,
        "median time from the planned time of a publish to the delivery; `region` is the receiver's region",
    ),
    metric("messages.p99", Unit::Time, DELIVERIES, true, "99th percentile of the time of `messages.p50`"),
    metric("messages.max", Unit::Time, DELIVERIES, true, "longest time of `messages.p50`"),
    metric("messages.published", Unit::Count, MESSAGES, false, "messages that the client accepted"),
    metric("messages.failed", Unit::Count, MESSAGES, false, "messages that the client refused"),
    metric(
        "messages.lost",
        Unit::Count,
        MESSAGES,
        false,
        "published messages that did not arrive; with `publish`, each subscriber must receive every message; with `consume`, one consumer must",
    ),
    metric(
        "messages.delivered_share",
        Unit::Share,
        MESSAGES,
        false,
        "share of the published messages that arrived",
    ),
    metric(
        "messages.duplicated",
        Unit::Count,
        MESSAGES,
        false,
        "deliveries of a message after its first one",
    ),
    metric(
        "messages.redelivered",
        Unit::Count,
        MESSAGES,
        false,
        "deliveries of `consume` that JetStream marks as redelivered; `messages.duplicated` does not count them",
    ),
    metric(
        "messages.reordered",
        Unit::Count,
        MESSAGES,
        false,
        "messages that arrived after a later one of the same publisher",
    ),
    metric("kv.puts", Unit::Count, DELIVERIES, false, "puts to a bucket that began"),
    metric("kv.gets", Unit::Count, DELIVERIES, false, "gets that began"),
    metric("kv.failed", Unit::Count, DELIVERIES, false, "puts and gets that failed or got no answer"),
    metric(
        "kv.failed_share",
        Unit::Share,
        DELIVERIES,
        false,
        "failed puts and gets, as a share of all puts and gets",
    ),
    metric(
        "kv.stale",
        Unit::Count,
        DELIVERIES,
        false,
        "gets that returned an older value than the last acknowledged put of the same client",
    ),
    metric(
        "kv.lost",
        Unit::Count,
        MESSAGES,
        false,
        "acknowledged puts that the bucket does not have at the end",
    ),
    metric("kv.duplicated", Unit::Count, MESSAGES, false, "puts that the bucket has more than once"),
    metric(
        "kv.put_p50",
        Unit::Time,
        DELIVERIES,
        true,
        "median time from the planned time of a put to its end",
    ),
    metric("kv.put_p99", Unit::Time, DELIVERIES, true, "99th percentile of the time of `kv.put_p50`"),
    metric(
        "kv.get_p50",
        Unit::Time,
        DELIVERIES,
        true,
        "median time from the planned time of a get to its end",
    ),
    metric("kv.get_p99", Unit::Time, DELIVERIES, true, "99th percentile of the time of `kv.get_p50`"),
    metric("object.puts", Unit::Count, DELIVERIES, false, "puts to an object store that began"),
    metric("object.gets", Unit::Count, DELIVERIES, false, "gets that began"),
    metric("object.failed", Unit::Count, DELIVERIES, false, "puts and gets that failed or got no answer"),
    metric(
        "object.failed_share",
        Unit::Share,
        DELIVERIES,
        false,
        "failed puts and gets, as a share of all puts and gets",
    ),
    metric(
        "object.stale",
        Unit::Count,
        DELIVERIES,
        false,
        "gets that returned an older value than the last acknowledged put of the same client",
    ),
    metric("object.corrupt", Unit::Count, DELIVERIES, false, "gets whose bytes are not those of the put"),
    metric(
        "object.lost",
        Unit::Count,
        MESSAGES,
        false,
        "acknowledged puts that the store does not have at the end",
    ),
    metric(
        "object.put_p50",
        Unit::Time,
        DELIVERIES,
        true,
        "median time from the planned time of a put to its end",
    ),
    metric("object.put_p99", Unit::Time, DELIVERIES, true, "99th percentile of the time of `object.put_p50`"),
    metric(
        "object.get_p50",
        Unit::Time,
        DELIVERIES,
        true,
        "median time from the planned time of a get to its end",
    ),
    metric("object.get_p99", Unit::Time, DELIVERIES, true, "99th percentile of the time of `object.get_p50`"),
];

impl Unit {
    /// Formats a value for people.
    pub fn show(self, value: f64) -> String {
        match self {
            Self::Time => format!("{value:.1} ms"),
            Self::Count if value.fract() == 0.0 => format!("{value:.0}"),
            Self::Count => format!("{value:.2}"),
            Self::Share => format!("{:.2} %", value * 100.0),
        }
    }

    pub(super) fn read(self, text: &str) -> Option<f64> {
        let number = |text: &str| text.trim().parse::<f64>().ok().filter(|number| number.is_finite());
        match self {
            Self::Time => match text.strip_suffix("ms") {
                Some(ms) => number(ms),
                None => number(text.strip_suffix('s')?).map(|seconds| seconds * 1_000.0),
            },
            Self::Count => number(text),
            Self::Share => match text.strip_suffix('%') {
                Some(percent) => number(percent).map(|percent| percent / 100.0),
                None => number(text),
            },
        }
    }

    /// A bound of this unit, for texts.
    pub const fn example(self) -> &'static str {
        match self {
            Self::Time => "200ms",
            Self::Count => "0",
            Self::Share => "99%",
        }
    }
}
