//! Faults that change the configuration of servers by a reload (SIGHUP). No server restarts.
//!
//! Servers reload one after the other. Each operation returns the time before the first reload, so all effects on
//! clients come later. A server that is down gets the configuration at its next start.

use std::collections::BTreeSet;
use std::time::Instant;

use super::FaultError;
use crate::clock;
use crate::cluster::SuperCluster;
use crate::cluster::wiring::ConfigChanges;
use crate::topology::Topology;

impl SuperCluster {
    /// Revokes the credentials of users (`true`), or restores them. All other users stay as they are. Servers close the connections of a
    /// revoked user, and refuse new ones with an authorization error.
    ///
    /// # Errors
    /// [`FaultError::Reload`]: a server refuses its configuration. All servers have the old one then.
    pub async fn set_revoked(&mut self, users: &[(String, bool)]) -> Result<Instant, FaultError> {
        let mut all = self.revoked_users();
        for (user, is_revoked) in users {
            if *is_revoked {
                all.insert(user.clone());
            } else {
                all.remove(user);
            }
        }
        self.change(self.topology.clone().with_revoked(&all), self.config_changes.clone()).await
    }

    /// Limits the connections that each of these servers accepts from clients, those of loadgen itself included. A server closes the
    /// connections above its limit. `None` ends the limit of a server.
    ///
    /// # Errors
    /// There is no such server, or [`FaultError::Reload`]: one refuses its configuration. All servers have the old one then.
    pub async fn limit_connections(
        &mut self,
        limits: &[(String, Option<u32>)],
    ) -> Result<Instant, FaultError> {
        let mut changes = self.config_changes.clone();
        for (server, most) in limits {
            changes.entry(self.find(server)?).or_default().max_connections = *most;
        }
        self.change(self.topology.clone(), changes).await
    }

    /// Gives each of these servers a certificate that has expired (`true`), or the valid one. Open connections continue; new handshakes
    /// of clients and leaf nodes with an expired one fail. Without TLS in the topology, nothing changes.
    ///
    /// # Errors
    /// As [`SuperCluster::limit_connections`].
    pub async fn set_expired_certificates(
        &mut self,
        servers: &[(String, bool)],
    ) -> Result<Instant, FaultError> {
        let mut changes = self.config_changes.clone();
        for (server, is_expired) in servers {
            changes.entry(self.find(server)?).or_default().expired_certificate = *is_expired;
        }
        self.change(self.topology.clone(), changes).await
    }

    async fn change(&mut self, topology: Topology, changes: ConfigChanges) -> Result<Instant, FaultError> {
        let at = clock::now();
        self.reload_with(topology, changes).await?;
        Ok(at)
    }

    fn revoked_users(&self) -> BTreeSet<String> {
        let users = self.topology.spec().accounts.iter().flat_map(|account| &account.users);
        users.filter(|user| user.revoked).map(|user| user.name.clone()).collect()
    }
}
