//! The connections of the clients of a play: over the emulated distances of their region, with the policy of their
//! population.

use std::collections::BTreeMap;
use std::sync::Arc;

use nats_geo::dns::{Dns, Resolver};
use tokio::runtime::Handle;

use super::PlayError;
use super::routes::Routes;
use crate::clients::{self, Access, Browsers, Spec};
use crate::cluster::{DNS_NAME, Endpoint};
use crate::scenario::{ClientKind, ClientPlan, Transport};

/// Makes the options of every client.
#[derive(Debug)]
pub(crate) struct Dialer {
    plan: Arc<ClientPlan>,
    routes: Routes,
    hosts: Hosts,
    /// The name that stands for all servers, and the resolver that knows them, by population and region.
    names: BTreeMap<(usize, String), Dns>,
    seed: u64,
}

/// What the clients of this process run on.
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    /// Runtimes whose connections begin in a region; regions without one take any.
    pub(crate) runtimes: BTreeMap<String, Handle>,
    /// The browser for clients that run in one.
    pub(crate) browsers: Browsers,
}

impl Dialer {
    /// # Errors
    /// The servers' DNS name is none.
    pub(crate) fn new(
        plan: Arc<ClientPlan>,
        routes: Routes,
        hosts: Hosts,
        seed: u64,
    ) -> Result<Self, PlayError> {
        let mut names = BTreeMap::new();
        for (index, resolvers) in &routes.resolvers {
            let Some(population) = plan.populations.get(*index) else { continue };
            let scheme = scheme(population.transport, routes.tls.is_some());
            for (region, address) in resolvers {
                let name = Dns::new(&format!("{scheme}://{DNS_NAME}"))?.resolver(Resolver::at_port(*address));
                names.insert((*index, region.clone()), name);
            }
        }
        Ok(Self { plan, routes, hosts, names, seed })
    }

    /// The credentials and certificates of loadgen itself, and of clients without a user of their own.
    pub(crate) fn access(&self) -> Access {
        Access { login: self.routes.login.clone(), tls: self.routes.tls.clone() }
    }

    /// Returns the options of client `number` of a population in a region.
    pub(crate) fn spec(&self, population: usize, region: &str, number: u32) -> Spec {
        let region_seed = self.plan.regions.iter().position(|known| known == region).unwrap_or_default();
        let seed = self.seed ^ ((population as u64) << 48 | (region_seed as u64) << 32 | u64::from(number));
        let of = &self.plan.populations[population];
        let mut access = self.access();
        if let Some(login) = self.routes.logins.get(&population) {
            access.login = Some(login.clone());
        }
        Spec {
            population: match of.kind {
                ClientKind::NatsGeo => clients::Population::NatsGeo,
                ClientKind::Browser => clients::Population::Browser,
                ClientKind::AsyncNats => clients::Population::Stock,
            },
            region: region.to_owned(),
            number,
            urls: self.urls(region, of.transport),
            name: self.names.get(&(population, region.to_owned())).cloned(),
            runtime: self.hosts.runtimes.get(region).cloned(),
            policy: of.policy.clone(),
            seed,
            access,
            browsers: self.hosts.browsers.clone(),
        }
    }

    fn urls(&self, region: &str, transport: Transport) -> Vec<String> {
        let endpoints = self.routes.endpoints.get(region).into_iter().flatten();
        let scheme = scheme(transport, self.routes.tls.is_some());
        let url = |endpoint: &Endpoint| match transport {
            Transport::Tcp => endpoint.tcp_url.clone(),
            Transport::Ws => endpoint.websocket_url.replacen("ws", scheme, 1),
        };
        endpoints.map(url).collect()
    }
}

/// Over TCP, servers ask for TLS themselves.
const fn scheme(transport: Transport, has_tls: bool) -> &'static str {
    match (transport, has_tls) {
        (Transport::Tcp, _) => "nats",
        (Transport::Ws, true) => "wss",
        (Transport::Ws, false) => "ws",
    }
}
