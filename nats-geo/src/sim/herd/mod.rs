//! This module simulates a herd: many clients of one kind lose a region, which later returns. The result is the load of
//! the other regions.
//!
//! This simulation has no packets, only distances, accept rates, and the decisions of clients. So a run can have a
//! million clients. Clients affect each other only in the handshake queues of the servers. Between two handshakes, the
//! simulation runs each client separately. It simulates each PING and probe that may change a decision. It skips all
//! other PINGs and probes in one step. After this step, the selector is in exactly the same state as if every PING and
//! probe were simulated (`tests/quiet.rs`).
//!
//! `client.rs` runs nats-geo's selector, and `stock.rs` runs the reconnect rules of other clients. `player.rs`
//! simulates one client, `quiet.rs` simulates the servers in quiet time, and `world.rs` simulates the handshake queues.
//! `play.rs` runs all clients, and `report.rs` counts the results. `story.rs` runs one stock client (another client
//! with its default rules) alone, to compare it with the real client.

mod client;
mod play;
mod player;
mod quiet;
mod report;
mod stock;
mod story;
mod world;

use std::time::Duration;

use crate::core::{Config, ConfigError, Time};
use play::Play;
pub use report::{HerdReport, RegionLoad, Spans};
pub use stock::StockRules;
pub use story::{StockDial, StockFault, StockHits, StockLoss, StockOutage, StockScenario, stock_story};

/// A simulation of many clients and the loss of a region.
///
/// ```
/// use nats_geo::core::Config;
/// use nats_geo::sim::herd::{Herd, Software};
/// use std::time::Duration;
///
/// let rtt = |ms| Duration::from_millis(ms);
/// let mut herd = Herd::new(
///     vec!["lon".into(), "ams".into(), "dal".into()],
///     vec![vec![rtt(1), rtt(9), rtt(113)], vec![rtt(9), rtt(1), rtt(120)], vec![rtt(113), rtt(120), rtt(1)]],
/// );
/// herd.clients = 300;
/// let report = herd.run(&Software::NatsGeo(Box::new(Config::interactive())), &mut |_| {})?;
/// assert_eq!(report.hit, 100, "the clients in lon");
/// assert_eq!(report.back, 100);
/// assert!(report.in_nearest > 0.99, "ams");
/// # Ok::<(), nats_geo::sim::herd::HerdError>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Herd {
    /// Names of the regions.
    pub regions: Vec<String>,
    /// Round-trip times between regions, `rtt[from][to]`. The diagonal has the round-trip times inside a region.
    pub rtt: Vec<Vec<Duration>>,
    /// Number of servers of each region. Default 3.
    pub servers_per_region: usize,
    /// Handshakes per second that each server can do. Default 1000, as with TLS on one core.
    pub accepts_per_second: f64,
    /// Number of clients, distributed evenly over the regions. Default 12 000.
    pub clients: u32,
    /// Index of the region that is lost. Default 0.
    pub lose: usize,
    /// The way in which the region is lost. Default: a crash.
    pub loss: Loss,
    /// Time until the region returns. Default 2 min.
    pub lost_for: Duration,
    /// Time to simulate after the return of the region. Default 8 min: twice the time that the fail back of a fleet
    /// takes.
    pub after: Duration,
    /// Seed of all random choices; the same seed repeats the run. Default 1.
    pub seed: u64,
}

/// Way in which a region is lost.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Loss {
    /// The servers end: connections are reset, and dials are refused.
    Crash,
    /// The region becomes silent: no packets arrive from it.
    Blackhole,
}

/// The client software of a herd.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Software {
    /// nats-geo with this policy.
    NatsGeo(Box<Config>),
    /// async-nats 0.51 with its defaults.
    AsyncNats,
    /// nats.go 1.53 with its defaults.
    NatsGo,
    /// nats.js 3.4 with its defaults.
    NatsJs,
}

/// Reason why a herd cannot be simulated.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HerdError {
    /// A field is out of its bounds.
    #[error("`{field}` is {value}, but must be {bound}")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// The value of the field.
        value: String,
        /// The bound that the value breaks.
        bound: String,
    },
    /// A field of the policy has a value that is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Clients start one after the other within this long, as when a fleet is rolled out, and are settled as long again
