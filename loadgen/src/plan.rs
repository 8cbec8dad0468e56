//! The plan of a command: the command line, checked.

use std::path::PathBuf;

use clap::{CommandFactory, FromArgMatches};

use crate::agent_command::opts::{AgentOpts, AgentsOpts, ControlOpts, PushOpts};
use crate::bench::opts::BenchCommand;
use crate::cli::{ClusterOpts, Command, FaultKind, Opts};
use crate::clients::BrowserOpts;
use crate::cluster::StartOptions;
use crate::config_file::with_config_file;
use crate::ctl::opts::{CtlOpts, WaitOpts};
use crate::dashboard::plan::{DashboardPlan, TokenError};
use crate::default_scenario::{self, DefaultScenario};
use crate::detectors::plan::DetectorsPlan;
use crate::dns::DnsPlan;
use crate::guard::opts::{GuardCommand, GuardOpts, StopOpts};
use crate::guard::{GuardPlan, GuardPlanError};
use crate::look::LookPlan;
use crate::look::connect::{Login, LoginError};
use crate::rebalance::RebalancePlan;
use crate::scenario_command;
use crate::scenario_command::opts::{CompareOpts, ReportOpts, RunOpts, ScenariosOpts};
use crate::simulate::plan::SimulatePlan;
use crate::store::opts::RunsCommand;
use crate::topology::{ParseRttError, RttTable, Topology, TopologyError, UnknownPairError};
use crate::topology_command::load::LoadError;
use crate::topology_command::opts::TopologyCommand;
use crate::up::plan::UpPlan;

