//! Tests of the messages of consumers, with one server.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::GeoClient;
use nats_geo::jetstream::consumer::{DeliverPolicy, Info, pull::Config};
use nats_geo::jetstream::{
    ApiError, Consumer, Message, Messages, MessagesError, Ordered, OrderedError, OrderedOptions, PullOptions,
    PullRefusal, Stream, stream, virtual_stream,
};
use tempfile::TempDir;

use crate::basics::client;
use crate::jetstream::{create_stream, server};
use crate::publishing::patient;
use crate::support::{Relay, Server, wait_for, within};

/// A server with a stream of `count` numbered orders, and a client of it.
async fn orders(count: u32) -> (Server, TempDir, GeoClient, Stream) {
    let (server, dir) = server().await;
    let client = client(&server.url()).await;
    create_stream(&client).await;
    publish(&client, 0..count).await;
    let stream = within("the stream", client.jetstream().get_stream("ORDERS")).await.unwrap();
    (server, dir, client, stream)
}

async fn publish(client: &GeoClient, numbers: std::ops::Range<u32>) {
    for number in numbers {
        client.publish("orders.new", number.to_string().into()).await.unwrap();
    }
    client.flush().await.unwrap();
}

async fn workers(stream: &Stream) -> Consumer {
    let ack_wait = Duration::from_secs(1);
    let config = Config { durable_name: Some("workers".into()), ack_wait, ..Config::default() };
    within("the consumer", stream.create_consumer(config)).await.unwrap()
}

/// What the server knows of the workers' consumer now.
async fn info(stream: &Stream) -> Info {
    within("the consumer", stream.get_consumer("workers")).await.unwrap().cached_info().clone()
}

async fn next(messages: &mut Messages) -> Message {
    within("a message", messages.next()).await.expect("the stream ended").unwrap()
}

fn number(message: &Message) -> u32 {
    std::str::from_utf8(&message.payload).unwrap().parse().unwrap()
}

