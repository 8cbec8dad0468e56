//! The way home, once a region is back.

use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use nats_geo::GeoClient;
use nats_geo::core::{MoveCause, ServerRef};

use crate::journal::Journal;
use crate::load::Asking;
use crate::world::{World, hurried, region, wait_for, with_config};

const CLIENTS: usize = 6;

#[tokio::test(flavor = "multi_thread")]
async fn clients_come_home_once_and_lose_no_request() {
    let mut world = World::start().await;
    world.serve(&["ams", "dal"]).await;
    let clients = join_all((0..CLIENTS).map(|_| world.connect("lon", with_config(hurried())))).await;
    let journals: Vec<_> = clients.iter().map(Journal::of).collect();
    world.cluster.kill_region("lon").unwrap();
    wait_for("all clients in ams", async || all_in(&clients, "ams").then_some(())).await;

    let asking = join_all(clients.iter().map(|client| Asking::start(client, 20))).await;
    world.cluster.restart_region("lon").await.unwrap();
    let lost = Lost { clients: &clients, journals: &journals };
    wait_for(lost, async || all_in(&clients, "lon").then_some(())).await;
    let restless =
        async || world.connections().await.into_iter().find(|(server, _)| !server.starts_with("lon"));
    wait_for("the links to ams to be gone", async || restless().await.is_none().then_some(())).await;
    // Nothing to wait for: that nothing more happens can only be watched.
    tokio::time::sleep(QUIET).await;

    for asking in asking {
        let (asked, errors) = asking.finish(20).await;
        assert!(errors.is_empty(), "{} of {asked} requests failed: {errors:?}", errors.len());
    }
    for journal in &journals {
        let moves = journal.moves();
        let is_return = |(to, cause): &(ServerRef, MoveCause)| {
            to.region.as_str() == "lon" && *cause == MoveCause::FailBack
        };
        let planned = moves.iter().filter(|(_, cause)| cause.is_planned()).count();
        assert!(moves.last().is_some_and(is_return) && planned == 1, "{}", journal.text());
    }
    assert_eq!(world.connections().await.values().sum::<usize>(), CLIENTS, "one connection each");
}

/// Several probe rounds and the longest wait of a return.
const QUIET: Duration = Duration::from_secs(3);

fn all_in(clients: &[GeoClient], expected: &str) -> bool {
    clients.iter().all(|client| region(client) == expected)
}

/// Shown when clients do not come home: where they are instead.
struct Lost<'a> {
    clients: &'a [GeoClient],
    journals: &'a [Journal],
}

impl fmt::Display for Lost<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (client, journal) in self.clients.iter().zip(self.journals) {
            writeln!(f, "{}{}", client.snapshot(), journal.text())?;
        }
        f.write_str("the way home")
    }
}
