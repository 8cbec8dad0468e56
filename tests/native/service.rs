//! Services across moves: the same instance wherever its client is, no request lost in an orderly move, and the nearest
//! instance answers.

use std::time::Duration;

use futures_util::StreamExt as _;
use loadgen::load::requests::ECHO;
use nats_geo::GeoClient;
use nats_geo::core::{Config, MoveCause};
use nats_geo::service::Service;
use serde_json::Value;
use tokio::task::JoinHandle;

use crate::journal::Journal;
use crate::load::Asking;
use crate::world::{World, hurried, options, region, seat, wait_for, with_config, within};

#[tokio::test(flavor = "multi_thread")]
async fn after_its_region_was_killed_the_same_instance_answers_from_the_next() {
    let mut world = World::start().await;
    let asked = Asked::start(&world, "dal-1").await;
    world.cluster.kill_region("lon").unwrap();
    asked.goes_on_in_ams(MoveCause::RegionLost).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_its_region_fell_silent_the_same_instance_answers_from_the_next() {
    let mut world = World::start().await;
    // Servers in dal go on sending to lon, which is the nearest region to them, until they notice.
    let asked = Asked::start(&world, "ams-1").await;
    world.cluster.blackhole_region("lon").unwrap();
    asked.goes_on_in_ams(MoveCause::Suspicion).await;
}

/// An instance at home in lon, and what it has said about itself.
struct Asked {
    asker: async_nats::Client,
    client: GeoClient,
    journal: Journal,
    instance: Instance,
    /// To PING, INFO and STATS.
    answers: Vec<Value>,
}

impl Asked {
    async fn start(world: &World, asker: &str) -> Self {
        let client = world.connect("lon", options()).await;
        let instance = Instance::start(&client).await;
        let asker = world.stock(asker).await;
        wait_for("a first answer", async || asker.request(ECHO, "x".into()).await.ok()).await;
        let answers = instance.answers(&asker).await;
        assert!(requests(&answers[2]) > 0);
        Self { journal: Journal::of(&client), asker, client, instance, answers }
    }

    /// Once its client is in ams it is the same as before.
    async fn goes_on_in_ams(self, expected: MoveCause) {
        let (to, cause) = self.journal.first_move().await;
        assert_eq!((to.region.as_str(), cause), ("ams", expected));
        wait_for("an answer from ams", async || self.asker.request(ECHO, "x".into()).await.ok()).await;
        let answers = self.instance.answers(&self.asker).await;
        assert_eq!(answers[..2], self.answers[..2]);
        let (before, after) = (&self.answers[2], &answers[2]);
        assert_eq!((&after["id"], &after["started"]), (&before["id"], &before["started"]));
        assert!(requests(after) > requests(before), "{after}");
        assert_eq!(self.client.stats().moves, 1);
    }
}

fn requests(stats: &Value) -> u64 {
    stats["endpoints"][0]["num_requests"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lame_duck_is_left_and_each_request_is_answered_once() {
    let mut world = World::start().await;
    let mut config = Config::interactive();
    // The default of 5 s is for fleets; here it would only take time.
    config.spread.lame_duck = Duration::from_secs(1);
    let client = world.connect("lon", with_config(config.clone())).await;
    let journal = Journal::of(&client);
    let instance = Instance::start(&client).await;
    let near = world.connect("lon", with_config(config)).await;
    let far = world.connect("ams", options()).await;
    let asking = [Asking::start(&near, RATE).await, Asking::start(&far, RATE).await];
    let requests = || instance.service.stats()[0].requests;
    wait_for("a steady flow", async || (requests() > ROW).then_some(())).await;

    let (_, duck) = seat(&client).unwrap();
    world.cluster.lame_duck_server(&duck).unwrap();
    let (to, cause) = journal.first_move().await;
    assert_eq!((to.region.as_str(), cause), ("lon", MoveCause::LameDuck));
    wait_for("the old links to be gone", async || {
        (!world.connections().await.contains_key(&duck)).then_some(())
    })
    .await;
    let there = requests() + ROW;
    wait_for("the flow to go on", async || (requests() > there).then_some(())).await;
    let mut total = 0;
    for asking in asking {
        let (asked, errors) = asking.finish(ROW).await;
        assert!(errors.is_empty(), "{} of {asked} requests failed: {errors:?}", errors.len());
        total += asked;
    }
    within("stopping", instance.service.stop()).await;
    assert_eq!(within("the end of the endpoint", instance.serving).await.unwrap(), total);
}

/// Requests per second of each who asks.
const RATE: u32 = 500;

#[tokio::test(flavor = "multi_thread")]
async fn the_nearest_instance_answers() {
    let mut world = World::start().await;
    let asker = world.connect("lon", with_config(hurried())).await;
    let lon = world.connect("lon", with_config(hurried())).await;
    let ams = world.connect("ams", with_config(hurried())).await;
    let (in_lon, in_ams) = (Instance::start(&lon).await, Instance::start(&ams).await);
    settle(&asker, "lon").await;

    // The last of its region is stopped: the next region answers, until there is one again.
    within("stopping", in_lon.service.stop()).await;
    within("the end of the endpoint", in_lon.serving).await.unwrap();
    settle(&asker, "ams").await;
    let in_lon = Instance::start(&lon).await;
    settle(&asker, "lon").await;

    // Its region dies: who asks and who serves meet in the next one.
    let id = in_lon.service.id().to_owned();
    let served = in_lon.service.stats()[0].requests;
    world.cluster.kill_region("lon").unwrap();
    wait_for("both in ams", async || [&asker, &lon].iter().all(|it| region(it) == "ams").then_some(())).await;
    settle(&asker, "ams").await;

    // And come home.
    world.cluster.restart_region("lon").await.unwrap();
    wait_for("both at home", async || [&asker, &lon].iter().all(|it| region(it) == "lon").then_some(()))
        .await;
    settle(&asker, "lon").await;
    assert_eq!(in_lon.service.id(), id);
    assert!(in_lon.service.stats()[0].requests >= served + ROW, "it has answered at home again");
    assert_eq!(region(&ams), "ams");
    assert_eq!(in_ams.service.info().endpoints.len(), 1);
}

/// So many requests are no chance.
const ROW: usize = 100;

/// Returns once this region answers; then no other one may.
async fn settle(asker: &GeoClient, expected: &str) {
    wait_for(format_args!("an answer from {expected}"), async || {
        let answer = asker.request(ECHO, "where?".into()).await.ok()?;
        (answer.payload == expected).then_some(())
    })
    .await;
    for number in 0..ROW {
        let answer = within("an answer", asker.request(ECHO, "where?".into())).await.unwrap();
        assert_eq!(answer.payload, expected, "answer {number}");
    }
}

/// An instance of a service that answers where it is.
struct Instance {
    service: Service,
    /// How many requests of [`Asking`] it has answered.
    serving: JoinHandle<usize>,
}

impl Instance {
    async fn start(client: &GeoClient) -> Self {
        let service = client.service("echo", "1.0.0").metadata([("team", "tests")]).start().await.unwrap();
        let mut endpoint = service.endpoint(ECHO).await.unwrap();
        within("the subscriptions", client.flush()).await.unwrap();
        let client = client.clone();
        let serving = tokio::spawn(async move {
            let mut answered = 0;
            while let Some(request) = endpoint.next().await {
                request.respond(Ok(region(&client).into())).await.unwrap();
                answered += usize::from(request.message.payload == "x");
            }
            answered
        });
        Self { service, serving }
    }
    /// What it answers to PING, INFO and STATS, as soon as they find it.
    async fn answers(&self, asker: &async_nats::Client) -> Vec<Value> {
        let mut answers = Vec::new();
        for verb in ["PING", "INFO", "STATS"] {
            let subject = format!("$SRV.{verb}.echo.{}", self.service.id());
            let asking = async || asker.request(subject.clone(), "".into()).await.ok();
            let answer = wait_for(format_args!("an answer to {subject}"), asking).await;
            answers.push(serde_json::from_slice(&answer.payload).unwrap());
        }
        answers
    }
}
