//! Tests of streams that were reset.

use std::collections::BTreeSet;

use futures_util::StreamExt as _;
use nats_geo::core::NoticeKind;
use nats_geo::jetstream::consumer::pull;
use nats_geo::jetstream::stream::{Config, StorageType};
use nats_geo::jetstream::virtual_stream::{self, Position};
use nats_geo::jetstream::{MessagesError, OrderedOptions, PullOptions, kv, object};
use nats_geo::{GeoClient, Notices};
use std::time::Duration;

use crate::basics::{client, options};
use crate::stores::{film, films, write};
use crate::support::{Server, wait_for, within};

fn in_memory() -> kv::Config {
    kv::Config { bucket: "lamps".into(), storage: StorageType::Memory, history: 3, ..kv::Config::default() }
}

async fn began_again(notices: &mut Notices) -> (String, u64) {
    within("the notice", async {
        loop {
            let notice = notices.next().await.unwrap().unwrap();
            if let NoticeKind::StreamReset { stream, last_sequence } = notice.kind {
                return (stream, last_sequence);
            }
        }
    })
    .await
}

async fn orders(client: &GeoClient) -> nats_geo::jetstream::Stream {
    let config = Config {
        name: "ORDERS".into(),
        subjects: vec!["orders".into()],
        storage: StorageType::Memory,
        ..Config::default()
    };
    client.jetstream().create_stream(config).await.unwrap()
}

