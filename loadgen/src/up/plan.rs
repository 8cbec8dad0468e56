//! The super-cluster that `loadgen up` will start: its options, checked.

use std::path::PathBuf;
use std::time::Duration;

use super::opts::UpOpts;
use super::topology_watch::TopologyWatch;
use crate::cluster::StartOptions;
use crate::plan::{PlanError, start_options};
use crate::topology::Topology;
use crate::topology_command::load::load;

/// A super-cluster that is started and kept up.
#[derive(Clone, Debug)]
pub struct UpPlan {
    /// How it is started.
    pub start: StartOptions,
    /// What is served.
    pub serve: Option<ServePlan>,
    /// Whether the user chose the deployment's name.
    pub is_named: bool,
    /// What is done besides orders.
    pub beside: Beside,
}

/// What a super-cluster that is up does besides orders.
#[derive(Clone, Debug, Default)]
pub struct Beside {
    /// How often the health of the servers is printed; `None`: never.
    pub health_report: Option<Duration>,
    /// The topology file, whose changes are applied.
    pub watch: Option<TopologyWatch>,
}

/// What `loadgen up --serve` serves.
#[derive(Clone, Debug)]
pub struct ServePlan {
    /// Where; 0 for any free port.
    pub port: u16,
    /// The built demo.
    pub web: PathBuf,
}

impl UpPlan {
    /// Checks the options.
    ///
    /// # Errors
    /// The first thing that cannot work.
    pub fn new(opts: UpOpts) -> Result<Self, PlanError> {
        let serve = opts.serve.then(|| ServePlan { port: opts.port.unwrap_or_default(), web: opts.web });
        if let Some(serve) = &serve
            && !serve.web.join("index.html").is_file()
        {
            return Err(PlanError::NoDemo { folder: serve.web.clone() });
        }
        let topology = match &opts.topology {
            Some(topology) => load(topology)?,
            None => Topology::new(opts.regions, opts.cluster.servers_per_region)?,
        };
        let is_named = opts.deployment.is_some();
        let topology = match opts.deployment {
            Some(name) => topology.named(name),
            None => topology,
        };
        let mut start = start_options(topology, opts.cluster)?;
        start.password = opts.password;
        start.ready_limit = Duration::from_secs(opts.stabilise_timeout.into());
        let health_report = opts.health_report.map(|seconds| Duration::from_secs(seconds.into()));
        // A preset has no file.
        let file = opts.topology.map(PathBuf::from).filter(|path| path.is_file());
        Ok(Self {
            start,
            serve,
            is_named,
            beside: Beside { health_report, watch: file.map(TopologyWatch::new) },
        })
    }
}
