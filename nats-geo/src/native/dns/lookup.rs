//! One DNS lookup, and the servers in its answer.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use futures_util::future::{self, Either};
use hickory_resolver::TokioResolver;
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::{DnsError as Semantic, NetError};
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, RecordType};

use crate::native::observe::events::event;
use crate::native::{clock, tls};

/// What is asked.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) service: &'static str,
    pub(super) name: String,
    pub(super) port: u16,
}

/// The answer of a DNS lookup: the servers of a name.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DnsAnswer {
    /// The servers, sorted by priority, then by weight. The client tries them in this order before it has measured any
    /// server.
    pub servers: Vec<DnsServer>,
    /// Time until the first of the records expires.
    pub valid_for: Duration,
}

/// One server of a name.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct DnsServer {
    /// The target of the SRV record, or the address of an A or AAAA record.
    pub host: String,
    /// The port of the server.
    pub port: u16,
    /// The addresses of the server, alternately IPv6 and IPv4.
    pub addresses: Vec<IpAddr>,
    /// Priority of the SRV record: the client tries the servers with the lowest number first. `None` for A and AAAA
    /// records.
    pub priority: Option<u16>,
    /// Weight of the SRV record: the server's share of clients, relative to servers of the same priority.
    pub weight: u16,
}

/// Reason why a lookup found no servers.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum DnsError {
    /// The name does not exist (NXDOMAIN).
    #[error("there is no such name (NXDOMAIN): check its spelling, or ask another resolver")]
    NoSuchName,
    /// The name has no SRV, A or AAAA records.
    #[error("the name has no SRV record `{service}`, no A and no AAAA record")]
    NoServers {
        /// The name of the SRV record.
        service: String,
    },
    /// The SRV record has the target `.`, which means that the service is not offered (RFC 2782).
    #[error("the name offers no NATS service: the target of its SRV record is `.`; check the name")]
    NotOffered,
    /// No SRV target has an address.
    #[error("the targets of the SRV records have no A or AAAA record: {}", targets.join(", "))]
    Lame {
        /// The targets of the SRV records.
        targets: Vec<String>,
    },
    /// The resolver answered with an error, such as `Server Failure`.
    #[error(
        "the resolver answered `{0}`: the DNS servers of this name, or the resolver, fail; try another resolver"
    )]
    Failed(String),
    /// The resolver did not answer in time.
    #[error("the resolver did not answer in time")]
    TimedOut,
    /// The client cannot reach the resolver over the network.
    #[error("the resolver did not answer: {0}")]
    Unreachable(String),
    /// The TLS handshake with the resolver failed.
    #[error("the TLS handshake with the resolver failed: {0}")]
    Tls(String),
    /// The client could not set up the resolver.
    #[error("the resolver does not work: {0}")]
    Unusable(String),
}

/// For the question and those that follow from it: one after the other, each with a second try.
pub(super) const LIMIT: Duration = Duration::from_secs(6);

/// More servers than one name should have: the answer comes from the network.
pub(super) const SERVERS_MAX: usize = 64;

pub(super) async fn look_up(resolver: &TokioResolver, question: &Question) -> Result<DnsAnswer, DnsError> {
    let service = format!("{}.{}", question.service, question.name);
    let srv = resolver.lookup(service.as_str(), RecordType::SRV);
    let own = addresses(resolver, &question.name);
    // Both at once: most names have one kind only, and it is not known which.
    let (srv, own) = match future::select(std::pin::pin!(srv), std::pin::pin!(own)).await {
        Either::Left((srv, own)) if is_absent(&srv) => (srv, Some(own.await)),
        Either::Left((srv, _own)) => (srv, None),
        Either::Right((own, srv)) => (srv.await, Some(own)),
    };
    match srv {
        Ok(srv) => of_srv(resolver, &srv).await,
        Err(error) if error.is_no_records_found() => match own {
            Some(Ok(own)) => Ok(of_addresses(question, &own)),
            Some(Err(error)) if error.is_nx_domain() => Err(DnsError::NoSuchName),
            Some(Err(error)) if !error.is_no_records_found() => Err(failure(&error)),
            _ => Err(DnsError::NoServers { service }),
        },
        // The name may well have SRV records: its own addresses would be other servers.
        Err(error) => Err(failure(&error)),
    }
}

fn is_absent(srv: &Result<Lookup, NetError>) -> bool {
    srv.as_ref().is_err_and(NetError::is_no_records_found)
}

