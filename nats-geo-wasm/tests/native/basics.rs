//! One server.

use nats_geo_wasm::engine::{Auth, Code, Credentials, Engine};

use crate::driver::{Client, connected, options};
use crate::support::{Server, wait_for};

#[tokio::test]
async fn what_is_published_is_delivered() {
    let server = Server::with_websocket("").await;
    let mut client = connected(&[&server]).await;
    client.call(|engine, now| engine.subscribe(1, "orders.>", None, None, now)).unwrap();
    let headers = b"NATS/1.0\r\nA: b\r\n\r\n";
    client
        .call(|engine, now| engine.publish("orders.new", Some("re.ply"), Some(headers), b"lamp", now))
        .unwrap();
    client.publish("orders.old", "");
    assert_eq!(client.flush().await, None);
    client.until("two messages", |client| client.messages.len() == 2).await;
    let first = &client.messages[0];
    assert_eq!((first.id, first.is_reply, first.is_no_responders), (1, false, false));
    assert_eq!((first.subject.as_str(), first.reply.as_str()), ("orders.new", "re.ply"));
    assert_eq!((&first.headers[..], &first.payload[..]), (&headers[..], &b"lamp"[..]));
    assert_eq!((client.stat("out_msgs"), client.stat("in_msgs"), client.stat("in_bytes")), (2, 2, 22));
    client.call(|engine, now| engine.rtt(5, now));
    client.until("a round trip", |client| client.completed.contains_key(&5)).await;
    assert!(client.completed[&5].1.unwrap() > 0.0);
}

#[tokio::test]
async fn requests_are_answered_refused_or_time_out() {
    let server = Server::with_websocket("").await;
    let mut client = connected(&[&server]).await;
    client.ask(1, "price", "lamp");
    client.until("503", |client| client.completed.contains_key(&1)).await;
    assert_eq!(client.completed[&1].0, Some(Code::NoResponders));

    let mut seller = connected(&[&server]).await;
    seller.call(|engine, now| engine.subscribe(1, "price", Some("sellers"), None, now)).unwrap();
    seller.flush().await;
    (2..50).for_each(|op| client.ask(op, "price", &op.to_string()));
    let limit = std::time::Duration::from_millis(200);
    client.call(|engine, now| engine.request(99, "price", None, b"never", limit, now)).unwrap();
    client.ask(98, "price", "cancelled");
    client.flush().await;
    client.call(|engine, now| engine.cancel_request(98, now));
    seller.until("all questions", |seller| seller.messages.len() == 50).await;
    for question in std::mem::take(&mut seller.messages) {
        if question.payload != b"never" {
            let answer = |engine: &mut Engine, now| {
                engine.publish(&question.reply, None, None, &question.payload, now)
            };
            seller.call(answer).unwrap();
        }
    }
    seller.flush().await;
    client.until("the answers", |client| client.messages.len() == 48).await;
    for answer in &client.messages {
        assert!(answer.is_reply && answer.payload == answer.id.to_string().as_bytes(), "{answer:?}");
    }
    client.until("the time-out", |client| client.completed.contains_key(&99)).await;
    assert_eq!(client.completed[&99].0, Some(Code::Timeout));
    assert_eq!(client.messages.len(), 48, "nothing for the cancelled one");
}

#[tokio::test]
async fn subscriptions_end_in_three_ways() {
    let server = Server::with_websocket("").await;
    let mut client = connected(&[&server]).await;
    for (sid, max) in [(1, Some(3)), (2, None), (3, None), (4, None)] {
        client.call(|engine, now| engine.subscribe(sid, "a", None, max, now)).unwrap();
    }
    client.call(|engine, now| engine.unsubscribe(2, Some(4), now));
    (0..5).for_each(|_| client.publish("a", "x"));
    client.call(|engine, now| engine.drain_subscription(3, 7, now));
    client.until("the drain", |client| client.completed.contains_key(&7)).await;
    client.call(|engine, now| engine.unsubscribe(4, None, now));
    (0..5).for_each(|_| client.publish("a", "y"));
    client.flush().await;
    let count = |sid| client.messages.iter().filter(|frame| frame.id == sid).count();
    assert_eq!((count(1), count(2), count(3), count(4)), (3, 4, 5, 5));
    let fresh = Server::with_websocket("").await.subscriptions().await;
    wait_for("no subscription left", async || (server.subscriptions().await <= fresh).then_some(())).await;
}

#[tokio::test]
async fn bad_input_is_refused_at_once() {
    let server = Server::with_websocket("max_payload: 1000").await;
    let mut client = connected(&[&server]).await;
    let publish = |client: &mut Client, subject: &str, size: usize| {
        client
            .call(|engine, now| engine.publish(subject, None, None, &vec![0; size], now))
            .map_err(|it| it.code)
    };
    assert_eq!(publish(&mut client, "a b", 1), Err(Code::InvalidSubject));
    assert_eq!(publish(&mut client, "", 1), Err(Code::InvalidSubject));
    assert_eq!(publish(&mut client, &"x".repeat(5_000), 1), Err(Code::InvalidSubject));
    assert_eq!(publish(&mut client, "a", 1_001), Err(Code::PayloadTooLarge));
    assert_eq!(publish(&mut client, "a", 64 << 20), Err(Code::PayloadTooLarge));
    let refused = |result: Result<(), nats_geo_wasm::engine::Refusal>| result.unwrap_err().code;
    let bad_headers = client.call(|engine, now| engine.publish("a", None, Some(b"A: b"), b"", now));
    assert_eq!(refused(bad_headers), Code::InvalidArgument);
    let empty_token = client.call(|engine, now| engine.subscribe(1, "a..b", None, None, now));
    assert_eq!(refused(empty_token), Code::InvalidSubject);
    let endless = client.call(|engine, now| engine.subscribe(1, &"x".repeat(5_000), None, None, now));
    assert_eq!(refused(endless), Code::InvalidSubject);
    let no_sid = client.call(|engine, now| engine.subscribe(0, "a", None, None, now));
    assert_eq!(refused(no_sid), Code::InvalidArgument);
    assert_eq!(client.flush().await, None, "the connection has survived all this");
    client.call(Engine::close);
    client.until("the end", |client| client.closed.is_some()).await;
    assert_eq!(publish(&mut client, "a", 1), Err(Code::Closed));
    assert_eq!(client.flush().await, Some(Code::Closed));
}