/// afterwards.
const START_OVER: Duration = Duration::from_secs(60);

impl Herd {
    /// Creates a simulation with these regions. `rtt[from][to]` is the round-trip time between two regions.
    #[must_use]
    pub const fn new(regions: Vec<String>, rtt: Vec<Vec<Duration>>) -> Self {
        Self {
            regions,
            rtt,
            servers_per_region: 3,
            accepts_per_second: 1_000.0,
            clients: 12_000,
            lose: 0,
            loss: Loss::Crash,
            lost_for: Duration::from_secs(120),
            after: Duration::from_secs(480),
            seed: 1,
        }
    }

    /// Runs the simulation. The run calls `progress` from time to time with the number of simulated clients. The same
    /// herd and software give the same report.
    ///
    /// # Errors
    /// A field is out of its bounds. The error names the first such field.
    pub fn run(&self, software: &Software, progress: &mut dyn FnMut(u32)) -> Result<HerdReport, HerdError> {
        self.check()?;
        Ok(Play::new(self, software)?.run(progress))
    }

    /// Returns the number of clients of the lost region.
    #[must_use]
    pub fn clients_per_region(&self) -> u32 {
        let regions = u32::try_from(self.regions.len().max(1)).unwrap_or(u32::MAX);
        self.clients.div_ceil(regions)
    }

    /// Returns the number of handshakes per second that a region can do.
    #[must_use]
    pub fn region_accepts_per_second(&self) -> f64 {
        self.accepts_per_second * self.servers_per_region as f64
    }

    fn check(&self) -> Result<(), HerdError> {
        let regions = self.regions.len();
        let error =
            |field, value: String, bound: &str| Err(HerdError::Field { field, value, bound: bound.into() });
        if regions < 2 {
            return error("regions", regions.to_string(), "at least 2: who flees needs a place to go");
        }
        if self.rtt.len() != regions || self.rtt.iter().any(|row| row.len() != regions) {
            return error("rtt", "of another size".into(), "as many rows and columns as there are regions");
        }
        if self.lose >= regions {
            return error("lose", self.lose.to_string(), &format!("below {regions}, the number of regions"));
        }
        if self.clients == 0 {
            return error("clients", "0".into(), "at least 1");
        }
        if self.servers_per_region == 0 || self.servers() > SERVERS_MAX {
            let bound = format!("1 to {} in {regions} regions", SERVERS_MAX / regions);
            return error("servers_per_region", self.servers_per_region.to_string(), &bound);
        }
        if !(self.accepts_per_second > 0.0 && self.accepts_per_second.is_finite()) {
            return error("accepts_per_second", self.accepts_per_second.to_string(), "a positive number");
        }
        Ok(())
    }

    const fn servers(&self) -> usize {
        self.regions.len() * self.servers_per_region
    }

    const fn region_of(&self, server: usize) -> usize {
        server / self.servers_per_region
    }

    fn loss_at(&self) -> Time {
        Time::ZERO + 2 * START_OVER
    }

    fn return_at(&self) -> Time {
        self.loss_at() + self.lost_for
    }

    fn end(&self) -> Time {
        self.return_at() + self.after
    }

    fn is_lost(&self, server: usize, at: Time) -> bool {
        self.region_of(server) == self.lose && self.loss_at() <= at && at < self.return_at()
    }

    /// Returns whether a server of the lost region that answers now is not the process that it was.
    fn is_second_life(&self, at: Time) -> bool {
        self.loss == Loss::Crash && at >= self.return_at()
    }

    /// The survivor that is nearest to a region.
    fn nearest_survivor(&self, home: usize) -> Option<usize> {
        (0..self.regions.len())
            .filter(|region| *region != self.lose)
            .min_by_key(|region| self.rtt[home][*region])
    }
}

/// As many endpoints as a selector knows at most.
const SERVERS_MAX: usize = 4_096;

#[cfg(test)]
mod tests;
