//! Tests of DNS lookups over every transport, with every kind of answer.

use std::time::Duration;

use hickory_server::proto::op::ResponseCode;
use nats_geo::dns::{Dns as Discovery, DnsError, Resolver, Transport};

use crate::dns_server::Dns;
use crate::support::{PATIENCE, stopwatch, within};

const SERVICE: &str = "_nats._tcp.nats.test";
const TRANSPORTS: [Transport; 4] = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Https];

fn name(url: &str, resolver: Resolver) -> Discovery {
    Discovery::new(url).unwrap().resolver(resolver)
}

async fn ask(dns: &Dns, transport: Transport) -> Result<Vec<String>, DnsError> {
    let name = name("nats://nats.test", dns.resolver(transport));
    let answer = within("an answer", name.look_up()).await?;
    Ok(answer
        .servers
        .into_iter()
        .map(|server| format!("{}:{} {:?}", server.host, server.port, server.addresses))
        .collect())
}

#[tokio::test]
async fn srv_records_name_servers_over_every_transport() {
    let dns = Dns::start().await;
    dns.change(|zone| {
        zone.srv(SERVICE, &[(20, 9, 4003, "c.test."), (10, 1, 4001, "a.test."), (10, 5, 4002, "b.test.")]);
        zone.addresses("a.test", &["127.0.0.1", "127.0.0.2", "::1"]);
        zone.addresses("b.test", &["127.0.0.3"]);
        zone.addresses("c.test", &["127.0.0.4"]);
    });
    let expected =
        ["b.test:4002 [127.0.0.3]", "a.test:4001 [::1, 127.0.0.1, 127.0.0.2]", "c.test:4003 [127.0.0.4]"];
    for transport in TRANSPORTS {
        assert_eq!(ask(&dns, transport).await.unwrap(), expected, "{transport:?}");
    }
    let asked = dns.change(|zone| zone.asked.clone());
    assert_eq!(asked.len(), TRANSPORTS.len(), "{asked:?}");
    let valid_for = name("nats.test", dns.resolver(Transport::Udp)).look_up().await.unwrap().valid_for;
    assert!((55..=60).contains(&valid_for.as_secs()), "{valid_for:?}");
}

#[tokio::test]
async fn without_srv_records_every_address_is_a_server() {
    let dns = Dns::start().await;
    dns.change(|zone| {
        zone.addresses("nats.test", &["127.0.0.1", "::1"]);
        zone.srv("_nats-ws._tcp.nats.test", &[(0, 0, 443, "ws.test.")]);
        zone.addresses("ws.test", &["127.0.0.9"]);
    });
    assert_eq!(ask(&dns, Transport::Udp).await.unwrap(), ["::1:4222 [::1]", "127.0.0.1:4222 [127.0.0.1]"]);
    let resolver = dns.resolver(Transport::Udp);
    let with_port = name("tls://nats.test:4333", resolver.clone()).look_up().await.unwrap();
    assert!(with_port.servers.iter().all(|server| server.port == 4333 && server.priority.is_none()));
    let websocket = name("wss://nats.test", resolver).look_up().await.unwrap();
    assert_eq!(websocket.servers[0].host, "ws.test");
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_asked_for_again_over_tcp() {
    let dns = Dns::start().await;
    let targets: Vec<_> = (1..=60).map(|number| format!("server-{number}-with-a-long-name.test.")).collect();
    dns.change(|zone| {
        let records: Vec<_> = targets.iter().map(|target| (0, 0, 4222, target.as_str())).collect();
        zone.srv(SERVICE, &records);
        for target in &targets {
            zone.addresses(target.trim_end_matches('.'), &["127.0.0.1"]);
        }
    });
    assert_eq!(ask(&dns, Transport::Udp).await.unwrap().len(), targets.len());
    let asked = dns.change(|zone| zone.asked.clone());
    assert_eq!(asked.len(), 2, "UDP, and TCP for what did not fit: {asked:?}");
}

#[tokio::test]
async fn every_failure_has_its_error() {
    let dns = Dns::start().await;
    let ask = || ask(&dns, Transport::Udp);
    assert_eq!(ask().await, Err(DnsError::NoSuchName));
    dns.change(|zone| zone.addresses("nats.test", &[]));
    assert_eq!(ask().await, Err(DnsError::NoServers { service: SERVICE.into() }));
    dns.change(|zone| zone.srv(SERVICE, &[(0, 0, 0, ".")]));
    assert_eq!(ask().await, Err(DnsError::NotOffered));
    dns.change(|zone| zone.srv(SERVICE, &[(0, 0, 1, "lame.test."), (0, 0, 2, "a.test.")]));
    assert_eq!(ask().await, Err(DnsError::Lame { targets: vec!["lame.test".into(), "a.test".into()] }));
    dns.change(|zone| zone.addresses("a.test", &["127.0.0.1"]));
    assert_eq!(ask().await.unwrap(), ["a.test:2 [127.0.0.1]"], "one lame server is left out");
    dns.change(|zone| zone.failure = Some(ResponseCode::ServFail));
    assert!(matches!(ask().await, Err(DnsError::Failed(code)) if code.contains("Server Failure")));
    dns.change(|zone| zone.failure = Some(ResponseCode::Refused));
    assert!(matches!(ask().await, Err(DnsError::Failed(_))));
}

#[tokio::test]
async fn a_slow_resolver_is_given_up() {
    let dns = Dns::start().await;
    dns.change(|zone| {
        zone.addresses("nats.test", &["127.0.0.1"]);
        zone.delay = 2 * PATIENCE;
    });
    let clock = stopwatch();
    assert_eq!(ask(&dns, Transport::Udp).await, Err(DnsError::TimedOut));
    assert!(clock() < PATIENCE, "{:?}", clock());
    dns.change(|zone| zone.delay = Duration::from_millis(300));
    assert!(ask(&dns, Transport::Udp).await.is_ok());
}

#[tokio::test]
async fn an_encrypted_resolver_must_be_who_it_should_be() {
    let dns = Dns::start().await;
    dns.change(|zone| zone.addresses("nats.test", &["127.0.0.1"]));
    for transport in [Transport::Tls, Transport::Https] {
        let right = dns.resolver(transport);
        let wrong_name = right.clone().named("other.test");
        let stranger = Dns::start().await;
        let wrong_authority = right.clone().tls(nats_geo::Tls::new().ca_pem(stranger.authority.clone()));
        assert!(name("nats.test", right).look_up().await.is_ok(), "{transport:?}");
        for wrong in [wrong_name, wrong_authority] {
            let error = name("nats.test", wrong).look_up().await.unwrap_err();
            println!("{transport:?}: {error}");
            assert!(error.to_string().contains("certificate"), "{transport:?}: {error}");
        }
    }
}

#[tokio::test]
async fn nobody_at_home_is_said() {
    let dns = Dns::start().await;
    let resolver = dns.resolver(Transport::Tcp);
    dns.stop().await;
    let error = name("nats.test", resolver).look_up().await.unwrap_err();
    assert!(matches!(error, DnsError::Unreachable(_)), "{error}");
}
