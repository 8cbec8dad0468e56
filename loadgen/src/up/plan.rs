//! What `loadgen up` will start: its options, checked.

use std::path::PathBuf;
use std::time::Duration;

use super::opts::UpOpts;
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
    /// How often the health of the servers is printed; `None`: never.
    pub health_report: Option<Duration>,
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
        Ok(Self { start, serve, is_named, health_report })
    }
}
