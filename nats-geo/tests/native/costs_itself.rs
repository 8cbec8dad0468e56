//! Tests that a refusal by a server ends the refused operation, and nothing else.

use std::time::Duration;

use async_nats::HeaderMap;
use futures_util::StreamExt as _;
use nats_geo::core::NoticeKind;
use nats_geo::jetstream::{ApiError, PublishError as StreamPublishError, kv};
use nats_geo::{
    AtLeastOnce, GeoClient, Notices, PublishError, RequestError, SubscribeError, Subscription,
    SubscriptionError,
};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use crate::basics::{client, options};
use crate::handover::{LAME_DUCK, prompt};
use crate::support::{Relay, Server, super_cluster, wait_for, within};

/// The next notice for which `pick` returns something.
async fn noticed<T>(notices: &mut Notices, pick: impl Fn(&NoticeKind) -> Option<T>) -> T {
    within("the notice", async {
        loop {
            if let Some(picked) = pick(&notices.next().await.unwrap().unwrap().kind) {
                return picked;
            }
        }
    })
    .await
}

async fn subscription_refused(notices: &mut Notices) -> String {
    let subject = |kind: &NoticeKind| match kind {
        NoticeKind::SubscriptionRefused { subject, .. } => Some(subject.clone()),
        _ => None,
    };
    noticed(notices, subject).await
}

/// Publishes to a subject, and waits until its subscription delivers.
async fn is_served(client: &GeoClient, subject: &'static str, messages: &mut Subscription) {
    client.publish(subject, "x".into()).await.unwrap();
    within("a message", messages.next()).await.expect("a message");
}

#[tokio::test]
async fn names_that_are_too_long_are_refused_before_a_link_has_them() {
    let dir = tempfile::TempDir::new().unwrap();
    let server = Server::with(&format!("jetstream {{ store_dir: {:?} }}", dir.path())).await;
    let client = client(&server.url()).await;
    let mut others = client.subscribe("others").await.unwrap();
    let bucket = kv::Config { bucket: "config".into(), ..kv::Config::default() };
    let bucket = client.jetstream().create_key_value(bucket).await.unwrap();
    let long = "a".repeat(5_000);
    let too_long = |error: PublishError| assert!(matches!(error, PublishError::TooLong(_)), "{error}");

    let error = client.subscribe(long.clone()).await.unwrap_err();
    let SubscribeError::TooLong(error) = error else { panic!("{error}") };
    assert!(error.length > 5_000 && error.limit == 4_096 && error.to_string().len() < 400, "{error}");
    let error = client.queue_subscribe("a", long.clone()).await.unwrap_err();
    assert!(matches!(error, SubscribeError::TooLong(_)), "{error}");
    too_long(client.publish(long.clone(), "".into()).await.unwrap_err());
    too_long(client.publish_with_reply("a", long.clone(), "".into()).await.unwrap_err());
    // One that fits alone, but not with the inbox behind it.
    for subject in [long.clone(), "a".repeat(4_080)] {
        match client.request(subject, "".into()).await.unwrap_err() {
            RequestError::NotSent(error) => too_long(error),
            error => panic!("{error}"),
        }
    }
    match client.jetstream().publish(long.clone(), "".into()).await.unwrap_err() {
        StreamPublishError::NotSent(error) => too_long(error),
        error => panic!("{error}"),
    }
    bucket.put(&long, "1".into()).await.unwrap_err();
    bucket.get(&long).await.unwrap_err();
    assert!(bucket.watch(&long).await.is_err());
    match client.jetstream().get_stream(&long).await.unwrap_err() {
        ApiError::NotSent(error) => too_long(error),
        error => panic!("{error}"),
    }
    let service = client.service("prices", "1.0.0").start().await.unwrap();
    assert!(service.endpoint(long.clone()).await.is_err());
    assert!(client.service(long.clone(), "1.0.0").start().await.is_err());

    is_served(&client, "others", &mut others).await;
    assert_eq!((client.stats().moves, client.stats().unconfirmed), (0, 0));
}

#[tokio::test]
async fn the_limit_of_a_line_can_be_set() {
    let server = Server::with("max_control_line: 8192").await;
    let options = options().max_control_line(8_192);
    let client = within("connecting", options.connect(server.url())).await.unwrap();
    let subject = "a".repeat(5_000);
    let mut messages = client.subscribe(subject.clone()).await.unwrap();
    client.publish(subject, "x".into()).await.unwrap();
    within("the message", messages.next()).await.unwrap();
}

