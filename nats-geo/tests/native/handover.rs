//! Tests of orderly moves: they lose no message, and in queue groups they duplicate none.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::core::Config;
use nats_geo::{AtLeastOnce, GeoClient, GeoOptions, Subscription};
use tokio::task::JoinHandle;

use crate::basics::options;
use crate::failover::{home, urls};
use crate::support::{Relay, Server, super_cluster, wait_for, within};

pub(crate) const LAME_DUCK: &str = "lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"10s\"";

/// Leaves a lame duck at once: the spread is for fleets.
pub(crate) fn prompt() -> GeoOptions {
    let mut config = Config::interactive();
    config.spread.lame_duck = Duration::from_millis(50);
    options().config(config)
}

/// Publishes `count` numbers to `subject` through one server, one per millisecond.
async fn publisher(server: &Server, subject: &'static str, count: u32) -> JoinHandle<()> {
    let client = async_nats::connect(server.url()).await.unwrap();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        for n in 0..count {
            tick.tick().await;
            client.publish(subject, n.to_string().into()).await.unwrap();
        }
        client.flush().await.unwrap();
    })
}

/// Publishes a message per millisecond until `is_enough`, and half a second more, for what comes late. Returns how
/// many.
async fn publisher_until(
    server: &Server,
    subject: &'static str,
    is_enough: impl Fn() -> bool + Send + 'static,
) -> JoinHandle<usize> {
    let client = async_nats::connect(server.url()).await.unwrap();
    tokio::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        let (mut published, mut left) = (0, 500);
        while left > 0 {
            tick.tick().await;
            client.publish(subject, published.to_string().into()).await.unwrap();
            published += 1;
            left -= usize::from(is_enough());
        }
        client.flush().await.unwrap();
        published
    })
}

/// How often each payload came, until `enough` different ones are there.
async fn tally(subscription: &mut Subscription, enough: usize) -> BTreeMap<String, u32> {
    let mut seen = BTreeMap::new();
    within("all messages", async {
        while seen.len() < enough {
            let message = subscription.next().await.unwrap();
            *seen.entry(String::from_utf8_lossy(&message.payload).into_owned()).or_insert(0) += 1;
        }
    })
    .await;
    seen
}

pub(crate) async fn moved(client: &GeoClient, old: &Server) {
    wait_for("the move", async || (client.stats().moves == 1).then_some(())).await;
    wait_for("the old link to close", async || (old.connections().await == 0).then_some(())).await;
}

#[tokio::test]
async fn a_lame_duck_is_left_without_losing_or_doubling_in_a_queue_group() {
    let servers = super_cluster(&["lon", "ams"], LAME_DUCK).await;
    let client = within("connecting", prompt().connect(urls(&servers))).await.unwrap();
    let mut orders = client.queue_subscribe("orders", "workers").await.unwrap();
    client.flush().await.unwrap();
    let home = home(&client, &servers);
    const COUNT: u32 = 3_000;
    let publisher = publisher(&servers[1 - home], "orders", COUNT).await;
    within("the first order", orders.next()).await.unwrap();

    servers[home].lame_duck();
    let seen = tally(&mut orders, COUNT as usize - 1).await;
    within("the publisher", publisher).await.unwrap();
    assert!(seen.values().all(|count| *count == 1), "doubled: {seen:?}");
    moved(&client, &servers[home]).await;
}

#[tokio::test]
async fn a_lame_duck_is_left_without_losing_in_a_plain_subscription() {
    let servers = super_cluster(&["lon", "ams"], LAME_DUCK).await;
    let client = within("connecting", prompt().connect(urls(&servers))).await.unwrap();
    let mut orders = client.subscribe("orders").await.unwrap();
    client.flush().await.unwrap();
    let home = home(&client, &servers);
    const COUNT: u32 = 3_000;
    let publisher = publisher(&servers[1 - home], "orders", COUNT).await;
    within("the first order", orders.next()).await.unwrap();
    servers[home].lame_duck();
    tally(&mut orders, COUNT as usize - 1).await;
    within("the publisher", publisher).await.unwrap();
    moved(&client, &servers[home]).await;
}