async fn put(client: &GeoClient, payloads: &[&'static str]) {
    for payload in payloads {
        client.jetstream().publish("orders", (*payload).into()).await.unwrap();
    }
}

/// Heartbeats that a test can wait for.
fn pulling() -> PullOptions {
    PullOptions::new().heartbeat(Duration::from_millis(500))
}

#[tokio::test]
async fn a_watch_starts_over_when_its_bucket_was_deleted_and_made_again() {
    let dir = tempfile::TempDir::new().unwrap();
    let server = Server::with(&format!("jetstream {{ store_dir: {:?} }}", dir.path())).await;
    let client = client(&server.url()).await;
    let mut notices = client.notices();
    let lamps = client.jetstream().create_key_value(in_memory()).await.unwrap();
    for n in 0..5 {
        lamps.put(&format!("a{n}"), "old".into()).await.unwrap();
    }
    let mut watch = lamps.watch(">").await.unwrap();
    watch.existing().await.unwrap();
    client.jetstream().delete_key_value("lamps").await.unwrap();
    let lamps = client.jetstream().create_key_value(in_memory()).await.unwrap();
    // As many as before: the sequences tell nothing.
    for n in 0..5 {
        lamps.put(&format!("b{n}"), "new".into()).await.unwrap();
    }
    for n in 0..5 {
        let entry = within("an entry", watch.next()).await.unwrap().unwrap();
        assert_eq!((entry.key, entry.value), (format!("b{n}"), "new".into()));
    }
    assert_eq!(began_again(&mut notices).await, ("KV_lamps".into(), 5));
}

/// Three servers that share streams.
async fn cluster(dir: &std::path::Path) -> Vec<Server> {
    let listeners: Vec<_> = (0..3).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let ports: Vec<_> = listeners.iter().map(|listener| listener.local_addr().unwrap().port()).collect();
    drop(listeners);
    let routes: Vec<_> = ports.iter().map(|port| format!("\"nats://127.0.0.1:{port}\"")).collect();
    let starting = ports.iter().enumerate().map(|(n, port)| {
        let (store, routes) = (dir.join(format!("n{n}")), routes.join(", "));
        let config = format!(
            "server_name: n{n}\ncluster {{ name: lon, listen: \"127.0.0.1:{port}\", routes: [{routes}] }}\n\
             jetstream {{ store_dir: {store:?} }}"
        );
        async move { Server::with(&config).await }
    });
    futures_util::future::join_all(starting).await
}

#[tokio::test]
async fn a_watch_goes_on_after_the_server_with_its_bucket_in_memory_started_again() {
    let dir = tempfile::TempDir::new().unwrap();
    let mut servers = cluster(dir.path()).await;
    let urls: Vec<_> = servers.iter().map(Server::url).collect();
    let client = within("connecting", options().connect(urls)).await.unwrap();
    let mut notices = client.notices();
    let jetstream = client.jetstream();
    let lamps = wait_for("the bucket", async || jetstream.create_key_value(in_memory()).await.ok()).await;
    for n in 0..100 {
        lamps.put(&format!("old{n}"), "x".into()).await.unwrap();
    }
    let mut watch = lamps.watch(">").await.unwrap();
    assert_eq!(watch.existing().await.unwrap().len(), 100);
    let mut stream = jetstream.get_stream("KV_lamps").await.unwrap();
    let leader = stream.info().await.unwrap().info.cluster.clone().unwrap().leader.unwrap();
    let index = servers.iter().position(|server| server.name() == leader).unwrap();

    let (entries, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let reading = tokio::spawn(async move {
        while let Some(entry) = watch.next().await {
            let _ = entries.send(entry.unwrap().key);
        }
    });
    let mut lost = servers.remove(index);
    lost.kill();
    let _restarted = lost.restarted().await;
    for n in 0..3 {
        wait_for("the put", async || lamps.put(&format!("new{n}"), "y".into()).await.ok()).await;
    }
    let mut keys = BTreeSet::new();
    let all = async {
        while keys.len() < 3 {
            keys.insert(seen.recv().await.unwrap());
        }
    };
    tokio::time::timeout(Duration::from_secs(20), all).await.expect("the new entries");
    assert!(keys.iter().all(|key| key.starts_with("new")), "{keys:?}");
    assert_eq!(began_again(&mut notices).await, ("KV_lamps".into(), 100));
    reading.abort();
}

#[tokio::test]
async fn an_ordered_reader_starts_over_and_reads_what_is_there_now() {
    let dir = tempfile::TempDir::new().unwrap();
    let server = Server::with(&format!("jetstream {{ store_dir: {:?} }}", dir.path())).await;
    let client = client(&server.url()).await;
    let mut notices = client.notices();
    let stream = orders(&client).await;
    put(&client, &["1", "2", "3"]).await;
    let mut ordered = stream.ordered(OrderedOptions::new()).await.unwrap();
    for _ in 0..3 {
        within("a message", ordered.next()).await.unwrap().unwrap();
    }
    client.jetstream().delete_stream("ORDERS").await.unwrap();
    orders(&client).await;
    put(&client, &["4", "5", "6", "7", "8"]).await;
    for payload in ["4", "5", "6", "7", "8"] {
        assert_eq!(within("a message", ordered.next()).await.unwrap().unwrap().payload, payload);
    }
    assert_eq!(began_again(&mut notices).await, ("ORDERS".into(), 3));
}

/// The bytes of another life of the store would be a film that nobody made.
#[tokio::test]
async fn reading_an_object_ends_with_an_error() {
    let (_server, _dir, client, films) = films().await;
    write(&films, "film", &film(3_000_000)).await;
    let mut object = within("the object", films.get("film")).await.unwrap();
    within("its first part", object.next()).await.unwrap().unwrap();
    client.jetstream().delete_object_store("films").await.unwrap();
    let config = object::Config { bucket: "films".into(), ..Default::default() };
    let again = client.jetstream().create_object_store(config).await.unwrap();
    write(&again, "another film", &film(100_000)).await;
    let end = async {
        loop {
            match object.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error,
                None => panic!("an end without an error"),
            }
        }
    };
    // Two heartbeats, and two questions about the stream.
    let error = tokio::time::timeout(Duration::from_secs(30), end).await.expect("the end");
    assert!(error.to_string().contains("is not complete"), "{error}");
}

#[tokio::test]
async fn the_messages_of_a_durable_consumer_end_with_an_error_that_says_so() {
    let dir = tempfile::TempDir::new().unwrap();
    let server = Server::with(&format!("jetstream {{ store_dir: {:?} }}", dir.path())).await;
    let client = within("connecting", options().connect(server.url())).await.unwrap();
    let mut notices = client.notices();
    let stream = orders(&client).await;
    put(&client, &["1", "2", "3"]).await;
    let config = pull::Config { durable_name: Some("workers".into()), ..Default::default() };
    let consumer = stream.create_consumer(config.clone()).await.unwrap();
    let mut messages = consumer.messages_with(pulling()).await.unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        let message = within("a message", messages.next()).await.unwrap().unwrap();
        message.double_ack().await.unwrap();
        seen.insert(message.payload.clone());
    }
    assert_eq!(seen.len(), 3);
    // The server dies with all that it had in memory, and the stream and its consumer are made again by others.
    drop(stream);
    let server = {
        let mut server = server;
        server.kill();
        server.restarted().await
    };
    let other = within("connecting", options().connect(server.url())).await.unwrap();
    wait_for("the stream", async || {
        let config = Config {
            name: "ORDERS".into(),
            subjects: vec!["orders".into()],
            storage: StorageType::Memory,
            ..Config::default()
        };
        other.jetstream().create_stream(config).await.ok()
    })
    .await;
    let stream = other.jetstream().get_stream("ORDERS").await.unwrap();
    stream.create_consumer(config).await.unwrap();
    put(&other, &["4"]).await;
    let ended = within("the end", async {
        loop {
            match messages.next().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return error,
                None => panic!("an end without an error"),
            }
        }
    })
    .await;
    let expected =
        MessagesError::StreamReset { stream: "ORDERS".into(), consumer: "workers".into(), last_sequence: 3 };
    assert_eq!(ended, expected);
    assert_eq!(began_again(&mut notices).await, ("ORDERS".into(), 3));
}

