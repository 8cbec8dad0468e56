//! Tests of handovers between links to a real server. The tests begin each step at a moment that a client could not
//! choose.

use async_nats::message::OutboundMessage;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;

use super::*;
use crate::core::ConnId;
use crate::native::hub::Limits;
use crate::native::lines::CONTROL_LINE_MAX;
use crate::native::link::{Kind, Settings, open};
use crate::native::subscription::Route;
use crate::native::support::{Relay, Server, within};
use crate::native::target::Target;
use crate::native::tls::Sessions;
use crate::native::{Auth, IntoServers as _, Subscription};

fn limits() -> Limits {
    Limits { publish_wait: Duration::from_secs(5), backlog: 10, at_most_once: true, ..Limits::default() }
}

async fn link_to(url: &str, conn: u64) -> Arc<Link> {
    let url = url.into_servers().unwrap().remove(0);
    let target = Target::of(url, &Auth::None);
    let sessions = Arc::new(Sessions::new(None));
    let (max_control_line, guard) = (CONTROL_LINE_MAX, Arc::default());
    let settings = Settings { name: None, sessions, kept: None, customize: None, max_control_line, guard };
    let (reports, _) = mpsc::channel(1);
    let opened = open(ConnId(conn), &target, &settings, Duration::from_secs(2), reports).await;
    Arc::new(opened.unwrap().0)
}

#[tokio::test]
async fn a_link_that_ends_while_it_takes_over_gives_the_subscriptions_back() {
    let server = Server::start().await;
    let hub = Arc::new(Hub::new(limits(), None));
    let feed = hub.add_feed("a".into(), None, Carriage::OneLink, Some(1 << 20));
    let mut messages = Subscription::new(Arc::clone(&feed), &hub);
    let old = link_to(&server.url(), 1).await;
    hub.aim_at(old.conn);
    activate(Arc::clone(&hub), Arc::clone(&old), Handover::Pipelined).await.unwrap();

    let new = link_to(&server.url(), 2).await;
    hub.aim_at(new.conn);
    hub.install(&new).await.unwrap();
    new.kill();
    switch(&hub, &new, Handover::AfterBarrier).await.unwrap_err();

    let live: Vec<_> = feed.routes().into_iter().map(|(conn, _)| conn).collect();
    assert_eq!(live, [old.conn]);
    old.round_trip().await.unwrap();
    old.push(&message("x"), Kind::Publish).await.unwrap();
    assert_eq!(within("the message", messages.next()).await.unwrap().payload, "x");
}

#[tokio::test]
async fn a_subscription_that_drains_takes_on_no_further_link() {
    let server = Server::start().await;
    let relay = Relay::to(server.port).await;
    let hub = Arc::new(Hub::new(limits(), None));
    let feed = hub.add_feed("a".into(), Some("q".into()), Carriage::EveryLink, Some(1 << 20));
    let mut messages = Subscription::new(Arc::clone(&feed), &hub);
    let old = link_to(&relay.url(), 1).await;
    hub.aim_at(old.conn);
    activate(Arc::clone(&hub), Arc::clone(&old), Handover::Pipelined).await.unwrap();

    let new = link_to(&server.url(), 2).await;
    relay.silence_server();
    new.push(&message("on its way"), Kind::Publish).await.unwrap();
    new.round_trip().await.unwrap();
    let stopper = messages.stopper();
    let mut draining = std::pin::pin!(stopper.drain());
    assert!(draining.as_mut().now_or_never().is_none());
    // A move that had begun before: it knows the subscription.
    let route = Arc::new(Route { link: Arc::downgrade(&new), hub: Arc::downgrade(&hub) });
    feed.install(&new, &route).await.unwrap();
    new.round_trip().await.unwrap();
    let carriers: Vec<_> = feed.routes().into_iter().map(|(conn, _)| conn).collect();
    assert_eq!(carriers, [old.conn]);

    relay.silence(false);
    within("the drain", draining).await;
    assert_eq!(within("the message", messages.next()).await.unwrap().payload, "on its way");
    assert!(within("the end", messages.next()).await.is_none());
}

fn message(payload: &'static str) -> OutboundMessage {
    OutboundMessage { subject: "a".into(), reply: None, payload: payload.into(), headers: None }
}