#[tokio::test]
async fn a_plain_subscription_neither_doubles_nor_reorders_where_at_most_once_is_asked_for() {
    let servers = super_cluster(&["lon", "ams"], LAME_DUCK).await;
    let client = within("connecting", prompt().at_most_once(true).connect(urls(&servers))).await.unwrap();
    let mut orders = client.subscribe("orders").await.unwrap();
    client.flush().await.unwrap();
    let home = home(&client, &servers);
    let traveller = client.clone();
    let publisher = publisher_until(&servers[1 - home], "orders", move || traveller.stats().moves == 1).await;
    within("the first order", orders.next()).await.unwrap();
    servers[home].lame_duck();
    wait_for("the move", async || (client.stats().moves == 1).then_some(())).await;
    let published = within("the publisher", publisher).await.unwrap();

    let mut seen = vec![0];
    within("the last order", async {
        while seen.last() != Some(&(published - 1)) {
            let order = orders.next().await.unwrap();
            seen.push(String::from_utf8_lossy(&order.payload).parse().unwrap());
        }
    })
    .await;
    assert!(seen.is_sorted_by(|earlier, later| earlier < later), "doubled or out of order: {seen:?}");
    // Two round trips on this machine are lost, while a message is published per millisecond, 500 of them after that.
    assert!(seen.len() > published / 2, "{} of {published} came", seen.len());
    let mut late = client.subscribe("late").await.unwrap();
    client.flush().await.unwrap();
    client.publish("late", "x".into()).await.unwrap();
    within("a message of a subscription made after the move", late.next()).await.unwrap();
}

#[tokio::test]
async fn requests_and_services_do_not_notice_a_lame_duck() {
    let servers = super_cluster(&["lon", "ams"], LAME_DUCK).await;
    let client = within("connecting", prompt().connect(urls(&servers))).await.unwrap();
    let home = home(&client, &servers);
    let far = within("connecting", options().connect(servers[1 - home].url())).await.unwrap();
    let (mut own, mut others) = (
        client.queue_subscribe("here", "q").await.unwrap(),
        far.queue_subscribe("there", "q").await.unwrap(),
    );
    let serve = async |questions: &mut Subscription| {
        while let Some(question) = questions.next().await {
            question.respond(question.payload.clone()).await.unwrap();
        }
    };
    let asking = async {
        for (asker, subject) in [(&client, "there"), (&far, "here")] {
            wait_for("interest to cross the gateway", async || asker.request(subject, "".into()).await.ok())
                .await;
        }
        servers[home].lame_duck();
        let mut asked = 0;
        while asked < 100 || client.stats().moves == 0 || servers[home].connections().await > 0 {
            for (asker, subject) in [(&client, "there"), (&far, "here")] {
                let answer = asker.request(subject, asked.to_string().into()).await.unwrap();
                assert_eq!(answer.payload, asked.to_string());
                asked += 1;
            }
        }
    };
    within("the move", async {
        tokio::select! {
            () = asking => {}
            () = serve(&mut own) => panic!("the service ended"),
            () = serve(&mut others) => panic!("the service ended"),
        }
    })
    .await;
}

#[tokio::test]
async fn a_request_in_flight_keeps_the_old_link_until_it_is_answered() {
    let servers = super_cluster(&["lon", "ams"], LAME_DUCK).await;
    let client = within("connecting", prompt().connect(urls(&servers))).await.unwrap();
    let home = home(&client, &servers);
    let service = within("connecting", options().connect(servers[home].url())).await.unwrap();
    let mut questions = service.subscribe("slow").await.unwrap();
    service.flush().await.unwrap();
    let asking = tokio::spawn({
        let client = client.clone();
        async move { client.request("slow", "lamp?".into()).await }
    });
    let question = within("the question", questions.next()).await.unwrap();
    servers[home].lame_duck();
    wait_for("the move", async || (client.stats().moves == 1).then_some(())).await;
    question.respond("here".into()).await.unwrap();
    assert_eq!(within("the answer", asking).await.unwrap().unwrap().payload, "here");
}

#[tokio::test]
async fn answers_take_the_link_on_which_the_request_came() {
    // The reply is allowed on the connection that received the request, and on no other.
    const ONLY_REPLIES: &str = r#"
        authorization { users = [
          { user: service, password: x, permissions: { subscribe: [">"], allow_responses: { max: 1 } } }
          { user: asker, password: x }
        ] }"#;
    let config = format!("{LAME_DUCK}\n{ONLY_REPLIES}");
    let servers = super_cluster(&["lon", "ams"], &config).await;
    let service = within("connecting", prompt().user_and_password("service", "x").connect(urls(&servers)));
    let service = service.await.unwrap();
    let home = home(&service, &servers);
    let asker = options().user_and_password("asker", "x").connect(servers[home].url());
    let asker = within("connecting", asker).await.unwrap();
    let mut questions = service.subscribe("slow").await.unwrap();
    service.flush().await.unwrap();
    let asking = tokio::spawn({
        let asker = asker.clone();
        async move { asker.request("slow", "lamp?".into()).await }
    });
    let question = within("the question", questions.next()).await.unwrap();
    servers[home].lame_duck();
    wait_for("the move", async || (service.stats().moves == 1).then_some(())).await;
    question.respond("here".into()).await.unwrap();
    assert_eq!(within("the answer", asking).await.unwrap().unwrap().payload, "here");
}