async fn of_srv(resolver: &TokioResolver, lookup: &Lookup) -> Result<DnsAnswer, DnsError> {
    let records = lookup.answers().iter().filter_map(|record| match &record.data {
        RData::SRV(srv) => Some(srv),
        _ => None,
    });
    let mut records: Vec<&SRV> = records.collect();
    records.sort_by_key(|srv| (srv.priority, std::cmp::Reverse(srv.weight)));
    if records.iter().all(|srv| srv.target.is_root()) {
        return Err(DnsError::NotOffered);
    }
    records.retain(|srv| !srv.target.is_root());
    records.truncate(SERVERS_MAX);
    let asked = records.iter().map(async |srv| (*srv, addresses(resolver, &srv.target.to_ascii()).await));
    let mut expiry = lookup.valid_until();
    let (mut servers, mut lame) = (Vec::new(), Vec::new());
    let mut last_failure = None;
    for (srv, addresses) in future::join_all(asked).await {
        let host = host_of(&srv.target);
        match addresses {
            Ok(Addresses { all, valid_until }) => {
                expiry = expiry.min(valid_until);
                let (priority, weight) = (Some(srv.priority), srv.weight);
                servers.push(DnsServer { host, port: srv.port, addresses: all, priority, weight });
            }
            Err(error) => {
                if !error.is_no_records_found() {
                    last_failure = Some(failure(&error));
                }
                event!(SRV_WITHOUT_ADDRESS, %host, %error, "the host of an SRV record has no address");
                lame.push(host);
            }
        }
    }
    match (servers.is_empty(), last_failure) {
        (false, _) => Ok(DnsAnswer { servers, valid_for: until(expiry) }),
        (true, Some(failure)) => Err(failure),
        (true, None) => Err(DnsError::Lame { targets: lame }),
    }
}

/// As certificates have it: in ASCII, whatever the letters are meant to look like. In small letters, because resolvers
/// may spell one name in another way each time, and it is one server all the same.
fn host_of(target: &Name) -> String {
    target.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}

fn of_addresses(question: &Question, addresses: &Addresses) -> DnsAnswer {
    let servers = addresses.all.iter().take(SERVERS_MAX).map(|address| DnsServer {
        host: address.to_string(),
        port: question.port,
        addresses: vec![*address],
        priority: None,
        weight: 0,
    });
    DnsAnswer { servers: servers.collect(), valid_for: until(addresses.valid_until) }
}

/// Addresses of one host.
struct Addresses {
    all: Vec<IpAddr>,
    valid_until: Instant,
}

async fn addresses(resolver: &TokioResolver, host: &str) -> Result<Addresses, NetError> {
    let lookup = resolver.lookup_ip(host).await?;
    let unique: BTreeSet<IpAddr> = lookup.iter().collect();
    let (v6, v4): (Vec<_>, Vec<_>) = unique.into_iter().partition(IpAddr::is_ipv6);
    Ok(Addresses { all: in_turns(v6, v4), valid_until: lookup.valid_until() })
}

/// RFC 8305, section 4: the families alternate, so that one that is broken costs one attempt.
fn in_turns(first: Vec<IpAddr>, second: Vec<IpAddr>) -> Vec<IpAddr> {
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    let pairs = std::iter::from_fn(|| {
        let pair = [first.next(), second.next()];
        pair.iter().any(Option::is_some).then_some(pair)
    });
    pairs.flatten().flatten().collect()
}

fn until(expiry: Instant) -> Duration {
    expiry.saturating_duration_since(clock::now())
}

fn failure(error: &NetError) -> DnsError {
    let io = if let NetError::Io(io) = error { Some(&**io) } else { None };
    if let Some(error) = io.and_then(|io| tls::find_error(io)).or_else(|| tls::find_error(error)) {
        return DnsError::Tls(error.to_string());
    }
    match error {
        NetError::Timeout => DnsError::TimedOut,
        NetError::Dns(Semantic::ResponseCode(code)) => DnsError::Failed(code.to_string()),
        NetError::Io(_) | NetError::NoConnections => DnsError::Unreachable(error.to_string()),
        _ if error.is_nx_domain() => DnsError::NoSuchName,
        _ => DnsError::Failed(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_named_as_in_certificates() {
        for (target, host) in
            [("Lon-1.nAtS.test.", "lon-1.nats.test"), ("xn--mnchen-3ya.test.", "xn--mnchen-3ya.test")]
        {
            assert_eq!(host_of(&Name::from_ascii(target).unwrap()), host);
        }
    }

    #[test]
    fn families_take_turns() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        let v6 = vec![ip("::1"), ip("::2"), ip("::3")];
        let expected = [ip("::1"), ip("1.1.1.1"), ip("::2"), ip("::3")];
        assert_eq!(in_turns(v6, vec![ip("1.1.1.1")]), expected);
    }
}
