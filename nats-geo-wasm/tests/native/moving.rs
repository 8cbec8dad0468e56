//! Planned moves: nothing is lost, and only plain subscriptions may see a message twice.

use std::collections::BTreeMap;

use nats_geo_wasm::engine::{Code, Engine};

use crate::driver::{Client, connected, options};
use crate::support::{Server, WEBSOCKET, super_cluster};

/// How often each payload came.
fn counts(client: &Client, sid: u32) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for frame in client.messages.iter().filter(|frame| frame.id == sid && !frame.is_reply) {
        *counts.entry(String::from_utf8(frame.payload.clone()).unwrap()).or_default() += 1;
    }
    counts
}

/// A client that is moved by a lame duck while another publishes; then all that it got.
async fn moved(servers: &[Server], at_most_once: bool) -> (Client, usize) {
    let urls: Vec<_> = servers.iter().map(Server::ws_url).collect();
    let mut options = options(&urls);
    options.at_most_once = at_most_once;
    options.config.spread.lame_duck = std::time::Duration::from_millis(300);
    let mut client = Client::new(options).unwrap();
    client.connect().await;
    client.call(|engine, now| engine.subscribe(1, "orders", Some("workers"), None, now)).unwrap();
    client.call(|engine, now| engine.subscribe(2, "orders", None, None, now)).unwrap();
    client.flush().await;
    let home = client.server().unwrap();
    let there = servers.iter().find(|server| server.name() == home).unwrap();
    let other = servers.iter().find(|server| server.name() != home).unwrap();
    let mut publisher = connected(&[other]).await;
    // Interest has crossed the gateways once a message arrives.
    while client.messages.len() < 2 {
        publisher.publish("orders", "warm-up");
        publisher.flush().await;
        client.run_for(std::time::Duration::from_millis(20)).await;
    }
    client.run_for(std::time::Duration::from_millis(100)).await;
    client.messages.clear();

    there.lame_duck();
    let mut sent = 0;
    while client.noticed("moved").is_empty() || !client.is_settled() {
        publisher.publish("orders", &sent.to_string());
        publisher.flush().await;
        // Requests go through all the while.
        client.ask(1_000 + sent, "nobody", "");
        sent += 1;
        client.run_for(std::time::Duration::from_millis(4)).await;
        assert!(sent < 4_000, "no move: {:?}", client.texts());
    }
    client.run_for(std::time::Duration::from_millis(300)).await;
    assert_eq!(client.noticed("moved")[0]["cause"], "lameDuck");
    (client, sent as usize)
}

#[tokio::test]
async fn a_lame_duck_is_left_without_loss_and_queue_groups_are_not_doubled() {
    let servers = super_cluster(&["lon", "ams"], WEBSOCKET).await;
    let (client, sent) = moved(&servers, false).await;
    let (queue, plain) = (counts(&client, 1), counts(&client, 2));
    assert_eq!(queue.len(), sent, "a queue group loses nothing");
    assert!(queue.values().all(|count| *count == 1), "nor doubles: {queue:?}");
    assert_eq!(plain.len(), sent, "a plain subscription loses nothing");
    assert!(plain.values().all(|count| *count <= 2));
    let requests = client.completed.iter().filter(|(op, _)| (1_000..1 << 20).contains(*op));
    let failures: Vec<_> = requests.filter(|(_, (code, _))| *code != Some(Code::NoResponders)).collect();
    assert!(failures.is_empty(), "every request got its 503: {failures:?}");
}

#[tokio::test]
async fn at_most_once_doubles_nothing() {
    let servers = super_cluster(&["lon", "ams"], WEBSOCKET).await;
    let (client, sent) = moved(&servers, true).await;
    let (queue, plain) = (counts(&client, 1), counts(&client, 2));
    assert_eq!((queue.len(), queue.values().sum::<usize>()), (sent, sent));
    assert!(plain.values().all(|count| *count == 1), "{plain:?}");
}

#[tokio::test]
async fn with_a_standby_a_lost_server_is_survived_and_the_list_of_servers_can_change() {
    let mut servers = super_cluster(&["lon", "ams"], WEBSOCKET).await;
    let mut options = options(&[servers[0].ws_url(), servers[1].ws_url()]);
    options.config.warm_standby = true;
    let mut client = Client::new(options).unwrap();
    client.connect().await;
    client.until("the standby", |client| !client.noticed("standbyReady").is_empty()).await;
    let home = client.server().unwrap();
    let at = servers.iter().position(|server| server.name() == home).unwrap();
    servers[at].kill();
    client.until("the move", |client| client.stat("moves") == 1).await;
    let elsewhere = Server::with_websocket("server_name: elsewhere").await;
    let before = client.server();
    client.call(|engine, now| engine.set_servers(&[elsewhere.ws_url()], now)).unwrap();
    client.flush().await;
    assert_eq!(client.server(), before, "the live link is not cut");
    client.call(Engine::reconnect);
    client.until("the new server", |client| client.server().as_deref() == Some("elsewhere")).await;
}

#[tokio::test]
async fn a_remembered_server_is_dialled_without_waiting_for_a_probe() {
    let server = Server::with_websocket("server_name: known").await;
    let memory = connected(&[&server]).await.engine.memory();
    let json = format!(r#"{{"servers":["{}"],"preset":"interactive","memory":{memory}}}"#, server.ws_url());
    let options = nats_geo_wasm::engine::Options::from_json(&json, 1, [1, 1]).unwrap();
    let mut client = Client::new(options).unwrap();
    client.call(Engine::connect);
    assert_eq!(client.sockets_wanted(), [server.ws_url(), server.ws_url()], "a dial beside a probe");
    client.until("the first link", |client| client.is_open).await;
}
