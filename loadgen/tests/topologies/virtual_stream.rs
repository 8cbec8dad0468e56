//! Preset `virtual-stream`: its failures, step by step, and the conditions that must hold after each step.

use std::collections::BTreeSet;

use async_nats::jetstream::{self, consumer};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::{LIMIT, Up, until};

const REGIONS: [&str; 3] = ["east", "central", "west"];

/// What was acknowledged: all of it must be everywhere in the end.
#[derive(Default)]
struct Acknowledged(BTreeSet<String>);

impl Acknowledged {
    /// Publishes under the name that all regions share; the region's own stream must take it.
    async fn publish(&mut self, up: &Up, region: &str, text: &str) {
        let context = jetstream::new(up.client(region, "app").await);
        let ack = context.publish("foo.test", text.to_owned().into()).await.unwrap().await.unwrap();
        assert_eq!(ack.stream, format!("foo-write-{region}"));
        self.0.insert(text.to_owned());
    }

    /// Waits until a region's read stream holds everything.
    async fn is_all_in(&self, up: &Up, region: &str) {
        until(&format!("all of {:?} in {region}", self.0), async || read(up, region).await == self.0).await;
    }
}

/// Every message of the stream `foo`, as a client of a region gets them: by sequence, without a consumer.
async fn read(up: &Up, region: &str) -> BTreeSet<String> {
    let context = jetstream::new(up.client(region, "app").await);
    let Ok(stream) = context.get_stream("foo").await else { return BTreeSet::new() };
    // The name leads to the region's own stream.
    assert_eq!(stream.cached_info().config.name, format!("foo-read-{region}"));
    let mut texts = BTreeSet::new();
    for sequence in 1..=stream.cached_info().state.last_sequence {
        let message = stream.direct_get(sequence).await.unwrap();
        assert_eq!(message.subject.as_str(), "foo.test");
        texts.insert(String::from_utf8(message.payload.to_vec()).unwrap());
    }
    texts
}

async fn new_consumer(up: &Up, region: &str, name: &str) -> Result<consumer::PullConsumer, String> {
    let context = jetstream::new(up.client(region, "app").await);
    let stream =
        context.get_stream_no_info(format!("foo-read-{region}")).await.map_err(|error| error.to_string())?;
    let config = consumer::pull::Config { durable_name: Some(name.to_owned()), ..Default::default() };
    stream.create_consumer(config).await.map_err(|error| error.to_string())
}

/// The next message of a consumer is one that was acknowledged.
async fn next(consumer: &consumer::PullConsumer) -> String {
    let mut messages = consumer.fetch().max_messages(1).expires(LIMIT).messages().await.unwrap();
    let message = messages.next().await.expect("a message in time").unwrap();
    message.ack().await.unwrap();
    String::from_utf8(message.payload.to_vec()).unwrap()
}

