//! Tests of large amounts of data that wait at the client or at the server: a PONG waits behind the data, and the end
//! of a link must not lose them.

use std::time::Duration;

use futures_util::StreamExt as _;

use crate::handover::{LAME_DUCK, moved, prompt};
use crate::support::{Relay, Server, stopwatch, super_cluster, wait_for, within};

/// What waits for a client at its server: messages of 64 KiB.
const BACKLOG: usize = 100;

/// A server behind a path that carries 16 KiB in 20 ms at most, so that the backlog takes 8 s and each PONG waits behind it.
async fn slow_path(server: &Server) -> Relay {
    Relay::far_from(server.port, Duration::from_millis(20)).await
}

/// Publishes the backlog at once, by a path that is not slow.
async fn pile_up(server: &Server, subject: &'static str) {
    let publisher = async_nats::connect(server.url()).await.unwrap();
    for _ in 0..BACKLOG {
        publisher.publish(subject, vec![b'x'; 64 << 10].into()).await.unwrap();
    }
    // Not `flush`: it says that they have left, not that the server has them.
    let mut echo = publisher.subscribe("piled.up").await.unwrap();
    publisher.publish("piled.up", "".into()).await.unwrap();
    within("the backlog to be at the server", echo.next()).await.unwrap();
}

#[tokio::test]
async fn a_pong_behind_a_backlog_of_seconds_is_no_silence() {
    let servers = super_cluster(&["lon"], "").await;
    let path = slow_path(&servers[0]).await;
    let client = within("connecting", prompt().connect(&path.url())).await.unwrap();
    let mut orders = client.subscribe("orders").await.unwrap();
    client.flush().await.unwrap();
    pile_up(&servers[0], "orders").await;
    for _ in 0..BACKLOG {
        within("the backlog", orders.next()).await.unwrap();
    }
    assert_eq!(client.stats().moves, 0, "a link on which bytes come in has been left");
}

#[tokio::test]
async fn a_backlog_is_read_to_its_end_before_a_lame_duck_is_closed() {
    let servers = super_cluster(&["lon", "ams"], LAME_DUCK).await;
    let (near, far) =
        (slow_path(&servers[0]).await, Relay::far_from(servers[1].port, Duration::from_millis(40)).await);
    let listed = format!("lon={},ams={}", near.url(), far.url());
    let client = within("connecting", prompt().connect(&listed)).await.unwrap();
    let mut orders = client.queue_subscribe("orders", "workers").await.unwrap();
    client.flush().await.unwrap();
    assert_eq!(client.snapshot().active.unwrap().region.as_str(), "lon");
    pile_up(&servers[0], "orders").await;
    servers[0].lame_duck();
    for _ in 0..BACKLOG {
        within("the backlog", orders.next()).await.unwrap();
    }
    moved(&client, &servers[0]).await;
}

#[tokio::test]
async fn bulk_on_a_slow_way_out_is_no_silence() {
    let servers = super_cluster(&["lon"], "").await;
    let direct = async_nats::connect(servers[0].url()).await.unwrap();
    let mut orders = direct.subscribe("orders").await.unwrap();
    direct.flush().await.unwrap();
    // 4 MB/s: what kernels take at once on loopback, some megabytes, is then on its way for a second.
    let path = Relay::with_delays(servers[0].port, [Duration::from_millis(4), Duration::ZERO]).await;
    let client = within("connecting", prompt().connect(&path.url())).await.unwrap();
    let publisher = client.clone();
    let publishing = tokio::spawn(async move {
        for _ in 0..BACKLOG {
            publisher.publish("orders", vec![b'x'; 64 << 10].into()).await.unwrap();
        }
    });
    for _ in 0..BACKLOG {
        within("the backlog", orders.next()).await.unwrap();
    }
    within("publishing", publishing).await.unwrap();
    assert_eq!(client.stats().moves, 0, "a link on which bytes go out has been left");
}

#[tokio::test]
async fn bulk_on_a_fast_way_out_hides_no_silence() {
    let servers = super_cluster(&["lon", "ams"], "").await;
    let near = Relay::to(servers[0].port).await;
    let far = Relay::far_from(servers[1].port, Duration::from_millis(20)).await;
    let client = within("connecting", prompt().connect([near.url(), far.url()])).await.unwrap();
    let publisher = client.clone();
    let publishing = tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(10));
        loop {
            tick.tick().await;
            publisher.publish("orders", vec![b'x'; 20 << 10].into()).await.unwrap();
        }
    });
    // Behind four PINGs, so that it is known what the path can do.
    wait_for("bulk", async || (client.stats().published > 200).then_some(())).await;
    let silent_for = stopwatch();
    near.silence(true);
    wait_for("the move", async || (client.stats().moves == 1).then_some(())).await;
    publishing.abort();
    assert!(silent_for() < Duration::from_secs(3), "noticed after {:?}", silent_for());
}
