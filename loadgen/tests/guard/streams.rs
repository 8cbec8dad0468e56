//! A mirror that cannot follow, and a client that does not read.

use async_nats::jetstream::stream::{Config, DiscardPolicy, Source};
use loadgen::cluster::SuperCluster;
use loadgen::topology::credentials::Login;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::command::{Place, TURN, login, start, wait_until};

const RULES: &str = "every = \"1s\"\n\
    [[rule]]\nname = \"lag\"\nwhen = \"stream-lag\"\nmessages = 10\nfor = \"1s\"\ndo = \"warn\"\n\
    [[rule]]\nname = \"slow\"\nwhen = \"slow-consumers\"\ndo = \"warn\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn lag_and_slow_consumers_are_warned_about() {
    let _turn = TURN.lock().await;
    let cluster = start(&["lon"], 1).await;
    let place = Place::new();
    a_rule_about_streams_needs_their_account(&cluster, &place).await;

    let (account, user) = cluster.topology().application_user("app").unwrap();
    let credentials = cluster.credentials().login(cluster.topology(), account, user).unwrap();
    let Login::Password { user, password } = credentials else { panic!("the topology has passwords") };
    let stream = ["--stream-user", &user, "--act"].map(str::to_owned);
    let env = [("NATS_STREAM_PASSWORD", password.expose())];
    let guard = place.guard(RULES, &[&login(&cluster)[..], &stream[..]].concat(), &env).await;

    a_mirror_that_is_full(&cluster).await;
    let late = guard.wait_for("acts", |line| line["rule"] == "lag").await;
    assert_eq!(late["subject"], "COPY from ORIGIN", "{late}");
    assert!(late["evidence"]["lag"].as_u64().unwrap() > 10, "{late}");

    let _client = a_client_that_does_not_read(&cluster).await;
    let slow = guard.wait_for("acts", |line| line["rule"] == "slow").await;
    assert_eq!((&slow["subject"], &slow["region"]), (&"lon-1".into(), &"lon".into()), "{slow}");
    assert_eq!(slow["evidence"]["before"], 0, "{slow}");
    assert!(!guard.output().contains(password.expose()), "a secret: {}", guard.output());
    guard.stop().await;
    cluster.shutdown().await;
}

async fn a_rule_about_streams_needs_their_account(cluster: &SuperCluster, place: &Place) {
    std::fs::write(place.path("rules.toml"), RULES).unwrap();
    let args = ["--rules", "rules.toml"].map(str::to_owned);
    let refused = place.command(&[&args[..], &login(cluster)[..]].concat()).output().await.unwrap();
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(refused.status.code() == Some(2) && error.contains("rule `lag` watches streams"), "{error}");
    assert!(error.contains("--stream-user"), "{error}");
}

/// It holds one message of fifty, and refuses the others.
async fn a_mirror_that_is_full(cluster: &SuperCluster) {
    let jetstream = async_nats::jetstream::new(cluster.application_client().await.unwrap());
    let origin = Config { name: "ORIGIN".into(), subjects: vec!["orders".into()], ..Config::default() };
    jetstream.create_stream(origin).await.unwrap();
    for _ in 0..50 {
        jetstream.publish("orders", "order".into()).await.unwrap().await.unwrap();
    }
    let mirror = Some(Source { name: "ORIGIN".into(), ..Source::default() });
    let (max_messages, discard) = (1, DiscardPolicy::New);
    let copy = Config { name: "COPY".into(), mirror, max_messages, discard, ..Config::default() };
    jetstream.create_stream(copy).await.unwrap();
}

/// The server closes it when more than 64 MiB wait for it.
async fn a_client_that_does_not_read(cluster: &SuperCluster) -> BufReader<TcpStream> {
    let url = cluster.server_urls()["lon-1"].clone();
    let mut client = BufReader::new(TcpStream::connect(url.trim_start_matches("nats://")).await.unwrap());
    client.write_all(b"CONNECT {\"verbose\":false}\r\nSUB flood 1\r\nPING\r\n").await.unwrap();
    let mut line = String::new();
    while !line.starts_with("PONG") {
        line.clear();
        assert!(client.read_line(&mut line).await.unwrap() > 0, "the server closed the connection");
    }
    let publisher = cluster.application_client().await.unwrap();
    let message = bytes::Bytes::from(vec![7; 512 * 1024]);
    wait_until(async || {
        for _ in 0..20 {
            publisher.publish("flood", message.clone()).await.unwrap();
        }
        publisher.flush().await.unwrap();
        let client = cluster.system_client().await.unwrap();
        let answer = client.request("$SYS.REQ.SERVER.PING.STATSZ", "".into()).await.unwrap();
        let statsz: serde_json::Value = serde_json::from_slice(&answer.payload).unwrap();
        let closed = statsz["statsz"]["slow_consumers"].as_u64().unwrap();
        if closed > 0 { Ok(()) } else { Err(format!("{closed} slow consumers")) }
    })
    .await;
    client
}