#[tokio::test]
async fn an_inbox_prefix_that_is_too_long_is_named() {
    let server = Server::start().await;
    let options = options().connect_timeout(Duration::from_millis(500));
    let options = options.customize(|it| it.custom_inbox_prefix("x".repeat(5_000)));
    let error = within("the failure", options.connect(server.url())).await.unwrap_err();
    assert!(error.to_string().contains("custom_inbox_prefix"), "{error}");
}

#[tokio::test]
async fn headers_that_nobody_could_read_are_refused() {
    let server = Server::start().await;
    let client = client(&server.url()).await;
    for json in [r#"{"Note":["a\r\nB: c"]}"#] {
        let headers: HeaderMap = serde_json::from_str(json).unwrap();
        let error = client.publish_with_headers("a", headers.clone(), "".into()).await.unwrap_err();
        assert_eq!(error, PublishError::BadHeader { name: "Note".into() });
        assert!(client.request_with_headers("a", headers, "".into()).await.is_err());
    }
    let mut headers = HeaderMap::new();
    headers.insert(async_nats::HeaderName::from_static("My Key"), "x");
    let error = client.publish_with_headers("a", headers, "".into()).await.unwrap_err();
    assert_eq!(error, PublishError::BadHeader { name: "My Key".into() });
}

#[tokio::test]
async fn a_subscription_that_ends_links_is_found_and_ended() {
    // Less than the option says: the refusal comes from the server.
    let servers = super_cluster(&["lon", "ams"], "max_control_line: 512").await;
    let urls = crate::failover::urls(&servers);
    let client = within("connecting", options().connect(urls)).await.unwrap();
    let mut notices = client.notices();
    let mut others = Vec::new();
    for n in 0..40 {
        others.push(client.subscribe(format!("others.{n}")).await.unwrap());
    }
    client.flush().await.unwrap();
    let subject = "a".repeat(1_000);
    let mut culprit = client.subscribe(subject.clone()).await.unwrap();
    assert_eq!(subscription_refused(&mut notices).await, format!("{}...", "a".repeat(48)));
    assert!(within("the end", culprit.next()).await.is_none());
    let Some(SubscriptionError::Rejected { text, .. }) = culprit.error() else { panic!("no reason") };
    assert_eq!(text, "maximum control line exceeded");

    wait_for("the next link", async || client.flush().await.ok()).await;
    for (n, other) in others.iter_mut().enumerate() {
        client.publish(format!("others.{n}"), "x".into()).await.unwrap();
        within("a message", other.next()).await.expect("a message");
        assert_eq!(other.error(), None);
    }
    assert!(client.stats().moves <= 3, "{:?}", client.stats());
}

#[tokio::test]
async fn one_bad_subscription_is_found_among_many_that_are_installed_together() {
    let mut server = Server::with("max_control_line: 512").await;
    let client = client(&server.url()).await;
    let mut notices = client.notices();
    let port_is_free = server.url();
    server.kill();
    wait_for("the loss", async || client.snapshot().active.is_none().then_some(())).await;
    let mut others = Vec::new();
    let mut culprit = None;
    for n in 0..200 {
        if n == 117 {
            culprit = Some(client.subscribe("a".repeat(1_000)).await.unwrap());
        }
        others.push(client.subscribe(format!("others.{n}")).await.unwrap());
    }
    let server = server.restarted().await;
    assert_eq!(server.url(), port_is_free);
    subscription_refused(&mut notices).await;
    assert!(matches!(culprit.unwrap().error(), Some(SubscriptionError::Rejected { .. })));
    wait_for("the next link", async || client.flush().await.ok()).await;
    for (n, other) in others.iter_mut().enumerate() {
        client.publish(format!("others.{n}"), "x".into()).await.unwrap();
        within("a message", other.next()).await.expect("a message");
    }
}

#[tokio::test]
async fn a_subscription_that_no_server_reads_is_found_among_many() {
    // It cannot be found by its length.
    let server = Server::start().await;
    let gateway = picky_gateway(server.port, b"SUB others.17 ").await;
    let client = client(&gateway).await;
    let mut notices = client.notices();
    let mut others = Vec::new();
    for n in 0..40 {
        others.push(client.subscribe(format!("others.{n}")).await.unwrap());
    }
    assert_eq!(subscription_refused(&mut notices).await, "others.17");
    let error = others.remove(17).error();
    assert!(
        matches!(&error, Some(SubscriptionError::Rejected { text, .. }) if text == "Parser Error"),
        "{error:?}"
    );
    wait_for("the next link", async || client.flush().await.ok()).await;
    for (n, mut other) in (0..40).filter(|n| *n != 17).zip(others) {
        assert_eq!(other.error(), None);
        client.publish(format!("others.{n}"), "x".into()).await.unwrap();
        within("a message", other.next()).await.expect("a message");
    }
}

