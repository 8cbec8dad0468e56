//! The part of a scenario that agents play, and how several agents share it.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Population, Scenario, Stage, Workload};

/// Clients and their work. Only a [`Scenario`] makes one.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
pub struct ClientPlan {
    /// All regions of the super-cluster.
    pub regions: Vec<String>,
    /// The clients, or one agent's share of them.
    pub populations: Vec<Population>,
    /// Their work.
    pub workloads: Vec<Workload>,
    /// From the first phase to the end of the last.
    pub duration: Duration,
}

/// An agent's place among those that play the clients of a region.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize, schemars::JsonSchema)]
pub struct Share {
    /// Its number among them, from 0.
    pub index: u32,
    /// How many they are; at least 1.
    pub of: u32,
}

impl Share {
    /// Of an agent that plays all clients of a region.
    pub const ALL: Self = Self { index: 0, of: 1 };

    /// Its share of so many clients. The shares of all agents add up.
    pub const fn count(self, all: u32) -> u32 {
        all / self.of + (self.index < all % self.of) as u32
    }

    /// The number of its client `own` among those of all agents.
    pub const fn number(self, own: u32) -> u32 {
        own * self.of + self.index
    }
}

impl Scenario {
    /// Returns the part that agents play.
    pub fn client_plan(&self) -> ClientPlan {
        ClientPlan {
            regions: self.topology.regions().to_vec(),
            populations: self.populations.clone(),
            workloads: self.workloads.clone(),
            duration: self.duration(),
        }
    }
}

impl ClientPlan {
    /// Returns what an agent plays that has these shares of regions. It plays no clients of other regions.
    #[must_use]
    pub fn share(&self, shares: &BTreeMap<String, Share>) -> Self {
        let populations = self.populations.iter().map(|population| Population {
            start: population
                .start
                .iter()
                .filter_map(|(region, count)| Some((region.clone(), shares.get(region)?.count(*count))))
                .collect(),
            stages: population.stages.iter().filter_map(|stage| share_of_stage(stage, shares)).collect(),
            ..population.clone()
        });
        Self { populations: populations.collect(), ..self.clone() }
    }

    /// Returns the regions that have clients at some time.
    pub fn regions_with_clients(&self) -> impl Iterator<Item = &String> {
        let has_clients = |region: &&String| self.populations.iter().any(|it| it.peak_in(region) > 0);
        self.regions.iter().filter(has_clients)
    }
}

fn share_of_stage(stage: &Stage, shares: &BTreeMap<String, Share>) -> Option<Stage> {
    let share = shares.get(&stage.region)?;
    Some(Stage { from: share.count(stage.from), to: share.count(stage.to), ..stage.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::{Inputs, from_toml};

    #[test]
    fn shares_add_up_and_numbers_differ() {
        for of in 1..8 {
            for all in 0..40 {
                let shares = || (0..of).map(|index| Share { index, of });
                assert_eq!(shares().map(|share| share.count(all)).sum::<u32>(), all);
                let numbers =
                    shares().flat_map(|share| (0..share.count(all)).map(move |own| share.number(own)));
                let mut numbers: Vec<_> = numbers.collect();
                numbers.sort_unstable();
                assert_eq!(numbers, (0..all).collect::<Vec<_>>());
            }
        }
    }

    #[test]
    fn an_agent_plays_its_share_of_the_regions_that_it_has() {
        let preset = crate::scenario::Preset::named("scale").unwrap();
        let source = |source: crate::scenario::TopologySource<'_>| match source {
            crate::scenario::TopologySource::Inline(text) => {
                crate::topology::from_toml(text, "topology", |_| Err(String::new()))
                    .map_err(|it| it.to_string())
            }
            crate::scenario::TopologySource::Name(name) => {
                crate::topology_command::load::load(name).map_err(|error| error.to_string())
            }
        };
        let strategies = from_toml(preset.text, "scale.toml", &Inputs::default(), source).unwrap();
        let plan = strategies[0].scenario.client_plan();
        let region = plan.regions[0].clone();
        let shares = |index| BTreeMap::from([(region.clone(), Share { index, of: 2 })]);
        let (first, second) = (plan.share(&shares(0)), plan.share(&shares(1)));
        for (all, (first, second)) in
            plan.populations.iter().zip(first.populations.iter().zip(&second.populations))
        {
            let halves = first.peak_in(&region) + second.peak_in(&region);
            assert_eq!(halves, all.peak_in(&region));
            assert!(plan.regions[1..].iter().all(|region| first.peak_in(region) == 0));
        }
        assert!(plan.regions_with_clients().count() > 1);
        assert_eq!(first.regions_with_clients().collect::<Vec<_>>(), [&region]);
    }
}
