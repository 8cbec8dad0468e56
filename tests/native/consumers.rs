//! A stream and a bucket in ams, and a client in lon that reads them, whatever happens to lon.

use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::core::Config;
use nats_geo::jetstream::stream::{self, Placement};
use nats_geo::jetstream::{Context, OrderedOptions, Stream, kv, object};

use crate::journal::Journal;
use crate::reading::{BATCH, ENOUGH, Reading, cluster};
use crate::world::{World, hurried, region, seat, wait_for, with_config, within};

#[tokio::test(flavor = "multi_thread")]
async fn readers_outlive_a_killed_region_and_come_home() {
    let mut world = World::start().await;
    let client = world.connect("lon", with_config(hurried())).await;
    let reading = Reading::start(&world, &client, "ams").await;
    world.cluster.kill_region("lon").unwrap();
    reading.go_on_in(&client, "ams").await;
    reading.acknowledged(reading.publisher.so_far()).await;
    let again = reading.again();
    assert!(again <= 2 * BATCH, "{again} came again");
    world.cluster.restart_region("lon").await.unwrap();
    reading.go_on_in(&client, "lon").await;
    let read = reading.finish().await;
    assert_eq!(read.again, again, "the way home is an orderly one");
    println!("lon killed, and home again: {read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_wait_for_a_stream_whose_region_is_lost() {
    let mut world = World::start().await;
    let client = world.connect("lon", with_config(Config::interactive())).await;
    let reading = Reading::start(&world, &client, "lon").await;
    world.cluster.kill_region("lon").unwrap();
    wait_for("the move to ams", async || (region(&client) == "ams").then_some(())).await;
    let lost = reading.publisher.so_far();
    // Nothing to wait for: that readers do not give up can only be watched.
    tokio::time::sleep(OUTAGE).await;
    world.cluster.restart_region("lon").await.unwrap();
    reading.wait_for("all readers to go on", lost + ENOUGH).await;
    let read = reading.finish().await;
    assert!(read.again <= 2 * BATCH, "{} of {} came again", read.again, read.count);
    println!("the stream's own region killed, and back: {read}");
}

/// Several tries of every reader.
const OUTAGE: Duration = Duration::from_secs(6);

#[tokio::test(flavor = "multi_thread")]
async fn readers_outlive_a_silent_region() {
    let mut world = World::start().await;
    let client = world.connect("lon", with_config(Config::interactive())).await;
    let reading = Reading::start(&world, &client, "ams").await;
    world.cluster.blackhole_region("lon").unwrap();
    reading.go_on_in(&client, "ams").await;
    let read = reading.finish().await;
    assert!(read.again <= 2 * BATCH, "{} of {} came again", read.again, read.count);
    println!("lon silent: {read}");
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_do_not_notice_a_lame_duck() {
    let mut world = World::start().await;
    let mut config = Config::interactive();
    // The default of 5 s is for fleets; here it would only take time.
    config.spread.lame_duck = Duration::from_millis(200);
    let client = world.connect("lon", with_config(config)).await;
    let journal = Journal::of(&client);
    let reading = Reading::start(&world, &client, "ams").await;
    let (_, duck) = seat(&client).unwrap();
    world.cluster.lame_duck_server(&duck).unwrap();
    journal.first_move().await;
    reading.go_on_in(&client, "lon").await;
    wait_for("the old link to be gone", async || {
        (!world.connections().await.contains_key(&duck)).then_some(())
    })
    .await;
    let read = reading.finish().await;
    assert_eq!(read.again, 0, "of {} messages", read.count);
    // Three readers take every message once; most of what is more came on both links.
    let copies = client.stats().delivered - 3 * u64::from(read.count);
    assert!(copies > 0, "the overlap was not put to the test");
    println!("lame duck: {read}; {copies} copies dropped");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_and_the_nearest_mirror_are_read_on_when_their_way_is_lost() {
    let mut world = World::start().await;
    let author = world.connect("ams", with_config(Config::interactive())).await.jetstream();
    let films = object::Config { bucket: "films".into(), ..Default::default() };
    let films = within("the store", author.create_object_store(films)).await.unwrap();
    let bytes: Vec<u8> = (0..FILM_BYTES / 4).flat_map(u32::to_be_bytes).collect();
    within("writing", films.put("film", &mut bytes.as_slice())).await.unwrap();
    let orders = mirrored_orders(&author).await;

    let client = world.connect("lon", with_config(Config::interactive())).await;
    let jetstream = client.jetstream();
    let films = within("the store", jetstream.object_store("films")).await.unwrap();
    let mut film = within("the film", films.get("film")).await.unwrap();
    let mut read = within("its beginning", film.next()).await.unwrap().unwrap().to_vec();
    let orders = within("the stream", jetstream.get_stream(orders.name())).await.unwrap();
    let nearest = wait_for("the mirror to be near", async || {
        orders.nearest().await.ok().filter(|nearest| nearest.name() == "MIRROR")
    });
    assert_eq!(cluster(&nearest.await), "lon");
    let mut near = within("a reader", orders.ordered(OrderedOptions::new().nearest())).await.unwrap();
    for expected in 1..=ENOUGH {
        assert_eq!(within("an order", near.next()).await.unwrap().unwrap().payload, expected.to_string());
        if expected == ENOUGH / 2 {
            world.cluster.kill_region("lon").unwrap();
            wait_for("the move to ams", async || (region(&client) == "ams").then_some(())).await;
            for number in ENOUGH / 2 + 1..=ENOUGH {
                let published = author.publish("orders.new", number.to_string().into());
                within("an order", published).await.unwrap();
            }
        }
    }
    read.extend_from_slice(&within("the rest", film.read_all()).await.unwrap());
    assert!(read == bytes, "the digest was right");
}

/// Half of the orders, in ams, and their mirror in lon, which has caught up.
async fn mirrored_orders(author: &Context) -> Stream {
    let orders =
        stream::Config { name: "ORDERS".into(), subjects: vec!["orders.>".into()], ..Default::default() };
    let orders = within("the stream", author.create_stream(orders)).await.unwrap();
    for number in 1..=ENOUGH / 2 {
        within("an order", author.publish("orders.new", number.to_string().into())).await.unwrap();
    }
    let lon = Placement { cluster: Some("lon".into()), tags: Vec::new() };
    let source = stream::Source { name: "ORDERS".into(), ..Default::default() };
    let mirror = stream::Config {
        name: "MIRROR".into(),
        mirror: Some(source),
        placement: Some(lon),
        ..Default::default()
    };
    let mut mirror = within("the mirror", author.create_stream(mirror)).await.unwrap();
    within("the mirror to catch up", async {
        while mirror.info().await.unwrap().info.state.messages < u64::from(ENOUGH / 2) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
    orders
}

/// More than is read ahead.
const FILM_BYTES: u32 = 12 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn what_is_made_is_at_home_also_from_elsewhere() {
    let mut world = World::start().await;
    let client = world.connect("lon", with_config(Config::interactive())).await;
    let jetstream = client.jetstream();
    let here = stream::Config { name: "HERE".into(), ..Default::default() };
    let here = within("a stream", jetstream.create_stream(here)).await.unwrap();
    assert_eq!(cluster(&here), "lon");
    world.cluster.kill_region("lon").unwrap();
    wait_for("the move to ams", async || (region(&client) == "ams").then_some(())).await;
    let there = stream::Config { name: "THERE".into(), ..Default::default() };
    let told = stream::Config { placement: Some(Placement::default()), ..there.clone() };
    // JetStream itself may have to choose a leader first.
    let told = wait_for("ams to take a stream", async || jetstream.create_stream(told.clone()).await.ok());
    assert_eq!(cluster(&told.await), "ams", "left to the server");
    world.cluster.restart_region("lon").await.unwrap();
    let bucket = kv::Config { bucket: "config".into(), ..Default::default() };
    let bucket =
        wait_for("lon to take a bucket", async || jetstream.create_key_value(bucket.clone()).await.ok());
    assert_eq!(cluster(bucket.await.stream()), "lon");
    // Code that makes what it needs finds what is there, wherever that is.
    let found = within("the stream", jetstream.create_stream(there)).await.unwrap();
    assert_eq!(cluster(&found), "ams");
}
