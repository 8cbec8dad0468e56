//! The servers that a fault hits, their order, and the action that undoes the fault.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::clock;
use crate::cluster::SuperCluster;
use crate::cluster::faults::{FaultError, LinkFaultId};
use crate::play::agent::orders::Counts;
use crate::scenario::{FaultKind, Order, Pick, Scenario, TimedFault};
use crate::seed::Lcg;

/// The way to undo a fault.
#[derive(Clone, Debug)]
pub(crate) enum Active {
    /// Start these servers.
    Restart(Vec<String>),
    /// Continue these servers.
    Resume(Vec<String>),
    /// End these faults of links.
    Links(Vec<LinkFaultId>),
    /// Restore these users.
    Users(Vec<String>),
    /// End this limit of these servers.
    Limit { servers: Vec<String>, most: Option<u32> },
    /// Give these servers their valid certificate.
    Certificates(Vec<String>),
    /// Stop to exchange clients.
    Clients,
    /// Let receivers of these populations take more messages per second again.
    Receivers { populations: Vec<usize>, per_s: f64 },
    /// End this fault of resolvers.
    Resolvers,
}

/// The servers that were hit, when, and the reasons why others were not.
#[derive(Debug)]
pub(crate) struct Struck {
    pub(crate) servers: Vec<String>,
    pub(crate) at: Instant,
    pub(crate) refused: Vec<FaultError>,
}

/// Returns the servers that a fault is aimed at: all of a region, or some of those that are up.
pub(crate) fn chosen(
    fault: &TimedFault,
    scenario: &Scenario,
    cluster: &mut SuperCluster,
    counts: &Counts,
    random: &mut Lcg,
) -> Vec<String> {
    let mut servers = BTreeSet::new();
    for target in &fault.targets {
        let mut of_region: Vec<String> =
            cluster.topology().servers_of(target).map(|server| server.to_string()).collect();
        if fault.options.servers.is_some() {
            of_region.retain(|server| cluster.state(server).is_ok_and(|state| state == "up"));
        }
        match (fault.options.servers, fault.options.pick.unwrap_or_default()) {
            (None, _) => {}
            (Some(count), Pick::Random) => of_region = some(of_region, count, random),
            (Some(count), Pick::Fullest) => {
                let name = fault.options.population.as_ref();
                let population =
                    name.and_then(|name| scenario.populations.iter().position(|it| it.name == *name));
                of_region = fullest(of_region, count, counts, population);
            }
        }
        servers.extend(of_region);
        if !cluster.topology().regions().contains(target) {
            servers.insert(target.clone());
        }
    }
    servers.into_iter().collect()
}

/// Hits these servers at once. A server that an earlier fault has ended is left out.
pub(crate) fn strike(
    kind: FaultKind,
    servers: &[String],
    cluster: &mut SuperCluster,
) -> Result<Struck, FaultError> {
    let mut struck = Struck { servers: Vec::new(), at: clock::now(), refused: Vec::new() };
    if matches!(kind, FaultKind::Kill | FaultKind::Restart) {
        let (alive, dead): (Vec<_>, Vec<_>) = servers
            .iter()
            .cloned()
            .partition(|server| cluster.state(server).is_ok_and(|state| state != "dead"));
        struck.refused.extend(dead.iter().filter_map(|server| cluster.kill_server(server).err()));
        struck.at = cluster.kill_servers(&alive)?;
        struck.servers = alive;
        return Ok(struck);
    }
    for server in servers {
        let hit = match kind {
            FaultKind::Terminate => cluster.terminate_server(server),
            FaultKind::LameDuck => cluster.lame_duck_server(server),
            _ => cluster.pause_server(server),
        };
        match hit {
            Ok(at) => {
                struck.at = at;
                struck.servers.push(server.clone());
            }
            Err(error @ FaultError::State { .. }) => struck.refused.push(error),
            Err(error) => return Err(error),
        }
    }
    Ok(struck)
}

/// So many of the servers.
pub(crate) fn some(mut servers: Vec<String>, count: u16, random: &mut Lcg) -> Vec<String> {
    while servers.len() > count.into() {
        servers.remove(random.below(servers.len()));
    }
    servers
}

/// Those with the most clients of a population, or of all. Among equals, those with the most clients of all.
fn fullest(mut servers: Vec<String>, count: u16, counts: &Counts, population: Option<usize>) -> Vec<String> {
    servers.sort_by_key(|server| std::cmp::Reverse((counts.at(server, population), counts.at(server, None))));
    servers.truncate(count.into());
    servers
}

/// Servers that are replaced together.
pub(crate) fn batches(fault: &TimedFault, cluster: &SuperCluster) -> Vec<Vec<String>> {
    let topology = cluster.topology();
    let of =
        |region: &String| topology.servers_of(region).map(|server| server.to_string()).collect::<Vec<_>>();
    let regions: Vec<Vec<String>> = fault.targets.iter().map(of).collect();
    match fault.options.order.unwrap_or_default() {
        Order::Region => regions,
        Order::Server => regions.into_iter().flatten().map(|server| vec![server]).collect(),
        Order::OnePerRegion => {
            let most = regions.iter().map(Vec::len).max().unwrap_or(0);
            let row = |index: usize| regions.iter().filter_map(|it| it.get(index).cloned()).collect();
            (0..most).map(row).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_chooses_some_servers_of_each_region() {
        let of = |region: &str| (1..=3).map(|number| format!("{region}-{number}")).collect::<Vec<_>>();
        let choose = |seed| {
            let mut random = Lcg::new(seed);
            [some(of("lon"), 2, &mut random), some(of("ams"), 2, &mut random)]
        };
        assert!((0..50).all(|seed| choose(seed).iter().all(|servers| servers.len() == 2)));
        assert_eq!(choose(7), choose(7));
        let different: BTreeSet<_> = (0..50).map(choose).collect();
        assert!(different.len() > 3, "{different:?}");
    }

    #[test]
    fn the_fullest_server_is_that_of_the_population_which_is_asked_for() {
        let clients =
            |of: &[(&str, u32)]| of.iter().map(|(server, count)| ((*server).into(), *count)).collect();
        let (geo, stock) = (clients(&[("lon-1", 1), ("lon-3", 1)]), clients(&[("lon-2", 5), ("lon-3", 2)]));
        let counts = Counts { at_server: [(0, geo), (1, stock)].into(), ..Counts::default() };
        let of = |count, population| {
            let servers = (1..=3).map(|number| format!("lon-{number}")).collect();
            fullest(servers, count, &counts, population)
        };
        assert_eq!(of(1, None), ["lon-2"]);
        assert_eq!(
            of(3, Some(0)),
            ["lon-3", "lon-1", "lon-2"],
            "the client of lon-3 is not the only one there"
        );
        assert_eq!(of(2, Some(1)), ["lon-2", "lon-3"]);
        assert_eq!(of(1, Some(2)), ["lon-2"], "no client of that population is anywhere");
    }
}
