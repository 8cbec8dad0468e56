//! Handovers between links to a real server that no client could time.

use futures_util::StreamExt as _;
use tokio::sync::mpsc;

use super::*;
use crate::core::ConnId;
use crate::native::hub::Limits;
use crate::native::link::{Kind, Settings, open};
use crate::native::subscription::Feed;
use crate::native::support::{Server, within};
use crate::native::target::Target;
use crate::native::tls::Sessions;
use crate::native::{Auth, IntoServers as _, Subscription};

const LIMITS: Limits =
    Limits { publish_wait: Duration::from_secs(5), request_timeout: None, backlog: 10, at_most_once: true };

async fn link_to(server: &Server, conn: u64) -> Arc<Link> {
    let url = server.url().as_str().into_servers().unwrap().remove(0);
    let target = Target::of(url, &Auth::None);
    let settings =
        Settings { name: None, sessions: Arc::new(Sessions::new(None)), kept: None, customize: None };
    let (reports, _) = mpsc::channel(1);
    let opened = open(ConnId(conn), &target, &settings, Duration::from_secs(2), reports).await;
    Arc::new(opened.unwrap().0)
}

#[tokio::test]
async fn a_link_that_ends_while_it_takes_over_gives_the_subscriptions_back() {
    let server = Server::start().await;
    let hub = Arc::new(Hub::new(LIMITS, None));
    let feed = hub.add_feed(|id| Feed::new(id, "a".into(), None, Carriage::OneLink));
    let mut messages = Subscription::new(Arc::clone(&feed), &hub);
    let old = link_to(&server, 1).await;
    hub.aim_at(old.conn);
    activate(Arc::clone(&hub), Arc::clone(&old), Handover::Pipelined).await.unwrap();

    let new = link_to(&server, 2).await;
    hub.aim_at(new.conn);
    hub.install(&new).await.unwrap();
    new.kill();
    switch(&hub, &new, Handover::AfterBarrier).await.unwrap_err();

    let live: Vec<_> = feed.routes().into_iter().map(|(conn, _)| conn).collect();
    assert_eq!(live, [old.conn]);
    old.round_trip().await.unwrap();
    let message = async_nats::message::OutboundMessage {
        subject: "a".into(),
        reply: None,
        payload: "x".into(),
        headers: None,
    };
    old.push(&message, Kind::Publish).await.unwrap();
    assert_eq!(within("the message", messages.next()).await.unwrap().payload, "x");
}
