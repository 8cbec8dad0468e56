//! Tests of a client with a DNS name, while the servers of this name change.

use std::time::Duration;

use futures_util::StreamExt as _;
use hickory_server::proto::op::ResponseCode;
use nats_geo::core::{Config, NoticeKind};
use nats_geo::dns::{Dns as Discovery, Transport};
use nats_geo::{ConnectError, GeoClient, GeoOptions, Tls};

use crate::dns_server::Dns;
use crate::support::{Server, stopwatch, super_cluster, wait_for, within};

const SERVICE: &str = "_nats._tcp.nats.test";

/// One SRV record per server, each of which has its own name.
fn publish(dns: &Dns, servers: &[&Server]) {
    dns.change(|zone| {
        zone.ttl = 1;
        let named: Vec<_> =
            servers.iter().map(|server| (server.port, format!("s{}.test.", server.port))).collect();
        let records: Vec<_> = named.iter().map(|(port, target)| (0, 0, *port, target.as_str())).collect();
        zone.srv(SERVICE, &records);
        for (_, target) in &named {
            zone.addresses(target.trim_end_matches('.'), &["127.0.0.1"]);
        }
    });
}

fn options(dns: &Dns) -> GeoOptions {
    let name = Discovery::new("nats.test").unwrap().resolver(dns.resolver(Transport::Udp));
    GeoOptions::new().config(Config::interactive()).dns(name.grace(Duration::from_secs(2)))
}

async fn ranked(client: &GeoClient, servers: &[&Server]) {
    let mut expected: Vec<_> = servers.iter().map(|server| server.name().to_owned()).collect();
    expected.sort();
    wait_for("the servers of the name", async || {
        let mut names: Vec<_> =
            client.snapshot().ranking.into_iter().filter_map(|server| server.server).collect();
        names.sort();
        (names == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn servers_come_and_go_but_the_one_in_use_stays() {
    let servers = super_cluster(&["lon", "ams"], "").await;
    let dns = Dns::start().await;
    publish(&dns, &[&servers[0]]);
    let clock = stopwatch();
    let client = within("connecting", options(&dns).connect("")).await.unwrap();
    println!("connected by name after {:?}", clock());
    assert!(clock() < Duration::from_secs(1), "nothing waits for a second answer: {:?}", clock());
    assert_eq!(client.snapshot().active.unwrap().region.as_str(), "lon", "the region is the server's");

    publish(&dns, &[&servers[0], &servers[1]]);
    ranked(&client, &[&servers[0], &servers[1]]).await;
    // The one in use vanishes: it is still used, and so are others.
    publish(&dns, &[&servers[1]]);
    let before = dns.change(|zone| zone.asked.values().sum::<usize>());
    wait_for("several more answers, and the grace to end", async || {
        (dns.change(|zone| zone.asked.values().sum::<usize>()) > before + 20).then_some(())
    })
    .await;
    assert_eq!(client.snapshot().active.unwrap().region.as_str(), "lon");
    assert_eq!(client.stats().moves, 0);
    // One that is not in use is left out.
    publish(&dns, &[&servers[0]]);
    ranked(&client, &[&servers[0]]).await;
}

#[tokio::test]
async fn a_resolver_that_fails_is_told_once_and_its_last_answer_kept() {
    let mut servers = super_cluster(&["lon", "ams"], "").await;
    let dns = Dns::start().await;
    publish(&dns, &[&servers[0], &servers[1]]);
    let client = within("connecting", options(&dns).connect("")).await.unwrap();
    ranked(&client, &[&servers[0], &servers[1]]).await;

    let mut notices = client.notices();
    dns.change(|zone| zone.failure = Some(ResponseCode::ServFail));
    let failed = within("the notice", async {
        loop {
            if let NoticeKind::ResolverFailed { name, why, kept } =
                notices.next().await.unwrap().unwrap().kind
            {
                return (name, why, kept);
            }
        }
    })
    .await;
    assert_eq!((failed.0.as_str(), failed.2), ("nats.test", 2), "{failed:?}");
    assert!(failed.1.contains("Server Failure"), "{failed:?}");
    // With the resolver down, the client still finds its way.
    let home = crate::failover::home(&client, &servers);
    servers[home].kill();
    wait_for("the move", async || (client.stats().moves == 1).then_some(())).await;

    dns.change(|zone| zone.failure = None);
    within("the other notice", async {
        loop {
            match notices.next().await.unwrap().unwrap().kind {
                NoticeKind::ResolverRecovered { name } => return assert_eq!(name, "nats.test"),
                NoticeKind::ResolverFailed { .. } => panic!("told twice"),
                _ => {}
            }
        }
    })
    .await;
}

#[tokio::test]
async fn connecting_says_what_is_wrong_with_a_name() {
    let dns = Dns::start().await;
    let connecting = options(&dns).connect_timeout(Duration::from_secs(1)).connect("");
    let error = within("a verdict", connecting).await.unwrap_err();
    assert!(matches!(error, ConnectError::TimedOut { .. }), "{error}");
    assert!(error.to_string().contains("nats.test: there is no such name (NXDOMAIN)"), "{error}");
}

/// The operating system knows nothing of these names, so links dial by number and look for the name.
#[tokio::test]
async fn certificates_must_be_for_a_host_below_the_name_or_for_the_name_itself() {
    let made = ["lon.nats.test", "elsewhere.test"]
        .map(|name| rcgen::generate_simple_self_signed([name.to_owned()]).unwrap());
    let folder = tempfile::tempdir().unwrap();
    let mut servers = Vec::new();
    for (number, certificate) in made.iter().enumerate() {
        let [cert, key] = ["cert", "key"].map(|kind| folder.path().join(format!("{kind}-{number}")));
        std::fs::write(&cert, certificate.cert.pem()).unwrap();
        std::fs::write(&key, certificate.signing_key.serialize_pem()).unwrap();
        servers.push(Server::with(&format!("tls {{ cert_file: {cert:?}, key_file: {key:?} }}")).await);
    }
    let dns = Dns::start().await;
    for host in ["lon.nats.test", "elsewhere.test"] {
        dns.change(|zone| zone.addresses(host, &["127.0.0.1"]));
    }
    let tls = made.iter().fold(Tls::new(), |tls, certificate| tls.ca_pem(certificate.cert.pem()));
    let name = Discovery::new("tls://nats.test").unwrap().resolver(dns.resolver(Transport::Udp));
    let connect = async |name: &Discovery| {
        let options = GeoOptions::new().config(Config::interactive()).tls(tls.clone()).dns(name.clone());
        within("a verdict", options.connect_timeout(Duration::from_secs(1)).connect("")).await
    };

    dns.change(|zone| zone.srv(SERVICE, &[(0, 0, servers[0].port, "lon.nats.test.")]));
    assert!(connect(&name).await.is_ok());
    // Whoever forges an answer can have a certificate for a host of their own.
    dns.change(|zone| zone.srv(SERVICE, &[(0, 0, servers[1].port, "elsewhere.test.")]));
    let error = connect(&name).await.unwrap_err().to_string();
    assert!(error.contains("the certificate is not for `nats.test` but for elsewhere.test"), "{error}");
    assert!(connect(&name.trust_targets()).await.is_ok());
}
