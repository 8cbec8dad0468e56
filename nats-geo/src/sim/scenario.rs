//! Scenarios as data: the world, and its faults with their times.

use std::time::Duration;

use super::PathModel;
use crate::core::Config;

/// A simulated world and its faults. [`scenarios`](super::scenarios) has ready-made scenarios.
///
/// ```
/// use nats_geo::core::Config;
/// use nats_geo::sim::{Fault, Scenario, ServerFault, run};
/// use std::time::Duration;
///
/// let mut scenario = Scenario::super_cluster("lon is lost", vec![(0, Config::interactive())]);
/// scenario.at(Duration::from_secs(60), Fault::Region { region: 0, what: ServerFault::Crash });
/// scenario.at(Duration::from_secs(90), Fault::Region { region: 0, what: ServerFault::Start });
/// scenario.lasts = Duration::from_secs(120);
///
/// let report = run(&scenario, 42).expect("no rule is broken");
/// assert_eq!(report.clients[0].moves_between_regions, 2, "there and back");
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Scenario {
    /// Name of the scenario, for messages.
    pub name: String,
    /// Names of the regions. Each region is also a site, at which clients can be.
    pub regions: Vec<&'static str>,
    /// Number of servers of each region. Server `s` is in region `s / servers_per_region`.
    pub servers_per_region: usize,
    /// Handshakes per second that each server can do.
    pub accepts_per_second: f64,
    /// The path from one site to another: `paths[from][to]`.
    pub paths: Vec<Vec<PathModel>>,
    /// Site and policy of each client.
    pub clients: Vec<(usize, Config)>,
    /// Period of the health check on the live link. Clients also run the check before a planned move. `None`: no health
    /// checks.
    pub health_check_period: Option<Duration>,
    /// Time within which all clients start, one after the other.
    pub start_over: Duration,
    /// The faults with their times, in any order.
    pub steps: Vec<Step>,
    /// Time at which all faults end. Then every client must fail back.
    pub lasts: Duration,
}

/// A fault at a time.
#[derive(Clone, Debug, PartialEq)]
pub struct Step {
    /// Time since the start of the world.
    pub at: Duration,
    /// The fault.
    pub fault: Fault,
}

/// A fault and its target.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Fault {
    /// A fault of one server.
    Server {
        /// The number of the server.
        server: usize,
        /// The fault of the server.
        what: ServerFault,
    },
    /// The same fault of all servers of a region.
    Region {
        /// The number of the region.
        region: usize,
        /// The fault of each server.
        what: ServerFault,
    },
    /// A fault of one direction of the path between two sites.
    Path {
        /// The site at which the path begins.
        from: usize,
        /// The site at which the path ends.
        to: usize,
        /// The fault of the path.
        what: PathFault,
    },
    /// A fault of a client.
    Client {
        /// The number of the client.
        client: usize,
        /// The fault of the client.
        what: ClientFault,
    },
}

/// A fault of a server.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ServerFault {
    /// The process ends. Its host closes the connections and refuses new ones.
    Crash,
    /// The host loses power: connections become silent, without a reset.
    PowerOff,
    /// The server starts again as a new process, unless it is running.
    Start,
    /// The process freezes. Its host still accepts connections and acknowledges packets.
    Freeze,
    /// The frozen process continues.
    Thaw,
    /// The server closes its listener, informs its clients, and closes their connections after a grace period.
    LameDuck,
    /// Each answer of the server takes this much longer.
    Slow(Duration),
    /// The server closes the connections of its clients, and refuses new ones because of their credentials.
    Lock,
    /// The server accepts the credentials again.
    Unlock,
    /// The server answers, but fails the health checks of clients: see [`Scenario::health_check_period`].
    Unhealthy,
    /// The server passes the health checks again.
    Healthy,
    /// The endpoint of the server is removed from the list of the clients.
    Withdraw,
    /// The endpoint of the server is added to the list of the clients again.
    Offer,
}

