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
    /// Revokes the credentials of users, beside those that are revoked already. Servers close the connections of these users, and
    /// refuse new ones with an authorization error.
    ///
    /// # Errors
    /// [`FaultError::Reload`]: a server refuses its configuration. All servers have the old one then.
    pub async fn revoke_users(&mut self, users: &[String]) -> Result<Instant, FaultError> {
        let mut revoked = self.revoked_users();
        revoked.extend(users.iter().cloned());
        self.change(self.topology.clone().with_revoked(&revoked), self.config_changes.clone()).await
    }

    /// Ends [`SuperCluster::revoke_users`] for these users.
    ///
    /// # Errors
    /// As [`SuperCluster::revoke_users`].
    pub async fn restore_users(&mut self, users: &[String]) -> Result<Instant, FaultError> {
        let mut revoked = self.revoked_users();
        revoked.retain(|user| !users.contains(user));
        self.change(self.topology.clone().with_revoked(&revoked), self.config_changes.clone()).await
    }

    /// Limits the connections that each of these servers accepts from clients, those of loadgen itself included. A server closes the
    /// connections above the limit. `None` ends the limit.
    ///
    /// # Errors
    /// There is no such server, or [`FaultError::Reload`]: one refuses its configuration. All servers have the old one then.
    pub async fn limit_connections(
        &mut self,
        servers: &[String],
        most: Option<u32>,
    ) -> Result<Instant, FaultError> {
        let mut changes = self.config_changes.clone();
        for name in self.find_all(servers)? {
            changes.entry(name).or_default().max_connections = most;
        }
        self.change(self.topology.clone(), changes).await
    }

    /// Gives these servers a certificate that has expired, or with `false` the valid one. Open connections continue; new handshakes
    /// of clients and leaf nodes fail. Without TLS in the topology, nothing changes.
    ///
    /// # Errors
    /// As [`SuperCluster::limit_connections`].
    pub async fn expire_certificates(
        &mut self,
        servers: &[String],
        expired: bool,
    ) -> Result<Instant, FaultError> {
        let mut changes = self.config_changes.clone();
        for name in self.find_all(servers)? {
            changes.entry(name).or_default().expired_certificate = expired;
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
