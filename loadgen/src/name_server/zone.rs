//! The records of a super-cluster, as seen from one region.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use hickory_server::net::runtime::TokioRuntimeProvider;
use hickory_server::proto::rr::rdata::{A, AAAA, NS, SOA, SRV};
use hickory_server::proto::rr::{LowerName, Name, RData, Record};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};

use super::NameServerError;
use crate::cluster::{DNS_NAME, Endpoint};

/// Lifetime of every record, in seconds. It is short, so that each client asks during a fault of some seconds. At 1 s the queries of
/// many clients would load the processors.
pub const TTL: u32 = 5;

/// Hosts and the addresses of their servers.
pub(super) struct Zone {
    hosts: Vec<Host>,
}

#[derive(Clone)]
struct Host {
    name: Name,
    tcp: SocketAddr,
    websocket: SocketAddr,
}

impl Zone {
    /// Reads the endpoints of a region.
    ///
    /// # Errors
    /// DNS does not allow the name of a server.
    pub(super) fn of(endpoints: &[Endpoint]) -> Result<Self, NameServerError> {
        let host = |endpoint: &Endpoint| -> Result<Host, NameServerError> {
            Ok(Host {
                name: host_name(endpoint.server.as_str())?,
                tcp: address(&endpoint.tcp_url)?,
                websocket: address(&endpoint.websocket_url)?,
            })
        };
        Ok(Self { hosts: endpoints.iter().map(host).collect::<Result<_, NameServerError>>()? })
    }

    /// Returns the same hosts before they moved: all of them at `vacated`.
    pub(super) fn moved_from(&self, vacated: SocketAddr) -> Self {
        let before = |host: &Host| Host { tcp: vacated, websocket: vacated, ..host.clone() };
        Self { hosts: self.hosts.iter().map(before).collect() }
    }

    /// Returns the handler of hickory-server that answers with these records.
    ///
    /// # Errors
    /// DNS does not allow a name.
    pub(super) fn catalog(&self) -> Result<Catalog, NameServerError> {
        let origin = name(DNS_NAME)?;
        let mut zone = InMemoryZoneHandler::<TokioRuntimeProvider>::empty(
            origin.clone(),
            ZoneType::Primary,
            AxfrPolicy::Deny,
        );
        for (owner, data) in self.records(&origin)? {
            zone.upsert_mut(Record::from_rdata(owner, TTL, data), SERIAL);
        }
        let mut catalog = Catalog::new();
        catalog.upsert(LowerName::new(&origin), vec![Arc::new(zone)]);
        Ok(catalog)
    }

    fn records(&self, origin: &Name) -> Result<Vec<(Name, RData)>, NameServerError> {
        let (primary, contact) = (name(&format!("ns.{DNS_NAME}"))?, name(&format!("hostmaster.{DNS_NAME}"))?);
        let soa = SOA::new(primary.clone(), contact, SERIAL, REFRESH, REFRESH, EXPIRE, TTL);
        let mut records = vec![(origin.clone(), RData::SOA(soa)), (origin.clone(), RData::NS(NS(primary)))];
        let [tcp, websocket] = ["_nats._tcp", "_nats-ws._tcp"].map(|service| format!("{service}.{DNS_NAME}"));
        let (tcp, websocket) = (name(&tcp)?, name(&websocket)?);
        for host in &self.hosts {
            let srv = |port| RData::SRV(SRV::new(0, WEIGHT, port, host.name.clone()));
            records.push((tcp.clone(), srv(host.tcp.port())));
            records.push((websocket.clone(), srv(host.websocket.port())));
            records.push((
                host.name.clone(),
                match host.tcp.ip() {
                    IpAddr::V4(ip) => RData::A(A(ip)),
                    IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
                },
            ));
        }
        Ok(records)
    }
}

/// All servers have the same share of the clients.
const WEIGHT: u16 = 1;

/// No secondary server compares it.
const SERIAL: u32 = 1;

/// Seconds; for secondary servers, of which there are none.
const REFRESH: i32 = 3_600;
const EXPIRE: i32 = 86_400;

fn host_name(server: &str) -> Result<Name, NameServerError> {
    let wrong = |reason: String| NameServerError::Host { server: server.to_owned(), reason };
    if !server.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '-') {
        return Err(wrong("it has other characters".to_owned()));
    }
    Name::from_ascii(format!("{server}.{DNS_NAME}.")).map_err(|error| wrong(error.to_string()))
}

fn name(text: &str) -> Result<Name, NameServerError> {
    let wrong = |error| NameServerError::Host { server: text.to_owned(), reason: format!("{error}") };
    Name::from_ascii(format!("{text}.")).map_err(wrong)
}

fn address(url: &str) -> Result<SocketAddr, NameServerError> {
    let address = url.rsplit('/').next().unwrap_or_default();
    address.parse().map_err(|_| NameServerError::Address(url.to_owned()))
}