/// A fault of one direction of a path.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum PathFault {
    /// No segment passes.
    Cut,
    /// The delay of the path increases by this much.
    Extra(Duration),
    /// This share of segments is lost.
    Loss(f64),
    /// All faults of the path end.
    Heal,
}

/// A fault of a client.
#[derive(Clone, Copy, Debug, PartialEq)]
#[non_exhaustive]
pub enum ClientFault {
    /// No packet leaves the host of the client.
    CutOut,
    /// No packet reaches the host of the client.
    CutIn,
    /// The network of the client works again.
    Heal,
    /// The host of the client sleeps: no process runs, and no packet arrives.
    Sleep {
        /// Duration of the sleep.
        lasts: Duration,
        /// Whether the clock of the client's driver runs during the sleep. On Linux, this clock stops.
        clock_runs: bool,
    },
    /// The process of the client stops for this long. Data that arrives waits in the kernel.
    Stall(Duration),
    /// The clock of the client jumps forward.
    ClockAhead(Duration),
    /// The clock of the client jumps back.
    ClockBack(Duration),
}

/// The error of a scenario that has a value out of its bounds.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("scenario {scenario:?}: {field} is {value}, but must be {bound}")]
#[non_exhaustive]
pub struct ScenarioError {
    /// The name of the scenario.
    pub scenario: String,
    /// The field, as a path from [`Scenario`].
    pub field: String,
    /// The value of the field.
    pub value: String,
    /// The bound that the value breaks.
    pub bound: String,
}

impl Scenario {
    /// Creates a scenario with the regions lon, ams and dal, with three servers each, over the public internet. The
    /// round-trip times come from public measurements: 9 ms lon-ams, 113 ms lon-dal, 120 ms ams-dal.
    pub fn super_cluster(name: impl Into<String>, clients: Vec<(usize, Config)>) -> Self {
        const ONE_WAY_US: [[u64; 3]; 3] = [[500, 4_500, 56_500], [4_500, 500, 60_000], [56_500, 60_000, 500]];
        let path = |from: usize, to: usize| {
            let one_way = Duration::from_micros(ONE_WAY_US[from][to]);
            // The network of a data centre is no internet.
            if from == to { PathModel::clean(one_way) } else { PathModel::internet(one_way) }
        };
        Self {
            name: name.into(),
            regions: vec!["lon", "ams", "dal"],
            servers_per_region: 3,
            accepts_per_second: 1_000.0,
            paths: (0..3).map(|from| (0..3).map(|to| path(from, to)).collect()).collect(),
            clients,
            health_check_period: None,
            start_over: Duration::ZERO,
            steps: Vec::new(),
            lasts: Duration::from_secs(60),
        }
    }

    /// Adds a fault that begins at this time.
    pub fn at(&mut self, at: Duration, fault: Fault) {
        self.steps.push(Step { at, fault });
    }

    /// Returns the number of servers.
    pub fn servers(&self) -> usize {
        self.regions.len() * self.servers_per_region
    }

