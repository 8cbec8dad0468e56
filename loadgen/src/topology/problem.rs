//! The mistakes that a topology can have.

use crate::toml_file;

/// A problem of a file of this kind.
pub type Problem = toml_file::Problem<ProblemKind>;

/// Problem in a file, and its remedy.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum ProblemKind {
    /// Not TOML, an unknown key, or a value of another type.
    #[error("{0}")]
    Syntax(String),
    /// The file has no cluster.
    #[error("there is no cluster: add `[[cluster]]` with a `name`")]
    NoCluster,
    /// More clusters than one machine can run.
    #[error("{0} clusters: give 1 to 16")]
    ClusterCount(usize),
    /// More servers than one machine can run, or none.
    #[error("{0} servers: give 1 to 9")]
    ServerCount(u16),
    /// More servers must be up than the cluster has, or none.
    #[error("`minimum` is {minimum}, but the cluster has {}", if *size == 1 { "1 server: give 1".to_owned() } else { format!("{size} servers: give 1 to {size}") })]
    Minimum {
        /// The number.
        minimum: u16,
        /// Servers of the cluster.
        size: u16,
    },
    /// The list and the number differ.
    #[error("`servers` is {count}, but `server` lists {listed}: remove `servers`")]
    CountAndList {
        /// The number.
        count: u16,
        /// Entries of the list.
        listed: usize,
    },
    /// nats-server would refuse the name.
    #[error("name `{}` is not valid: use 1 to 255 characters, and no white space or control characters", .0.escape_debug())]
    Name(String),
    /// A stream's name is one token of a subject, and a folder.
    #[error("stream name `{}` is not valid: use at least one character, and no `.`, `*`, `>`, `/`, `\\` or white space", .0.escape_debug())]
    StreamName(String),
    /// Twice the same name.
    #[error("{what} `{name}` exists already: choose another name")]
    Twice {
        /// Kind of thing.
        what: &'static str,
        /// The name.
        name: String,
    },
    /// The file refers to a thing that does not exist.
    #[error("there is no {what} `{name}`: {}", choices(known))]
    Unknown {
        /// Kind of thing.
        what: &'static str,
        /// The name.
        name: String,
        /// The names that there are.
        known: Vec<String>,
    },
    /// Two listeners at one port.
    #[error("port {port} is also the value of `{other}`: choose another port")]
    PortTwice {
        /// The port.
        port: u16,
        /// Key of the other one.
        other: String,
    },
    /// The operating system would choose one.
    #[error("port 0 is no port: leave the key out to get a free port, or give 1 to 65535")]
    PortZero,
    /// `announce` or `bind` is no address.
    #[error("`{0}` is not {1}")]
    Address(String, &'static str),
    /// Neither a version nor a file.
    #[error(
        "`{0}` is not valid: give a version of nats-server such as `2.14.6`, `debian` for the version in Debian's package, or a path"
    )]
    Version(String),
    /// A leaf node of itself.
    #[error("a cluster cannot be a leaf node of itself: name the hub")]
    LeafOfItself,
    /// A leaf node of another leaf node.
    #[error("`{0}` is itself a leaf-node cluster: name a cluster that has gateways or stands alone")]
    LeafOfLeaf(String),
    /// Gateways and leaf nodes at once.
    #[error("a leaf-node cluster must not have gateways: remove `gateways` or `leaf_of`")]
    LeafWithGateways,
    /// Two JetStreams without names of their own.
    #[error(
        "JetStream of a leaf-node cluster needs a domain of its own: add `domain = \"{0}\"`, or `jetstream = false`"
    )]
    LeafWithoutDomain(String),
    /// The hub has no name by which leaf nodes could reach its JetStream.
    #[error("the hub of leaf nodes with JetStream needs a domain: add `domain = \"{0}\"`")]
    HubWithoutDomain(String),
    /// One domain for two JetStreams.
    #[error(
        "domain `{0}` is also the domain of `{1}`, which has another JetStream: give each JetStream a domain of its own"
    )]
    DomainTwice(String, String),
    /// Two domains for one JetStream.
    #[error(
        "clusters with gateways between them must have the same JetStream domain, but `{0}` has `{1}` and `{2}` has `{3}`"
    )]
    DomainDiffers(String, String, String, String),
    /// A domain is one token of a subject.
    #[error("domain `{0}` is not valid: use letters, digits, `-` and `_`")]
    Domain(String),
    /// Only one may be.
    #[error("`{0}` is the system account already: set `system = true` once")]
    SystemTwice(String),
    /// The system account cannot have JetStream.
    #[error("the system account cannot use JetStream: remove `jetstream`")]
    SystemJetStream,
    /// Nobody could use it.
    #[error("account `{0}` has no user: add `[[account.user]]` with a `name`")]
    NoUser(String),
    /// A token knows no accounts.
    #[error(
        "nats-server does not take a token beside accounts or leaf nodes: remove them, or choose another `auth.kind`"
    )]
    TokenWithAccounts,
    /// It would be left out in silence.
    #[error("`{key}` has no effect with `auth.kind = \"{kind}\"`: remove it")]
    NoEffect {
        /// The key.
        key: &'static str,
        /// The kind of authentication.
        kind: &'static str,
    },
    /// Neither or both.
    #[error("give exactly one of `stream` and `service`")]
    StreamOrService,
    /// Nobody offers it.
    #[error(
        "account `{account}` exports to `{importer}` no {what} whose subject covers `{subject}`: add an export to account `{account}`"
    )]
    NotExported {
        /// The other account.
        account: String,
        /// `stream` or `service`.
        what: &'static str,
        /// The subject.
        subject: String,
        /// The account that imports.
        importer: String,
    },
    /// No subject.
    #[error("`{}` is not a subject: separate tokens by `.`, without white space", .0.escape_debug())]
    Subject(String),
    /// More than all.
    #[error("the weights for {place} add up to {sum} %: give at most 100 %")]
    Weights {
        /// The cluster, or all of them.
        place: String,
        /// Their sum.
        sum: u32,
    },
    /// Nothing to map to.
    #[error("give exactly one of `to` and `to_each_cluster`")]
    MappingTarget,
    /// `{cluster}` and `each_cluster` come together.
    #[error("`{0}` is created in each cluster: add `{{cluster}}` to its name")]
    NoPlaceholder(String),
    /// More copies than servers.
    #[error(
        "{replicas} replicas need as many servers with JetStream, and {place} has {servers}: give at most {servers}"
    )]
    Replicas {
        /// Copies.
        replicas: u8,
        /// Place of the stream.
        place: String,
        /// Servers there.
        servers: u16,
    },
    /// Not a number of copies.
    #[error("{0} replicas: give 1 to 5")]
    ReplicaCount(u8),
    /// JetStream is off there.
    #[error("{0} has no JetStream: enable it there, or choose another place for this stream or bucket")]
    NoJetStream(String),
    /// A mirror copies everything.
    #[error("a mirror must not have `subjects` or `sources`: remove them, or remove `mirror`")]
    MirrorWithSubjects,
    /// Nothing comes in.
    #[error("stream `{0}` has neither subjects, nor a mirror, nor sources: add one")]
    EmptyStream(String),
    /// Out of range.
    #[error("{value} is out of range: give {range}")]
    Range {
        /// Value that the user gave.
        value: String,
        /// Valid values.
        range: &'static str,
    },
    /// A pair that is none.
    #[error("`{0}` does not name two of the clusters {known}: write `A-B`, or `A B` where names contain `-`", known = .1.join(", "))]
    Pair(String, Vec<String>),
    /// No emulation without a distance.
    #[error(
        "no distance is known between `{0}` and `{1}`: add `\"{0} {1}\" = MS` to `[distances.rtt_ms]`, `city` to both clusters, or `other_ms` to `[distances]`"
    )]
    NoDistance(String, String),
    /// A row of the CSV file.
    #[error("line {line} of the CSV file, `{text}`, is not `from,to,ms`")]
    Csv {
        /// Number, from 1.
        line: usize,
        /// Its text.
        text: String,
    },
    /// The CSV file cannot be read.
    #[error("cannot read `{path}`: {reason}; the path is relative to the topology file")]
    CsvFile {
        /// The file.
        path: String,
        /// Error of the operating system.
        reason: String,
    },
}

/// A topology was refused.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{}", lines.join("\n"))]
pub struct TopologyError {
    /// One line for each problem, with its place.
    lines: Vec<String>,
    problems: Vec<Problem>,
}

impl TopologyError {
    /// Each problem with the name of the file and the number of its line, where there is one.
    pub(super) fn located(problems: Vec<Problem>, place: impl Fn(&Problem) -> String) -> Self {
        Self { lines: toml_file::located(&problems, place), problems }
    }

    /// Returns the problems, in the order of the file's parts.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl From<Vec<Problem>> for TopologyError {
    fn from(problems: Vec<Problem>) -> Self {
        Self::located(problems, |_| String::new())
    }
}

fn choices(known: &[String]) -> String {
    if known.is_empty() {
        "add one, or remove this key".to_owned()
    } else {
        format!("choose one of {}", known.join(", "))
    }
}
