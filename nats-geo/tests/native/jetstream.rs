//! Tests of publishing to streams.

use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::header::{NATS_EXPECTED_LAST_SEQUENCE, NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, NATS_MESSAGE_ID};
use futures_util::StreamExt as _;
use nats_geo::core::Config;
use nats_geo::jetstream::{Ack, Context, LastTry, PublishError, PublishOptions};
use nats_geo::{GeoClient, GeoOptions, PublishError as NotSent, RequestError};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::basics::{client, options};
use crate::publishing::patient;
use crate::support::{PATIENCE, Relay, Server, stopwatch, wait_for, within};

/// A server with JetStream, and where its streams are.
pub(crate) async fn server() -> (Server, TempDir) {
    let dir = TempDir::new().unwrap();
    let config = format!("max_payload: 64KB\njetstream {{ store_dir: \"{}\" }}", dir.path().display());
    (Server::with(&config).await, dir)
}

async fn api(client: &GeoClient, subject: &str, body: Value) -> Value {
    let answer =
        within("JetStream's answer", client.request(format!("$JS.API.{subject}"), body.to_string().into()));
    let answer: Value = serde_json::from_slice(&answer.await.unwrap().payload).unwrap();
    assert!(answer.get("error").is_none(), "{subject}: {answer}");
    answer
}

/// A stream of all orders, in memory.
pub(crate) async fn create_stream(client: &GeoClient) {
    let body = json!({ "name": "ORDERS", "subjects": ["orders.>"], "storage": "memory", "num_replicas": 1 });
    api(client, "STREAM.CREATE.ORDERS", body).await;
}

async fn stored(client: &GeoClient) -> u64 {
    api(client, "STREAM.INFO.ORDERS", json!({})).await["state"]["messages"].as_u64().unwrap()
}

fn headers(name: async_nats::HeaderName, value: &str) -> HeaderMap {
    HeaderMap::from_iter([(name, value.parse().unwrap())])
}

async fn publish(jetstream: &Context, headers: HeaderMap) -> Result<Ack, PublishError> {
    within("publishing", jetstream.publish_with_headers("orders.new", headers, "one lamp".into())).await
}

#[tokio::test]
async fn what_is_acknowledged_is_in_the_stream_once_per_id() {
    let (server, _dir) = server().await;
    let client = client(&server.url()).await;
    create_stream(&client).await;
    let jetstream = client.jetstream();
    for sequence in 1..=2 {
        let ack = within("publishing", jetstream.publish("orders.new", "one lamp".into())).await.unwrap();
        assert_eq!(
            (ack.stream.as_str(), ack.sequence, ack.duplicate, ack.tries),
            ("ORDERS", sequence, false, 1)
        );
        assert_eq!(ack.domain, None);
    }
    for duplicate in [false, true] {
        let ack = publish(&jetstream, headers(NATS_MESSAGE_ID, "order-4711")).await.unwrap();
        assert_eq!((ack.sequence, ack.duplicate), (3, duplicate));
    }
    assert_eq!(stored(&client).await, 3);
}

#[tokio::test]
async fn what_the_stream_refuses_is_not_sent_again() {
    let (server, _dir) = server().await;
    let client = client(&server.url()).await;
    create_stream(&client).await;
    let jetstream = client.jetstream();
    publish(&jetstream, HeaderMap::new()).await.unwrap();
    let mut tries = client.subscribe("orders.>").await.unwrap();
    client.flush().await.unwrap();
    let error = publish(&jetstream, headers(NATS_EXPECTED_LAST_SEQUENCE, "7")).await.unwrap_err();
    let PublishError::Refused(refused) = &error else { panic!("{error:?}") };
    assert_eq!((refused.code, refused.error_code), (400, 10_071), "{error}");
    assert!(error.to_string().contains("wrong last sequence"), "{error}");
    client.publish("orders.end", "".into()).await.unwrap();
    let seen =
        [tries.next().await.unwrap(), tries.next().await.unwrap()].map(|message| message.subject.to_string());
    assert_eq!(seen, ["orders.new", "orders.end"], "sent once");
}

