//! This module finds servers by a DNS name.
//!
//! `lookup` reads SRV, A and AAAA records, and `watch` repeats the lookup when records expire. `resolver` has the
//! settings of resolver and transport. This module must not use links or the selector: it only reports new and removed
//! servers.

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use super::found::{Found, Origin};
use super::prober;
use super::servers::{Address, ServerUrl};
use super::target::is_number;
use super::tls::Sessions;
use super::{Auth, ServerUrlError};
use crate::core::{ProbeError, ProbeReport};

mod lookup;
pub use lookup::{DnsAnswer, DnsError, DnsServer};

mod resolver;
pub use resolver::{Resolver, ResolverError, Transport};

mod watch;
pub(crate) use watch::watch;

/// A DNS name that stands for several servers. Each SRV record (`_nats._tcp`, with WebSocket `_nats-ws._tcp`) names one
/// server. Without SRV records, each A and AAAA record of the name is one server.
///
/// The client repeats the lookup when the records expire, after a small random delay. If a server is missing from the
/// answers for the time [`grace`](Self::grace), the client stops using this server, unless its live link leads there.
/// While lookups fail, the client keeps the last answer and sends a notice. The client chooses between servers by
/// measured distance. The weight of an SRV record is the server's share of clients among equally near servers. The
/// priority decides only which servers the client measures first. The client learns the regions from the servers.
///
/// ```no_run
/// use nats_geo::dns::{Dns, Resolver, Transport};
/// use nats_geo::GeoOptions;
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let dns = Dns::new("tls://nats.example.net")?.resolver(Resolver::cloudflare().over(Transport::Https));
/// let client = GeoOptions::new().dns(dns).connect("").await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
#[must_use = "a name does nothing until it is given to `GeoOptions::dns`"]
pub struct Dns {
    url: ServerUrl,
    resolver: Resolver,
    grace: Duration,
    trusts_targets: bool,
}

impl Dns {
    /// Creates a DNS name from the syntax of a server: `[region=][scheme://][user:password@|token@]name[:port]`. The
    /// client uses this port with A and AAAA records; SRV records contain their own port.
    ///
    /// # Errors
    /// The text does not have this syntax.
    pub fn new(name: &str) -> Result<Self, ServerUrlError> {
        Ok(Self { url: name.parse()?, resolver: Resolver::system(), grace: GRACE, trusts_targets: false })
    }

    /// Sets the resolver. Default: the resolver of the operating system.
    pub fn resolver(mut self, resolver: Resolver) -> Self {
        self.resolver = resolver;
        self
    }

    /// Sets how long the client still uses a server that is missing from the answer. Default 60 s: DNS records often
    /// change in several steps, and caches give different answers in the meantime.
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = grace;
        self
    }

    /// Accepts certificates for any host that an SRV record names. Default: a certificate must be for the name itself,
    /// or for a host below the name. With this option, an attacker who can forge DNS answers can redirect the client to
    /// another host. So use this option only with a trusted resolver: your own resolver, or a resolver over TLS or
    /// HTTPS that validates DNSSEC.
    pub fn trust_targets(mut self) -> Self {
        self.trusts_targets = true;
        self
    }

    /// Makes one lookup.
    ///
    /// # Errors
    /// The name has no servers, or the resolver failed.
    pub async fn look_up(&self) -> Result<DnsAnswer, DnsError> {
        let question = self.question();
        let asking = async { lookup::look_up(&self.resolver.connect().await?, &question).await };
        match tokio::time::timeout(lookup::LIMIT, asking).await.unwrap_or(Err(DnsError::TimedOut)) {
            Ok(answer) => Ok(answer),
            Err(error) => Err(self.resolver.explained(error).await),
        }
    }

    /// Dials a server of the answer once, and returns the server's identity and distance. The operating system must trust
    /// the authority of the server's certificate.
    ///
    /// # Errors
    /// The server did not answer in time, or refused the connection.
    pub async fn probe(&self, server: &DnsServer, limit: Duration) -> Result<ProbeReport, ProbeError> {
        let target = self.origin().target(self.found(server.clone()), Auth::None);
        prober::probe(&target, &Sessions::new(None), limit, &AtomicU64::new(0))
            .await
            .map(|answer| answer.report)
    }

    pub(crate) const fn has_tls(&self) -> bool {
        self.url.scheme.has_tls()
    }

    pub(crate) fn origin(&self) -> Origin {
        let ServerUrl { address, scheme, region, auth } = self.url.clone();
        Origin { name: address.host, scheme, region, auth }
    }

    fn question(&self) -> lookup::Question {
        let Address { host, port, .. } = self.url.address.clone();
        let service = if self.url.scheme.is_websocket() { "_nats-ws._tcp" } else { "_nats._tcp" };
        lookup::Question { service, name: host, port }
    }

    fn found(&self, server: DnsServer) -> Found {
        // Of names, case makes no difference, and no certificate has the dot behind one that is complete.
        let name = self.url.address.host.trim_end_matches('.');
        let is_own = is_at_or_below(&server.host, name);
        let is_believed = is_own || (self.trusts_targets && !is_number(&server.host));
        let held_to = (!is_believed).then(|| name.to_owned());
        Found {
            address: Address { host: server.host, port: server.port, path: self.url.address.path.clone() },
            held_to,
            resolved: server.addresses,
            weight: server.weight.into(),
        }
    }
}

fn is_at_or_below(host: &str, name: &str) -> bool {
    let (host, name) = (host.to_ascii_lowercase(), name.to_ascii_lowercase());
    host.strip_suffix(&name).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

const GRACE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forged_answer_cannot_choose_the_name_in_the_certificate() {
        let server = |host: &str| DnsServer {
            host: host.into(),
            port: 1,
            addresses: Vec::new(),
            priority: Some(0),
            weight: 0,
        };
        let dns = Dns::new("tls://nats.test").unwrap();
        let held_to = |dns: &Dns, host: &str| dns.found(server(host)).held_to;
        for (host, held) in [
            ("lon-1.nats.test", None),
            ("nats.test", None),
            ("evil.example", Some("nats.test".to_owned())),
            ("evilnats.test", Some("nats.test".to_owned())),
            ("10.0.0.1", Some("nats.test".to_owned())),
        ] {
            assert_eq!(held_to(&dns, host), held, "{host}");
        }
        let complete = Dns::new("tls://NATS.test.").unwrap();
        for (host, held) in
            [("Lon-1.Nats.Test", None), ("nats.test", None), ("evil.example", Some("NATS.test".to_owned()))]
        {
            assert_eq!(held_to(&complete, host), held, "{host}");
        }
        let trusting = dns.trust_targets();
        assert_eq!(held_to(&trusting, "lon-1.example"), None);
        assert_eq!(held_to(&trusting, "10.0.0.1"), Some("nats.test".to_owned()));
    }
}
