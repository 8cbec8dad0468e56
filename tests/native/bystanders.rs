//! Clients in regions that are not hit: they notice nothing.

use std::time::Duration;

use nats_geo::core::NoticeKind;

use crate::journal::Journal;
use crate::load::Asking;
use crate::world::{World, options, region};

#[tokio::test(flavor = "multi_thread")]
async fn the_death_of_a_region_does_not_touch_clients_elsewhere() {
    let mut world = World::start().await;
    world.serve(&["ams", "dal"]).await;
    let mut bystanders = Vec::new();
    for place in ["ams", "ams", "dal", "dal"] {
        let client = world.connect(place, options()).await;
        let (journal, asking) = (Journal::of(&client), Asking::start(&client, 50).await);
        bystanders.push((place, client, journal, asking));
    }
    let hit = world.connect("lon", options()).await;
    let journal = Journal::of(&hit);
    world.cluster.kill_region("lon").unwrap();
    journal.first_move().await;
    // Nothing to wait for: that nothing happens can only be watched.
    tokio::time::sleep(QUIET).await;

    for (place, client, journal, asking) in bystanders {
        let (asked, errors) = asking.finish(100).await;
        assert!(errors.is_empty(), "{place}: {} of {asked} failed: {errors:?}", errors.len());
        let moved = |note: &NoticeKind| matches!(note, NoticeKind::Moved { .. } | NoticeKind::Lost { .. });
        assert!(!journal.notes().iter().any(moved), "{place}: {:?}", journal.notes());
        assert_eq!((client.stats().moves, region(&client).as_str()), (0, place));
    }
}

/// Several PINGs of every client and every gateway.
const QUIET: Duration = Duration::from_secs(3);
