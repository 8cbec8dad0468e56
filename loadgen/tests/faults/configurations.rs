//! Faults that servers take with their configuration.

use std::io;
use std::path::Path;
use std::sync::Arc;

use async_nats::ConnectOptions;
use loadgen::cluster::{StartOptions, SuperCluster};
use loadgen::topology::credentials::Login;
use loadgen::topology::spec::{AuthKind, ClusterSpec, Resolver, Spec, TlsSpec};
use loadgen::topology::{RttTable, Topology};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::raw::{RawClient, Seen, monitoring};
use super::{LIMIT, TURN, World, until};

const USER: &str = "carol";

#[tokio::test(flavor = "multi_thread")]
async fn faults_of_configurations_are_seen_from_outside_and_undone() {
    let mut world = World::of(Topology::new(["lon", "ams"], 2).unwrap().with_user(USER)).await;
    a_user_is_revoked(&mut world).await;
    connections_are_limited(&mut world).await;
}

async fn a_user_is_revoked(world: &mut World) {
    let revoke = |is_revoked| [(USER.to_owned(), is_revoked)];
    let addr = world.tcp("lon", "lon-1");
    let password = password(&world.cluster);
    let carol = || RawClient::connect_as(&addr, USER, &password);
    let (mut revoked, mut other) = (carol().await, world.connect("lon", "lon-1").await);
    assert!(revoked.pong().await && other.pong().await);

    world.cluster.set_revoked(&revoke(true)).await.unwrap();
    // nats-server sends no error to clients of a user that its configuration no longer has.
    assert_eq!(revoked.ends().await, Seen::End);
    is_error(&carol().await.hears("-ERR", LIMIT).await, "Authorization Violation");
    assert!(other.pong().await, "other users stay connected");
    world.cluster.kill_server("lon-1").unwrap();
    world.cluster.restart_server("lon-1").await.unwrap();
    is_error(&carol().await.hears("-ERR", LIMIT).await, "Authorization Violation");

    world.cluster.set_revoked(&revoke(false)).await.unwrap();
    assert!(carol().await.pong().await);
    world.assert_whole().await;
}

async fn connections_are_limited(world: &mut World) {
    let (addr, monitor) = (world.tcp("lon", "lon-1"), world.cluster.monitor("lon-1").unwrap().addr());
    let connections = async || monitoring(monitor, "/connz").await["num_connections"].as_u64().unwrap();
    until("earlier connections are gone", async || connections().await == 0).await;
    let mut clients = Vec::new();
    for _ in 0..3 {
        clients.push(world.connect("lon", "lon-1").await);
    }
    for client in &mut clients {
        assert!(client.pong().await);
    }

    world.cluster.limit_connections(&[("lon-1".to_owned(), Some(2))]).await.unwrap();
    until("the server closes one", async || connections().await == 2).await;
    assert_eq!(monitoring(monitor, "/varz").await["max_connections"], 2);
    let mut alive = 0;
    for client in &mut clients {
        alive += usize::from(client.pong().await);
    }
    assert_eq!(alive, 2);
    let mut refused = RawClient::connect_as(&addr, USER, &password(&world.cluster)).await;
    is_error(&refused.hears("-ERR", LIMIT).await, "maximum connections exceeded");
    assert!(RawClient::works(&world.tcp("lon", "lon-2")).await, "the other server has no limit");

    world.cluster.limit_connections(&[("lon-1".to_owned(), None)]).await.unwrap();
    assert!(RawClient::works(&addr).await);
    assert!(world.cluster.limit_connections(&[("lon-9".to_owned(), None)]).await.is_err());
}

/// Passwords are in the test above.
#[tokio::test(flavor = "multi_thread")]
async fn nkeys_and_jwts_are_revoked() {
    let _turn = TURN.lock().await;
    for (kind, resolver) in [
        (AuthKind::Nkey, Resolver::Memory),
        (AuthKind::Operator, Resolver::Memory),
        (AuthKind::Operator, Resolver::Full),
    ] {
        let cluster = ClusterSpec { name: "lon".to_owned(), servers: Some(1), ..ClusterSpec::default() };
        let mut spec = Spec { clusters: vec![cluster], ..Spec::default() };
        (spec.auth.kind, spec.auth.resolver) = (kind, resolver);
        spec.jetstream.enabled = false;
        let topology = Topology::from_spec(spec, RttTable::default()).unwrap().with_user(USER);
        let mut cluster = SuperCluster::start(StartOptions::new(topology)).await.unwrap();
        let monitor = cluster.monitor("lon-1").unwrap().addr();
        let is_there = async || {
            let connz = monitoring(monitor, "/connz").await;
            connz["connections"].as_array().unwrap().iter().any(|connection| connection["name"] == USER)
        };
        let client = connect(&cluster).await.unwrap();
        assert!(is_there().await);
        cluster.set_revoked(&[(USER.to_owned(), true)]).await.unwrap();
        until("the server closes the connection", async || !is_there().await).await;
        assert!(connect(&cluster).await.is_err(), "{kind:?} {resolver:?}");
        cluster.set_revoked(&[(USER.to_owned(), false)]).await.unwrap();
        connect(&cluster).await.unwrap();
        drop(client);
        faults_of_connections_need_none_of_loadgen(&mut cluster).await;
        if kind == AuthKind::Operator {
            cluster.pause_server("lon-1").unwrap();
            let error = cluster.set_revoked(&[(USER.to_owned(), true)]).await.unwrap_err().to_string();
            assert!(error.contains("continue lon-1 first"), "{error}");
            cluster.resume_server("lon-1").await.unwrap();
            connect(&cluster).await.unwrap();
        }
        cluster.shutdown().await;
    }
}

