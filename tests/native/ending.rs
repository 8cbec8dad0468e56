//! The end of a client: nothing of it stays.

use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use nats_geo::core::Config;

use crate::world::{World, wait_for, with_config, within};

#[tokio::test(flavor = "multi_thread")]
async fn dropping_the_last_clone_ends_everything() {
    let world = World::start().await;
    let mut config = Config::interactive();
    config.warm_standby = true;
    let client = world.connect("lon", with_config(config)).await;
    let mut orders = client.subscribe("orders").await.unwrap();
    let mut notices = client.notices();
    let standby = wait_for("the standby", async || client.snapshot().standby).await;
    wait_for("both connections", async || (world.connections().await.len() == 2).then_some(())).await;
    assert!(world.connections().await.contains_key(&standby.server.unwrap()));

    let clone = client.clone();
    drop(client);
    clone.publish("orders", "one lamp".into()).await.unwrap();
    assert_eq!(within("the order", orders.next()).await.unwrap().payload, "one lamp");
    drop(clone);
    assert!(within("the end of the subscription", orders.next()).await.is_none());
    within("the end of the notices", async { while notices.next().await.is_some() {} }).await;
    wait_for("no connection", async || (world.connections().await == BTreeMap::new()).then_some(())).await;
}
