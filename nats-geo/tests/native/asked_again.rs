//! Tests of the JetStream requests that the client repeats, and of those that it must not repeat.

use std::time::Duration;

use futures_util::{FutureExt as _, StreamExt as _};
use nats_geo::jetstream::consumer::pull::Config;
use nats_geo::jetstream::stream::{self, StorageType};
use nats_geo::jetstream::{ApiError, OrderedOptions, PublishOptions, PullOptions};
use nats_geo::{GeoClient, Subscription};

use crate::basics::client;
use crate::jetstream::{create_stream, never_sure, server, unanswered};
use crate::support::{Relay, Server, wait_for, within};

/// Hears what is asked of this part of the API.
async fn overhear(client: &GeoClient, subject: &str) -> Subscription {
    let questions = within("subscribing", client.subscribe(format!("$JS.API.{subject}"))).await.unwrap();
    within("a round trip", client.flush()).await.unwrap();
    questions
}

async fn heard(questions: &mut Subscription) {
    within("a question", questions.next()).await.unwrap();
}

#[tokio::test]
async fn what_does_harm_twice_is_asked_for_once() {
    let (server, _dir) = server().await;
    let direct = client(&server.url()).await;
    create_stream(&direct).await;
    let (unanswered, relay) = unanswered(&server).await;
    relay.silence(false);
    let hasty =
        unanswered.jetstream_with(PublishOptions::new().try_timeout(Duration::from_secs(1)).tries_max(3));
    let orders = within("the stream", hasty.get_stream("ORDERS")).await.unwrap();
    relay.silence_server();
    let error = within("giving up", orders.purge("orders.>")).await.unwrap_err();
    assert!(matches!(error, ApiError::GaveUp { tries: 1, unconfirmed: true, .. }), "{error:?}");
    let error = within("giving up", hasty.get_stream("ORDERS")).await.unwrap_err();
    assert!(matches!(error, ApiError::GaveUp { tries: 3, .. }), "{error:?}");
}

#[tokio::test]
async fn what_does_harm_twice_is_not_asked_for_elsewhere_either() {
    let (server, _dir) = server().await;
    let direct = client(&server.url()).await;
    create_stream(&direct).await;
    direct.publish("orders.new", "one lamp".into()).await.unwrap();
    within("a round trip", direct.flush()).await.unwrap();
    let refuge = Server::start().await;
    let near = Relay::to(server.port).await;
    let far = Relay::far_from(refuge.port, Duration::from_millis(20)).await;
    let client = within("connecting", never_sure().connect([near.url(), far.url()])).await.unwrap();
    let orders = within("the stream", client.jetstream().get_stream("ORDERS")).await.unwrap();
    let mut questions = overhear(&direct, "STREAM.PURGE.ORDERS").await;
    near.silence_server();
    let purging = tokio::spawn(async move { orders.purge("orders.>").await });
    heard(&mut questions).await;
    wait_for("the move", async || (client.stats().moves == 1).then_some(())).await;
    // By now the refuge would have said that it knows nothing of streams.
    for _ in 0..2 {
        within("a round trip to the refuge", client.request("nobody", "".into())).await.unwrap_err();
    }
    assert!(!purging.is_finished());
    near.silence(false);
    assert_eq!(within("the answer", purging).await.unwrap(), Ok(1));
}

#[tokio::test]
async fn what_an_earlier_try_has_deleted_is_deleted() {
    let (server, _dir) = server().await;
    let direct = client(&server.url()).await;
    create_stream(&direct).await;
    let missing = within("an answer", direct.jetstream().delete_stream("NONE")).await.unwrap_err();
    assert!(missing.is_not_found(), "{missing}");
    let (unanswered, relay) = unanswered(&server).await;
    let jetstream = unanswered.jetstream();
    let deleting = tokio::spawn(async move { jetstream.delete_stream("ORDERS").await });
    wait_for("the end of the stream", async || direct.jetstream().get_stream("ORDERS").await.err()).await;
    relay.cut();
    relay.silence(false);
    assert_eq!(within("the answer", deleting).await.unwrap(), Ok(()));
}

#[tokio::test]
async fn a_consumer_is_not_gone_before_it_was_missed_twice() {
    let (server, _dir) = server().await;
    let client = client(&server.url()).await;
    create_stream(&client).await;
    let orders = within("the stream", client.jetstream().get_stream("ORDERS")).await.unwrap();
    let config = Config { durable_name: Some("workers".into()), ..Config::default() };
    let workers = within("the consumer", orders.create_consumer(config.clone())).await.unwrap();
    let mut messages = workers.messages().await.unwrap();
    within("deleting", orders.delete_consumer("workers")).await.unwrap();
    let mut questions = overhear(&client, "CONSUMER.INFO.ORDERS.workers").await;
    let reading = tokio::spawn(async move { messages.next().await });
    heard(&mut questions).await;
    within("the consumer again", orders.create_consumer(config)).await.unwrap();
    client.publish("orders.new", "one lamp".into()).await.unwrap();
    let message = within("a message", reading).await.unwrap().unwrap().unwrap();
    assert_eq!(&message.payload[..], b"one lamp");
}

#[tokio::test]
async fn a_stream_is_not_gone_before_it_was_missed_twice() {
    let (server, _dir) = server().await;
    let client = client(&server.url()).await;
    create_stream(&client).await;
    let jetstream = client.jetstream();
    let orders = within("the stream", jetstream.get_stream("ORDERS")).await.unwrap();
    let mut messages = within("a reader", orders.ordered(OrderedOptions::new())).await.unwrap();
    within("deleting", jetstream.delete_stream("ORDERS")).await.unwrap();
    let mut questions = overhear(&client, "CONSUMER.CREATE.ORDERS.>").await;
    let reading = tokio::spawn(async move { messages.next().await });
    heard(&mut questions).await;
    let config = stream::Config {
        name: "ORDERS".into(),
        subjects: vec!["orders.>".into()],
        storage: StorageType::Memory,
        ..Default::default()
    };
    within("the stream again", jetstream.create_stream(config)).await.unwrap();
    client.publish("orders.new", "one lamp".into()).await.unwrap();
    let message = within("a message", reading).await.unwrap().unwrap().unwrap();
    assert_eq!(&message.payload[..], b"one lamp");
}

#[tokio::test]
async fn who_reads_many_messages_asks_seldom() {
    let (server, _dir) = server().await;
    let client = client(&server.url()).await;
    create_stream(&client).await;
    for _ in 0..100 {
        client.publish("orders.new", "one lamp".into()).await.unwrap();
    }
    within("a round trip", client.flush()).await.unwrap();
    let orders = within("the stream", client.jetstream().get_stream("ORDERS")).await.unwrap();
    let mut questions = overhear(&client, "CONSUMER.MSG.NEXT.>").await;
    let options = OrderedOptions::new().pull(PullOptions::new().max_messages(20));
    let mut messages = within("a reader", orders.ordered(options)).await.unwrap();
    for _ in 0..100 {
        within("a message", messages.next()).await.unwrap().unwrap();
    }
    within("a round trip", client.flush()).await.unwrap();
    let asked = std::iter::from_fn(|| questions.next().now_or_never()).count();
    // Ten at a time, and once at first.
    assert!((6..=11).contains(&asked), "{asked} times");
}
