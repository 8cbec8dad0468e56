//! Tests with clients of nats-geo that are all connected to one of two servers.

use futures_util::future::join_all;
use loadgen::cluster::SuperCluster;
use nats_geo::core::Config;
use nats_geo::{GeoClient, GeoOptions};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::command::{Place, TURN, login, start, wait_until};

const CLIENTS: usize = 12;

const RULES: &str = "every = \"1s\"\n[[rule]]\nname = \"spread\"\nwhen = \"load-uneven\"\nfor = \"2s\"\n\
    percent = 40\ndo = \"rebalance\"\nbatch = 3\npause = \"200ms\"\nat_most = \"5 per 1h\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn uneven_load_is_rebalanced() {
    let _turn = TURN.lock().await;
    let mut cluster = start(&["lon", "ams"], 2).await;
    let clients = all_on_one_server(&mut cluster).await;

    let place = Place::new();
    let dry = place.guard(RULES, &login(&cluster), &[]).await;
    let planned = dry.wait_for("ended", |line| line["outcome"] == "dry-run").await;
    assert_eq!(
        planned["detail"], "lon: would ask 6 of 12 clients of lon-1 to move; the mean is 6.0",
        "{planned}"
    );
    dry.stop().await;
    assert_eq!(counts(&cluster).await, [CLIENTS, 0], "a dry run moves no client");

    let act = [login(&cluster), vec!["--act".to_owned()]].concat();
    let place = Place::new();
    let guard = place.guard(RULES, &act, &[]).await;
    let ended = guard.wait_for("ended", |_| true).await;
    assert_eq!((&ended["outcome"], &ended["action"]), (&"done".into(), &"rebalance lon".into()), "{ended}");
    let acts = &guard.events("acts")[0];
    let evidence = &acts["evidence"];
    assert_eq!((&evidence["server"], &evidence["connections"]), (&"lon-1".into(), &CLIENTS.into()), "{acts}");
    guard.wait_for("healed", |line| line["subject"] == "lon").await;
    let counts = counts(&cluster).await;
    assert!(counts.iter().all(|count| (5..=7).contains(count)), "{counts:?}");
    guard.stop().await;
    for client in &clients {
        client.close().await;
    }
    cluster.shutdown().await;
}

/// A restart that went wrong: nothing moves the clients back afterwards.
async fn all_on_one_server(cluster: &mut SuperCluster) -> Vec<GeoClient> {
    cluster.kill_server("lon-2").unwrap();
    let urls: Vec<_> =
        cluster.endpoints("lon").unwrap().into_iter().map(|endpoint| endpoint.tcp_url).collect();
    let urls = urls.join(",");
    let connect = async |number: usize| {
        let options = GeoOptions::new().config(Config::fleet()).seed(number as u64);
        options.name(format!("geo-{number}")).connect(urls.clone()).await.unwrap()
    };
    let clients = join_all((0..CLIENTS).map(connect)).await;
    cluster.restart_server("lon-2").await.unwrap();
    wait_until(async || {
        let counts = counts(cluster).await;
        if counts == [CLIENTS, 0] { Ok(()) } else { Err(format!("{counts:?}")) }
    })
    .await;
    clients
}

/// Clients of nats-geo per server, as its own monitoring counts them.
async fn counts(cluster: &SuperCluster) -> [usize; 2] {
    let mut counts = [0; 2];
    for (count, server) in counts.iter_mut().zip(["lon-1", "lon-2"]) {
        let mut stream =
            tokio::net::TcpStream::connect(cluster.monitor(server).unwrap().addr()).await.unwrap();
        stream.write_all(b"GET /connz HTTP/1.0\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        let connz: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
        let names = connz["connections"].as_array().unwrap().iter().map(|connection| &connection["name"]);
        *count = names.filter(|name| name.as_str().is_some_and(|name| name.starts_with("geo-"))).count();
    }
    counts
}
