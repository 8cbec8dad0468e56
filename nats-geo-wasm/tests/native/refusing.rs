//! Servers that refuse a name, a subscription or a publish: the link and the others go on.

use std::time::Duration;

use nats_geo_wasm::engine::Code;

use crate::driver::{Client, connected, options};
use crate::support::{Server, WEBSOCKET, super_cluster};

/// How the subscription `sid` ended, if it did.
fn ended(client: &Client, sid: u32) -> Option<(u64, String)> {
    let notice = client.noticed("error").into_iter().find(|notice| notice["sid"] == sid)?;
    Some((notice["code"].as_u64().unwrap(), notice["text"].as_str().unwrap().into()))
}

fn subscribe(client: &mut Client, sid: u32, subject: &str) {
    client.call(|engine, now| engine.subscribe(sid, subject, None, None, now)).unwrap();
}

#[tokio::test]
async fn names_that_are_too_long_for_a_line_are_refused_at_the_call() {
    let server = Server::with_websocket("").await;
    let mut client = connected(&[&server]).await;
    let long = "a".repeat(5_000);
    let limit = Duration::from_secs(1);
    let refusals = [
        client.call(|engine, now| engine.subscribe(1, &long, None, None, now)),
        client.call(|engine, now| engine.subscribe(1, "a", Some(&long), None, now)),
        client.call(|engine, now| engine.publish(&long, None, None, b"", now)),
        client.call(|engine, now| engine.publish("a", Some(&long), None, b"", now)),
        client.call(|engine, now| engine.request(1, &long, None, b"", limit, now)),
    ];
    for refusal in refusals {
        let refusal = refusal.unwrap_err();
        assert_eq!(refusal.code, Code::InvalidSubject);
        assert!(refusal.text.contains("4096") && refusal.text.len() < 300, "{refusal}");
    }
    // The longest that fits, and everything goes on.
    subscribe(&mut client, 1, &"a".repeat(4_096 - 42));
    client.call(|engine, now| engine.publish(&"b".repeat(4_000), None, None, b"", now)).unwrap();
    assert_eq!(client.flush().await, None);
    assert_eq!(client.stat("moves"), 0);
}

#[tokio::test]
async fn a_longer_line_may_be_allowed_and_is_read() {
    let server = Server::with_websocket("max_control_line: 8192").await;
    let mut options = options(&[server.ws_url()]);
    options.max_control_line = 8_192;
    let mut client = Client::new(options).unwrap();
    client.connect().await;
    let subject = "a".repeat(7_000);
    subscribe(&mut client, 1, &subject);
    client.call(|engine, now| engine.publish(&subject, None, None, b"hi", now)).unwrap();
    client.until("the message", |client| client.payloads() == ["hi"]).await;
}

#[tokio::test]
async fn a_subscription_for_which_servers_close_the_connection_ends_and_the_others_live() {
    let configuration = format!("{WEBSOCKET}\nmax_control_line: 1024");
    let servers = super_cluster(&["lon", "ams"], &configuration).await;
    let mut client = connected(&[&servers[0], &servers[1]]).await;
    for sid in 1..=50 {
        subscribe(&mut client, sid, &format!("news.{sid}"));
    }
    subscribe(&mut client, 99, &"a".repeat(2_000));
    client.until("its end", |client| ended(client, 99).is_some()).await;
    let (code, text) = ended(&client, 99).unwrap();
    assert_eq!(
        (code, text.contains("control line")),
        (u64::from(Code::InvalidSubject.number()), true),
        "{text}"
    );
    let connects = client.noticed("opened").len();
    assert!(connects <= 3, "{connects} links for one subscription");
    client.until("the others", |client| client.engine.is_live()).await;
    assert_eq!(client.flush().await, None);
    client.publish("news.7", "hi");
    client.until("the message", |client| client.payloads() == ["hi"]).await;
    // The limit is known from now on.
    let refusal = client.call(|engine, now| engine.subscribe(100, &"b".repeat(2_000), None, None, now));
    assert_eq!(refusal.unwrap_err().code, Code::InvalidSubject);
    assert_eq!((1..=50).find(|sid| ended(&client, *sid).is_some()), None);
}

