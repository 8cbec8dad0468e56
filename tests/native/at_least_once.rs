//! A publisher in lon and a plain subscriber in ams: what lon had not confirmed when it was lost is sent again.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use nats_geo::{AtLeastOnce, GeoClient};

use crate::world::{World, options, region, wait_for, within};

const PER_SECOND: u32 = 500;
/// Published before the fault, and again after the move.
const ENOUGH: u64 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_silent_region_has_not_confirmed_is_not_lost() {
    survive("silent", |world| world.cluster.blackhole_region("lon").unwrap()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_region_has_not_confirmed_is_not_lost() {
    survive("killed", |world| world.cluster.kill_region("lon").unwrap()).await;
}

/// What lon confirms is on its way to ams for 5 ms more, and goes down with it.
const ON_THEIR_WAY: u64 = 50;

async fn survive(what: &str, break_lon: impl FnOnce(&mut World) -> Instant) {
    let mut world = World::start().await;
    let client = world.connect("lon", options().at_least_once(AtLeastOnce::new())).await;
    let mut orders = world.stock("ams-2").await.subscribe("orders").await.unwrap();
    let mut published = 0;
    // Interest has crossed the gateway.
    within("a first order", async {
        loop {
            publish(&client, &mut published).await;
            if tokio::time::timeout(Duration::from_millis(20), orders.next()).await.is_ok() {
                return;
            }
        }
    })
    .await;
    let first = published;

    let mut ticks = tokio::time::interval(Duration::from_secs(1) / PER_SECOND);
    while published < first + ENOUGH {
        ticks.tick().await;
        publish(&client, &mut published).await;
    }
    break_lon(&mut world);
    let broken_at = published;
    while region(&client) != "ams" || client.stats().moves == 0 {
        ticks.tick().await;
        publish(&client, &mut published).await;
    }
    let moved_at = published;
    while published < moved_at + ENOUGH {
        ticks.tick().await;
        publish(&client, &mut published).await;
    }
    wait_for("the confirmation", async || client.flush().await.ok()).await;
    let come = until(&mut orders, published - 1).await;

    let lost: Vec<_> = (first..published).filter(|number| !come.contains_key(number)).collect();
    let doubled = come.values().filter(|count| **count > 1).count();
    let stats = client.stats();
    println!(
        "lon {what}: {} published, {} of them while lon was and traffic still went there; lost {lost:?}, doubled \
         {doubled}, sent again {}",
        published - first,
        moved_at - broken_at,
        stats.resent,
    );
    assert!(doubled as u64 <= stats.resent, "{doubled} came twice: {stats:?}");
    assert_eq!((stats.refused, stats.dropped_unconfirmed, stats.expired_unconfirmed), (0, 0, 0), "{stats:?}");
    let may_be_lost = broken_at.saturating_sub(ON_THEIR_WAY)..broken_at;
    assert!(lost.iter().all(|number| may_be_lost.contains(number)), "{lost:?}, {broken_at}");
}

async fn publish(client: &GeoClient, published: &mut u64) {
    client.publish("orders", published.to_string().into()).await.unwrap();
    *published += 1;
}

/// How often each number came, until `last` has.
async fn until(orders: &mut async_nats::Subscriber, last: u64) -> BTreeMap<u64, u32> {
    let mut come = BTreeMap::new();
    within("the last order", async {
        while !come.contains_key(&last) {
            let order = orders.next().await.unwrap();
            let number = std::str::from_utf8(&order.payload).unwrap().parse().unwrap();
            *come.entry(number).or_insert(0) += 1;
        }
    })
    .await;
    come
}
