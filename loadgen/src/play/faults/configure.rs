//! Faults that servers take with their configuration. Several of one kind may overlap: each server keeps the strictest one, and
//! returns to its own configuration after the last one.

use std::collections::BTreeSet;
use std::time::Instant;

use super::inject::Injector;
use super::strike::Active;
use crate::clock;
use crate::cluster::SuperCluster;
use crate::cluster::faults::FaultError;
use crate::play::agent::orders::Counts;
use crate::play::users::user_of;
use crate::scenario::FaultKind;

impl Injector<'_> {
    /// Injects a fault of this kind.
    pub(super) async fn configure(
        &mut self,
        number: usize,
        cluster: &mut SuperCluster,
        counts: &Counts,
    ) -> Result<(), FaultError> {
        let fault = &self.scenario.faults[number];
        let active = match fault.kind {
            FaultKind::Revoke => {
                Active::Users(fault.targets.iter().map(|population| user_of(population)).collect())
            }
            FaultKind::ConnectionLimit => Active::Limit {
                servers: self.chosen(number, cluster, counts),
                most: fault.options.connections,
            },
            _ => Active::Certificates(self.chosen(number, cluster, counts)),
        };
        self.active.insert(number, active.clone());
        match self.reconfigure(&active, cluster).await {
            // The servers stay healthy, and only they know whose connections they close.
            Ok(at) => self.record(number, at, BTreeSet::new()),
            Err(error) => {
                self.active.remove(&number);
                if !matches!(error, FaultError::Reload(_)) {
                    return Err(error);
                }
                self.not_injected(fault, &error);
            }
        }
        Ok(())
    }

    /// Gives the users and servers of a fault, which has begun or ended, what the active faults demand of them.
    pub(super) async fn reconfigure(
        &self,
        changed: &Active,
        cluster: &mut SuperCluster,
    ) -> Result<Instant, FaultError> {
        match changed {
            Active::Limit { servers, .. } => {
                cluster.limit_connections(&each(servers, |server| self.lowest_limit(server))).await
            }
            Active::Users(users) => {
                let is_revoked = |user: &String| {
                    self.is_any_active(|active| matches!(active, Active::Users(all) if all.contains(user)))
                };
                cluster.set_revoked(&each(users, is_revoked)).await
            }
            Active::Certificates(servers) => {
                let is_expired = |server: &String| {
                    self.is_any_active(
                        |active| matches!(active, Active::Certificates(all) if all.contains(server)),
                    )
                };
                cluster.set_expired_certificates(&each(servers, is_expired)).await
            }
            _ => Ok(clock::now()),
        }
    }

    fn lowest_limit(&self, server: &String) -> Option<u32> {
        let limits = self.active.values().filter_map(|active| match active {
            Active::Limit { servers, most } if servers.contains(server) => *most,
            _ => None,
        });
        limits.min()
    }

    fn is_any_active(&self, wanted: impl Fn(&Active) -> bool) -> bool {
        self.active.values().any(wanted)
    }
}

fn each<T>(names: &[String], value: impl Fn(&String) -> T) -> Vec<(String, T)> {
    names.iter().map(|name| (name.clone(), value(name))).collect()
}