/// Why the options make no plan. These are usage errors.
#[derive(Debug, thiserror::Error)]
pub enum PlanError {
    /// Regions or servers.
    #[error(transparent)]
    Topology(#[from] TopologyError),
    /// A topology file.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// A scenario is wrong.
    #[error(transparent)]
    Scenario(#[from] scenario_command::LoadError),
    /// Nowhere to go.
    #[error(
        "there is only one region: name 2 to 16 regions, as in `--regions lon,ams,dal`, to measure failover"
    )]
    OneRegion,
    /// A distance is missing.
    #[error(transparent)]
    UnknownPair(#[from] UnknownPairError),
    /// A distance is between regions that there are not.
    #[error(transparent)]
    Rtt(#[from] ParseRttError),
    /// The super-cluster to look at, or the credentials for it.
    #[error(transparent)]
    Login(#[from] LoginError),
    /// The token of the dashboard.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// Guard and its rules.
    #[error(transparent)]
    Guard(#[from] GuardPlanError),
    /// `--fault-regions` names a region that there is not.
    #[error("--fault-regions names `{name}`, which is not among --regions {}", known.join(","))]
    UnknownFaultRegion {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// Too few regions, or more than there are cities to take them from.
    #[error("--regions {given}: give a number from 2 to {max}, or the names of at least 2 regions")]
    RegionCount {
        /// Value that the user gave.
        given: String,
        /// How many cities are known.
        max: usize,
    },
    /// A region is named twice.
    #[error("--regions names `{name}` twice")]
    RegionTwice {
        /// The name.
        name: String,
    },
    /// `--lose` names a region that there is not.
    #[error("--lose names `{name}`, which is not among the regions {}", known.join(","))]
    UnknownLostRegion {
        /// The name.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// A lone server cannot be lost without its region.
    #[error(
        "--faults {0} needs at least 2 servers per region, so that clients can stay in the region: raise --servers-per-region, or \
         choose --faults region-kill,blackhole"
    )]
    NeedsSiblings(FaultKind),
    /// `--web` holds no demo.
    #[error("--web {} has no index.html: build the demo with `make web`, or name the folder of the demo", folder.display())]
    NoDemo {
        /// The folder.
        folder: PathBuf,
    },
    /// `--config` cannot be read.
    #[error("cannot read --config {}: {error}", path.display())]
    ConfigFile {
        /// The file.
        path: PathBuf,
        /// Error of the operating system.
        error: std::io::Error,
    },
    /// `--config` is not what it should be.
    #[error("--config {} is not a JSON object of options: {error}", path.display())]
    ConfigSyntax {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: serde_json::Error,
    },
}

/// The scenario of `--regions`, as a run that can be carried out.
///
/// # Errors
/// The first thing that cannot work.
fn default_run(opts: Opts) -> Result<scenario_command::Plan, PlanError> {
    // Failover needs somewhere to go.
    if opts.regions.len() < 2 {
        return Err(PlanError::OneRegion);
    }
    let topology = Topology::new(opts.regions.clone(), opts.cluster.servers_per_region)?;
    let start = start_options(topology, opts.cluster.clone())?;
    let broken = fault_regions(&start.topology, opts.fault_regions.clone())?;
    if let Some(fault) = opts.faults.iter().find(|fault| fault.hits_one_server())
        && start.topology.servers_per_region() < 2
    {
        return Err(PlanError::NeedsSiblings(*fault));
    }
    let parts = DefaultScenario { opts: &opts, topology: &start.topology, rtt: &start.rtt, broken: &broken };
    Ok(scenario_command::Plan::of_text(&parts.to_toml(), default_scenario::NAME, run_opts(&opts))?)
}

fn run_opts(opts: &Opts) -> RunOpts {
    RunOpts {
        scenario: default_scenario::NAME.to_owned(),
        set: Vec::new(),
        env: None,
        fault: Vec::new(),
        chaos: None,
        threshold: Vec::new(),
        topology: None,
        seed: opts.seed,
        repeat: None,
        dry_run: opts.dry_run,
        details: opts.details,
        json: opts.json,
        out: opts.out.clone(),
        store: opts.store.clone(),
        nats_server: opts.cluster.nats_server.clone(),
        base_port: opts.cluster.base_port,
        wan: Some(opts.cluster.wan),
        keep: opts.cluster.keep,
        stabilise_timeout: None,
        metrics: None,
        linger: 0,
        agents: None,
        ops: None,
        ops_creds: None,
        listen: crate::ops::ListenAddress::default(),
        agents_wait: 0,
        collect: Vec::new(),
        browsers: BrowserOpts::default(),
    }
}

pub(crate) fn start_options(topology: Topology, opts: ClusterOpts) -> Result<StartOptions, PlanError> {
    let mut start = StartOptions::new(topology);
    start.rtt.add(opts.rtt, start.topology.regions())?;
    check_distances(&start.topology, &start.rtt)?;
    start.nats_server = opts.nats_server;
    start.base_port = opts.base_port;
    start.wan = opts.wan;
    start.keep = opts.keep;
    Ok(start)
}

/// What the command line of this process asks for.
#[derive(Clone, Debug)]
pub enum Task {
    /// Play a scenario.
    Run(Box<scenario_command::Plan>),
    /// Keep a back channel running.
    Control(ControlOpts),
    /// Play clients by orders.
    Agent(AgentOpts),
    /// List agents.
    Agents(AgentsOpts),
    /// Send a file to agents.
    Push(PushOpts),
    /// List scenarios.
    Scenarios(ScenariosOpts),
    /// Write reports again.
    Report(ReportOpts),
    /// Compare reports.
    Compare(CompareOpts),
    /// List, show, fetch, push or remove runs that a store keeps.
    Runs(RunsCommand),
    /// Measure plain throughput.
    Bench(Box<(Login, BenchCommand)>),
    /// Test the measurement.
    Selftest,
    /// Start a super-cluster and keep it up.
    Up(Box<UpPlan>),
    /// Serve the dashboard.
    Dashboard(Box<DashboardPlan>),
    /// Play a herd in simulated time.
    Simulate(SimulatePlan),
    /// Compare failure detectors.
    Detectors(DetectorsPlan),
    /// Compare resolvers.
    Dns(DnsPlan),
    /// Give an order to a super-cluster that is up.
    Ctl(CtlOpts),
    /// Wait for a super-cluster that is up.
    Wait(WaitOpts),
    /// Look at a super-cluster that runs anywhere.
    Look(Box<LookPlan>),
    /// Spread clients evenly over the servers of each cluster.
    Rebalance(Box<RebalancePlan>),
    /// Watch a super-cluster by rules.
    Guard(Box<GuardPlan>),
    /// Stop a guard.
    StopGuard(StopOpts),
    /// Check, list or render topologies.
    Topology(TopologyCommand),
}

/// Reads the command line of this process.
///
/// # Errors
/// What is wrong, for exit code 2; help and version come as clap's errors.
pub fn task_from(args: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Task, UsageError> {
    let opts = opts_from(args)?;
    Ok(match opts.command {
        Some(Command::Run(opts)) => {
            Task::Run(Box::new(scenario_command::Plan::new(*opts).map_err(PlanError::from)?))
        }
        Some(Command::Scenarios(opts)) => Task::Scenarios(opts),
        Some(Command::Report(opts)) => Task::Report(opts),
        Some(Command::Compare(opts)) => Task::Compare(opts),
        Some(Command::Runs(command)) => Task::Runs(command),
        Some(Command::Bench(command)) => {
            let login = Login::of(&command.bench().connect).map_err(PlanError::from)?.as_application();
            Task::Bench(Box::new((login, command)))
        }
        Some(Command::Control(opts)) => Task::Control(opts),
        Some(Command::Agent(opts)) => Task::Agent(opts),
        Some(Command::Agents(opts)) => Task::Agents(opts),
        Some(Command::Push(opts)) => Task::Push(opts),
        Some(Command::Selftest) => Task::Selftest,
        Some(Command::Up(opts)) => Task::Up(Box::new(UpPlan::new(opts)?)),
        Some(Command::Dashboard(opts)) => Task::Dashboard(Box::new(DashboardPlan::new(*opts)?)),
        Some(Command::Simulate(opts)) => Task::Simulate(SimulatePlan::new(opts)?),
        Some(Command::Detectors(opts)) => Task::Detectors(DetectorsPlan::new(opts)),
        Some(Command::Dns(opts)) => Task::Dns(DnsPlan::new(&opts)),
        Some(Command::Ctl(opts)) => Task::Ctl(opts),
        Some(Command::Wait(opts)) => Task::Wait(opts),
        Some(Command::Servers(opts)) => Task::Look(Box::new(LookPlan::servers(*opts)?)),
        Some(Command::Clusters(opts)) => Task::Look(Box::new(LookPlan::clusters(*opts)?)),
        Some(Command::Streams(opts)) => Task::Look(Box::new(LookPlan::streams(*opts)?)),
        Some(Command::Graph(opts)) => Task::Look(Box::new(LookPlan::graph(*opts)?)),
        Some(Command::Rebalance(opts)) => Task::Rebalance(Box::new(RebalancePlan::new(*opts)?)),
        Some(Command::Guard(opts)) => guard(*opts)?,
        Some(Command::Topology(command)) => Task::Topology(command),
        None => Task::Run(Box::new(default_run(opts)?)),
    })
}

fn guard(opts: GuardOpts) -> Result<Task, PlanError> {
    match opts.command {
        Some(GuardCommand::Stop(stop)) => Ok(Task::StopGuard(stop)),
        None => Ok(Task::Guard(Box::new(GuardPlan::new(opts)?))),
    }
}

/// The command line of this process, with `--config` merged in.
///
/// # Errors
/// What is wrong, for exit code 2; help and version come as clap's errors.
pub fn opts_from(args: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Opts, UsageError> {
    let given = Opts::command().try_get_matches_from(args)?;
    let opts = Opts::from_arg_matches(&given)?;
    Ok(with_config_file(opts, &given)?)
}

/// What is wrong with a command line.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// Flags; also `--help` and `--version`.
    #[error(transparent)]
    Flags(#[from] clap::Error),
    /// What they add up to.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

fn check_distances(topology: &Topology, rtt: &RttTable) -> Result<(), PlanError> {
    let regions = topology.regions();
    for (position, from) in regions.iter().enumerate() {
        for to in &regions[position + 1..] {
            rtt.rtt(from, to)?;
        }
    }
    Ok(())
}

fn fault_regions(topology: &Topology, named: Vec<String>) -> Result<Vec<String>, PlanError> {
    let known = topology.regions();
    if named.is_empty() {
        return Ok(known[..1].to_vec());
    }
    match named.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(PlanError::UnknownFaultRegion { name: name.clone(), known: known.to_vec() }),
        None => Ok(named),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opts(args: &[&str]) -> Result<Opts, UsageError> {
        opts_from(["loadgen"].iter().chain(args).map(Into::into))
    }

    fn error(args: &[&str]) -> String {
        match opts(args) {
            Err(error) => error.to_string(),
            Ok(opts) => default_run(opts).unwrap_err().to_string(),
        }
    }

    #[test]
    fn the_regions_alone_make_a_run() {
        default_run(opts(&["--regions", "lon,ams,dal"]).unwrap()).unwrap();
        let named = ["--regions", "us-east-1,EU_west.é", "--rtt", "us-east-1-EU_west.é=9.5"];
        default_run(opts(&named).unwrap()).unwrap();
    }

    #[test]
    fn errors_name_the_input_and_the_remedy() {
        assert!(error(&[]).contains("--regions"));
        assert!(error(&["--regions", "lon"]).contains("2 to 16"));
        assert!(error(&["--regions", "lon,mars"]).contains("--rtt lon-mars=MS"));
        assert!(error(&["--regions", "lon,ams", "--servers-per-region", "0"]).contains("give 1 to 9"));
        assert!(error(&["--regions", "lon,ams", "--clients", "0"]).contains("1..=200"));
        assert!(error(&["--regions", "lon,ams", "--fault-regions", "dal"]).contains("`dal`"));
        assert!(error(&["--regions", "lon,ams", "--faults", "meteor"]).contains("meteor"));
        assert!(
            error(&["--regions", "lon,ams", "--servers-per-region", "1"]).contains("--servers-per-region")
        );
        assert!(error(&["--config", "/nowhere.json"]).contains("cannot read --config /nowhere.json"));
    }

    #[test]
    fn a_config_file_stands_below_the_flags() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        std::fs::write(&path, r#"{"regions": ["lon", "ams"], "clients": 2, "preset": "fleet"}"#).unwrap();
        let path = path.to_str().unwrap();
        let opts_of = opts(&["--config", path, "--clients", "9"]).unwrap();
        let found = (opts_of.regions.len(), opts_of.clients, opts_of.preset);
        assert_eq!(found, (2, Some(9), crate::cli::Preset::Fleet));
        std::fs::write(path, r#"{"region": ["lon"]}"#).unwrap();
        assert!(error(&["--config", path]).contains("unknown field `region`"));
    }
}