#[tokio::test]
async fn what_a_client_publishes_while_it_leaves_a_lame_duck_arrives_once() {
    for options in [prompt(), prompt().at_least_once(AtLeastOnce::new())] {
        let servers = super_cluster(&["lon", "ams"], LAME_DUCK).await;
        let client = within("connecting", options.connect(urls(&servers))).await.unwrap();
        let home = home(&client, &servers);
        let listener = within("connecting", prompt().connect(servers[1 - home].url())).await.unwrap();
        let mut orders = listener.queue_subscribe("orders", "workers").await.unwrap();
        listener.flush().await.unwrap();
        within("interest to cross the gateway", async {
            loop {
                client.publish("orders", "early".into()).await.unwrap();
                if tokio::time::timeout(Duration::from_millis(20), orders.next()).await.is_ok() {
                    return;
                }
            }
        })
        .await;
        servers[home].lame_duck();
        const COUNT: usize = 2_000;
        let mut tick = tokio::time::interval(Duration::from_millis(1));
        for number in 0..COUNT {
            tick.tick().await;
            client.publish("orders", number.to_string().into()).await.unwrap();
        }
        client.flush().await.unwrap();
        moved(&client, &servers[home]).await;
        let mut seen = tally(&mut orders, COUNT).await;
        seen.remove("early");
        seen.extend(tally(&mut orders, COUNT - seen.len()).await);
        assert!(seen.len() == COUNT && seen.values().all(|count| *count == 1), "doubled: {seen:?}");
        assert_eq!((client.stats().resent, client.stats().unconfirmed), (0, 0));
    }
}

/// Goes home as soon as three probes have been answered there: one alone may have waited for the outage to end,
/// and then says nothing about the distance.
fn homesick() -> GeoOptions {
    let mut config = Config::interactive();
    config.probe.away_interval = Duration::from_millis(50);
    config.probe.budget_per_minute = 10_000;
    config.fail_back.good_probes = 3;
    config.fail_back.good_for = Duration::ZERO;
    config.fail_back.cohort = 1.0;
    // On a busy machine even three probes may be late; home is not to be forgotten for that.
    config.fail_back.gain_min = Duration::from_secs(1);
    options().config(config)
}

#[tokio::test]
async fn a_client_goes_home_without_losing_or_doubling_in_a_queue_group() {
    let servers = super_cluster(&["lon", "ams"], "").await;
    let near = Relay::to(servers[0].port).await;
    let far = Relay::far_from(servers[1].port, Duration::from_millis(20)).await;
    let client = within("connecting", homesick().connect([near.url(), far.url()])).await.unwrap();
    let mut orders = client.queue_subscribe("orders", "workers").await.unwrap();
    assert_eq!(client.snapshot().active.unwrap().region.as_str(), "lon");
    near.silence(true);
    wait_for("the refuge", async || (client.stats().moves == 1).then_some(())).await;
    // Else the server would go on sending orders to the connection that fell silent.
    near.cut();
    wait_for("the server to notice", async || (servers[0].connections().await == 0).then_some(())).await;
    client.flush().await.unwrap();

    let traveller = client.clone();
    let mut publisher = publisher_until(&servers[1], "orders", move || traveller.stats().moves == 2).await;
    let mut seen = BTreeMap::new();
    let mut published = None;
    near.silence(false);
    within("all orders", async {
        while published != Some(seen.len()) {
            tokio::select! {
                order = orders.next() => *seen.entry(order.unwrap().payload.clone()).or_insert(0) += 1,
                count = &mut publisher, if published.is_none() => published = Some(count.unwrap()),
            }
        }
    })
    .await;
    assert!(seen.values().all(|count| *count == 1), "doubled: {seen:?}");
    assert_eq!(client.stats().moves, 2);
    assert_eq!(client.snapshot().active.unwrap().region.as_str(), "lon");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn subscriptions_that_come_and_go_during_moves_are_never_forgotten() {
    come_and_go(options()).await;
    come_and_go(options().at_most_once(true)).await;
}

async fn come_and_go(options: GeoOptions) {
    let mut servers = super_cluster(&["lon", "ams"], "").await;
    let client = within("connecting", options.connect(urls(&servers))).await.unwrap();
    for round in 0..4 {
        let home = home(&client, &servers);
        servers[home].kill();
        // These are made while no link is live, while one is activated, and after that.
        let mut subscriptions = Vec::new();
        for n in 0..200 {
            let subject = format!("s.{round}.{n}");
            subscriptions.push((client.subscribe(subject.clone()).await.unwrap(), subject));
            if n % 3 == 0 {
                drop(subscriptions.remove(subscriptions.len() / 2));
            }
            tokio::time::sleep(Duration::from_micros(200)).await;
        }
        wait_for("the next link", async || client.flush().await.ok()).await;
        for (subscription, subject) in &mut subscriptions {
            client.publish(subject.clone(), "x".into()).await.unwrap();
            within("its message", subscription.next()).await.unwrap();
        }
        let dead = servers.remove(home);
        servers.insert(home, dead.restarted().await);
    }
}
