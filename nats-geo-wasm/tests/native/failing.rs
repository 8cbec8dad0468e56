//! Servers that die, fall silent, or are none.

use std::time::Duration;

use nats_geo_wasm::engine::{Code, Engine};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::driver::{Client, connected, options};
use crate::support::{Relay, Server, WEBSOCKET, super_cluster, within};

#[tokio::test]
async fn a_killed_server_costs_what_was_under_way_and_no_subscription() {
    let mut servers = super_cluster(&["lon", "ams"], WEBSOCKET).await;
    let mut client = connected(&[&servers[0], &servers[1]]).await;
    client.call(|engine, now| engine.subscribe(1, "orders", None, None, now)).unwrap();
    client.flush().await;
    let home = client.server().unwrap();
    let (mut there, other) =
        if home == "lon-1" { (servers.remove(0), &servers[0]) } else { (servers.remove(1), &servers[0]) };
    let mut service = connected(&[other]).await;
    service.call(|engine, now| engine.subscribe(1, "slow", None, None, now)).unwrap();
    service.flush().await;

    // Interest crosses the gateways some time after the flush; until then the server answers 503.
    let mut op = 5;
    while service.messages.is_empty() {
        op += 1;
        assert!(op < 500, "no interest: {:?}", client.texts());
        client.ask(op, "slow", "never answered");
        client.flush().await;
        service.run_for(Duration::from_millis(20)).await;
    }
    there.kill();
    client.until("the loss", |client| client.completed.contains_key(&op)).await;
    assert_eq!(client.completed[&op].0, Some(Code::LinkLost));
    // Published while nothing may be live: kept, and sent there.
    client.publish("orders", "kept");
    client.until("the message", |client| client.payloads() == ["kept"]).await;
    assert_ne!(client.server().unwrap(), home);
    let moved = client.noticed("moved");
    assert_eq!((moved.len(), &moved[0]["cause"]), (1, &"regionLost".into()), "{moved:?}");
    assert_eq!((client.stat("moves"), client.stat("discarded")), (1, 0));
}

#[tokio::test]
async fn a_silent_server_is_left_and_given_up() {
    let servers = super_cluster(&["lon", "ams"], WEBSOCKET).await;
    let mut client = connected(&[&servers[0], &servers[1]]).await;
    client.call(|engine, now| engine.subscribe(1, "orders", None, None, now)).unwrap();
    client.flush().await;
    let home = client.server().unwrap();
    let there = servers.iter().find(|server| server.name() == home).unwrap();
    there.freeze();
    client.until("the move", |client| !client.noticed("moved").is_empty()).await;
    assert_eq!(client.noticed("moved")[0]["cause"], "suspicion");
    client.publish("orders", "elsewhere");
    client.until("the message", |client| client.payloads() == ["elsewhere"]).await;
    client.until("the verdict", |client| !client.noticed("lost").is_empty()).await;
    // nats-core says so of the live link only, and traffic had left this one.
    assert!(client.noticed("disconnect").is_empty(), "{:?}", client.notices);
    there.thaw();
}

#[tokio::test]
async fn a_client_may_be_there_before_its_server() {
    let mut server = Server::with_websocket("authorization { user: u, password: p }").await;
    server.kill();
    let mut options = options(&[server.ws_url()]);
    options.retry_initial_connect = true;
    options.connect_timeout = Duration::from_millis(200);
    options.auth = nats_geo_wasm::engine::Auth::UserPass("u".into(), "p".into());
    let mut client = Client::new(options).unwrap();
    client.call(Engine::connect);
    client.call(|engine, now| engine.subscribe(1, "early", None, None, now)).unwrap();
    client.run_for(Duration::from_millis(600)).await;
    assert_eq!((client.is_open, client.closed.clone()), (false, None), "{:?}", client.notices);
    let _server = server.restarted_with_websocket().await;
    client.publish("early", "kept");
    client.until("the first link", |client| client.is_open).await;
    client.until("the message", |client| client.payloads() == ["kept"]).await;
}