#[tokio::test]
async fn what_cannot_be_published_is_said_at_once() {
    let (server, _dir) = server().await;
    let client = client(&server.url()).await;
    create_stream(&client).await;
    let jetstream = client.jetstream();
    let started = stopwatch();
    let large = jetstream.publish("orders.new", vec![0; 64 << 10].into()).await.unwrap_err();
    let PublishError::NotSent(NotSent::TooLarge { size, limit }) = large else { panic!("{large:?}") };
    assert!(size > limit && limit == 64 << 10, "{size} {limit}: the message id counts");
    let subject = jetstream.publish("orders new", "".into()).await.unwrap_err();
    assert_eq!(subject, PublishError::NotSent(NotSent::BadSubject { subject: "orders new".into() }));
    assert_eq!(publish(&jetstream, headers(NATS_MESSAGE_ID, "")).await, Err(PublishError::BadMessageId));
    let mut two = headers(NATS_MESSAGE_ID, "a");
    two.append(NATS_MESSAGE_ID, "b");
    assert_eq!(publish(&jetstream, two).await, Err(PublishError::BadMessageId));

    let mut service = client.subscribe("price.*").await.unwrap();
    tokio::spawn(async move {
        while let Some(question) = service.next().await {
            question.respond("7".into()).await.unwrap();
        }
    });
    let error = within("an answer", jetstream.publish("price.lamp", "".into())).await.unwrap_err();
    assert_eq!(error, PublishError::NotAStream { subject: "price.lamp".into() });
    assert!(started() < Duration::from_secs(5), "{:?}", started());
    assert_eq!(stored(&client).await, 0);
}

