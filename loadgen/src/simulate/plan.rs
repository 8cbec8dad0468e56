//! The options of `loadgen simulate`, checked.

use std::path::PathBuf;
use std::time::Duration;

use nats_geo::core::{CapacityHint, Config};
use nats_geo::sim::herd::{Herd, Loss, Software};

use crate::cli::{HerdLoss, Kind, SimulateOpts};
use crate::plan::PlanError;
use crate::topology::RttTable;

/// A simulation that can be played.
#[derive(Clone, Debug)]
pub struct SimulatePlan {
    /// The world.
    pub herd: Herd,
    /// Which clients, one after the other.
    pub kinds: Vec<Kind>,
    /// Folder for the results.
    pub out: PathBuf,
    /// JSON on the terminal.
    pub json: bool,
}

/// Inside a region: a few data centres of one city.
const INSIDE_A_REGION: Duration = Duration::from_millis(1);

impl SimulatePlan {
    /// Checks the options.
    ///
    /// # Errors
    /// The first one that makes no sense.
    pub fn new(opts: SimulateOpts) -> Result<Self, PlanError> {
        let regions = regions(&opts.regions)?;
        let rtt = distances(&regions, &RttTable::new(opts.rtt, &regions)?)?;
        let lose = match &opts.lose {
            None => 0,
            Some(name) => regions
                .iter()
                .position(|region| region == name)
                .ok_or_else(|| PlanError::UnknownLostRegion { name: name.clone(), known: regions.clone() })?,
        };
        let mut herd = Herd::new(regions, rtt);
        herd.lose = lose;
        herd.loss = match opts.by {
            HerdLoss::Crash => Loss::Crash,
            HerdLoss::Blackhole => Loss::Blackhole,
        };
        herd.clients = opts.clients;
        herd.servers_per_region = opts.servers_per_region.into();
        herd.accepts_per_second = opts.accepts_per_second.into();
        herd.lost_for = Duration::from_secs(opts.lost_for_s.into());
        herd.after = Duration::from_secs(opts.after_s.into());
        herd.seed = opts.seed;
        Ok(Self { herd, kinds: opts.kinds, out: opts.out, json: opts.json })
    }

    /// The clients of a kind, in this herd.
    pub fn software(&self, kind: Kind) -> Software {
        let nats_geo = |config| Software::NatsGeo(Box::new(config));
        match kind {
            Kind::Fleet => nats_geo(Config::fleet()),
            Kind::FleetHint => {
                let mut config = Config::fleet();
                config.spread.capacity = Some(CapacityHint {
                    clients: self.herd.clients_per_region(),
                    // Most flee to one survivor, the nearest.
                    accepts_per_second: self.herd.region_accepts_per_second(),
                });
                nats_geo(config)
            }
            Kind::Interactive => nats_geo(Config::interactive()),
            Kind::Standby => {
                let mut config = Config::interactive();
                config.warm_standby = true;
                nats_geo(config)
            }
            Kind::AsyncNats => Software::AsyncNats,
            Kind::NatsGo => Software::NatsGo,
            Kind::NatsJs => Software::NatsJs,
        }
    }
}

/// Names, or the number of cities to take from the table.
fn regions(given: &[String]) -> Result<Vec<String>, PlanError> {
    let [single] = given else { return named(given) };
    let Ok(count) = single.parse::<usize>() else { return named(given) };
    let cities: Vec<_> = RttTable::cities().map(str::to_owned).collect();
    if !(2..=cities.len()).contains(&count) {
        return Err(PlanError::RegionCount { given: single.clone(), max: cities.len() });
    }
    Ok(cities[..count].to_vec())
}

fn named(given: &[String]) -> Result<Vec<String>, PlanError> {
    if given.len() < 2 {
        return Err(PlanError::RegionCount { given: given.join(","), max: RttTable::cities().count() });
    }
    match given.iter().enumerate().find(|(place, name)| given[..*place].contains(name)) {
        Some((_, name)) => Err(PlanError::RegionTwice { name: name.clone() }),
        None => Ok(given.to_vec()),
    }
}

fn distances(regions: &[String], table: &RttTable) -> Result<Vec<Vec<Duration>>, PlanError> {
    let distance = |from: &String, to: &String| match from == to {
        true => Ok(INSIDE_A_REGION),
        false => table.rtt_or_detour(from, to),
    };
    let row = |from| regions.iter().map(|to| distance(from, to)).collect::<Result<_, _>>();
    Ok(regions.iter().map(row).collect::<Result<_, _>>()?)
}

#[cfg(test)]
mod tests {
    use crate::plan::{Task, task_from};

    fn error(args: &[&str]) -> String {
        let args = ["loadgen", "simulate"].iter().chain(args).map(std::ffi::OsString::from);
        task_from(args).unwrap_err().to_string()
    }

    #[test]
    fn a_number_of_regions_takes_so_many_cities() {
        let task =
            task_from(["loadgen", "simulate", "--regions", "12", "--lose", "fra"].map(Into::into)).unwrap();
        let Task::Simulate(plan) = task else { panic!("{task:?}") };
        assert_eq!(plan.herd.regions.len(), 12);
        assert_eq!(plan.herd.regions[plan.herd.lose], "fra");
    }

    #[test]
    fn what_makes_no_sense_is_refused_with_the_option_and_the_bound() {
        assert!(error(&["--regions", "1"]).contains("--regions 1: give a number from 2 to 26"));
        assert!(error(&["--regions", "99"]).contains("--regions 99: give a number from 2 to 26"));
        assert!(error(&["--regions", "lon,ams,lon"]).contains("--regions names `lon` twice"));
        assert!(error(&["--regions", "lon,ams", "--lose", "mars"]).contains("--lose names `mars`"));
        assert!(error(&["--regions", "lon,mars"]).contains("--rtt lon-mars=MS"));
        assert!(error(&["--clients", "0"]).contains("--clients"));
        assert!(error(&["--accepts-per-second", "0"]).contains("--accepts-per-second"));
    }
}