    /// Checks that all values are within their bounds.
    ///
    /// # Errors
    /// A field is out of its bounds. The error names the first such field.
    pub fn check(&self) -> Result<(), ScenarioError> {
        let error = |field: String, value: String, bound: String| {
            Err(ScenarioError { scenario: self.name.clone(), field, value, bound })
        };
        let sites = self.regions.len();
        for (field, count) in [
            ("regions.len()", sites),
            ("servers_per_region", self.servers_per_region),
            ("clients.len()", self.clients.len()),
        ] {
            if count == 0 {
                return error(field.into(), "0".into(), "at least 1".into());
            }
        }
        if !(self.accepts_per_second > 0.0 && self.accepts_per_second.is_finite()) {
            let value = self.accepts_per_second.to_string();
            return error("accepts_per_second".into(), value, "a positive number".into());
        }
        if self.health_check_period.is_some_and(|period| period.is_zero()) {
            return error("health_check_period".into(), "0".into(), "more than zero".into());
        }
        if self.paths.len() != sites || self.paths.iter().any(|row| row.len() != sites) {
            return error("paths".into(), "of another size".into(), format!("{sites} rows of {sites}"));
        }
        if let Some((client, (site, _))) =
            self.clients.iter().enumerate().find(|(_, (site, _))| *site >= sites)
        {
            return error(format!("clients[{client}].0"), site.to_string(), format!("below {sites}"));
        }
        for (from, row) in self.paths.iter().enumerate() {
            for (to, path) in row.iter().enumerate() {
                let bursts = path.bursts.as_ref().map_or(0.0, |bursts| bursts.loss);
                for (field, share) in [("loss", path.loss), ("bursts.loss", bursts)] {
                    if !(0.0..=1.0).contains(&share) {
                        let field = format!("paths[{from}][{to}].{field}");
                        return error(field, share.to_string(), "from 0 to 1".into());
                    }
                }
                if !(path.jitter >= 0.0 && path.jitter.is_finite()) {
                    let field = format!("paths[{from}][{to}].jitter");
                    return error(field, path.jitter.to_string(), "0 or more".into());
                }
            }
        }
        self.steps.iter().enumerate().try_for_each(|(index, step)| self.check_step(index, step))
    }

    fn check_step(&self, index: usize, step: &Step) -> Result<(), ScenarioError> {
        let error = |field: &str, value: String, bound: String| {
            let field = format!("steps[{index}].{field}");
            Err(ScenarioError { scenario: self.name.clone(), field, value, bound })
        };
        if step.at > self.lasts {
            return error("at", format!("{:?}", step.at), format!("at most `lasts`, {:?}", self.lasts));
        }
        let sites = self.regions.len();
        let numbers = match &step.fault {
            Fault::Server { server, .. } => vec![("server", *server, self.servers())],
            Fault::Region { region, .. } => vec![("region", *region, sites)],
            Fault::Client { client, .. } => vec![("client", *client, self.clients.len())],
            Fault::Path { from, to, .. } => vec![("from", *from, sites), ("to", *to, sites)],
        };
        if let Some((field, number, limit)) = numbers.into_iter().find(|(_, number, limit)| number >= limit) {
            return error(field, number.to_string(), format!("below {limit}"));
        }
        match &step.fault {
            Fault::Path { what: PathFault::Loss(loss), .. } if !(0.0..=1.0).contains(loss) => {
                error("what", loss.to_string(), "from 0 to 1".into())
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario() -> Scenario {
        Scenario::super_cluster("bad", vec![(0, Config::fleet())])
    }

    #[track_caller]
    fn refused(change: impl Fn(&mut Scenario), expected: &str) {
        let mut scenario = scenario();
        change(&mut scenario);
        assert_eq!(scenario.check().unwrap_err().to_string(), format!("scenario \"bad\": {expected}"));
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_field_and_bound() {
        assert_eq!(scenario().check(), Ok(()));
        refused(|it| it.clients.clear(), "clients.len() is 0, but must be at least 1");
        refused(|it| it.clients[0].0 = 7, "clients[0].0 is 7, but must be below 3");
        refused(|it| it.paths[0][1].loss = 1.5, "paths[0][1].loss is 1.5, but must be from 0 to 1");
        refused(|it| it.accepts_per_second = 0.0, "accepts_per_second is 0, but must be a positive number");
        refused(
            |it| it.health_check_period = Some(Duration::ZERO),
            "health_check_period is 0, but must be more than zero",
        );
        refused(
            |it| it.at(Duration::from_secs(61), Fault::Region { region: 0, what: ServerFault::Crash }),
            "steps[0].at is 61s, but must be at most `lasts`, 60s",
        );
        refused(
            |it| it.at(Duration::ZERO, Fault::Region { region: 3, what: ServerFault::Crash }),
            "steps[0].region is 3, but must be below 3",
        );
        refused(
            |it| it.at(Duration::ZERO, Fault::Path { from: 0, to: 1, what: PathFault::Loss(-0.1) }),
            "steps[0].what is -0.1, but must be from 0 to 1",
        );
    }
}