fn servers_of(up: &Up, regions: &[&str]) -> Vec<String> {
    let servers = up.cluster.topology().servers();
    servers.filter(|name| regions.contains(&name.region())).map(|name| name.to_string()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_message_is_lost_in_any_disaster() {
    let mut up = Up::start("virtual-stream").await;
    let mut acknowledged = Acknowledged::default();
    acknowledged.publish(&up, "west", "hello world from the west").await;
    for region in REGIONS {
        acknowledged.is_all_in(&up, region).await;
    }

    requests_by_the_shared_name(&up).await;

    one_region_goes(&mut up, &mut acknowledged).await;
    let existing = new_consumer(&up, "central", "existing").await.unwrap();
    for _ in &acknowledged.0 {
        next(&existing).await;
    }
    two_regions_go(&mut up, &mut acknowledged, &existing).await;
    the_other_side_comes_back_alone(&mut up, &mut acknowledged).await;

    // All of it meets again, though not necessarily in one order.
    up.cluster.restart_region("central").await.unwrap();
    for region in REGIONS {
        acknowledged.is_all_in(&up, region).await;
    }
    up.ends_without_a_trace().await;
}

/// Requests to JetStream about `foo` are about the read stream of the region. Only the body of a new consumer names that stream, as
/// the `nats` CLI does, which has the name from STREAM.INFO.
async fn requests_by_the_shared_name(up: &Up) {
    let client = up.client("west", "app").await;
    let ask = async |request: &str, body: Value| {
        let subject = format!("$JS.API.{request}");
        let answer = client.request(subject.clone(), body.to_string().into()).await.unwrap();
        let answer: Value = serde_json::from_slice(&answer.payload).unwrap();
        assert!(answer.get("error").is_none(), "{subject}: {answer}");
        answer
    };
    let own = "foo-read-west";
    let config = |name: &str| json!({ "stream_name": own, "config": { "durable_name": name, "name": name } });
    let unnamed = json!({ "stream_name": own, "config": { "inactive_threshold": 60_000_000_000_u64 } });
    assert_eq!(ask("CONSUMER.CREATE.foo", unnamed).await["stream_name"], own);
    assert_eq!(ask("CONSUMER.CREATE.foo.named", config("named")).await["name"], "named");
    assert_eq!(ask("CONSUMER.DURABLE.CREATE.foo.durable", config("durable")).await["name"], "durable");
    assert_eq!(ask("CONSUMER.INFO.foo.durable", json!({})).await["stream_name"], own);
    // A message arrives with its own subject, so it is no answer to a request.
    let inbox = client.new_inbox();
    let mut pulled = client.subscribe(inbox.clone()).await.unwrap();
    let pull = "$JS.API.CONSUMER.MSG.NEXT.foo.durable";
    client.publish_with_reply(pull, inbox, r#"{"batch":1}"#.into()).await.unwrap();
    let next = tokio::time::timeout(LIMIT, pulled.next()).await.expect("no message").unwrap();
    assert_eq!(next.payload, "hello world from the west");
    assert_eq!(ask("CONSUMER.DELETE.foo.durable", json!({})).await["success"], true);
    assert_eq!(ask("STREAM.MSG.GET.foo", json!({ "seq": 1 })).await["message"]["subject"], "foo.test");
    let direct = client.request("$JS.API.DIRECT.GET.foo.foo.test", "".into()).await.unwrap();
    assert_eq!(direct.payload, "hello world from the west");
}

async fn one_region_goes(up: &mut Up, acknowledged: &mut Acknowledged) {
    up.cluster.kill_region("central").unwrap();
    acknowledged.publish(up, "east", "hello world from the east").await;
    acknowledged.is_all_in(up, "west").await;
    up.cluster.restart_region("central").await.unwrap();
    acknowledged.is_all_in(up, "central").await;
}

/// The rest is cut off from everybody, as in the smaller part of a split brain: it goes on, but nothing new can be made.
async fn two_regions_go(up: &mut Up, acknowledged: &mut Acknowledged, existing: &consumer::PullConsumer) {
    up.cluster.kill_region("west").unwrap();
    up.cluster.kill_region("east").unwrap();
    until("no meta leader", async || up.cluster.meta_leader().await.is_none()).await;
    acknowledged.publish(up, "central", "hello world from the central region").await;
    acknowledged.is_all_in(up, "central").await;
    assert_eq!(next(existing).await, "hello world from the central region");
    let refused = new_consumer(up, "central", "new").await;
    assert!(refused.is_err(), "a consumer was made without a meta leader");
    let config = jetstream::stream::Config { name: "NEW".to_owned(), ..Default::default() };
    let refused = jetstream::new(up.client("central", "app").await).create_stream(config).await;
    assert!(refused.is_err(), "a stream was made without a meta leader");
}

async fn the_other_side_comes_back_alone(up: &mut Up, acknowledged: &mut Acknowledged) {
    up.cluster.kill_region("central").unwrap();
    let back = servers_of(up, &["west", "east"]);
    up.cluster.restart_servers(&back).await.unwrap();
    acknowledged.publish(up, "east", "hello again from the east region").await;
    until("the news in the west", async || {
        read(up, "west").await.contains("hello again from the east region")
    })
    .await;
    let consumer = new_consumer(up, "west", "fresh").await.unwrap();
    let mut seen = BTreeSet::new();
    while !seen.contains("hello again from the east region") {
        seen.insert(next(&consumer).await);
    }
}