#[tokio::test]
async fn without_a_stream_it_is_tried_as_often_as_allowed() {
    let (server, _dir) = server().await;
    let client = client(&server.url()).await;
    for (allowed, tried) in [(3, 3), (0, 1)] {
        let jetstream = client.jetstream_with(PublishOptions::new().tries_max(allowed));
        match publish(&jetstream, headers(NATS_MESSAGE_ID, "order-1")).await {
            Err(PublishError::GaveUp { tries, last, unconfirmed: false, message_id, .. }) => {
                assert_eq!((tries, message_id.as_str()), (tried, "order-1"));
                assert_eq!(last, LastTry::NoStream { subject: "orders.new".into() });
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn without_a_stream_it_is_tried_as_long_as_allowed() {
    let (server, _dir) = server().await;
    let client = client(&server.url()).await;
    let bound = Duration::from_millis(300);
    let jetstream = client.jetstream_with(PublishOptions::new().total_timeout(bound));
    // Why the last try failed is open: it may have begun too late for any answer.
    match publish(&jetstream, HeaderMap::new()).await {
        Err(PublishError::GaveUp { tries, waited, .. }) => {
            assert!(tries > 1 && waited < 2 * bound, "{tries} tries in {waited:?}");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_stream_that_appears_while_it_is_tried_gets_the_message() {
    let (server, _dir) = server().await;
    let client = within("connecting", patient().connect(server.url())).await.unwrap();
    within("the first round trip", client.flush()).await.unwrap();
    let received = async || server.monitor("varz").await["in_msgs"].as_u64().unwrap();
    let before = received().await;
    let jetstream = client.jetstream();
    let publishing = tokio::spawn(async move { jetstream.publish("orders.new", "patient".into()).await });
    wait_for("the first try", async || (received().await > before).then_some(())).await;
    create_stream(&client).await;
    let ack = within("the acknowledgement", publishing).await.unwrap().unwrap();
    assert!(ack.tries > 1 && ack.sequence == 1, "{ack:?}");
}

/// A client that hears nothing of its server from now on, and does not wonder: the test decides when the link ends.
pub(crate) async fn unanswered(server: &Server) -> (GeoClient, Relay) {
    let relay = Relay::to(server.port).await;
    let client = within("connecting", patient().connect(relay.url())).await.unwrap();
    within("the first round trip", client.flush()).await.unwrap();
    relay.silence_server();
    (client, relay)
}

#[tokio::test]
async fn a_message_whose_acknowledgement_was_lost_is_stored_once() {
    let (server, _dir) = server().await;
    let direct = client(&server.url()).await;
    create_stream(&direct).await;
    let (unanswered, relay) = unanswered(&server).await;
    let jetstream = unanswered.jetstream();
    let publishing = tokio::spawn(async move { jetstream.publish("orders.new", "one lamp".into()).await });
    wait_for("the message", async || (stored(&direct).await == 1).then_some(())).await;
    relay.cut();
    relay.silence(false);
    let ack = within("the acknowledgement", publishing).await.unwrap().unwrap();
    assert!(ack.duplicate && ack.sequence == 1 && ack.tries > 1, "{ack:?}");
    assert_eq!(stored(&direct).await, 1);
}

#[tokio::test]
async fn a_late_answer_is_asked_for_again_and_counts_all_the_same() {
    let (server, _dir) = server().await;
    let direct = client(&server.url()).await;
    create_stream(&direct).await;
    let mut published = within("subscribing", direct.subscribe("orders.new")).await.unwrap();
    within("a round trip", direct.flush()).await.unwrap();
    let (unanswered, relay) = unanswered(&server).await;
    let patient = unanswered.jetstream_with(PublishOptions::new().try_timeout(10 * PATIENCE));
    let publishing = tokio::spawn(async move { patient.publish("orders.new", "one lamp".into()).await });
    for _ in 0..2 {
        within("a try", published.next()).await.unwrap();
    }
    relay.silence(false);
    let ack = within("the acknowledgement", publishing).await.unwrap().unwrap();
    assert!(ack.sequence == 1 && ack.tries == 2, "{ack:?}");
    assert_eq!(stored(&direct).await, 1);
}

#[tokio::test]
async fn a_message_without_an_answer_is_unconfirmed_and_may_be_published_again() {
    let (server, _dir) = server().await;
    let direct = client(&server.url()).await;
    create_stream(&direct).await;
    let (unanswered, relay) = unanswered(&server).await;
    let hasty = unanswered.jetstream_with(PublishOptions::new().try_timeout(MOMENT).tries_max(2));
    let error = within("giving up", hasty.publish("orders.new", "one lamp".into())).await.unwrap_err();
    let PublishError::GaveUp { tries: 2, last, unconfirmed: true, message_id, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(*last, LastTry::TimedOut { waited: MOMENT });
    assert!(error.to_string().ends_with("may have been stored"), "{error}");
    relay.silence(false);
    let again = publish(&unanswered.jetstream(), headers(NATS_MESSAGE_ID, message_id)).await.unwrap();
    assert!(again.duplicate && again.sequence == 1, "{again:?}");
    assert_eq!(stored(&direct).await, 1);
}

#[tokio::test]
async fn a_refusal_of_what_may_be_stored_already_says_so() {
    let (server, _dir) = server().await;
    let direct = client(&server.url()).await;
    create_stream(&direct).await;
    let (unanswered, relay) = unanswered(&server).await;
    let jetstream = unanswered.jetstream();
    let conditional = headers(NATS_EXPECTED_LAST_SUBJECT_SEQUENCE, "0");
    let publishing = tokio::spawn(async move {
        jetstream.publish_with_headers("orders.new", conditional, "one lamp".into()).await
    });
    wait_for("the message", async || (stored(&direct).await == 1).then_some(())).await;
    relay.cut();
    relay.silence(false);
    let error = within("the refusal", publishing).await.unwrap().unwrap_err();
    let PublishError::GaveUp { last: LastTry::Refused(refused), unconfirmed: true, .. } = &error else {
        panic!("{error:?}")
    };
    assert_eq!(refused.error_code, 10_071, "{error}");
    assert!(error.to_string().ends_with("may have been stored"), "{error}");
}

#[tokio::test]
async fn a_client_that_is_closed_does_not_deny_what_it_has_sent() {
    let (server, _dir) = server().await;
    let direct = client(&server.url()).await;
    create_stream(&direct).await;
    let (unanswered, _relay) = unanswered(&server).await;
    let jetstream = unanswered.jetstream();
    let publishing = tokio::spawn(async move { jetstream.publish("orders.new", "one lamp".into()).await });
    wait_for("the message", async || (stored(&direct).await == 1).then_some(())).await;
    unanswered.close().await;
    let error = within("giving up", publishing).await.unwrap().unwrap_err();
    assert!(matches!(&error, PublishError::GaveUp { unconfirmed: true, .. }), "{error:?}");
    assert!(error.to_string().ends_with("may have been stored"), "{error}");
}

#[tokio::test]
async fn without_any_server_a_publish_ends_and_says_that_nothing_was_stored() {
    let (mut server, _dir) = server().await;
    let client = within("connecting", options().publish_wait(MOMENT).connect(server.url())).await.unwrap();
    server.kill();
    wait_for("offline", async || client.nats().is_none().then_some(())).await;
    // The second one ends in the middle of its first try.
    for total in [10 * MOMENT, MOMENT / 2] {
        let hasty = client.jetstream_with(PublishOptions::new().total_timeout(total));
        let error = within("giving up", hasty.publish("orders.new", "one lamp".into())).await.unwrap_err();
        let PublishError::GaveUp { last: LastTry::Unavailable(_), unconfirmed: false, .. } = &error else {
            panic!("{error:?}")
        };
        assert!(error.to_string().ends_with("was not stored"), "{error}");
    }
    let hasty = async_nats::Request::new().payload("one lamp".into()).timeout(Some(MOMENT / 2));
    let error = within("giving up", client.send_request("orders.new", hasty)).await.unwrap_err();
    assert_eq!(error, RequestError::NotSent(NotSent::Unavailable { waited: MOMENT / 2 }));
}

/// Suspects a silent link as ever, but does not give it up: what waits on it would wait for long.
pub(crate) fn never_sure() -> GeoOptions {
    let mut config = Config::interactive();
    (config.watch.dead_min, config.watch.dead_max) = (Duration::from_secs(60), Duration::from_secs(60));
    options().config(config)
}

#[tokio::test]
async fn an_acknowledgement_that_a_silent_link_brings_after_all_counts() {
    let (server, _dir) = server().await;
    let direct = client(&server.url()).await;
    create_stream(&direct).await;
    // It knows nothing of streams: only the first link can bring the acknowledgement.
    let refuge = Server::start().await;
    let near = Relay::to(server.port).await;
    let far = Relay::far_from(refuge.port, Duration::from_millis(20)).await;
    let client = within("connecting", never_sure().connect([near.url(), far.url()])).await.unwrap();
    within("the first round trip", client.flush()).await.unwrap();
    near.silence_server();
    let jetstream = client.jetstream();
    let publishing = tokio::spawn(async move { jetstream.publish("orders.new", "one lamp".into()).await });
    wait_for("the message", async || (stored(&direct).await == 1).then_some(())).await;
    wait_for("a try at the refuge", async || (client.stats().moves == 1).then_some(())).await;
    let asked = async || refuge.monitor("varz").await["in_msgs"].as_u64().unwrap();
    let before = asked().await;
    wait_for("another one", async || (asked().await > before).then_some(())).await;
    near.silence(false);
    let ack = within("the acknowledgement", publishing).await.unwrap().unwrap();
    assert!(!ack.duplicate && ack.sequence == 1 && ack.tries > 1, "{ack:?}");
    assert_eq!(stored(&direct).await, 1);
}

/// No answer comes anyway.
const MOMENT: Duration = Duration::from_millis(100);
