//! Tests of publishes that the client resends until a server has confirmed them.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::core::Config;
use nats_geo::{AtLeastOnce, GeoClient, Overflow, PublishError, Subscription};

use crate::basics::{client, options};
use crate::failover::{home, urls};
use crate::publishing::patient;
use crate::support::{Relay, Server, super_cluster, wait_for, within};

const KIB: usize = 1_024;

/// A number that is one KiB long.
fn numbered(number: usize) -> bytes::Bytes {
    format!("{number:0>KIB$}").into()
}

fn number(message: &nats_geo::Message) -> usize {
    std::str::from_utf8(&message.payload).unwrap().parse().unwrap()
}

/// What comes up to and including `last`.
async fn until(subscription: &mut Subscription, last: usize) -> Vec<usize> {
    let mut come = Vec::new();
    within("the last message", async {
        while come.last() != Some(&last) {
            come.push(number(&subscription.next().await.unwrap()));
        }
    })
    .await;
    come
}

async fn listen(server: &Server) -> (GeoClient, Subscription) {
    let listener = client(&server.url()).await;
    let orders = listener.subscribe("orders").await.unwrap();
    listener.flush().await.unwrap();
    (listener, orders)
}

/// A publisher behind a relay that is silent from now on, and a subscriber that is not.
struct Silenced {
    client: GeoClient,
    relay: Relay,
    orders: Subscription,
    _listener: GeoClient,
    _server: Server,
}

impl Silenced {
    async fn with(at_least_once: AtLeastOnce, publish_wait: Duration) -> Self {
        let server = Server::start().await;
        let (listener, orders) = listen(&server).await;
        let relay = Relay::to(server.port).await;
        let options = patient().at_least_once(at_least_once).publish_wait(publish_wait);
        let client = within("connecting", options.connect(relay.url())).await.unwrap();
        within("the first round trip", client.flush()).await.unwrap();
        relay.silence(true);
        Self { client, relay, orders, _listener: listener, _server: server }
    }

    /// Ends the link: what it carried is lost. The next one works.
    fn cut(&self) {
        self.relay.cut();
        self.relay.silence(false);
    }

    async fn publish(&self, number: usize) -> Result<(), PublishError> {
        within("publishing", self.client.publish("orders", numbered(number))).await
    }
}

const MOMENT: Duration = Duration::from_millis(200);

#[tokio::test]
async fn all_that_was_not_confirmed_is_sent_again_in_order() {
    let mut silenced = Silenced::with(AtLeastOnce::new(), MOMENT).await;
    for number in 0..200 {
        silenced.publish(number).await.unwrap();
    }
    silenced.cut();
    assert_eq!(until(&mut silenced.orders, 199).await, Vec::from_iter(0..200));
    let stats = silenced.client.stats();
    assert_eq!((stats.resent, stats.unconfirmed), (200, 200), "{stats:?}");
    assert_eq!((stats.refused, stats.dropped_unconfirmed, stats.expired_unconfirmed), (0, 0, 0), "{stats:?}");
    // Confirmed by now, so it is not sent a third time.
    silenced.client.flush().await.unwrap();
    silenced.relay.cut();
    wait_for("the next link", async || (silenced.client.stats().moves == 2).then_some(())).await;
    silenced.publish(200).await.unwrap();
    assert_eq!(until(&mut silenced.orders, 200).await, [200]);
}

#[tokio::test]
async fn a_publish_without_room_is_refused_and_none_that_was_taken_is_lost() {
    let options = AtLeastOnce::new().max_bytes(20 * KIB);
    let mut silenced = Silenced::with(options, MOMENT).await;
    let mut taken = 0;
    let refused = loop {
        match silenced.publish(taken).await {
            Ok(()) => taken += 1,
            Err(error) => break error,
        }
    };
    assert_eq!(refused, PublishError::TooManyUnconfirmed { max_bytes: 20 * KIB, waited: MOMENT });
    assert!((10..20).contains(&taken), "{taken}");
    let larger = within("publishing", silenced.client.publish("orders", vec![0; 20 * KIB].into())).await;
    assert_eq!(larger, Err(PublishError::TooLargeToKeep { size: 20 * KIB, max_bytes: 20 * KIB }));
    assert_eq!(silenced.client.stats().refused, 2);
    silenced.cut();
    wait_for("the next link", async || silenced.client.flush().await.ok()).await;
    silenced.publish(taken).await.unwrap();
    assert_eq!(until(&mut silenced.orders, taken).await, Vec::from_iter(0..=taken));
    assert_eq!(silenced.client.stats().dropped_unconfirmed, 0);
}