#[tokio::test]
async fn a_server_that_takes_no_headers_is_usable_without() {
    let server = Server::with_websocket("no_header_support: true").await;
    let mut client = connected(&[&server]).await;
    client.call(|engine, now| engine.subscribe(1, "a", None, None, now)).unwrap();
    let headers = b"NATS/1.0\r\n\r\n";
    let refused = client.call(|engine, now| engine.publish("a", None, Some(headers), b"", now));
    assert_eq!(refused.unwrap_err().code, Code::InvalidArgument);
    client.publish("a", "plain");
    assert_eq!(client.flush().await, None);
    assert_eq!(client.payloads(), ["plain"]);
}

#[tokio::test]
async fn credentials_are_checked_and_never_shown() {
    let server = Server::with_websocket("authorization { user: derek, password: s3cr3t }").await;
    let mut options = options(&[server.ws_url()]);
    options.auth = Auth::UserPass("derek".into(), "s3cr3t".into());
    let mut client = Client::new(options.clone()).unwrap();
    client.connect().await;
    assert!(!format!("{:?}{}", client.engine, client.engine.snapshot(client.now())).contains("s3cr3t"));

    options.auth = Auth::Callback;
    let mut asked = Client::new(options.clone()).unwrap();
    let (user, pass) = (Some("derek".into()), Some("s3cr3t".into()));
    asked.credentials = Ok(Credentials { user, pass, ..Credentials::default() });
    asked.connect().await;

    asked = Client::new(options.clone()).unwrap();
    asked.credentials = Err("the key is locked".into());
    asked.call(Engine::connect);
    asked.until("the end", |client| client.closed.is_some()).await;
    let (code, text) = asked.closed.clone().unwrap();
    assert!(code == Some(Code::Authorization) && text.unwrap().contains("the key is locked"));

    options.auth = Auth::UserPass("derek".into(), "wr0ng".into());
    let mut refused = Client::new(options).unwrap();
    refused.call(Engine::connect);
    refused.until("the end", |client| client.closed.is_some()).await;
    let (code, text) = refused.closed.clone().unwrap();
    assert_eq!(code, Some(Code::Authorization));
    let text = text.unwrap();
    assert!(text.contains("Authorization Violation") && !text.contains("wr0ng"), "{text}");
}

#[tokio::test]
async fn what_the_account_may_not_do_is_told() {
    let permissions = r#"{ publish: ["ok", "req"], subscribe: ["ok"] }"#;
    let users =
        format!("authorization {{ users: [{{ user: u, password: p, permissions: {permissions} }}] }}");
    let server = Server::with_websocket(&users).await;
    let mut options = options(&[server.ws_url()]);
    options.auth = Auth::UserPass("u".into(), "p".into());
    let mut client = Client::new(options).unwrap();
    client.connect().await;
    client.publish("no", "x");
    client.call(|engine, now| engine.subscribe(1, "no.>", None, None, now)).unwrap();
    client.ask(5, "req", "x");
    client
        .until("two refusals and a failed request", |client| {
            client.noticed("error").len() >= 3 && client.completed.contains_key(&5)
        })
        .await;
    assert_eq!(client.completed[&5].0, Some(Code::PermissionViolation));
    let errors = client.noticed("error");
    assert!(errors.iter().all(|error| error["code"] == Code::PermissionViolation.number()), "{errors:?}");
    assert!(errors.iter().any(|error| error["subject"] == "no.>"), "{errors:?}");
    assert_eq!(client.flush().await, None);
}

#[tokio::test]
async fn draining_loses_nothing_and_ends_the_client() {
    let server = Server::with_websocket("").await;
    let (mut leaving, mut staying) = (connected(&[&server]).await, connected(&[&server]).await);
    staying.call(|engine, now| engine.subscribe(1, "a", None, None, now)).unwrap();
    staying.flush().await;
    leaving.call(|engine, now| engine.subscribe(1, "b", None, None, now)).unwrap();
    leaving.publish("b", "own");
    (0..1_000).for_each(|n| leaving.publish("a", &n.to_string()));
    leaving.call(|engine, now| engine.drain(9, now));
    leaving.until("the drain", |client| client.closed.is_some()).await;
    assert_eq!(leaving.completed[&9].0, None);
    assert_eq!(leaving.closed, Some((None, None)));
    assert_eq!(leaving.payloads(), ["own"]);
    staying.until("all of it", |client| client.messages.len() == 1_000).await;
    wait_for("one connection", async || (server.connections().await == 1).then_some(())).await;
}
