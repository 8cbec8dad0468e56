//! Preset `hub-spoke`: leaf-node clusters with JetStream domains of their own.

use std::time::Duration;

use async_nats::jetstream;
use nats_geo::GeoOptions;
use nats_geo::core::Config;

use crate::{PASSWORD, Up, until};

/// Messages of a stream in a domain, asked from `client`.
async fn messages(client: &async_nats::Client, domain: &str, stream: &str) -> u64 {
    let context = jetstream::with_domain(client.clone(), domain);
    let stream = context.get_stream(stream).await;
    stream.map_or(0, |stream| stream.cached_info().state.messages)
}

/// How long the source `tickets-1` of the stream `sales` has been silent.
async fn silent_for(client: &async_nats::Client) -> Duration {
    let context = jetstream::with_domain(client.clone(), "hub");
    let sales = context.get_stream("sales").await.unwrap();
    let source = sales.cached_info().sources.iter().find(|source| source.name == "tickets-1").unwrap();
    source.active.unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_of_a_spoke_arrive_in_the_hub_also_after_a_separation() {
    let mut up = Up::start("hub-spoke").await;
    let hub = up.client("headquarter", "acc").await;
    let spoke = up.client("spoke-1", "acc").await;
    let sell = |number: u32| {
        let context = jetstream::with_domain(spoke.clone(), "spoke-1");
        async move {
            let ack =
                context.publish("tickets-1.row", number.to_string().into()).await.unwrap().await.unwrap();
            assert_eq!(ack.domain, "spoke-1");
        }
    };
    sell(1).await;
    until("a ticket in the hub", async || messages(&hub, "hub", "sales").await == 1).await;

    // The mirror in the spoke follows its origin in the hub, and both are seen from either end by their domains.
    let films = jetstream::with_domain(hub.clone(), "hub");
    films.publish("cinema-a.new.films", "Metropolis".into()).await.unwrap().await.unwrap();
    until("the mirror", async || messages(&hub, "spoke-1", "cinema-a-mirror").await == 1).await;
    assert_eq!(messages(&spoke, "hub", "cinema-a").await, 1);

    // For ten seconds nothing crosses; the spoke goes on by itself.
    up.cluster.cut_off_region("spoke-1").unwrap();
    sell(2).await;
    until("ten seconds of silence in the report", async || silent_for(&hub).await >= Duration::from_secs(10))
        .await;
    assert_eq!(messages(&hub, "hub", "sales").await, 1);
    up.cluster.heal_region("spoke-1").await.unwrap();
    until("the second ticket", async || messages(&hub, "hub", "sales").await == 2).await;
    until("an active source", async || silent_for(&hub).await < Duration::from_secs(10)).await;
    up.ends_without_a_trace().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_lives_at_its_leaf_node_and_moves_to_the_hub_and_back() {
    let mut up = Up::start("hub-spoke").await;
    let options = GeoOptions::new().config(Config::interactive()).user_and_password("acc", PASSWORD);
    let client = options.connect(up.urls("spoke-1")).await.unwrap();
    let stands_in = |region: &'static str| {
        let client = client.clone();
        async move {
            until(region, async || {
                client.snapshot().active.is_some_and(|server| server.region.as_str() == region)
            })
            .await;
        }
    };
    stands_in("spoke-1").await;
    let hub = up.client("headquarter", "acc").await;
    let mut heard = client.subscribe("news").await.unwrap();
    client.flush().await.unwrap();
    hears(&hub, &mut heard).await;
    up.cluster.kill_region("spoke-1").unwrap();
    stands_in("headquarter").await;
    hears(&hub, &mut heard).await;
    up.ends_without_a_trace().await;
}

/// A message of the hub's client arrives, whether it crosses a leaf node or not.
async fn hears(hub: &async_nats::Client, heard: &mut nats_geo::Subscription) {
    use futures_util::StreamExt as _;
    until("a message from the hub", async || {
        hub.publish("news", "extra".into()).await.unwrap();
        tokio::time::timeout(Duration::from_millis(200), heard.next()).await.is_ok()
    })
    .await;
}
