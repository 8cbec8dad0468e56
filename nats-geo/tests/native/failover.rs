//! Tests of servers that end or become silent.

use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::core::{Config, NoticeKind};
use nats_geo::{GeoClient, RequestError};

use crate::basics::options;
use crate::support::{Relay, Server, stopwatch, super_cluster, wait_for, within};

/// Which of these servers the client talks to.
pub(crate) fn home(client: &GeoClient, servers: &[Server]) -> usize {
    let address = client.snapshot().active.unwrap().address;
    servers.iter().position(|server| address.ends_with(&format!(":{}", server.port))).unwrap()
}

pub(crate) fn urls(servers: &[Server]) -> Vec<String> {
    servers.iter().map(Server::url).collect()
}

#[tokio::test]
async fn when_its_server_dies_the_client_goes_on_at_another() {
    let mut servers = super_cluster(&["lon", "ams"], "").await;
    let client = within("connecting", options().connect(urls(&servers))).await.unwrap();
    let mut notices = client.notices();
    let mut orders = client.subscribe("orders").await.unwrap();
    client.publish("orders", "before".into()).await.unwrap();
    assert_eq!(within("an order", orders.next()).await.unwrap().payload, "before");

    let home = home(&client, &servers);
    servers[home].kill();
    let died = stopwatch();
    wait_for("the move", async || (client.stats().moves == 1).then_some(())).await;
    client.publish("orders", "after".into()).await.unwrap();
    assert_eq!(within("an order", orders.next()).await.unwrap().payload, "after");
    assert!(died() < Duration::from_secs(1), "{:?}", died());
    assert_eq!(servers[1 - home].connections().await, 1);
    assert_eq!(client.stats().moves, 1);

    let lost = within("a notice", notices.next()).await.unwrap().unwrap();
    assert!(matches!(lost.kind, NoticeKind::Lost { .. }), "{lost:?}");
    let moved = notices.filter(|notice| {
        let moved = matches!(notice, Ok(notice) if matches!(notice.kind, NoticeKind::Moved { .. }));
        std::future::ready(moved)
    });
    assert!(within("the move", std::pin::pin!(moved).next()).await.is_some());
}

#[tokio::test]
async fn a_request_on_a_link_that_dies_fails_at_once_and_is_not_repeated() {
    let mut servers = super_cluster(&["lon", "ams"], "").await;
    let client = within("connecting", options().connect(urls(&servers))).await.unwrap();
    let home = home(&client, &servers);
    let service = within("connecting", options().connect(servers[1 - home].url())).await.unwrap();
    let mut questions = service.subscribe("slow").await.unwrap();
    service.flush().await.unwrap();
    wait_for("interest to cross the gateway", async || {
        let asked = client.request("slow", "warm up".into());
        let refused = tokio::time::timeout(Duration::from_millis(50), asked).await;
        (!matches!(refused, Ok(Err(RequestError::NoResponders { .. })))).then_some(())
    })
    .await;
    within("the first question", questions.next()).await.unwrap();

    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.request("slow", "lamp?".into()).await }
    });
    within("the question", questions.next()).await.unwrap();
    servers[home].kill();
    assert_eq!(within("the answer", asking).await.unwrap().unwrap_err(), RequestError::LinkLost);
    within("the other link", client.flush()).await.unwrap();
    client.publish("slow", "end".into()).await.unwrap();
    assert_eq!(within("the end", questions.next()).await.unwrap().payload, "end");
}

#[tokio::test]
async fn a_silent_server_is_left_without_losing_what_is_published_afterwards() {
    let servers = super_cluster(&["lon", "ams"], "").await;
    let relays = [Relay::to(servers[0].port).await, Relay::to(servers[1].port).await];
    let client = within("connecting", options().connect(relays.each_ref().map(Relay::url))).await.unwrap();
    let listener = within("connecting", options().connect(servers[0].url())).await.unwrap();
    let mut orders = client.subscribe("orders").await.unwrap();
    client.flush().await.unwrap();
    let address = client.snapshot().active.unwrap().address;
    let silent = relays.iter().find(|relay| address.ends_with(&format!(":{}", relay.port))).unwrap();

    silent.silence(true);
    let fell_silent = stopwatch();
    wait_for("the move", async || (client.stats().moves == 1).then_some(())).await;
    assert!(fell_silent() < Duration::from_secs(2), "{:?}", fell_silent());
    client.publish("orders", "after".into()).await.unwrap();
    assert_eq!(within("an order", orders.next()).await.unwrap().payload, "after");
    drop(listener);
}

#[tokio::test]
async fn while_publishing_a_blackhole_is_still_noticed() {
    let servers = super_cluster(&["lon", "ams"], "").await;
    let relays = [Relay::to(servers[0].port).await, Relay::to(servers[1].port).await];
    let client = within("connecting", options().connect(relays.each_ref().map(Relay::url))).await.unwrap();
    let address = client.snapshot().active.unwrap().address;
    let silent = relays.iter().find(|relay| address.ends_with(&format!(":{}", relay.port))).unwrap();
    silent.silence(true);
    let fell_silent = stopwatch();
    while client.stats().moves == 0 {
        client.publish("orders", "x".into()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(10)).await;
        assert!(fell_silent() < Duration::from_secs(2), "not noticed");
    }
}

#[tokio::test]
async fn a_client_without_any_server_waits_and_comes_back() {
    let mut server = Server::start().await;
    let client = within("connecting", options().connect(server.url())).await.unwrap();
    let mut orders = client.subscribe("orders").await.unwrap();
    client.flush().await.unwrap();
    server.kill();
    wait_for("offline", async || client.nats().is_none().then_some(())).await;
    let waiting = tokio::spawn({
        let client = client.clone();
        async move { client.publish("orders", "patient".into()).await }
    });
    let server = server.restarted().await;
    within("the publish", waiting).await.unwrap().unwrap();
    assert_eq!(within("the order", orders.next()).await.unwrap().payload, "patient");
    assert_eq!(server.connections().await, 1);
}

#[tokio::test]
async fn a_warm_standby_takes_over() {
    let mut servers = super_cluster(&["lon", "ams"], "").await;
    let mut config = Config::interactive();
    config.warm_standby = true;
    let client = within("connecting", options().config(config).connect(urls(&servers))).await.unwrap();
    let mut orders = client.subscribe("orders").await.unwrap();
    wait_for("the standby", async || client.snapshot().standby.map(drop)).await;
    let home = home(&client, &servers);
    servers[home].kill();
    wait_for("the move", async || (client.stats().moves == 1).then_some(())).await;
    client.publish("orders", "after".into()).await.unwrap();
    assert_eq!(within("an order", orders.next()).await.unwrap().payload, "after");
}
