//! Tests of the end of services: no task or subscription remains, and no request is lost.

use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::core::Config;

use crate::basics::{client, options};
use crate::service::{echo, serve};
use crate::support::{Relay, Server, wait_for, within};

#[tokio::test]
async fn stopping_waits_for_what_is_on_its_way_and_nobody_finds_it_any_more() {
    let server = Server::start().await;
    let relay = Relay::to(server.port).await;
    let mut config = Config::interactive();
    // So that the silence is not taken for one of the server.
    config.watch.ping_interval = Duration::from_secs(3_600);
    let client = within("connecting", options().config(config).connect(relay.url())).await.unwrap();
    let service = client.service("slow", "1.0.0").start().await.unwrap();
    let (slow, mut other) =
        (service.endpoint("slow").await.unwrap(), service.endpoint("other").await.unwrap());
    client.flush().await.unwrap();
    // An endpoint that is stopped alone is not listed any more, and the rest goes on.
    within("stopping an endpoint", other.stop()).await;
    assert!(within("its end", other.next()).await.is_none());
    assert_eq!(service.info().endpoints.len(), 1);

    let asker = async_nats::connect(server.url()).await.unwrap();
    relay.silence_server();
    const COUNT: usize = 500;
    let mut asking = tokio::task::JoinSet::new();
    for subject in ["slow"; COUNT].into_iter().chain(["$SRV.PING"]) {
        let asker = asker.clone();
        asking.spawn(async move { asker.request(subject, "x".into()).await.map(drop) });
    }
    let delivered = async |subject: &str| {
        let connections = server.monitor("connz?subs=detail").await;
        let connections = connections["connections"].as_array().unwrap().iter();
        let lists = connections.filter_map(|it| it["subscriptions_list_detail"].as_array());
        let found = lists.flatten().find(|subscription| subscription["subject"] == subject);
        found.map(|subscription| subscription["msgs"].as_u64().unwrap())
    };
    wait_for("all requests", async || {
        let all = [delivered("slow").await, delivered("$SRV.PING").await];
        (all == [Some(COUNT as u64), Some(1)]).then_some(())
    })
    .await;
    assert_eq!(service.stats()[0].requests, 0, "they are on their way");

    let stopping = tokio::spawn(service.stop());
    wait_for("the server to forget it", async || {
        let gone = [delivered("slow").await, delivered("$SRV.PING").await];
        (gone == [None, None]).then_some(())
    })
    .await;
    assert!(!stopping.is_finished());
    relay.silence(false);
    within("stopping", stopping).await.unwrap();
    assert_eq!(within("the end of the endpoint", echo(slow)).await.unwrap(), COUNT);
    let answers = within("all answers", asking.join_all()).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[tokio::test]
async fn stopping_one_of_two_instances_loses_no_request() {
    let server = Server::start().await;
    // Far enough for requests to be on their way whenever it leaves.
    let far = Relay::far_from(server.port, Duration::from_millis(20)).await;
    let (asking, staying) = (client(&server.url()).await, client(&server.url()).await);
    let leaving = client(&far.url()).await;
    let (staying_service, staying_count) = serve(&staying).await;
    let (leaving_service, leaving_count) = serve(&leaving).await;
    let has_begun = || leaving_service.stats()[0].requests > 100;
    let mut answers = tokio::task::JoinSet::new();
    let ask = |answers: &mut tokio::task::JoinSet<_>| {
        let asking = asking.clone();
        answers.spawn(async move { asking.request("echo", "x".into()).await.map(drop) });
    };
    within("requests at the one that leaves", async {
        while !has_begun() {
            (0..10).for_each(|_| ask(&mut answers));
            tokio::task::yield_now().await;
        }
    })
    .await;
    let stopping = tokio::spawn(leaving_service.stop());
    within("the end of the one that leaves", async {
        while !stopping.is_finished() {
            (0..10).for_each(|_| ask(&mut answers));
            tokio::task::yield_now().await;
        }
    })
    .await;
    stopping.await.unwrap();
    let answered_there = within("the last answers of the one that leaves", leaving_count).await.unwrap();
    within("draining", leaving.drain()).await.unwrap();

    let asked = answers.len();
    let answers = within("all answers", answers.join_all()).await;
    let errors: Vec<_> = answers.into_iter().filter_map(Result::err).collect();
    assert!(errors.is_empty(), "{} of {asked}: {errors:?}", errors.len());
    within("the end of the other one", staying_service.stop()).await;
    assert_eq!(answered_there + staying_count.await.unwrap(), asked);
}

#[tokio::test]
async fn dropping_it_leaves_no_task_and_no_subscription() {
    let server = Server::start().await;
    let client = client(&server.url()).await;
    let metrics = tokio::runtime::Handle::current().metrics();
    client.flush().await.unwrap();
    wait_for("the only connection", async || (server.connections().await == 1).then_some(())).await;
    let (subscriptions, tasks) = (server.subscriptions().await, metrics.num_alive_tasks());

    let (service, serving) = serve(&client).await;
    assert!(server.subscriptions().await > subscriptions && metrics.num_alive_tasks() > tasks);
    drop(service);
    within("the end of the endpoint", serving).await.unwrap();
    wait_for("no task", async || (metrics.num_alive_tasks() == tasks).then_some(())).await;
    wait_for("no subscription", async || (server.subscriptions().await == subscriptions).then_some(())).await;

    // What serves keeps the client alive; the end of the client ends what serves.
    let (service, serving) = serve(&client).await;
    client.close().await;
    within("the end of the endpoint", serving).await.unwrap();
    drop((client, service));
    wait_for("no task", async || (metrics.num_alive_tasks() == 0).then_some(())).await;
}
