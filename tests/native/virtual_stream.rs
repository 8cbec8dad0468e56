//! A virtual stream in lon, ams and dal, with a publisher and readers in each: what is acknowledged reaches everybody,
//! whatever happens to regions.

use std::time::Duration;

use futures_util::FutureExt as _;
use nats_geo::core::Config;
use nats_geo::jetstream::PublishOptions;
use nats_geo::jetstream::consumer::pull;
use nats_geo::jetstream::virtual_stream::{self, CreateError, Position};

use crate::travellers::{REGIONS, Travellers, config, read_some};
use crate::world::{World, hurried, region, wait_for, with_config, within};

#[tokio::test(flavor = "multi_thread")]
async fn a_region_goes_down_and_comes_back() {
    let mut world = World::start().await;
    let travellers = Travellers::start(&world, hurried()).await;
    keep_leader_out_of(&world, &["lon"]).await;
    world.cluster.kill_region("lon").unwrap();
    wait_for("the move to ams", async || (region(travellers.client("lon")) == "ams").then_some(())).await;
    travellers.go_on(&REGIONS).await;
    // The others still choose a leader, so that it is lon alone that gets no consumer.
    let error = wait_for("a consumer in the others", async || {
        let error = new_consumer(&travellers, "ams", "later").await.unwrap_err();
        (failed_in(&error) == ["lon"]).then_some(error)
    });
    println!("while lon is down: {}", error.await);
    world.cluster.restart_region("lon").await.unwrap();
    wait_for("the way home", async || (region(travellers.client("lon")) == "lon").then_some(())).await;
    within("the rest of it", async { while new_consumer(&travellers, "lon", "later").await.is_err() {} })
        .await;
    println!("lon killed, and home again: {}", travellers.finish(&world).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_regions_go_down_and_come_back() {
    let mut world = World::start().await;
    let travellers = Travellers::start(&world, Config::interactive()).await;
    keep_leader_out_of(&world, &["lon", "ams"]).await;
    world.cluster.kill_region("lon").unwrap();
    world.cluster.kill_region("ams").unwrap();
    for from in ["lon", "ams"] {
        wait_for("the move to dal", async || (region(travellers.client(from)) == "dal").then_some(())).await;
    }
    // Who was there before goes on, and durable consumers wait for those who come.
    travellers.go_on_durably(&REGIONS).await;
    travellers.go_on(&["dal"]).await;
    let error = new_consumer(&travellers, "dal", "later").await.unwrap_err();
    println!("alone in dal: {error}");
    assert_eq!(failed_in(&error), REGIONS);
    assert!(error.to_string().contains("JetStream has no leader"), "{error}");
    let orders = travellers.client("dal").jetstream_with(hasty()).virtual_stream(config()).unwrap();
    let error = orders.ordered(Position::first()).await.unwrap_err();
    assert!(error.to_string().contains("JetStream has no leader"), "{error}");
    restart(&mut world, &["lon", "ams"]).await;
    println!("lon and ams killed, and back: {}", travellers.finish(&world).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_is_cut_off_and_heard_again() {
    let mut world = World::start().await;
    let travellers = Travellers::start(&world, Config::interactive()).await;
    keep_leader_out_of(&world, &["lon"]).await;
    world.cluster.cut_off_region("lon").unwrap();
    // What lon publishes reaches lon, and what the others publish reaches the others.
    travellers.go_on(&REGIONS).await;
    assert_eq!(region(travellers.client("lon")), "lon", "its own servers are heard");
    let error = new_consumer(&travellers, "lon", "later").await.unwrap_err();
    println!("cut off: {error}");
    assert_eq!(failed_in(&error), REGIONS);
    wait_for("the larger part to make consumers", async || {
        let error = new_consumer(&travellers, "ams", "later").await.unwrap_err();
        (failed_in(&error) == ["lon"]).then_some(())
    })
    .await;
    let orders = travellers.client("lon").jetstream().virtual_stream(config()).unwrap();
    let last = within("a read", async { orders.nearest().await?.last("orders.lon").await }).await.unwrap();
    assert!(last.is_some(), "single messages are read without a leader");
    world.cluster.heal_region("lon").await.unwrap();
    println!("lon cut off, and heard again: {}", travellers.finish(&world).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn setting_up_says_what_is_missing_and_is_safe_to_repeat() {
    let mut world = World::of(1).await;
    let client = world.connect("ams", with_config(Config::interactive())).await;
    world.cluster.kill_region("lon").unwrap();
    let jetstream = client.jetstream_with(hasty());
    let error = wait_for("JetStream to know", async || {
        let error = jetstream.create_virtual_stream(config().replicas(1)).await.unwrap_err();
        (failed_in(&error) == ["lon", "lon"]).then_some(error)
    });
    let error = error.await;
    println!("{error}");
    let CreateError::Incomplete { made, .. } = &error else { panic!("{error}") };
    assert_eq!(*made, ["orders-write-ams", "orders-write-dal", "orders-read-ams", "orders-read-dal"]);
    world.cluster.restart_region("lon").await.unwrap();
    let orders =
        wait_for("all of it", async || jetstream.create_virtual_stream(config().replicas(1)).await.ok())
            .await;
    within("asking again", jetstream.create_virtual_stream(config().replicas(1))).await.unwrap();
    within("publishing", orders.publish("orders.new", "one lamp".into())).await.unwrap();
    let other = config().replicas(1).outage_max(Duration::from_secs(60));
    let error = within("another configuration", jetstream.create_virtual_stream(other)).await.unwrap_err();
    assert_eq!(failed_in(&error), REGIONS, "{error}");
    let error = orders.publish("others.new", "one lamp".into()).await.unwrap_err();
    assert!(error.to_string().contains("its subjects begin with `orders.`"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_stored_in_two_regions_is_read_once() {
    let world = World::start().await;
    let mut streams = Vec::new();
    for from in ["lon", "ams"] {
        let client = world.connect(from, with_config(Config::interactive())).await;
        streams.push(client.jetstream().create_virtual_stream(config()).await.unwrap());
    }
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Nats-Msg-Id", "order-1");
    for stream in &streams {
        let published = stream.publish_with_headers("orders.new", headers.clone(), "one lamp".into());
        assert!(!within("publishing", published).await.unwrap().duplicate);
        within("publishing", stream.publish("orders.new", "another".into())).await.unwrap();
    }
    for stream in &streams {
        let mut read = read_some(stream, 3).await;
        read.sort_unstable();
        assert_eq!(read, ["another", "another", "one lamp"]);
    }
}

/// An election would only take time: it is the same for whoever asks JetStream.
async fn keep_leader_out_of(world: &World, regions: &[&str]) {
    let avoid = regions.iter().copied().collect();
    within("the leader to move", world.cluster.move_meta_leader(&avoid)).await.unwrap();
}

/// Both at once: one alone would never be ready, without a leader.
async fn restart(world: &mut World, regions: &[&str]) {
    for region in regions {
        // The first poll starts the processes.
        let _ = world.cluster.restart_region(region).now_or_never();
    }
    within("the super-cluster", world.cluster.wait_ready()).await.unwrap();
}

/// Bounds for who wants to hear of a failure soon.
fn hasty() -> PublishOptions {
    PublishOptions::new().total_timeout(Duration::from_secs(2))
}

async fn new_consumer(
    travellers: &Travellers,
    from: &str,
    name: &str,
) -> Result<virtual_stream::Consumer, CreateError> {
    let orders = travellers.client(from).jetstream_with(hasty()).virtual_stream(config()).unwrap();
    let config = pull::Config { durable_name: Some(name.into()), ..Default::default() };
    within("a consumer", orders.create_consumer(config)).await
}

fn failed_in(error: &CreateError) -> Vec<&str> {
    match error {
        CreateError::Incomplete { failures, .. } => {
            failures.iter().map(|failure| failure.region.as_str()).collect()
        }
        _ => Vec::new(),
    }
}
