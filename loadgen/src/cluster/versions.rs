//! The version of nats-server that each server runs.

use std::collections::BTreeMap;

use super::{NatsServer, SuperCluster, Version};
use crate::topology::ServerName;

impl SuperCluster {
    /// The nats-server of all servers for which the topology names no other.
    pub fn nats_server(&self) -> &NatsServer {
        &self.nats_server
    }

    /// The nats-server that one server runs.
    pub fn nats_server_of(&self, server: &ServerName) -> &NatsServer {
        self.other_versions.get(server).unwrap_or(&self.nats_server)
    }

    /// The versions that run, the oldest first, each with the number of its servers.
    pub fn versions(&self) -> Vec<(Version, usize)> {
        let mut counts: BTreeMap<Version, usize> = BTreeMap::new();
        for server in self.topology.servers() {
            *counts.entry(self.nats_server_of(&server).version).or_default() += 1;
        }
        counts.into_iter().collect()
    }
}