#[tokio::test]
async fn a_publish_that_ends_a_link_is_not_sent_again() {
    let configuration = format!("{WEBSOCKET}\nmax_control_line: 1024");
    let servers = super_cluster(&["lon", "ams"], &configuration).await;
    let mut client = connected(&[&servers[0], &servers[1]]).await;
    subscribe(&mut client, 1, "news");
    client.flush().await;
    for _ in 0..3 {
        client.publish(&"a".repeat(2_000), "x");
    }
    client.until("the loss", |client| !client.noticed("disconnect").is_empty()).await;
    client.until("another link", |client| client.engine.is_live()).await;
    client.run_for(Duration::from_secs(1)).await;
    assert_eq!(client.noticed("disconnect").len(), 1, "{:?}", client.notices);
    client.publish("news", "hi");
    client.until("the message", |client| client.payloads() == ["hi"]).await;
}

#[tokio::test]
async fn too_many_subscriptions_end_the_newest_and_say_so() {
    let accounts = "accounts { A { users: [{user: u, password: p}], limits: { max_subscriptions: 5 } } }";
    let server = Server::with_websocket(accounts).await;
    let mut options = options(&[server.ws_url()]);
    options.auth = nats_geo_wasm::engine::Auth::UserPass("u".into(), "p".into());
    let mut client = Client::new(options).unwrap();
    client.connect().await;
    for sid in 1..=7 {
        subscribe(&mut client, sid, &format!("news.{sid}"));
    }
    client.flush().await;
    let refused: Vec<u32> = (1..=7).filter(|sid| ended(&client, *sid).is_some()).collect();
    assert_eq!(refused, [6, 7], "{:?}", client.notices);
    assert!(ended(&client, 7).unwrap().1.contains("subscriptions exceeded"));
    client.publish("news.5", "hi");
    client.until("the message", |client| client.payloads() == ["hi"]).await;
}

#[tokio::test]
async fn denied_publishes_are_counted_and_told() {
    let users =
        r#"authorization { users: [{user: u, password: p, permissions: {publish: {deny: "secret.>"}}}] }"#;
    let server = Server::with_websocket(users).await;
    let mut options = options(&[server.ws_url()]);
    options.auth = nats_geo_wasm::engine::Auth::UserPass("u".into(), "p".into());
    let mut client = Client::new(options).unwrap();
    client.connect().await;
    client.publish("secret.a", "x");
    client.publish("secret.b", "x");
    client.flush().await;
    assert_eq!((client.stat("denied"), client.noticed("error").len()), (2, 2));
}

#[tokio::test]
async fn a_subscription_that_the_next_server_denies_ends_there() {
    let allowed = "authorization { users: [{user: u, password: p}] }";
    let denied =
        r#"authorization { users: [{user: u, password: p, permissions: {subscribe: {deny: "secret.>"}}}] }"#;
    let mut here = Server::with_websocket(&format!("cluster {{ name: lon }}\n{allowed}")).await;
    let there = Server::with_websocket(&format!("cluster {{ name: ams }}\n{denied}")).await;
    let mut options = options(&[format!("lon={}", here.ws_url())]);
    options.auth = nats_geo_wasm::engine::Auth::UserPass("u".into(), "p".into());
    let mut client = Client::new(options).unwrap();
    client.connect().await;
    subscribe(&mut client, 1, "secret.a");
    subscribe(&mut client, 2, "news");
    client.flush().await;
    assert_eq!(ended(&client, 1), None);
    let servers = [format!("lon={}", here.ws_url()), format!("ams={}", there.ws_url())];
    client.call(|engine, now| engine.set_servers(&servers, now)).unwrap();
    client.until("the other server", |client| !client.noticed("probe").is_empty()).await;
    here.kill();
    client.until("its end", |client| ended(client, 1).is_some()).await;
    assert_eq!(ended(&client, 1).unwrap().0, u64::from(Code::PermissionViolation.number()));
    client.publish("news", "hi");
    client.until("the message", |client| client.payloads() == ["hi"]).await;
}
