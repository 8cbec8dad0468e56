//! Where clients connect, and what they say about it.

use loadgen::load::requests::ECHO;
use nats_geo::GeoClient;
use nats_geo::core::{NoticeKind, Reason, Snapshot};

use crate::journal::Journal;
use crate::world::{World, options, seat, wait_for, within};

#[tokio::test(flavor = "multi_thread")]
async fn clients_connect_to_their_own_region_and_say_why() {
    let mut world = World::start().await;
    world.serve(&["lon", "ams", "dal"]).await;
    for (region, expected) in [
        ("lon", ["lon", "lon", "ams", "ams", "dal", "dal"]),
        ("ams", ["ams", "ams", "lon", "lon", "dal", "dal"]),
        ("dal", ["dal", "dal", "lon", "lon", "ams", "ams"]),
    ] {
        let client = within("connecting", options().connect(world.urls(region))).await.unwrap();
        assert_eq!(seat(&client).unwrap().0, region, "{}", client.snapshot());
        let answer = within("the first answer", client.request(ECHO, "first".into())).await.unwrap();
        assert_eq!(answer.payload, "first");

        let snapshot = measured(&client).await;
        let regions: Vec<_> = snapshot.ranking.iter().map(|server| server.region.as_str()).collect();
        assert_eq!(regions, expected, "{snapshot}");
        for (place, server) in snapshot.ranking.iter().enumerate() {
            let fits = match place {
                0 | 1 => server.reason == Reason::Nearest,
                _ => matches!(server.reason, Reason::Farther { .. }),
            };
            assert!(fits, "{snapshot}");
        }
        assert_eq!(world.connections().await.len(), 1, "one connection, probes are over");
    }
}

/// The snapshot once all servers have answered a probe.
async fn measured(client: &GeoClient) -> Snapshot {
    wait_for("all servers to be measured", async || {
        let snapshot = client.snapshot();
        let is_complete = snapshot.ranking.iter().all(|server| server.base_rtt.is_some());
        (is_complete && snapshot.ranking.len() == 6).then_some(snapshot)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_client_says_can_be_read_by_people() {
    let mut world = World::start().await;
    world.serve(&["ams"]).await;
    let client = world.connect("lon", options()).await;
    let (journal, text) = (Journal::of(&client), measured(&client).await.to_string());
    println!("{text}");
    let lines: Vec<_> = text.lines().collect();
    assert_eq!(lines.len(), 7, "{text}");
    assert!(lines[0].starts_with("connected to lon/lon-"), "{text}");
    assert!(lines[1].contains("lon") && lines[1].contains("nearest region"), "{text}");
    assert!(lines[3].contains("ams") && lines[3].contains("ms behind the nearest"), "{text}");
    for server in world.cluster.topology().servers() {
        assert!(text.contains(&server.to_string()), "{text}");
    }
    assert_eq!(client.nats().unwrap().server_info().cluster.as_deref(), Some("lon"));

    world.cluster.kill_region("lon").unwrap();
    journal.first_move().await;
    assert_eq!(client.nats().unwrap().server_info().cluster.as_deref(), Some("ams"));
    let said: Vec<_> = journal.notes().iter().map(NoticeKind::to_string).collect();
    println!("{}", said.join("\n"));
    for part in ["lost lon/lon-", "moved from lon/lon-", " to ams/ams-", ": region lost"] {
        assert!(said.iter().any(|line| line.contains(part)), "`{part}` is missing in {said:?}");
    }
    assert!(said.iter().all(|line| !line.contains('{') && !line.contains("Some(")), "{said:?}");
    assert!(client.snapshot().to_string().contains("did not answer lately"), "{}", client.snapshot());
}
