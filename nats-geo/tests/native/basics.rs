//! Tests with one server.

use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::core::Config;
use nats_geo::{ConnectError, Failure, GeoClient, GeoOptions, PublishError, RequestError};

use crate::support::{Relay, Server, wait_for, within};

pub(crate) fn options() -> GeoOptions {
    GeoOptions::new().config(Config::interactive()).connect_timeout(Duration::from_secs(3))
}

pub(crate) async fn client(servers: &str) -> GeoClient {
    within("connecting", options().connect(servers)).await.unwrap()
}

#[tokio::test]
async fn what_is_published_is_delivered() {
    let server = Server::start().await;
    let client = client(&server.url()).await;
    let mut orders = client.subscribe("orders.>").await.unwrap();
    for order in ["1", "2", "3"] {
        client.publish("orders.new", order.into()).await.unwrap();
    }
    client.flush().await.unwrap();
    for order in ["1", "2", "3"] {
        assert_eq!(within("an order", orders.next()).await.unwrap().payload, order);
    }
    assert_eq!((client.stats().published, client.stats().delivered, client.stats().moves), (3, 3, 0));
}

#[tokio::test]
async fn requests_are_answered_by_whoever_serves_them() {
    let server = Server::start().await;
    let (client, service) = (client(&server.url()).await, client(&server.url()).await);
    let refused = within("no answer", client.request("price", "lamp".into())).await;
    assert_eq!(refused.unwrap_err(), RequestError::NoResponders { subject: "price".into() });

    let mut questions = service.queue_subscribe("price", "sellers").await.unwrap();
    service.flush().await.unwrap();
    tokio::spawn(async move {
        while let Some(question) = questions.next().await {
            question.respond(question.payload.clone()).await.unwrap();
        }
    });
    let answers =
        futures_util::future::join_all((0..50).map(|n| client.request("price", n.to_string().into())));
    for (n, answer) in within("50 answers", answers).await.into_iter().enumerate() {
        assert_eq!(answer.unwrap().payload, n.to_string());
    }
}

#[tokio::test]
async fn bad_input_is_refused_with_a_reason() {
    let server = Server::with("max_payload: 1000").await;
    let client = client(&server.url()).await;
    let publish =
        async |subject: &'static str, size: usize| client.publish(subject, vec![0; size].into()).await;
    assert_eq!(publish("a b", 1).await, Err(PublishError::BadSubject { subject: "a b".into() }));
    assert_eq!(publish("a", 1_001).await, Err(PublishError::TooLarge { size: 1_001, limit: 1_000 }));
    let bad_reply = client.publish_with_reply("a", "b\r\n", "".into()).await;
    assert_eq!(bad_reply, Err(PublishError::BadSubject { subject: "b\r\n".into() }));
    assert!(client.subscribe("a..b").await.is_err());
    assert!(client.queue_subscribe("a", "").await.is_err());
}

#[tokio::test]
async fn unsubscribing_ends_a_stream_in_four_ways() {
    let server = Server::start().await;
    let client = client(&server.url()).await;
    let publish = async |count: usize| {
        for _ in 0..count {
            client.publish("a", "x".into()).await.unwrap();
        }
        client.flush().await.unwrap();
    };
    let (mut after, mut drained, mut unsubscribed) = (
        client.subscribe("a").await.unwrap(),
        client.subscribe("a").await.unwrap(),
        client.subscribe("a").await.unwrap(),
    );
    let dropped = client.subscribe("a").await.unwrap();
    after.unsubscribe_after(3).await;
    publish(5).await;
    drained.drain().await;
    unsubscribed.unsubscribe().await;
    drop(dropped);
    publish(5).await;
    assert_eq!(within("the end", after.by_ref().count()).await, 3);
    assert_eq!(within("the end", drained.by_ref().count()).await, 5);
    assert_eq!(within("the end", unsubscribed.by_ref().count()).await, 5);
    let own = 1 + base_subscriptions(&server).await;
    wait_for("no subscription left", async || (server.subscriptions().await <= own).then_some(())).await;
}

/// What the server subscribes to by itself.
async fn base_subscriptions(_server: &Server) -> u64 {
    let fresh = Server::start().await;
    fresh.subscriptions().await
}

#[tokio::test]
async fn dropping_the_last_clone_ends_tasks_and_sockets() {
    let server = Server::start().await;
    let client = client(&server.url()).await;
    let mut orders = client.subscribe("orders.>").await.unwrap();
    let clone = client.clone();
    // The server takes a moment to see that the probe has hung up.
    wait_for("the only connection", async || (server.connections().await == 1).then_some(())).await;
    drop(client);
    clone.publish("orders.new", "1".into()).await.unwrap();
    clone.flush().await.unwrap();
    drop(clone);
    assert_eq!(within("the order", orders.next()).await.unwrap().payload, "1");
    assert!(within("the end", orders.next()).await.is_none());
    wait_for("no connection", async || (server.connections().await == 0).then_some(())).await;
    let metrics = tokio::runtime::Handle::current().metrics();
    wait_for("no task", async || (metrics.num_alive_tasks() == 0).then_some(())).await;
}

