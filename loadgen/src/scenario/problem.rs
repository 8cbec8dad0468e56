//! The mistakes that a scenario can have, in words that name the remedy.

use super::fault::{FaultKind, ParseFaultError};
use super::spec::WorkloadKind;
use super::stages::{ParseRateStageError, ParseStageError};
use super::threshold::ParseThresholdError;
use crate::toml_file;

/// A problem of a file of this kind.
pub type Problem = toml_file::Problem<ProblemKind>;

/// Problem in a file, and its remedy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProblemKind {
    /// Not TOML, an unknown key, or a value of another type.
    #[error("{0}")]
    Syntax(String),
    /// The topology is wrong.
    #[error("{0}")]
    Topology(String),
    /// `--set`, a strategy or an env file names nothing of the file.
    #[error("`{0}` is not a key of this scenario: name keys as in `clients.geo.per_region`")]
    NoSuchPath(String),
    /// `${NAME}` without a value.
    #[error("`${{{0}}}` has no value: add `{0}` to `[variables]`")]
    Variable(String),
    /// An env file has a value that nothing uses.
    #[error("the env file sets `{name}`, which this scenario does not use: choose one of {}", list(known))]
    UnusedVariable {
        /// The name.
        name: String,
        /// Those that the scenario has.
        known: Vec<String>,
    },
    /// Nothing happens.
    #[error("there is no phase: add `[[phase]]` with `name` and `for`")]
    NoPhase,
    /// Nobody is there.
    #[error("there are no clients: add `[[clients]]` with `kind` and `per_region`")]
    NoClients,
    /// Too long or too short.
    #[error("{given} is out of range: give {range}")]
    Range {
        /// Value that the user gave.
        given: String,
        /// Valid values.
        range: &'static str,
    },
    /// Twice the same name.
    #[error("{what} `{name}` exists already: choose another name")]
    Twice {
        /// Kind of thing.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// Something refers to a thing that is not there.
    #[error("there is no {what} `{name}`: choose one of {}", list(known))]
    Unknown {
        /// Kind of thing.
        what: &'static str,
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// One without the other.
    #[error(
        "`subject` needs `streams`, and `streams` needs `subject`: name the subject of publishes, and the streams that store these messages"
    )]
    SubjectAndStreams,
    /// A subject that no request can have.
    #[error("`{0}` is no subject of requests: use no spaces, no `*` and no `>`")]
    CallSubject(String),
    /// Servers without WebSocket.
    #[error(
        "the servers accept no clients over WebSocket: set `websocket.enabled = true` in the topology, or remove `transport`"
    )]
    NoWebSocket,
    /// Browsers have no TCP.
    #[error("a browser has no NATS over TCP: remove `transport`, or set `transport = \"ws\"`")]
    OnlyWebSocket,
    /// Servers without WebSocket, for browsers.
    #[error("a browser needs NATS over WebSocket: set `websocket.enabled = true` in the topology")]
    BrowserNeedsWebSocket,
    /// Browsers know other authorities.
    #[error("a browser does not trust the certificates that loadgen makes: remove `[tls]` from the topology")]
    BrowserTrustsOthers,
    /// Browsers cannot ask a resolver.
    #[error("a browser cannot look up SRV records: remove `discovery`")]
    NoDnsInBrowsers,
    /// Something that pages cannot do yet.
    #[error("clients in a browser have no workload `{kind}`: name the other populations in `clients`")]
    NotInBrowsers {
        /// The workload.
        kind: WorkloadKind,
    },
    /// A value of a field of the policy that has another type.
    #[error("must be {0}")]
    PolicyValue(&'static str),
    /// A policy that cannot work.
    #[error(transparent)]
    Policy(#[from] nats_geo::core::ConfigError),
    /// A change of a rate.
    #[error(transparent)]
    RateStage(#[from] ParseRateStageError),
    /// Two changes of a rate at the same time.
    #[error("this change begins before the previous change has ended: let it begin at least {}s later", .0.as_secs_f64())]
    RatesOverlap(std::time::Duration),
    /// Two ways to say when operations begin.
    #[error("`concurrency` excludes `rate` and `rates`: remove `concurrency`, or remove the others")]
    RateAndConcurrency,
    /// A closed loop of operations that end at once.
    #[error("messages of `{kind}` get no answer, so `concurrency` has no effect: give `rate`")]
    NothingToWaitFor {
        /// The workload.
        kind: WorkloadKind,
    },
    /// async-nats asks the resolver of the operating system.
    #[error(
        "async-nats clients use the resolver of the operating system, which loadgen cannot replace: remove `discovery`, \
         or set `kind = \"nats-geo\"`"
    )]
    OnlySystemResolver,
    /// One-liners of faults name resolvers.
    #[error(
        "`{0}` cannot name a resolver: use lower-case letters, digits and `-`, and another name than `all`"
    )]
    ResolverName(String),
    /// A fault of resolvers, and none is emulated.
    #[error(
        "no client of this scenario uses a resolver: add `discovery = \"dns\"` to `[[clients]]`, or `resolvers` to the file"
    )]
    NoResolvers,
    /// A population without numbers.
    #[error("the population has no clients: add `per_region`, `regions` or `stages`")]
    NoNumbers,
    /// It would be left out in silence.
    #[error("`{key}` has no effect on `{on}`: remove it")]
    NoEffect {
        /// The key.
        key: &'static str,
        /// On what.
        on: String,
    },
    /// An option without which the fault does nothing.
    #[error("`{kind}` needs `{option}`: add it")]
    NeedsOption {
        /// The fault.
        kind: FaultKind,
        /// The option.
        option: &'static str,
    },
    /// Servers without certificates.
    #[error("the servers of this topology have no certificate that can expire: add `[tls]` to the topology")]
    NoTls,
    /// Clients share a token, so they have no user.
    #[error(
        "clients of this topology share one token, so there is no user to revoke: set `auth.kind = \"password\"` in the topology"
    )]
    NoUsers,
    /// A fault on receivers that are not there.
    #[error("`{population}` has no receivers: give it a workload `publish`, `queue` or `consume`")]
    NoReceivers {
        /// The population.
        population: String,
    },
    /// A fault without a target.
    #[error("`{kind}` needs a target: add `target` with {what}")]
    NeedsTarget {
        /// The fault.
        kind: FaultKind,
        /// What it can be.
        what: &'static str,
    },
    /// Neither or both.
    #[error("give the time of the fault by `phase` alone, or by `at` and `for`")]
    When,
    /// The timeline is over by then.
    #[error("the fault begins at {at}, after the end of the timeline ({duration}): lengthen a phase")]
    TooLate {
        /// When.
        at: String,
        /// How long the timeline is.
        duration: String,
    },
    /// Half a flap.
    #[error("a flapping fault needs both `down` and `up`: add the missing one")]
    HalfFlap,
    /// More servers than there are.
    #[error("`servers = {given}` is more than the {there} servers of `{region}`: give at most {there}")]
    TooManyServers {
        /// How many.
        given: u16,
        /// Of which region.
        region: String,
        /// How many there are.
        there: usize,
    },
    /// A split from nothing.
    #[error("no region is left outside of the split: name fewer regions")]
    NothingOutside,
    /// A one-liner.
    #[error(transparent)]
    Fault(#[from] ParseFaultError),
    /// A stage.
    #[error(transparent)]
    Stage(#[from] ParseStageError),
    /// A threshold.
    #[error(transparent)]
    Threshold(#[from] ParseThresholdError),
}

/// A scenario was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", lines.join("\n"))]
pub struct ScenarioError {
    /// One line for each problem, with its place.
    lines: Vec<String>,
}

impl ScenarioError {
    /// Each problem with the name of the file and the number of its line.
    pub(super) fn located(problems: Vec<Problem>, place: impl Fn(&Problem) -> String) -> Self {
        Self { lines: toml_file::located(&problems, place) }
    }
}

fn list(known: &[String]) -> String {
    if known.is_empty() { "none, because there are none".to_owned() } else { known.join(", ") }
}
