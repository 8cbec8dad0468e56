//! Faults of emulated resolvers, seen by plain sockets.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use loadgen::clock;
use loadgen::name_server::{NameServerError, NameServers, ResolverFault, ResponseCode};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use super::dns_packet::{A, SRV, over_tcp, query, question};
use super::{SILENCE, World};

const SERVICE: &str = "_nats._tcp.nats.loadgen.test";
/// Codes of RFC 1035.
const NO_ERROR: u8 = 0;
const SERVFAIL: u8 = 2;
const NXDOMAIN: u8 = 3;
const REFUSED: u8 = 5;
const LATENCY: Duration = Duration::from_millis(300);

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_resolvers_are_seen_from_outside_and_undone() {
    let world = World::start(1).await;
    let names = ["google", "cloudflare"].map(str::to_owned);
    let resolvers = NameServers::start(&names, &world.cluster).await.unwrap();
    let at = |name: &str, region: &str| resolvers.address(name, region).unwrap();
    let google = at("google", "lon");
    let servers = ports(&world, "lon");
    assert_ne!(servers, ports(&world, "ams"), "each region has its own addresses");
    records_lead_to_the_servers(&world, google).await;
    let is_healthy = async || {
        for (name, region) in [("google", "lon"), ("google", "ams"), ("cloudflare", "lon")] {
            assert_eq!(query(at(name, region), SERVICE, SRV).await.srv_ports(), ports(&world, region));
        }
    };
    is_healthy().await;

    let break_google = |fault| resolvers.inject(1, &names[..1], fault).unwrap();
    for (code, seen) in [
        (ResponseCode::ServFail, SERVFAIL),
        (ResponseCode::NXDomain, NXDOMAIN),
        (ResponseCode::Refused, REFUSED),
    ] {
        break_google(ResolverFault::Fail(code));
        for region in ["lon", "ams"] {
            let answer = query(at("google", region), SERVICE, SRV).await;
            assert_eq!((answer.code, answer.records.len()), (seen, 0));
        }
        assert_eq!(query(at("cloudflare", "lon"), SERVICE, SRV).await.srv_ports(), servers);
        resolvers.mend(1);
        is_healthy().await;
    }

    break_google(ResolverFault::Slow(LATENCY));
    let asked = clock::now();
    assert_eq!(query(google, SERVICE, SRV).await.srv_ports(), servers);
    assert!(asked.elapsed() >= LATENCY, "{:?}", asked.elapsed());
    resolvers.mend(1);
    is_healthy().await;

    break_google(ResolverFault::Silent);
    assert!(is_silent(google).await);
    assert_eq!(query(at("cloudflare", "lon"), SERVICE, SRV).await.srv_ports(), servers);
    resolvers.mend(1);
    is_healthy().await;

    break_google(ResolverFault::Stale);
    let old = query(google, SERVICE, SRV).await;
    assert_eq!((old.code, old.records.len()), (NO_ERROR, servers.len()));
    let host = query(google, "lon-1.nats.loadgen.test", A).await.addresses();
    for port in old.srv_ports() {
        let error = TcpStream::connect((host[0].as_str(), port)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
    resolvers.mend(1);
    is_healthy().await;
    of_two_faults_the_newest_holds_and_unknown_names_are_refused(&world).await;
}

async fn of_two_faults_the_newest_holds_and_unknown_names_are_refused(world: &World) {
    let names = ["google".to_owned()];
    let resolvers = NameServers::start(&names, &world.cluster).await.unwrap();
    let google = resolvers.address("google", "lon").unwrap();
    let code = async || query(google, SERVICE, SRV).await.code;
    resolvers.inject(1, &names, ResolverFault::Fail(ResponseCode::Refused)).unwrap();
    resolvers.inject(2, &names, ResolverFault::Fail(ResponseCode::NXDomain)).unwrap();
    assert_eq!(code().await, NXDOMAIN);
    resolvers.mend(2);
    assert_eq!(code().await, REFUSED);
    resolvers.mend(1);
    assert_eq!(code().await, NO_ERROR);

    let unknown = ["google", "quad9"].map(str::to_owned);
    let error = resolvers.inject(3, &unknown, ResolverFault::Silent).unwrap_err();
    assert_eq!(error.to_string(), "there is no resolver `quad9`: choose one of google");
    assert_eq!(code().await, NO_ERROR, "no resolver has a part of the fault");
    let error = resolvers.address("google", "mars").unwrap_err();
    assert!(matches!(error, NameServerError::NotInRegion { .. }), "{error}");
    assert_eq!(query(google, "mars-1.nats.loadgen.test", A).await.code, NXDOMAIN);
    assert_eq!(query(google, "example.net", A).await.code, REFUSED, "it has no records of other zones");
    drop(resolvers);
    super::until("the sockets are closed", async || UdpSocket::bind(google).await.is_ok()).await;
}

async fn records_lead_to_the_servers(world: &World, resolver: SocketAddr) {
    for server in ["lon-1", "ams-1"] {
        let dialled: SocketAddr = world.tcp("lon", server).parse().unwrap();
        let answer = query(resolver, &format!("{server}.nats.loadgen.test"), A).await;
        assert_eq!(answer.addresses(), [dialled.ip().to_string()]);
    }
    let websocket = query(resolver, "_nats-ws._tcp.nats.loadgen.test", SRV).await;
    let url = world.endpoint("lon", "lon-1").websocket_url;
    let port: u16 = url.rsplit(':').next().unwrap().parse().unwrap();
    assert!(websocket.srv_ports().contains(&port), "{port}");
    assert_eq!(over_tcp(resolver, SERVICE, SRV).await.unwrap().srv_ports(), ports(world, "lon"));
}

/// The ports that clients in a region dial, in order.
fn ports(world: &World, region: &str) -> Vec<u16> {
    let port = |server: &str| world.tcp(region, server).parse::<SocketAddr>().unwrap().port();
    let mut ports = ["lon-1", "ams-1"].map(port).to_vec();
    ports.sort_unstable();
    ports
}

/// Neither UDP nor TCP brings an answer, and TCP stays open.
async fn is_silent(resolver: SocketAddr) -> bool {
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    udp.send_to(&question(SERVICE, SRV), resolver).await.unwrap();
    let mut answer = [0; 512];
    let udp = timeout(SILENCE, udp.recv(&mut answer)).await;
    let tcp = timeout(SILENCE, over_tcp(resolver, SERVICE, SRV)).await;
    udp.is_err() && tcp.is_err()
}