#[tokio::test]
async fn a_drained_client_has_sent_everything() {
    let server = Server::start().await;
    let (leaving, staying) = (client(&server.url()).await, client(&server.url()).await);
    let mut orders = staying.subscribe("orders").await.unwrap();
    staying.flush().await.unwrap();
    for n in 0..1_000 {
        leaving.publish("orders", n.to_string().into()).await.unwrap();
    }
    leaving.drain().await.unwrap();
    assert_eq!(leaving.publish("orders", "late".into()).await, Err(PublishError::Closed));
    for n in 0..1_000 {
        assert_eq!(within("an order", orders.next()).await.unwrap().payload, n.to_string());
    }
    wait_for("one connection", async || (server.connections().await == 1).then_some(())).await;
}

#[tokio::test]
async fn draining_that_is_given_up_closes_at_once() {
    let server = Server::start().await;
    let relay = Relay::to(server.port).await;
    let client = client(&relay.url()).await;
    let mut orders = client.subscribe("orders").await.unwrap();
    client.publish("orders", "before".into()).await.unwrap();
    client.flush().await.unwrap();
    relay.silence(true);
    let draining = tokio::time::timeout(Duration::from_millis(100), client.drain()).await;
    assert!(draining.is_err(), "nobody confirms that everything was sent");
    assert_eq!(within("what had come in", orders.next()).await.unwrap().payload, "before");
    assert!(within("the end", orders.next()).await.is_none());
    assert_eq!(client.publish("orders", "late".into()).await, Err(PublishError::Closed));
    let metrics = tokio::runtime::Handle::current().metrics();
    drop((client, relay));
    wait_for("no task", async || (metrics.num_alive_tasks() == 0).then_some(())).await;
}

#[tokio::test]
async fn wrong_credentials_are_refused_at_once_and_not_repeated() {
    let server = Server::with("authorization { user: derek, password: s3cr3t }").await;
    let connecting = options().user_and_password("derek", "wr0ng").connect(server.url());
    let error = within("the refusal", connecting).await.unwrap_err();
    let ConnectError::Auth { failures } = &error else { panic!("{error}") };
    assert!(failures[0].address.contains("127.0.0.1"), "{error}");
    assert!(!format!("{error} {error:?}").contains("wr0ng"));
    let right = options().user_and_password("derek", "s3cr3t").connect(server.url());
    within("connecting", right).await.unwrap();
}

#[tokio::test]
async fn servers_that_cannot_be_used_are_listed_with_the_reason() {
    let not_nats = fake_server(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()).await;
    let not_json = fake_server(b"INFO nonsense\r\n".to_vec()).await;
    let endless = fake_server([b"INFO ".as_slice(), &[b'x'; 100_000]].concat()).await;
    let mut dead = Server::start().await;
    dead.kill();
    let servers = [not_nats, not_json, endless].map(|port| format!("nats://127.0.0.1:{port}"));
    let mut options = options().connect_timeout(Duration::from_millis(500));
    for server in servers {
        options = options.server_with_region(server, "nowhere");
    }
    let error = within("the failure", options.connect(dead.url())).await.unwrap_err();
    let ConnectError::TimedOut { failures, .. } = &error else { panic!("{error}") };
    assert_eq!(failures.len(), 4, "{error}");
    assert!(failures.iter().any(|failure| matches!(failure.failure, Failure::Probe(_) | Failure::Open(_))));
    assert!(error.to_string().contains(&format!("127.0.0.1:{}: connection refused", dead.port)), "{error}");
}

/// A listener that says this to everybody.
async fn fake_server(greeting: Vec<u8>) -> u16 {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.write_all(&greeting).await;
            let _ = socket.read(&mut [0; 1_024]).await;
        }
    });
    port
}

#[tokio::test]
async fn a_snapshot_explains_the_choice() {
    let server = Server::with("server_name: lon-1\ncluster { name: lon, listen: \"127.0.0.1:-1\" }").await;
    let client = client(&server.url()).await;
    let snapshot = client.snapshot();
    assert!(client.started().elapsed() >= snapshot.at.since_start());
    let snapshot = snapshot.to_string();
    assert!(snapshot.starts_with("connected to lon/lon-1"), "{snapshot}");
    assert!(snapshot.contains("nearest region"), "{snapshot}");
}