#[tokio::test]
async fn every_message_comes_once_to_workers_that_share_a_consumer() {
    let (_server, _dir, client, stream) = orders(300).await;
    let consumer = workers(&stream).await;
    let options = PullOptions::new().max_messages(10);
    let mut first = consumer.messages_with(options).await.unwrap();
    let mut second = consumer.messages_with(options).await.unwrap();
    let mut seen = BTreeMap::new();
    for turn in 0..600 {
        // From the middle on, they wait for what comes.
        if turn == 300 {
            publish(&client, 300..600).await;
        }
        let message = tokio::select! {
            message = next(&mut first) => message,
            message = next(&mut second) => message,
        };
        *seen.entry(number(&message)).or_insert(0) += 1;
        assert_eq!(message.delivery().delivered, 1);
        message.ack().await.unwrap();
    }
    assert!(seen.len() == 600 && seen.values().all(|count| *count == 1), "{seen:?}");
    wait_for("all to be acknowledged", async || {
        let info = info(&stream).await;
        (info.ack_floor.stream_sequence == 600 && info.num_ack_pending == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn no_more_is_asked_for_than_the_reader_takes() {
    let (_server, _dir, _client, stream) = orders(100).await;
    let consumer = workers(&stream).await;
    // Of these messages, 10 have 500 bytes at least.
    for options in [PullOptions::new().max_messages(10), PullOptions::new().max_bytes(500)] {
        let before = info(&stream).await.delivered.consumer_sequence;
        let mut messages = consumer.messages_with(options).await.unwrap();
        let first = next(&mut messages).await;
        first.ack().await.unwrap();
        // What was asked for comes in, and nothing more while nobody reads.
        within("the bound to be used", async {
            let mut last = 0;
            loop {
                tokio::time::sleep(Duration::from_millis(50)).await;
                let delivered = info(&stream).await.delivered.consumer_sequence - before;
                assert!(delivered <= 11, "{delivered} were delivered to who has taken one");
                if delivered == last && delivered > 1 {
                    return;
                }
                last = delivered;
            }
        })
        .await;
        for _ in 0..30 {
            next(&mut messages).await.ack().await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_message_that_is_larger_than_the_bound_of_bytes_is_said() {
    let (_server, _dir, _client, stream) = orders(1).await;
    let consumer = workers(&stream).await;
    let mut messages = consumer.messages_with(PullOptions::new().max_bytes(20)).await.unwrap();
    let error = within("the end", messages.next()).await.unwrap().unwrap_err();
    let refusal = PullRefusal::TooLarge { bytes_max: 20 };
    assert_eq!(
        error,
        MessagesError::Refused { stream: "ORDERS".into(), consumer: "workers".into(), refusal }
    );
    assert!(within("the end", messages.next()).await.is_none());
}

#[tokio::test]
async fn what_becomes_of_a_message_is_up_to_its_reader() {
    let (_server, _dir, _client, stream) = orders(4).await;
    let consumer = workers(&stream).await;
    let mut messages = consumer.messages_with(PullOptions::new().max_messages(1)).await.unwrap();
    let first = next(&mut messages).await;
    first.nak(None).await.unwrap();
    // The server may have sent the second one before it read that.
    for _ in 0..2 {
        let message = next(&mut messages).await;
        match number(&message) {
            0 => {
                assert_eq!(message.delivery().delivered, 2);
                for _ in 0..2 {
                    within("the confirmation", message.double_ack()).await.unwrap();
                }
                assert!(info(&stream).await.ack_floor.stream_sequence >= 1, "confirmed means noted");
            }
            _ => message.term().await.unwrap(),
        }
    }
    let third = next(&mut messages).await;
    assert_eq!(number(&third), 2);
    // Longer than `ack_wait`: without these it would come again.
    for _ in 0..5 {
        third.progress().await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    third.ack().await.unwrap();
    assert_eq!(number(&next(&mut messages).await), 3);
    let info = info(&stream).await;
    assert_eq!((info.num_redelivered, info.delivered.consumer_sequence), (0, 5), "{info:?}");
}

#[tokio::test]
async fn messages_end_with_the_reason() {
    let (_server, _dir, client, stream) = orders(0).await;
    let consumer = workers(&stream).await;
    let mut messages = consumer.messages().await.unwrap();
    let reading = tokio::spawn(async move { messages.next().await });
    wait_for("the request", async || (info(&stream).await.num_waiting == 1).then_some(())).await;
    within("deleting", stream.delete_consumer("workers")).await.unwrap();
    let error = within("the end", reading).await.unwrap().unwrap().unwrap_err();
    assert_eq!(error, MessagesError::ConsumerGone { stream: "ORDERS".into(), consumer: "workers".into() });

    // One that was gone before anybody asked.
    let mut messages = consumer.messages().await.unwrap();
    let error = within("the end", messages.next()).await.unwrap().unwrap_err();
    assert!(error.to_string().contains("consumer `workers` of stream `ORDERS` no longer exists"), "{error}");
    let consumer = workers(&stream).await;
    let mut messages = consumer.messages().await.unwrap();
    within("deleting", client.jetstream().delete_stream("ORDERS")).await.unwrap();
    let error = within("the end", messages.next()).await.unwrap().unwrap_err();
    assert!(
        matches!(error, MessagesError::StreamGone { .. } | MessagesError::ConsumerGone { .. }),
        "{error}"
    );

    let missing = within("an answer", client.jetstream().get_stream("ORDERS")).await.unwrap_err();
    assert!(missing.is_not_found(), "{missing}");
}

#[tokio::test]
async fn a_lost_link_redelivers_only_what_was_on_its_way() {
    let (server, _dir, _direct, stream) = orders(200).await;
    workers(&stream).await;
    let relay = Relay::to(server.port).await;
    let reader = within("connecting", patient().connect(relay.url())).await.unwrap();
    let orders = within("the stream", reader.jetstream().get_stream("ORDERS")).await.unwrap();
    let same = within("the consumer", orders.get_consumer("workers")).await.unwrap();
    let mut messages = same.messages_with(unhurried().max_messages(20)).await.unwrap();
    let mut deliveries: BTreeMap<u32, Vec<u64>> = BTreeMap::new();
    for turn in 0.. {
        if turn == 50 {
            // Twenty have been asked for; some of them never arrive.
            relay.silence_server();
            relay.cut();
            relay.silence(false);
        }
        let message = next(&mut messages).await;
        deliveries.entry(number(&message)).or_default().push(message.delivery().delivered);
        within("the confirmation", message.double_ack()).await.unwrap();
        if deliveries.len() == 200 && info(&stream).await.num_ack_pending == 0 {
            break;
        }
    }
    let again = deliveries.values().filter(|times| times.len() > 1 || times[0] > 1).count();
    assert!(again <= 20, "{again} came again, of 20 that can have been on their way: {deliveries:?}");
    assert!(deliveries.values().all(|times| times.len() == 1), "acknowledged ones do not: {deliveries:?}");
}

/// A missed heartbeat would be noticed after longer than tests wait: something else has to show what is lost.
fn unhurried() -> PullOptions {
    PullOptions::new().heartbeat(Duration::from_secs(15))
}

async fn ordered(stream: &Stream, options: OrderedOptions) -> Ordered {
    within("the reader", stream.ordered(options)).await.unwrap()
}

#[tokio::test]
async fn an_ordered_reader_goes_on_where_its_consumer_was_lost() {
    let (server, _dir, client, stream) = orders(100).await;
    let relay = Relay::to(server.port).await;
    let reader = within("connecting", patient().connect(relay.url())).await.unwrap();
    let same = within("the stream", reader.jetstream().get_stream("ORDERS")).await.unwrap();
    let options = OrderedOptions::new().pull(unhurried().max_messages(30));
    let mut messages = ordered(&same, options).await;
    for expected in 0..200 {
        match expected {
            50 => relay.cut(),
            100 => {
                // Deleted by somebody else.
                let names = consumer_names(&client).await;
                assert!(!names.is_empty());
                for name in names {
                    within("deleting", stream.delete_consumer(&name)).await.unwrap();
                }
                publish(&client, 100..200).await;
            }
            _ => {}
        }
        let message = within("a message", messages.next()).await.unwrap().unwrap();
        assert_eq!(number(&message), expected);
        assert_eq!(message.delivery().stream_sequence, u64::from(expected) + 1);
    }
    drop(messages);
    wait_for("no consumer to be left", async || consumer_names(&client).await.is_empty().then_some(())).await;

    let mut messages = ordered(&stream, OrderedOptions::new().subject("orders.none")).await;
    within("deleting", client.jetstream().delete_stream("ORDERS")).await.unwrap();
    let error = within("the end", messages.next()).await.unwrap().unwrap_err();
    assert!(matches!(&error, OrderedError::Lost { last_sequence: 0, .. }), "{error}");
    assert!(within("the end", messages.next()).await.is_none());
}

#[tokio::test]
async fn new_messages_are_those_since_reading_began() {
    let (_server, _dir, client, stream) = orders(10).await;
    let mut messages = ordered(&stream, OrderedOptions::new().from(DeliverPolicy::New)).await;
    let mut last = ordered(&stream, OrderedOptions::new().from(DeliverPolicy::Last)).await;
    for name in consumer_names(&client).await {
        within("deleting", stream.delete_consumer(&name)).await.unwrap();
    }
    publish(&client, 10..12).await;
    for (messages, first) in [(&mut messages, 10), (&mut last, 9)] {
        for expected in first..12 {
            assert_eq!(number(&within("a message", messages.next()).await.unwrap().unwrap()), expected);
        }
    }
    client.close().await;
    assert!(within("the end", messages.next()).await.is_none());
}

async fn consumer_names(client: &GeoClient) -> Vec<String> {
    let answer = within("names", client.request("$JS.API.CONSUMER.NAMES.ORDERS", "".into())).await.unwrap();
    let answer: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
    let names = answer["consumers"].as_array().cloned().unwrap_or_default();
    names.iter().map(|name| name.as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn readers_of_a_virtual_stream_may_ask_for_moments_and_not_for_nonsense() {
    let (server, _dir) = server().await;
    let client = client(&server.url()).await;
    let jetstream = client.jetstream();
    // Its read stream, as far as a reader can tell.
    let config =
        stream::Config { name: "all-read-lon".into(), subjects: vec!["all.>".into()], ..Default::default() };
    let read = within("the stream", jetstream.create_stream(config)).await.unwrap();
    let config = Config { durable_name: Some("workers".into()), ..Default::default() };
    within("the consumer", read.create_consumer(config)).await.unwrap();
    within("publishing", jetstream.publish("all.new", "one lamp".into())).await.unwrap();
    let all = jetstream.virtual_stream(virtual_stream::Config::new("all", ["lon"])).unwrap();

    let options = PullOptions::new().expires(Duration::from_secs(1));
    let mut messages = within("messages", all.consumer("workers").messages_with(options)).await.unwrap();
    let message = within("a message", messages.next()).await.unwrap().unwrap();
    assert_eq!(&message.payload[..], b"one lamp");

    let error = within("an answer", all.consumer("wor>kers").messages()).await.unwrap_err();
    assert_eq!(error, ApiError::BadName { what: "consumer", name: "wor>kers".into() });
}
