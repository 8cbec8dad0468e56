//! Tests of the live events about a real super-cluster.

use async_nats::jetstream;
use async_nats::jetstream::stream::{Config, Source};
use loadgen::clock;
use loadgen::cluster::{StartOptions, SuperCluster};
use loadgen::topology::Topology;
use loadgen::topology::credentials::Login;
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::net::TcpStream;

use crate::page::{Page, expect};
use crate::served::{Dashboard, LIMIT};

#[tokio::test(flavor = "multi_thread")]
async fn a_page_follows_servers_gateways_meta_leader_and_streams() {
    let mut cluster =
        SuperCluster::start(StartOptions::new(Topology::new(["lon", "ams"], 2).unwrap())).await.unwrap();
    let Login::Password { user, password } = cluster.system_login().unwrap() else { panic!("no password") };
    let url = cluster.server_urls()["lon-1"].clone();
    let env =
        [("NATS_URL", url.as_str()), ("NATS_USER", user.as_str()), ("NATS_PASSWORD", password.expose())];
    let place = tempdir().unwrap();
    let dashboard = Dashboard::start(place.path(), &["--every", "1", "--timeout", "1000"], &env).await;
    assert_eq!(own_connections(&cluster).await, 0, "nobody watches yet");

    create_streams(&cluster).await;
    let mut page = Page::open(&dashboard, "nats").await;
    page.shows(|data| {
        let names: Vec<_> =
            data["servers"].as_array().unwrap().iter().map(|row| row["name"].clone()).collect();
        expect(names == ["ams-1", "ams-2", "lon-1", "lon-2"], "servers", data)?;
        expect(data["clusters"].as_array().unwrap().len() == 2, "clusters", data)?;
        expect(data["gateways"][0]["complete"] == true, "gateways", data)?;
        expect(data["drawing"].as_str().unwrap().starts_with("<svg "), "drawing", data)?;
        let meta = &data["meta"][0];
        expect(
            meta["servers"] == 4 && meta["answered"] == 4 && names.contains(&meta["leader"]),
            "meta",
            data,
        )?;
        expect(meta["disagree"] == json!([]) && meta["behind"] == json!([]), "meta", data)?;
        let account = &data["accounts"][0];
        let streams: Vec<_> =
            account["streams"].as_array().unwrap().iter().map(|row| &row["stream"]).collect();
        expect(streams == ["copy", "orders"], "streams", data)?;
        expect(account["streams"][1]["messages"] == 3, "messages", data)?;
        let copy = &account["replication"][0];
        expect(copy["kind"] == "mirror" && copy["source"] == "orders" && copy["lag"] == 0, "copy", data)
    })
    .await;
    assert_eq!(own_connections(&cluster).await, 1);
    // A second page gets the last look at once, and no second connection is opened.
    let mut second = Page::open(&dashboard, "nats").await;
    assert_eq!(second.next().await.0, "nats");
    assert_eq!(own_connections(&cluster).await, 1);
    drop(second);

    cluster.kill_server("ams-2").unwrap();
    page.shows(|data| {
        expect(data["servers"].as_array().unwrap().len() == 3, "servers", data)?;
        expect(data["meta"][0]["answered"] == 3, "answered", data)?;
        let behind = data["meta"][0]["behind"].as_array().unwrap();
        // Its time of activity is 0 if this leader has never heard of it.
        expect(behind.iter().any(|row| row["server"] == "ams-2"), "behind", data)
    })
    .await;
    drop(page);
    let deadline = clock::now() + LIMIT;
    while own_connections(&cluster).await > 0 {
        assert!(clock::now() < deadline, "the dashboard stays connected although nobody watches");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    cluster.shutdown().await;
}

async fn create_streams(cluster: &SuperCluster) {
    let context = jetstream::new(cluster.application_client().await.unwrap());
    let orders = Config { name: "orders".into(), subjects: vec!["orders.>".into()], ..Config::default() };
    context.create_stream(orders).await.unwrap();
    let origin = Source { name: "orders".into(), ..Source::default() };
    let copy = Config { name: "copy".into(), mirror: Some(origin), ..Config::default() };
    context.create_stream(copy).await.unwrap();
    for number in 0..3 {
        context.publish(format!("orders.{number}"), "1".into()).await.unwrap().await.unwrap();
    }
}

/// Connections of the dashboard at the server that it dials.
async fn own_connections(cluster: &SuperCluster) -> usize {
    let addr = cluster.monitor("lon-1").unwrap().addr();
    let mut stream = TcpStream::connect(addr).await.unwrap();
    let request = "GET /connz?acc=SYS HTTP/1.0\r\n\r\n";
    tokio::io::AsyncWriteExt::write_all(&mut stream, request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::io::AsyncReadExt::read_to_string(&mut stream, &mut answer).await.unwrap();
    let connz: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    connz["connections"].as_array().map_or(0, Vec::len)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_says_why_nothing_is_seen() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let (place, server) = (tempdir().unwrap(), format!("nats://127.0.0.1:{port}"));
    let dashboard = Dashboard::start(place.path(), &["--server", &server], &[]).await;
    let (name, data) = Page::open(&dashboard, "nats").await.next().await;
    assert_eq!(name, "trouble");
    let reason = data["reason"].as_str().unwrap();
    assert!(reason.contains(&format!("cannot connect to 127.0.0.1:{port}")), "{reason}");
}
