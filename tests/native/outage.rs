//! Everything is down: clear errors in bounded time, and back without help.

use std::time::Duration;

use futures_util::FutureExt as _;
use nats_geo::core::NoticeKind;
use nats_geo::{PublishError, RequestError};

use crate::journal::Journal;
use crate::world::{Ears, World, options, seat, timed, wait_for, within};

const WAIT: Duration = Duration::from_secs(1);
/// Above that: a busy machine.
const SLACK: Duration = Duration::from_secs(2);
const REGIONS: [&str; 3] = ["lon", "ams", "dal"];

#[tokio::test(flavor = "multi_thread")]
async fn with_all_servers_down_errors_are_clear_and_the_client_recovers() {
    let mut world = World::start().await;
    let client = world.connect("lon", options().publish_wait(WAIT)).await;
    let journal = Journal::of(&client);
    let mut ears = Ears::of(&client, "orders").await;
    ears.hear(&client, "orders", "before").await;

    for region in REGIONS {
        world.cluster.kill_region(region).unwrap();
    }
    journal.wait_for("the notice", |note| *note == NoticeKind::Offline).await;
    assert!(client.nats().is_none() && seat(&client).is_none());
    assert!(client.snapshot().to_string().starts_with("not connected"), "{}", client.snapshot());
    let refused = PublishError::Unavailable { waited: WAIT };
    let (published, took) = timed(within("publishing", client.publish("orders", "lost".into()))).await;
    assert_eq!(published.unwrap_err(), refused);
    assert!((WAIT..WAIT + SLACK).contains(&took), "publishing failed after {took:?}");
    let (answered, took) = timed(within("requesting", client.request("price", "?".into()))).await;
    let error = answered.unwrap_err();
    assert_eq!(error, RequestError::NotSent(refused));
    assert!(error.to_string().contains("not sent: no server took the message within 1s"), "{error}");
    assert!((WAIT..WAIT + SLACK).contains(&took), "the request failed after {took:?}");

    for region in REGIONS {
        // The first poll starts the processes. One region alone would never be ready: it has no quorum.
        let ready = world.cluster.restart_region(region).now_or_never();
        assert!(ready.is_none());
    }
    wait_for("the client to be back", async || seat(&client)).await;
    ears.hear(&client, "orders", "after").await;
    world.cluster.wait_ready().await.unwrap();
}