/// The URL of a way to the server on this port that ends connections on which `poison` is sent, with an error.
async fn picky_gateway(port: u16, poison: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("nats://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let server = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            tokio::spawn(picky_connection(client, server, poison));
        }
    });
    url
}

async fn picky_connection(client: TcpStream, server: TcpStream, poison: &[u8]) {
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
        (client.into_split(), server.into_split());
    let down = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut from_server, &mut to_client).await;
        to_client
    });
    let mut sent = Vec::new();
    while from_client.read_buf(&mut sent).await.is_ok_and(|count| count > 0) {
        if sent.windows(poison.len()).any(|window| window == poison) {
            drop(to_server);
            let mut to_client = down.await.unwrap();
            let _ = to_client.write_all(b"-ERR 'Parser Error'\r\n").await;
            return;
        }
        // The poison may come in two pieces.
        let kept = sent.split_off(sent.len().saturating_sub(poison.len() - 1).min(sent.len()));
        let _ = to_server.write_all(&sent).await;
        sent = kept;
        if sent.ends_with(b"\r\n") {
            let _ = to_server.write_all(&sent).await;
            sent.clear();
        }
    }
}

#[tokio::test]
async fn a_publish_that_ends_links_is_not_sent_again_and_the_client_learns_the_limit() {
    for options in [options(), options().at_least_once(AtLeastOnce::new())] {
        let server = Server::with("max_control_line: 512").await;
        let client = within("connecting", options.connect(server.url())).await.unwrap();
        let mut notices = client.notices();
        let mut others = client.subscribe("others").await.unwrap();
        client.flush().await.unwrap();
        let long = "a".repeat(1_000);
        client.publish(long.clone(), "x".into()).await.unwrap();
        let lost = |kind: &NoticeKind| matches!(kind, NoticeKind::Lost { .. }).then_some(());
        noticed(&mut notices, lost).await;
        wait_for("the next link", async || client.flush().await.ok()).await;
        let error = client.publish(long.clone(), "x".into()).await.unwrap_err();
        assert!(matches!(&error, PublishError::TooLong(error) if error.limit < 1_010), "{error}");
        assert!(matches!(client.subscribe(long).await, Err(SubscribeError::TooLong(_))));
        is_served(&client, "others", &mut others).await;
        assert_eq!(client.stats().moves, 1);
    }
}

#[tokio::test]
async fn a_publish_to_a_stream_that_ends_links_fails_after_one() {
    let server = Server::with("max_control_line: 512").await;
    let client = client(&server.url()).await;
    let jetstream = client.jetstream();
    let publishing = jetstream.publish("a".repeat(1_000), "x".into());
    let error = within("the failure", publishing).await.unwrap_err();
    assert!(error.to_string().contains("max_control_line"), "{error}");
    assert!(client.stats().moves <= 1, "{:?}", client.stats());
}

/// A user who may neither subscribe nor publish to `secret.>`.
const SECRETS: &str = r#"
    authorization { users = [
      { user: clerk, password: x, permissions: {
          subscribe: { allow: [">"], deny: ["secret.>", "shared.> thieves"] }
          publish: { allow: [">"], deny: ["secret.>"] }
      } }
      { user: boss, password: x }
    ] }"#;

#[tokio::test]
async fn a_subscription_without_permission_ends_with_the_reason() {
    let server = Server::with(SECRETS).await;
    let clerk = options().user_and_password("clerk", "x").connect(server.url());
    let client = within("connecting", clerk).await.unwrap();
    let mut notices = client.notices();
    let mut others = client.subscribe("others").await.unwrap();
    let mut secret = client.subscribe("secret.x").await.unwrap();
    assert!(within("the end", secret.next()).await.is_none());
    let Some(SubscriptionError::Denied { subject, .. }) = secret.error() else { panic!("no reason") };
    assert_eq!(
        (subject.as_str(), subscription_refused(&mut notices).await.as_str()),
        ("secret.x", "secret.x")
    );

    let mut honest = client.queue_subscribe("shared.x", "clerks").await.unwrap();
    let mut thieves = client.queue_subscribe("shared.x", "thieves").await.unwrap();
    assert!(within("the end", thieves.next()).await.is_none());
    assert!(matches!(thieves.error(), Some(SubscriptionError::Denied { .. })));
    is_served(&client, "shared.x", &mut honest).await;
    is_served(&client, "others", &mut others).await;
    assert_eq!((others.error(), client.stats().moves), (None, 0));
}