/// In operator mode loadgen sends JWTs over a connection of its own, which this limit refuses.
async fn faults_of_connections_need_none_of_loadgen(cluster: &mut SuperCluster) {
    let limit = |most| [("lon-1".to_owned(), most)];
    cluster.limit_connections(&limit(Some(1))).await.unwrap();
    let client = connect(cluster).await.unwrap();
    assert!(connect(cluster).await.is_err(), "the limit holds");
    cluster.limit_connections(&limit(None)).await.unwrap();
    drop(client);
}

fn login(cluster: &SuperCluster) -> Login {
    let (account, user) = cluster.topology().application_user(USER).unwrap();
    cluster.credentials().login(cluster.topology(), account, user).unwrap()
}

fn password(cluster: &SuperCluster) -> String {
    match login(cluster) {
        Login::Password { password, .. } => password.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

async fn connect(cluster: &SuperCluster) -> Result<async_nats::Client, async_nats::ConnectError> {
    let options = match login(cluster) {
        Login::Nkey(seed) => ConnectOptions::with_nkey(seed.expose().to_owned()),
        Login::Creds(text) => ConnectOptions::with_credentials(text.expose()).unwrap(),
        other => panic!("{other:?}"),
    };
    let url = cluster.endpoints("lon").unwrap().remove(0).tcp_url;
    options.name(USER).connect(url).await
}

fn is_error(seen: &Seen, what: &str) {
    assert!(matches!(seen, Seen::Line(line) if line.contains(what)), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_expires_and_is_renewed() {
    let cluster =
        |name: &str| ClusterSpec { name: name.to_owned(), servers: Some(1), ..ClusterSpec::default() };
    let tls = Some(TlsSpec { handshake_first: true, ..TlsSpec::default() });
    let spec = Spec { clusters: ["lon", "ams"].map(cluster).into(), tls, ..Spec::default() };
    let mut world = World::of(Topology::from_spec(spec, RttTable::default()).unwrap()).await;
    let (lon, ams) = (world.tcp("lon", "lon-1"), world.tcp("lon", "ams-1"));
    let ca = world.cluster.tls().unwrap().ca.clone();
    let mut open = handshake(&lon, &ca).await.unwrap();
    assert!(pong(&mut open).await);

    let lon_1 = |is_expired| [("lon-1".to_owned(), is_expired)];
    world.cluster.set_expired_certificates(&lon_1(true)).await.unwrap();
    assert!(pong(&mut open).await, "open connections continue");
    for after_a_restart in [false, true] {
        if after_a_restart {
            world.cluster.kill_server("lon-1").unwrap();
            world.cluster.restart_server("lon-1").await.unwrap();
        }
        let error = handshake(&lon, &ca).await.unwrap_err().to_string();
        assert!(error.to_lowercase().contains("expired"), "{error}");
        assert!(handshake(&ams, &ca).await.is_ok(), "another region has a valid certificate");
    }

    world.cluster.set_expired_certificates(&lon_1(false)).await.unwrap();
    assert!(pong(&mut handshake(&lon, &ca).await.unwrap()).await);
}

/// A TLS handshake that trusts the authority of the run.
async fn handshake(addr: &str, ca: &Path) -> io::Result<BufReader<TlsStream<TcpStream>>> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(ca).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let stream = TcpStream::connect(addr).await?;
    let name = "localhost".try_into().unwrap();
    Ok(BufReader::new(TlsConnector::from(Arc::new(config)).connect(name, stream).await?))
}

/// Whether a connection answers a PING.
async fn pong(stream: &mut BufReader<TlsStream<TcpStream>>) -> bool {
    stream.write_all(b"CONNECT {\"verbose\":false}\r\nPING\r\n").await.unwrap();
    let mut line = String::new();
    while !line.starts_with("PONG") {
        line.clear();
        let read = timeout(LIMIT, stream.read_line(&mut line)).await.expect("no PONG");
        if read.unwrap() == 0 {
            return false;
        }
    }
    true
}
