//! Faults on clients: the fault replaces some clients by new ones, or makes receivers slow.

use std::collections::BTreeSet;

use super::inject::Injector;
use super::strike::Active;
use crate::clock;
use crate::play::PlayError;
use crate::play::agent::Agents;
use crate::play::agent::orders::Order;
use crate::play::population::crowd::Change;
use crate::scenario::{FaultKind, TimedFault};

impl<'a> Injector<'a> {
    /// Exchanges clients, or lets them connect again.
    pub(super) async fn change_clients(&mut self, number: usize, agents: &Agents) -> Result<(), PlayError> {
        let fault = &self.scenario.faults[number];
        let index = |name: &str| self.scenario.populations.iter().position(|it| it.name == name);
        let sizes = agents.counts().await?.of_population;
        let since = clock::now();
        for from in self.populations(fault) {
            if fault.kind == FaultKind::MassReconnect {
                agents.obey(Order::Reconnect { population: from }).await?;
                continue;
            }
            let to = fault.options.with.as_deref().and_then(index).unwrap_or(from);
            let lasts = fault.until.unwrap_or_else(|| self.scenario.duration()).saturating_sub(fault.at);
            // A replacement takes as long as the fault lasts.
            let of = sizes.get(&from).copied().unwrap_or(0);
            let all = f64::from(of) / lasts.as_secs_f64().max(f64::EPSILON);
            let per_s = fault.options.per_s.unwrap_or(all);
            let since = since.saturating_duration_since(self.origin);
            let change = Change { fault: number, from, to, since, per_s, of };
            agents.obey(Order::Exchange(change)).await?;
        }
        self.record(number, since, BTreeSet::new());
        if fault.kind == FaultKind::MassReconnect {
            self.over(number);
        } else {
            self.active.insert(number, Active::Clients);
        }
        Ok(())
    }

    /// Lets receivers take fewer messages.
    pub(super) fn slow_down(&mut self, number: usize) {
        let fault = &self.scenario.faults[number];
        let populations: Vec<_> = self.populations(fault).collect();
        let per_s = fault.options.per_s.unwrap_or(0.0);
        self.active.insert(number, Active::Receivers { populations: populations.clone(), per_s });
        self.set_speed(&populations);
        self.record(number, clock::now(), BTreeSet::new());
    }

    /// Lets receivers take as many messages as the slowest of the active faults allows.
    pub(super) fn set_speed(&self, populations: &[usize]) {
        for population in populations {
            let speeds = self.active.values().filter_map(|active| match active {
                Active::Receivers { populations, per_s } if populations.contains(population) => Some(*per_s),
                _ => None,
            });
            match speeds.min_by(f64::total_cmp) {
                Some(per_s) => self.brakes.slow_down(*population, per_s),
                None => self.brakes.release(*population),
            }
        }
    }

    /// The populations that a fault is aimed at.
    fn populations(&self, fault: &'a TimedFault) -> impl Iterator<Item = usize> + use<'a> {
        let all = &self.scenario.populations;
        fault.targets.iter().filter_map(|target| all.iter().position(|it| it.name == *target))
    }
}