#[tokio::test]
async fn the_oldest_are_dropped_where_that_is_asked_for() {
    let options = AtLeastOnce::new().max_bytes(20 * KIB).on_overflow(Overflow::DropOldest);
    let mut silenced = Silenced::with(options, MOMENT).await;
    for number in 0..100 {
        silenced.publish(number).await.unwrap();
    }
    silenced.cut();
    let come = until(&mut silenced.orders, 99).await;
    assert!((10..20).contains(&come.len()), "{come:?}");
    assert_eq!(come, Vec::from_iter(100 - come.len()..100));
    let stats = silenced.client.stats();
    assert_eq!((stats.dropped_unconfirmed + stats.resent, stats.refused), (100, 0), "{stats:?}");
}

#[tokio::test]
async fn what_is_too_old_is_not_sent_again() {
    let age = Duration::from_secs(1);
    let mut silenced = Silenced::with(AtLeastOnce::new().max_age(age), MOMENT).await;
    silenced.publish(0).await.unwrap();
    silenced.publish(1).await.unwrap();
    // Time itself is the condition.
    tokio::time::sleep(age + MOMENT).await;
    silenced.publish(2).await.unwrap();
    silenced.cut();
    assert_eq!(until(&mut silenced.orders, 2).await, [2]);
    let stats = silenced.client.stats();
    assert_eq!((stats.expired_unconfirmed, stats.resent, stats.unconfirmed), (2, 1, 3), "{stats:?}");
}

#[tokio::test]
async fn a_link_that_works_is_only_slowed_down_by_lack_of_room() {
    let server = Server::start().await;
    let (_listener, mut orders) = listen(&server).await;
    let options = options().at_least_once(AtLeastOnce::new().max_bytes(64 * KIB));
    let client = within("connecting", options.connect(server.url())).await.unwrap();
    const COUNT: usize = 5_000;
    let publishing = tokio::spawn(async move {
        for number in 0..COUNT {
            client.publish("orders", numbered(number)).await.unwrap();
        }
        client.flush().await.unwrap();
        client
    });
    assert_eq!(until(&mut orders, COUNT - 1).await, Vec::from_iter(0..COUNT));
    let stats = within("publishing", publishing).await.unwrap().stats();
    assert_eq!((stats.published, stats.refused, stats.resent), (COUNT as u64, 0, 0), "{stats:?}");
}

#[tokio::test]
async fn what_a_silent_server_did_not_confirm_goes_to_the_next_before_it_is_given_up() {
    let servers = super_cluster(&["lon", "ams"], "").await;
    let relays = [Relay::to(servers[0].port).await, Relay::to(servers[1].port).await];
    let mut config = Config::interactive();
    (config.watch.dead_min, config.watch.dead_max) = (Duration::from_secs(60), Duration::from_secs(60));
    let options = options().config(config).at_least_once(AtLeastOnce::new());
    let client = within("connecting", options.connect(relays.each_ref().map(Relay::url))).await.unwrap();
    let (_listener, mut orders) = listen(&servers[1]).await;
    let address = client.snapshot().active.unwrap().address;
    let silent = relays.iter().find(|relay| address.ends_with(&format!(":{}", relay.port))).unwrap();
    let mut published = 0;
    within("interest to cross the gateway", async {
        loop {
            client.publish("orders", numbered(published)).await.unwrap();
            published += 1;
            if tokio::time::timeout(Duration::from_millis(20), orders.next()).await.is_ok() {
                return;
            }
        }
    })
    .await;
    client.flush().await.unwrap();

    silent.silence(true);
    let first = published;
    // Before, during and after the move.
    within("the move", async {
        while client.stats().moves == 0 || published < first + 200 {
            client.publish("orders", numbered(published)).await.unwrap();
            published += 1;
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
    client.flush().await.unwrap();
    let mut come = BTreeSet::new();
    within("all of them", async {
        while !(first..published).all(|number| come.contains(&number)) {
            come.insert(number(&orders.next().await.unwrap()));
        }
    })
    .await;
    let stats = client.stats();
    assert!(stats.resent > 0 && stats.moves == 1 && stats.unconfirmed == 0, "{stats:?}");
    // It speaks again: what it had swallowed comes as well, and that is what at least once means.
    silent.silence(false);
    let doubled = within("a double", orders.next()).await.unwrap();
    assert!(come.contains(&number(&doubled)));
}

#[tokio::test]
async fn what_a_killed_server_did_not_confirm_goes_to_the_next() {
    let mut servers = super_cluster(&["lon", "ams"], "").await;
    let options = options().at_least_once(AtLeastOnce::new());
    let client = within("connecting", options.connect(urls(&servers))).await.unwrap();
    let home = home(&client, &servers);
    let (_listener, mut orders) = listen(&servers[1 - home]).await;
    // It neither reads nor answers any more.
    servers[home].freeze();
    for number in 0..50 {
        client.publish("orders", numbered(number)).await.unwrap();
    }
    servers[home].kill();
    assert_eq!(until(&mut orders, 49).await, Vec::from_iter(0..50));
    assert_eq!(client.stats().resent, 50, "{:?}", client.stats());
}
