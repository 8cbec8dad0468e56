//! Tests of publishes while the client has no link, or while the link dies.

use std::time::Duration;

use async_nats::client::traits::{Publisher, Requester, TimeoutProvider};
use futures_util::StreamExt as _;
use nats_geo::core::Config;
use nats_geo::{AtLeastOnce, FlushError, GeoOptions, PublishError, RequestError};

use crate::basics::{client, options};
use crate::support::{Relay, Server, stopwatch, wait_for, within};

/// Neither pings nor suspicion: the test decides when a link ends.
pub(crate) fn patient() -> GeoOptions {
    let mut config = Config::interactive();
    config.watch.ping_interval = Duration::from_secs(60);
    options().config(config)
}

#[tokio::test]
async fn publishing_and_asking_without_a_server_fail_after_the_bound() {
    let mut server = Server::start().await;
    let bound = Duration::from_millis(200);
    let client = within("connecting", options().publish_wait(bound).connect(server.url())).await.unwrap();
    server.kill();
    wait_for("offline", async || client.nats().is_none().then_some(())).await;
    let started = stopwatch();
    let unavailable = PublishError::Unavailable { waited: bound };
    assert_eq!(client.publish("a", "x".into()).await, Err(unavailable.clone()));
    assert_eq!(client.request("a", "x".into()).await.unwrap_err(), RequestError::NotSent(unavailable));
    assert_eq!(client.flush().await, Err(FlushError::Unavailable));
    assert!(started() >= bound * 3 && started() < bound * 6, "{:?}", started());
}

#[tokio::test]
async fn publishing_into_a_blackhole_is_bounded_too() {
    let server = Server::start().await;
    let relay = Relay::to(server.port).await;
    let bound = Duration::from_millis(200);
    let client = within("connecting", patient().publish_wait(bound).connect(relay.url())).await.unwrap();
    relay.silence(true);
    let full = async {
        loop {
            let started = stopwatch();
            if let Err(error) = client.publish("a", vec![0; 64 << 10].into()).await {
                return (error, started());
            }
        }
    };
    let (error, waited) = within("the channel to fill", full).await;
    assert_eq!(error, PublishError::Unavailable { waited: bound });
    assert!(waited < bound * 3, "{waited:?}");
}

#[tokio::test]
async fn what_a_dead_link_never_wrote_is_sent_on_the_next() {
    let server = Server::start().await;
    let mut listener = client(&server.url()).await.subscribe("a").await.unwrap();
    let listening = client(&server.url()).await;
    let mut orders = listening.subscribe("a").await.unwrap();
    listening.flush().await.unwrap();
    listener.unsubscribe().await;

    let relay = Relay::to(server.port).await;
    let publishing =
        within("connecting", patient().publish_wait(Duration::from_millis(300)).connect(relay.url()));
    let client = publishing.await.unwrap();
    client.publish("a", "0".into()).await.unwrap();
    client.flush().await.unwrap();
    relay.silence(true);
    let mut sent = 1;
    let mut payload = || {
        let number = sent.to_string();
        sent += 1;
        format!("{number:0>32768}")
    };
    while client.publish("a", payload().into()).await.is_ok() {}
    // The relay holds what it has read for ever: these bytes are the unconfirmed ones.
    relay.cut();
    relay.silence(false);
    wait_for("the next link", async || client.flush().await.ok()).await;

    let stats = client.stats();
    assert!(stats.resent > 0 && stats.unconfirmed > 0, "{stats:?}");
    assert_eq!(1 + stats.unconfirmed + stats.resent, stats.published);
    // In order, without a double: the first one, and all of the unwritten ones.
    let mut last = None;
    for _ in 0..=stats.resent {
        let order = within("an order", orders.next()).await.unwrap();
        let number: u64 = std::str::from_utf8(&order.payload).unwrap().parse().unwrap();
        assert!(last < Some(number), "{number} after {last:?}");
        last = Some(number);
    }
    assert_eq!(last, Some(stats.published - 1));
}

#[tokio::test]
async fn unconfirmed_publishes_are_resent_only_on_request() {
    let sent_again = patient().at_least_once(AtLeastOnce::new());
    for (options, expected) in [(patient(), "after"), (sent_again, "doubt")] {
        let server = Server::start().await;
        let listening = client(&server.url()).await;
        let mut orders = listening.subscribe("a").await.unwrap();
        listening.flush().await.unwrap();
        let relay = Relay::to(server.port).await;
        let client = within("connecting", options.connect(relay.url())).await.unwrap();
        client.flush().await.unwrap();
        relay.silence(true);
        client.publish("a", "doubt".into()).await.unwrap();
        client.nats().unwrap().flush().await.unwrap();
        relay.cut();
        relay.silence(false);
        wait_for("the next link", async || (client.stats().moves == 1).then_some(())).await;
        client.publish("a", "after".into()).await.unwrap();
        assert_eq!(within("a message", orders.next()).await.unwrap().payload, expected);
        assert_eq!(client.stats().unconfirmed, 1);
    }
}

#[tokio::test]
async fn the_traits_of_async_nats_are_served() {
    async fn publish(publisher: &impl Publisher) {
        publisher.publish_with_reply("a", "b", "x".into()).await.unwrap();
    }
    async fn ask(requester: &(impl Requester + TimeoutProvider)) -> async_nats::RequestErrorKind {
        assert_eq!(requester.timeout(), Some(Duration::from_secs(10)));
        requester.send_request("nobody", async_nats::Request::new()).await.unwrap_err().kind()
    }
    let server = Server::start().await;
    let client = client(&server.url()).await;
    let mut messages = client.subscribe("a").await.unwrap();
    publish(&client).await;
    assert_eq!(within("a message", messages.next()).await.unwrap().reply.as_deref(), Some("b"));
    assert_eq!(ask(&client).await, async_nats::RequestErrorKind::NoResponders);
    client.nats().unwrap().publish("a", "raw".into()).await.unwrap();
    assert_eq!(within("a message", messages.next()).await.unwrap().payload, "raw");
}
