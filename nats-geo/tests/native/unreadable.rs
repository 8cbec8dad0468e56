//! Tests of messages that async-nats cannot read.

use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::core::NoticeKind;
use nats_geo::jetstream::{OrderedOptions, consumer::pull, stream};
use nats_geo::{GeoClient, Notices, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::basics::{client, options};
use crate::failover::{home, urls};
use crate::support::{Relay, Server, super_cluster, wait_for, within};

/// Header blocks that no client of nats-geo would send, each with what can be read of it.
const BLOCKS: [(&[u8], Option<&str>); 5] = [
    (b"NATS/1.0\r\nMy Key: x\r\nFine: 1\r\n\r\n", Some("1")),
    (b"NATS/1.0\r\nno colon\r\nFine: 1\r\n\r\n", Some("1")),
    (b"NATS/1.0\r\nLatin: caf\xe9\r\nFine: 1\r\n\r\n", Some("1")),
    (b"NATS/1.0\r\nLine: a\rb\r\n\r\n", None),
    (b"nonsense\r\n\r\n", None),
];

/// A client that checks nothing.
struct Careless(TcpStream);

impl Careless {
    async fn connect(server: &Server) -> Self {
        let mut socket = TcpStream::connect(("127.0.0.1", server.port)).await.unwrap();
        socket.write_all(b"CONNECT {\"verbose\":false,\"headers\":true}\r\n").await.unwrap();
        Self(socket)
    }

    async fn publish(&mut self, subject: &[u8], headers: &[u8], payload: &[u8]) {
        let sizes = format!(" {} {}\r\n", headers.len(), headers.len() + payload.len());
        let message = [b"HPUB ", subject, sizes.as_bytes(), headers, payload, b"\r\n"].concat();
        self.0.write_all(&message).await.unwrap();
    }

    /// Returns once the server has read everything.
    async fn flush(&mut self) {
        self.0.write_all(b"PING\r\n").await.unwrap();
        let mut answer = Vec::new();
        within("PONG", async {
            while !answer.ends_with(b"PONG\r\n") {
                assert!(self.0.read_buf(&mut answer).await.unwrap() > 0, "{}", answer.escape_ascii());
            }
        })
        .await;
    }
}

async fn unreadable(notices: &mut Notices) -> (String, bool) {
    within("the notice", async {
        loop {
            if let NoticeKind::UnreadableMessage { subject, is_left_out, .. } =
                notices.next().await.unwrap().unwrap().kind
            {
                return (subject, is_left_out);
            }
        }
    })
    .await
}

async fn lost_a_link(client: &GeoClient) {
    wait_for("the next link", async || (client.stats().moves == 1).then_some(())).await;
    client.flush().await.unwrap();
}

#[tokio::test]
async fn headers_that_cannot_be_read_cost_one_link_and_then_only_themselves() {
    let server = Server::start().await;
    let client = client(&server.url()).await;
    let mut notices = client.notices();
    let mut orders = client.subscribe("orders.>").await.unwrap();
    client.flush().await.unwrap();
    let mut careless = Careless::connect(&server).await;
    // No link knows of such messages before the first one.
    careless.publish(b"orders.first", BLOCKS[0].0, b"x").await;
    lost_a_link(&client).await;

    for (round, (block, _)) in BLOCKS.iter().enumerate() {
        careless.publish(b"orders.bad", block, round.to_string().as_bytes()).await;
        careless.publish(b"orders.good", b"NATS/1.0\r\nFine: 1\r\n\r\n", b"good").await;
    }
    careless.publish(b"orders.caf\xe9", b"NATS/1.0\r\n\r\n", b"left out").await;
    careless.publish(b"orders.end", b"NATS/1.0\r\n\r\n", b"").await;
    careless.flush().await;
    for (round, (_, fine)) in BLOCKS.iter().enumerate() {
        let bad = within("a message", orders.next()).await.unwrap();
        assert_eq!(bad.payload, round.to_string());
        let header = bad.headers.as_ref().and_then(|headers| headers.get("Fine"));
        assert_eq!(header.map(async_nats::HeaderValue::as_str), *fine);
        let good = within("the message behind it", orders.next()).await.unwrap();
        assert_eq!(good.headers.as_ref().unwrap().get("Fine").unwrap().as_str(), "1");
    }
    assert_eq!(within("the end", orders.next()).await.unwrap().subject.as_str(), "orders.end");
    assert_eq!(unreadable(&mut notices).await, ("orders.bad".into(), false));
    assert!(unreadable(&mut notices).await.1, "the message with an unreadable subject");
    assert_eq!((client.stats().unreadable, client.stats().moves), (6, 1));
}

#[tokio::test]
async fn links_to_other_servers_are_guarded_as_well() {
    let mut servers = super_cluster(&["lon", "ams"], "").await;
    let client = within("connecting", options().connect(urls(&servers))).await.unwrap();
    let mut orders = client.subscribe("orders").await.unwrap();
    client.flush().await.unwrap();
    let first = home(&client, &servers);
    Careless::connect(&servers[first]).await.publish(b"orders", BLOCKS[0].0, b"x").await;
    lost_a_link(&client).await;
    let second = home(&client, &servers);
    servers[second].kill();
    wait_for("the other server", async || (client.stats().moves == 2).then_some(())).await;
    client.flush().await.unwrap();
    let mut careless = Careless::connect(&servers[1 - second]).await;
    careless.publish(b"orders", BLOCKS[1].0, b"y").await;
    assert_eq!(within("the message", orders.next()).await.unwrap().payload, "y");
    assert_eq!(client.stats().moves, 2);
}

#[tokio::test]
async fn a_stream_with_a_message_that_cannot_be_read_is_read_to_its_end() {
    let dir = tempfile::TempDir::new().unwrap();
    let server = Server::with(&format!("jetstream {{ store_dir: {:?} }}", dir.path())).await;
    let client = client(&server.url()).await;
    let config =
        stream::Config { name: "ORDERS".into(), subjects: vec!["orders.>".into()], ..Default::default() };
    let orders = client.jetstream().create_stream(config).await.unwrap();
    let mut careless = Careless::connect(&server).await;
    for number in 0..10 {
        let block = if number == 3 { BLOCKS[2].0 } else { b"NATS/1.0\r\nFine: 1\r\n\r\n" };
        careless.publish(b"orders.new", block, number.to_string().as_bytes()).await;
    }
    careless.flush().await;

    let config = pull::Config {
        durable_name: Some("workers".into()),
        ack_wait: Duration::from_secs(1),
        ..Default::default()
    };
    let mut messages = orders.create_consumer(config).await.unwrap().messages().await.unwrap();
    let mut ordered = orders.ordered(OrderedOptions::new()).await.unwrap();
    let mut seen = std::collections::BTreeSet::new();
    within("all messages", async {
        while seen.len() < 10 {
            let message = messages.next().await.unwrap().unwrap();
            message.ack().await.unwrap();
            seen.insert(message.payload.clone());
        }
    })
    .await;
    for number in 0..10 {
        let message = within("a message", ordered.next()).await.unwrap().unwrap();
        assert_eq!(message.payload, number.to_string());
    }
    assert!(client.stats().moves <= 2, "{:?}", client.stats());
}

#[tokio::test]
async fn the_guard_encrypts_and_verifies_as_other_links_do() {
    for first in [false, true] {
        let key = rcgen::KeyPair::generate().unwrap();
        let names = ["127.0.0.1".to_owned()];
        let cert = rcgen::CertificateParams::new(names).unwrap().self_signed(&key).unwrap().pem();
        let dir = tempfile::TempDir::new().unwrap();
        let file = |name: &str, text: &str| {
            std::fs::write(dir.path().join(name), text).unwrap();
            dir.path().join(name).display().to_string()
        };
        let (cert_file, key_file) = (file("cert", &cert), file("key", &key.serialize_pem()));
        let tls =
            format!("tls {{ cert_file: {cert_file:?}, key_file: {key_file:?}, handshake_first: {first} }}");
        let server = Server::with(&format!("authorization {{ user: a, password: b }}\n{tls}")).await;
        let relay = Relay::to(server.port).await;
        let tls = if first { Tls::new().ca_pem(cert).first() } else { Tls::new().ca_pem(cert) };
        let options = options().tls(tls).user_and_password("a", "b").name("shop");
        let client = within("connecting", options.connect(relay.url())).await.unwrap();
        let mut orders = client.subscribe("orders").await.unwrap();
        // An end without a reason, though the server lives: the next link is guarded.
        relay.cut();
        lost_a_link(&client).await;
        let large = vec![7; 300_000];
        client.publish("orders", large.clone().into()).await.unwrap();
        assert_eq!(within("the message", orders.next()).await.unwrap().payload, large);
        assert_eq!(server.monitor("connz").await["connections"][0]["name"], "shop");
        let peer = client.nats().unwrap().server_info();
        assert!(!peer.tls_required, "async-nats speaks to the guard in clear");
    }
}