#[tokio::test]
async fn publishes_wait_for_a_link_in_bounds_of_time_and_bytes() {
    let mut server = Server::with_websocket("").await;
    let mut options = options(&[server.ws_url()]);
    options.publish_wait = Duration::from_millis(300);
    options.kept_bytes_max = 1_000;
    let mut client = Client::new(options).unwrap();
    client.connect().await;
    server.kill();
    client.until("the loss", |client| client.engine.info().is_none()).await;
    client.publish("a", &"x".repeat(900));
    let more = client.call(|engine, now| engine.publish("a", None, None, &[0; 200], now));
    assert_eq!(more.unwrap_err().code, Code::Connection);
    client.ask(5, "a", "");
    assert_eq!(client.flush().await, Some(Code::Connection));
    client.until("the notice", |client| !client.noticed("discarded").is_empty()).await;
    assert_eq!(client.stat("discarded"), 1);
    let server = server.restarted_with_websocket().await;
    client.until("the way back", |client| client.engine.info().is_some()).await;
    client.until("503", |client| client.completed.contains_key(&5)).await;
    assert_eq!(client.completed[&5].0, Some(Code::NoResponders), "it waited for the link");
    drop(server);
}

#[tokio::test]
async fn what_is_no_nats_server_is_called_so() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let imposter = tokio::spawn(async move {
        loop {
            let (socket, _) = listener.accept().await.unwrap();
            let mut socket = tokio_tungstenite::accept_async(socket).await.unwrap();
            futures_util::SinkExt::send(&mut socket, "hello, browser\r\n".into()).await.unwrap();
            // Open until we hang up.
            tokio::spawn(async move { while futures_util::StreamExt::next(&mut socket).await.is_some() {} });
        }
    });
    let (code, text) = failed_to_connect(port).await;
    assert_eq!(code, Code::Protocol, "{text}");
    assert!(text.contains("not a NATS operation: `hello, browser`"), "{text}");
    imposter.abort();
}

#[tokio::test]
async fn a_server_that_says_nothing_or_refuses_fails_in_time() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mute = tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let _ = socket.write_all(b"HTTP/1.1 101 Switching").await;
            open.push(socket);
        }
    });
    let (code, text) = failed_to_connect(port).await;
    assert_eq!(code, Code::Connection, "{text}");
    mute.abort();
    let (code, text) = failed_to_connect(port).await;
    assert_eq!(code, Code::Connection, "{text}");
    assert!(text.contains("could not be opened"), "{text}");
}

async fn failed_to_connect(port: u16) -> (Code, String) {
    let mut options = options(&[format!("ws://127.0.0.1:{port}")]);
    options.connect_timeout = Duration::from_millis(2_500);
    let mut client = Client::new(options).unwrap();
    client.call(Engine::connect);
    client.until("the end", |client| client.closed.is_some()).await;
    let (code, text) = client.closed.clone().unwrap();
    (code.unwrap(), text.unwrap())
}

#[tokio::test]
async fn bytes_in_any_pieces_make_the_same_messages() {
    let server = Server::with_websocket("").await;
    let relay = Relay::far_from(server.websocket, Duration::from_millis(3)).await;
    let mut client = Client::new(options(&[format!("ws://127.0.0.1:{}", relay.port)])).unwrap();
    client.connect().await;
    client.call(|engine, now| engine.subscribe(1, "big", None, None, now)).unwrap();
    // The server cuts it into frames; they arrive as the network pleases.
    let payload = "0123456789".repeat(20_000);
    (0..5).for_each(|_| client.publish("big", &payload));
    client.until("five large messages", |client| client.messages.len() == 5).await;
    assert!(client.payloads().iter().all(|it| *it == payload));
    relay.cut();
    client.until("another link", |client| client.stat("moves") == 1).await;
    within("a flush", client.flush()).await;
}
