//! The network of the clients in this process.

use super::{Endpoint, SuperCluster, UnknownNameError};
use crate::wan::Backend;

/// The DNS name that stands for all servers. Each server is a host below it, such as `lon-1.nats.loadgen.test`, and its certificate is
/// valid for these names. RFC 6761 reserves `test`, so no resolver outside of loadgen answers for it.
pub const DNS_NAME: &str = "nats.loadgen.test";

/// The network in which clients of one region are.
#[derive(Clone, Debug, Default)]
pub struct ClientNetwork {
    /// The servers as seen from there.
    pub endpoints: Vec<Endpoint>,
    /// Runs tasks whose connections begin there; `None`: any runtime does.
    pub runtime: Option<tokio::runtime::Handle>,
}

impl SuperCluster {
    /// Returns the network of clients in `region`.
    ///
    /// # Errors
    /// There is no such region.
    pub fn client_network(&self, region: &str) -> Result<ClientNetwork, UnknownNameError> {
        self.check_region(region)?;
        let endpoints = self.paths.of_clients_in(region).map(|(server, paths)| Endpoint {
            server: server.clone(),
            tcp_url: format!("nats://{}", paths.tcp.inner_addr()),
            websocket_url: format!("ws://{}", paths.websocket.inner_addr()),
        });
        let namespaces = self.paths.emulation().namespaces();
        Ok(ClientNetwork {
            endpoints: endpoints.collect(),
            runtime: namespaces.and_then(|namespaces| namespaces.client_runtime(region)),
        })
    }

    /// Returns the address of this machine at which clients find servers and resolvers.
    pub(crate) fn clients_at(&self) -> std::net::Ipv4Addr {
        self.paths.emulation().clients_at()
    }

    /// Returns the emulation of the WAN.
    pub fn wan(&self) -> Backend {
        self.paths.emulation().backend()
    }

    /// Returns the reason why the emulation is not `netns`, if [`WanChoice::Auto`](crate::wan::WanChoice::Auto) was chosen.
    pub fn wan_fallback(&self) -> Option<&str> {
        self.wan_fallback.as_deref()
    }
}