/// The numbers of a region's messages begin again with its write stream: those that come are not those that were read.
#[tokio::test]
async fn readers_of_a_virtual_stream_go_on_when_a_write_stream_was_deleted_and_made_again() {
    let dir = tempfile::TempDir::new().unwrap();
    let servers = cluster(dir.path()).await;
    let urls: Vec<_> = servers.iter().map(Server::url).collect();
    let client = within("connecting", options().connect(urls)).await.unwrap();
    let mut notices = client.notices();
    let jetstream = client.jetstream();
    let config = virtual_stream::Config::new("orders", ["lon"]);
    let make = async || jetstream.create_virtual_stream(config.clone()).await.ok();
    let orders = wait_for("the virtual stream", make).await;
    let publish = async |payloads: [&'static str; 3]| {
        for payload in payloads {
            orders.publish("orders.new", payload.into()).await.unwrap();
        }
    };
    publish(["1", "2", "3"]).await;
    let workers = pull::Config { durable_name: Some("workers".into()), ..Default::default() };
    let mut durable = orders.create_consumer(workers).await.unwrap().messages().await.unwrap();
    let mut ordered = orders.ordered(Position::first()).await.unwrap();
    let mut in_hand = None;
    for payload in ["1", "2", "3"] {
        assert_eq!(within("a message", ordered.next()).await.unwrap().unwrap().payload, payload);
        let message = within("a message", durable.next()).await.unwrap().unwrap();
        assert_eq!(message.payload, payload);
        if payload == "2" { in_hand = Some(message) } else { message.double_ack().await.unwrap() }
    }
    jetstream.delete_stream("orders-write-lon").await.unwrap();
    wait_for("the write stream", make).await;
    publish(["4", "5", "6"]).await;
    // It was number 2, and so is another message now.
    in_hand.unwrap().double_ack().await.unwrap();
    let reading = async {
        for payload in ["4", "5", "6"] {
            let message = ordered.next().await.unwrap().unwrap();
            assert_eq!(message.payload, payload);
            let message = durable.next().await.unwrap().unwrap();
            assert_eq!(message.payload, payload);
            message.double_ack().await.unwrap();
        }
    };
    // The server looks for a source that it has lost every 10 s, and later more seldom.
    tokio::time::timeout(Duration::from_secs(60), reading).await.expect("the new messages");
    let position = ordered.position();
    assert_eq!(position.sequence("lon"), Some(3));
    assert_eq!(began_again(&mut notices).await, ("orders-write-lon".into(), 3));
    // A reader that continues from here later reads the later messages only.
    let mut later = orders.ordered(position).await.unwrap();
    publish(["7", "8", "9"]).await;
    assert_eq!(within("a message", later.next()).await.unwrap().unwrap().payload, "7");
}
