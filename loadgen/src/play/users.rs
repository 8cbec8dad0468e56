//! Users of a play. A population that a fault revokes has its own user, so that all other clients keep their users.

use std::collections::{BTreeMap, BTreeSet};

use crate::cluster::SuperCluster;
use crate::scenario::{FaultKind, Scenario};
use crate::topology::Topology;
use crate::topology::credentials::{KeyError, Login};

/// The user of a population's clients.
pub(super) fn user_of(population: &str) -> String {
    format!("loadgen-{population}")
}

/// Adds a user for each population whose credentials a fault revokes.
pub(super) fn add(scenario: &Scenario, topology: Topology) -> Topology {
    revoked(scenario).into_iter().fold(topology, |topology, name| topology.with_user(&user_of(name)))
}

/// Returns the logins of these populations, by index.
pub(super) fn logins(
    scenario: &Scenario,
    cluster: &SuperCluster,
) -> Result<BTreeMap<usize, Login>, KeyError> {
    let (topology, revoked) = (cluster.topology(), revoked(scenario));
    let mut logins = BTreeMap::new();
    for (index, population) in scenario.populations.iter().enumerate() {
        let name = revoked.contains(population.name.as_str()).then(|| user_of(&population.name));
        if let Some((account, user)) = name.and_then(|name| topology.application_user(&name)) {
            logins.insert(index, cluster.credentials().login(topology, account, user)?);
        }
    }
    Ok(logins)
}

fn revoked(scenario: &Scenario) -> BTreeSet<&str> {
    let faults = scenario.faults.iter().filter(|fault| fault.kind == FaultKind::Revoke);
    faults.flat_map(|fault| &fault.targets).map(String::as_str).collect()
}
