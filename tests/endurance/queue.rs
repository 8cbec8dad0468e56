//! 10 000 messages per second to a queue group whose members come home, and then leave one lame duck after the other: each
//! message once.
//!
//! Publishers are where no server goes away. A server that does takes the gateway connections to it along, and what comes
//! over them for the second until they are up again; and the last member of a group that leaves a region takes what is on
//! its way there along. Both are nats-server's, whatever its clients do.

use std::time::Duration;

use loadgen::clients::{Client, Population, Spec};
use loadgen::load::flow::{Flow, Kind};

use crate::config;
use crate::world::{World, wait_for};

const PER_SECOND: u16 = 10_000;
const MEMBERS: u16 = 3;

/// Between two steps, so that each has its overlap to itself.
const PHASE: Duration = Duration::from_secs(4);

pub(crate) async fn run() {
    let mut world = World::of(3).await;
    let mut members = Vec::new();
    for number in 0..MEMBERS {
        members.push(connect(&world, number).await);
    }
    world.cluster.kill_region("lon").unwrap();
    all_in(&members, "ams").await;
    let flow = start_flow(&world, "orders", &members, "ams-1").await;
    world.cluster.restart_region("lon").await.unwrap();
    all_in(&members, "lon").await;
    finish("the way home", flow).await;

    for step in 1..=3 {
        let duck = members[0].seat().unwrap().server;
        let publisher = ["lon-1", "lon-2"].into_iter().find(|server| *server != duck).unwrap();
        let flow = start_flow(&world, &format!("invoices.{step}"), &members, publisher).await;
        world.cluster.lame_duck_server(&duck).unwrap();
        wait_for(format_args!("all to leave {duck}"), async || {
            members.iter().all(|it| it.seat().is_some_and(|seat| seat.server != duck)).then_some(())
        })
        .await;
        finish(&format!("{duck} as a lame duck"), flow).await;
        world.cluster.restart_server(&duck).await.unwrap();
    }
}

async fn connect(world: &World, number: u16) -> Client {
    wait_for("a client at home", async || {
        let spec = Spec {
            population: Population::NatsGeo,
            region: "lon".into(),
            number: number.into(),
            urls: world.urls("lon"),
            name: None,
            runtime: None,
            policy: config(),
            seed: number.into(),
            access: loadgen::clients::Access::default(),
            browsers: loadgen::clients::Browsers::default(),
        };
        let client = Client::connect(spec).await.unwrap();
        client.seat().is_some_and(|seat| seat.region == "lon").then_some(client)
    })
    .await
}

async fn all_in(members: &[Client], region: &str) {
    wait_for(format_args!("all to be in {region}"), async || {
        members.iter().all(|it| it.seat().is_some_and(|seat| seat.region == region)).then_some(())
    })
    .await;
}

async fn start_flow(world: &World, subject: &str, members: &[Client], server: &str) -> Flow {
    let feeder = &world.cluster.home_urls().unwrap()[server];
    let flow = Flow::start(Kind::Queue, subject, members, feeder, PER_SECOND).await.unwrap();
    tokio::time::sleep(PHASE).await;
    flow
}

async fn finish(what: &str, flow: Flow) {
    tokio::time::sleep(PHASE).await;
    for tally in flow.finish().await {
        println!("{what}: {} messages, lost {}, doubled {}", tally.sent, tally.lost, tally.doubled);
        assert_eq!((tally.lost, tally.doubled), (0, 0));
    }
}
