//! The data with which clients reach the servers of a play: addresses from each region, resolvers, credentials.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;

use super::PlayError;
use crate::cluster::{ClientFiles, Endpoint, SuperCluster};
use crate::name_server::NameServers;
use crate::scenario::Scenario;
use crate::topology::credentials::Login;

/// Everything that clients need to connect. Its certificates are files of this machine, so they travel on their own.
#[derive(Clone, Debug, Deserialize, Serialize, schemars::JsonSchema)]
pub(crate) struct Routes {
    /// The servers as seen from each region.
    pub(crate) endpoints: BTreeMap<String, Vec<Endpoint>>,
    /// Resolvers of populations that have one, by index and region.
    pub(crate) resolvers: BTreeMap<usize, BTreeMap<String, SocketAddr>>,
    /// The credentials of clients without a user of their own.
    pub(crate) login: Option<Login>,
    /// Credentials of populations with a user of their own, by index.
    pub(crate) logins: BTreeMap<usize, Login>,
    #[serde(skip)]
    pub(crate) tls: Option<ClientFiles>,
}

impl Routes {
    /// Finds out the addresses of all servers from each region. Returns the runtimes whose connections begin there, too.
    ///
    /// # Errors
    /// A credential is none, or a resolver has no address.
    pub(crate) fn find(
        scenario: &Scenario,
        cluster: &SuperCluster,
        name_servers: &NameServers,
    ) -> Result<(Self, BTreeMap<String, Handle>), PlayError> {
        let (mut endpoints, mut runtimes) = (BTreeMap::new(), BTreeMap::new());
        for region in cluster.topology().regions() {
            let network = cluster.client_network(region)?;
            endpoints.insert(region.clone(), network.endpoints);
            runtimes.extend(network.runtime.map(|runtime| (region.clone(), runtime)));
        }
        let mut resolvers: BTreeMap<usize, BTreeMap<String, SocketAddr>> = BTreeMap::new();
        for (index, population) in scenario.populations.iter().enumerate() {
            let Some(resolver) = &population.resolver else { continue };
            for region in endpoints.keys() {
                let address = name_servers.address(resolver, region)?;
                resolvers.entry(index).or_default().insert(region.clone(), address);
            }
        }
        let routes = Self {
            endpoints,
            resolvers,
            login: Some(cluster.credentials().application_login(cluster.topology())?),
            logins: super::users::logins(scenario, cluster)?,
            tls: cluster.tls().map(|files| files.of_client()),
        };
        Ok((routes, runtimes))
    }
}