#[tokio::test]
async fn hundreds_of_subscriptions_without_permission_all_end() {
    let server = Server::with(SECRETS).await;
    let clerk = options().user_and_password("clerk", "x").connect(server.url());
    let client = within("connecting", clerk).await.unwrap();
    let mut secrets = Vec::new();
    for n in 0..600 {
        secrets.push(client.subscribe(format!("secret.{n}")).await.unwrap());
    }
    for secret in &mut secrets {
        assert!(within("the end", secret.next()).await.is_none());
        assert!(matches!(secret.error(), Some(SubscriptionError::Denied { .. })));
    }
}

#[tokio::test]
async fn subscriptions_beyond_the_limit_end_with_the_reason() {
    let server = Server::with("max_subscriptions: 5").await;
    let client = client(&server.url()).await;
    let mut notices = client.notices();
    // The link's inbox is the first.
    let mut within_limit = Vec::new();
    for n in 0..4 {
        within_limit.push(client.subscribe(format!("s.{n}")).await.unwrap());
    }
    let mut beyond =
        [client.subscribe("beyond.1").await.unwrap(), client.subscribe("beyond.2").await.unwrap()];
    for subscription in &mut beyond {
        assert!(within("the end", subscription.next()).await.is_none());
        assert!(matches!(subscription.error(), Some(SubscriptionError::TooMany { .. })));
        assert!(subscription_refused(&mut notices).await.starts_with("beyond."));
    }
    for (n, subscription) in within_limit.iter_mut().enumerate() {
        client.publish(format!("s.{n}"), "x".into()).await.unwrap();
        within("a message", subscription.next()).await.expect("a message");
    }
    drop(within_limit.pop());
    client.flush().await.unwrap();
    let mut next = client.subscribe("next").await.unwrap();
    is_served(&client, "next", &mut next).await;
}

#[tokio::test]
async fn a_publish_without_permission_is_counted_and_noticed_once_and_a_request_fails_at_once() {
    let dir = tempfile::TempDir::new().unwrap();
    let server = Server::with(&format!("{SECRETS}\njetstream {{ store_dir: {:?} }}", dir.path())).await;
    let clerk = options().user_and_password("clerk", "x").connect(server.url());
    let client = within("connecting", clerk).await.unwrap();
    let mut notices = client.notices();
    for _ in 0..3 {
        client.publish("secret.x", "1".into()).await.unwrap();
    }
    client.publish("secret.y", "1".into()).await.unwrap();
    let denied = |kind: &NoticeKind| match kind {
        NoticeKind::PublishRefused { subject, .. } => Some(subject.clone()),
        _ => None,
    };
    assert_eq!(noticed(&mut notices, denied).await, "secret.x");
    assert_eq!(noticed(&mut notices, denied).await, "secret.y");
    wait_for("the count", async || (client.stats().denied == 4).then_some(())).await;

    let asked = crate::support::stopwatch();
    let error = within("the failure", client.request("secret.z", "?".into())).await.unwrap_err();
    assert!(matches!(&error, RequestError::Denied { subject, .. } if subject == "secret.z"), "{error}");
    let error = within("the failure", client.jetstream().publish("secret.s", "?".into())).await.unwrap_err();
    assert!(matches!(&error, StreamPublishError::Denied { subject, .. } if subject == "secret.s"), "{error}");
    assert!(asked() < Duration::from_secs(2), "{:?}", asked());
    assert_eq!(client.stats().moves, 0);
}

#[tokio::test]
async fn a_move_to_a_server_with_other_permissions_ends_what_it_denies() {
    // The same user, with and without permission.
    let everything = "authorization { users = [ { user: clerk, password: x } ] }";
    let first = Server::with(&format!("server_name: a\n{LAME_DUCK}\n{everything}")).await;
    let second = Server::with(&format!("server_name: b\n{SECRETS}")).await;
    let far = Relay::far_from(second.port, Duration::from_millis(20)).await;
    let client = prompt()
        .user_and_password("clerk", "x")
        .server_with_region(first.url(), "lon")
        .server_with_region(far.url(), "ams");
    let client = within("connecting", client.connect("")).await.unwrap();
    assert_eq!(client.snapshot().active.unwrap().region.as_str(), "lon");
    let mut secret = client.subscribe("secret.x").await.unwrap();
    is_served(&client, "secret.x", &mut secret).await;
    first.lame_duck();
    within("the end", async { while secret.next().await.is_some() {} }).await;
    assert!(matches!(secret.error(), Some(SubscriptionError::Denied { .. })));
}
