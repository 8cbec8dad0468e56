//! How much load this machine can serve while it measures: tried before the first round.
//!
//! Servers, proxies and clients share the processors. Where they queue for them, a run measures the queue. So the load is
//! chosen such that about half of the processor time stays free.

use std::time::Duration;

use futures_util::future::try_join_all;

use crate::clients::{Access, Client, ConnectError, Population, Spec};
use crate::cluster::{SuperCluster, UnknownNameError};
use crate::load::requests::Requests;
use crate::machine::ProcessorTime;
use crate::plan::Plan;

/// How many clients send how many requests. Those of a broken region are what is measured; the others show that nothing
/// else is disturbed, for which fewer and slower ones are enough.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Load {
    /// Clients of the population that is played, in each region that is broken.
    pub clients: u16,
    /// Requests per second of each of them.
    pub rate: u16,
    /// Clients in each other region.
    pub bystanders: u16,
    /// Requests per second of each of them.
    pub bystander_rate: u16,
}

/// A load, and what it was chosen by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Capacity {
    /// The load of the run.
    pub load: Load,
    /// Share of the processor time that was idle while the super-cluster was up and nothing was asked of it. `None` where
    /// that was not measured.
    pub idle_before: Option<f64>,
    /// Share of the processor time that one request per second takes.
    pub cost_per_request: Option<f64>,
}

/// Why the capacity is not known.
#[derive(Debug, thiserror::Error)]
pub enum CapacityError {
    /// A client does not connect.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// No such region.
    #[error(transparent)]
    UnknownName(#[from] UnknownNameError),
}

impl Load {
    const fn new(clients: u16, rate: u16) -> Self {
        let bystanders = if clients < BYSTANDERS_MAX { clients } else { BYSTANDERS_MAX };
        let bystander_rate = if rate < BYSTANDER_RATE_MAX { rate } else { BYSTANDER_RATE_MAX };
        Self { clients, rate, bystanders, bystander_rate }
    }

    /// How many clients there are in `region`.
    pub fn clients_in(&self, plan: &Plan, region: &str) -> u16 {
        if plan.fault_regions().contains(region) { self.clients } else { self.bystanders }
    }

    /// Requests per second of a client in `region`.
    pub fn rate_in(&self, plan: &Plan, region: &str) -> u16 {
        if plan.fault_regions().contains(region) { self.rate } else { self.bystander_rate }
    }

    fn requests_per_second(&self, broken: usize, others: usize) -> f64 {
        let of =
            |regions: usize, clients: u16, rate: u16| regions as f64 * f64::from(clients) * f64::from(rate);
        of(broken, self.clients, self.rate) + of(others, self.bystanders, self.bystander_rate)
    }
}

/// Chooses the load: as the command line says, and for the rest as much as the machine serves.
///
/// # Errors
/// The clients that try it do not connect.
pub async fn choose(plan: &Plan, cluster: &SuperCluster) -> Result<Capacity, CapacityError> {
    let wanted =
        |(clients, rate): (u16, u16)| Load::new(plan.clients.unwrap_or(clients), plan.rate.unwrap_or(rate));
    let mut ladder = LADDER.map(wanted).to_vec();
    ladder.dedup();
    if let [load] = ladder[..] {
        return Ok(Capacity { load, idle_before: None, cost_per_request: None });
    }
    let Some((idle_before, cost_per_request)) = try_out(plan, cluster).await? else {
        return Ok(Capacity { load: wanted(UNMEASURED), idle_before: None, cost_per_request: None });
    };
    let broken = plan.fault_regions().len();
    let others = plan.topology.regions().len() - broken;
    let fits = |load: &&Load| {
        let busy = 1.0 - idle_before + cost_per_request * load.requests_per_second(broken, others);
        busy <= BUSY_MAX
    };
    // A machine that can serve none of them will be told so by what is idle during the rounds.
    let load = ladder.iter().find(fits).or_else(|| ladder.last()).copied();
    let load = load.unwrap_or_else(|| wanted(UNMEASURED));
    Ok(Capacity { load, idle_before: Some(idle_before), cost_per_request: Some(cost_per_request) })
}

/// Measures the idle share without load, and the share that one request per second costs. `None` where the operating
/// system does not tell.
async fn try_out(plan: &Plan, cluster: &SuperCluster) -> Result<Option<(f64, f64)>, CapacityError> {
    let region = &plan.topology.regions()[0];
    let urls: Vec<_> = cluster.endpoints(region)?.into_iter().map(|endpoint| endpoint.tcp_url).collect();
    let (clients, rate) = TRIAL;
    let connecting = (0..clients).map(|number| {
        Client::connect(Spec {
            population: Population::NatsGeo,
            region: region.clone(),
            number: number.into(),
            urls: urls.clone(),
            policy: plan.policy(),
            seed: plan.seed.wrapping_add(u64::from(number)),
            access: Access::default(),
        })
    });
    let clients = try_join_all(connecting).await?;
    // The probes of the start are no load.
    tokio::time::sleep(TRIAL_LASTS).await;
    let Some(idle) = idle_during(tokio::time::sleep(TRIAL_LASTS)).await else { return Ok(None) };
    let requests = crate::load::requests::start_all(clients.into_iter().map(|client| (client, rate)));
    let under_load = idle_during(tokio::time::sleep(TRIAL_LASTS)).await;
    let served = futures_util::future::join_all(requests.into_iter().map(Requests::finish)).await;
    let per_second = served.iter().map(Vec::len).sum::<usize>() as f64 / TRIAL_LASTS.as_secs_f64();
    Ok(under_load.map(|under_load| (idle, (idle - under_load).max(0.0) / per_second.max(1.0))))
}

/// The share of the processor time that is idle while something goes on.
pub async fn idle_during(something: impl Future<Output = ()>) -> Option<f64> {
    let before = ProcessorTime::now();
    something.await;
    ProcessorTime::now()?.idle_share_since(before?)
}

/// The loads that are considered, the best first. More clients give more pairs of a fault and a client, a higher rate
/// times them more finely: at 100 per second to 10 ms.
const LADDER: [(u16, u16); 6] = [(6, 100), (5, 100), (4, 100), (4, 50), (3, 50), (2, 50)];

/// Where the operating system does not tell how busy it is.
const UNMEASURED: (u16, u16) = (4, 50);

/// Of the processor time, at most this much is to be used. The failovers themselves, probes and message flows come on
/// top: 40 % should stay idle.
const BUSY_MAX: f64 = 0.4;

/// Clients and rate of the trial: a third of what the README's machine serves.
const TRIAL: (u16, u16) = (4, 100);

/// Long enough for a hundred ticks of each processor.
const TRIAL_LASTS: Duration = Duration::from_secs(1);

/// Clients of a region that is not broken: one would be chance.
const BYSTANDERS_MAX: u16 = 2;

/// A request that fails is seen at any rate.
const BYSTANDER_RATE_MAX: u16 = 20;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bystanders_are_fewer_and_slower() {
        let load = Load::new(6, 100);
        assert_eq!(load, Load { clients: 6, rate: 100, bystanders: 2, bystander_rate: 20 });
        assert_eq!(Load::new(1, 10), Load { clients: 1, rate: 10, bystanders: 1, bystander_rate: 10 });
        assert_eq!(load.requests_per_second(1, 2), 680.0);
    }

    #[test]
    fn each_step_of_the_ladder_is_lighter_than_the_last() {
        let loads = LADDER.map(|(clients, rate)| Load::new(clients, rate).requests_per_second(1, 2));
        assert!(loads.windows(2).all(|pair| pair[1] < pair[0]), "{loads:?}");
    }
}
