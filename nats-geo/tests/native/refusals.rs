//! Tests of servers that refuse a client, because they are full or because of the credentials.

use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::core::{Config, NoticeKind, OpenError, Reason};
use nats_geo::{ConnectError, GeoClient, Notices};

use crate::basics::options;
use crate::support::{PATIENCE, Relay, Server, wait_for, within};

/// Tries to return as soon as a region answers.
pub(crate) fn impatient() -> Config {
    let mut config = Config::interactive();
    config.probe.away_interval = Duration::from_millis(100);
    config.probe.interval = Duration::from_millis(200);
    config.rank.unhealthy_for = Duration::from_millis(200);
    config.probe.budget_per_minute = 6_000;
    config.dial.budget_per_second = 100.0;
    config.fail_back.good_probes = 2;
    config.fail_back.good_for = Duration::from_millis(100);
    config.fail_back.spread = Duration::ZERO;
    config.fail_back.gain_evaluations = 1;
    config.fail_back.gain_for = Duration::ZERO;
    config
}

pub(crate) fn region(client: &GeoClient) -> Option<String> {
    client.snapshot().active.map(|place| place.region.as_str().to_owned())
}

pub(crate) async fn next_matching(notices: &mut Notices, mut wanted: impl FnMut(&NoticeKind) -> bool) {
    let waiting = async { while !wanted(&notices.next().await.unwrap().unwrap().kind) {} };
    within("the notice", waiting).await;
}

#[tokio::test]
async fn a_server_without_room_costs_no_link_and_is_entered_once_it_has_room() {
    let lon = Server::with("server_name: lon-1\ncluster { name: lon }\nmax_connections: 3").await;
    let ams = Server::with("server_name: ams-1\ncluster { name: ams }").await;
    let far = Relay::far_from(ams.port, Duration::from_millis(40)).await;
    let mut others = Vec::new();
    for _ in 0..3 {
        others.push(within("another client", async_nats::connect(lon.url())).await.unwrap());
    }
    let connecting = options().config(impatient()).connect(format!("{},{}", lon.url(), far.url()));
    let client = within("connecting", connecting).await.unwrap();
    assert_eq!(region(&client).unwrap(), "ams");
    let here = client.snapshot().active.unwrap().conn;

    let mut notices = client.notices();
    for _ in 0..2 {
        next_matching(&mut notices, |kind| {
            assert!(!matches!(kind, NoticeKind::BreakBeforeMake(_)), "{kind}");
            matches!(kind, NoticeKind::OpenFailed { error: OpenError::ServerFull, .. })
        })
        .await;
        within("a round trip", client.flush()).await.unwrap();
        assert_eq!(client.snapshot().active.unwrap().conn, here);
    }
    drop(others);
    wait_for("lon", async || (region(&client)? == "lon").then_some(())).await;
}

/// A roll-out of credentials reaches one region after the other.
#[tokio::test]
async fn a_region_that_refuses_the_credentials_is_passed_by_at_connect_and_after_a_loss() {
    let with = async |name: &str, password: &str| {
        let names = format!("server_name: {name}-1\ncluster {{ name: {name} }}");
        Server::with(&format!("{names}\nauthorization {{ user: derek, password: {password} }}")).await
    };
    let (lon, mut ams, dal) = (with("lon", "old").await, with("ams", "new").await, with("dal", "new").await);
    // Near enough to be measured before the first choice, far enough not to tie.
    let far = Relay::far_from(ams.port, Duration::from_millis(10)).await;
    let farther = Relay::far_from(dal.port, Duration::from_millis(60)).await;
    let list = format!("{},{},{}", lon.url(), far.url(), farther.url());
    let client = options().user_and_password("derek", "new").connect(list.as_str());
    let client = within("connecting", client).await.unwrap();
    assert_eq!(region(&client).unwrap(), "ams");
    let ranking = client.snapshot().ranking;
    let refusing = ranking.iter().find(|server| server.region.as_str() == "lon").unwrap();
    assert!(matches!(refusing.reason, Reason::CredentialsRefused { .. }), "{}", refusing.reason);

    ams.kill();
    wait_for("dal", async || (region(&client)? == "dal").then_some(())).await;

    let stranger = options().user_and_password("derek", "wr0ng").connect_timeout(PATIENCE);
    let nowhere = stranger.connect(list.as_str());
    let error = within("the refusal", nowhere).await.unwrap_err();
    let ConnectError::Auth { failures } = &error else { panic!("{error}") };
    assert_eq!(failures.len(), 2, "both that live were asked: {error}");
    assert!(!format!("{error} {error:?}").contains("wr0ng"));
}
