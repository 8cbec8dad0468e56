//! Tests of the servers that a client uses, and of the identity that it expects from each.

use std::time::Duration;

use futures_util::StreamExt as _;
use nats_geo::core::{Config, MoveCause, NoticeKind, Reason};
use nats_geo::{GeoClient, SetServersError};
use tokio::net::{TcpListener, TcpStream};

use crate::basics::{client, options};
use crate::refusals::{impatient, next_matching, region};
use crate::support::{Relay, Server, stopwatch, wait_for, within};

/// Measures all the time.
fn curious() -> Config {
    let mut config = Config::interactive();
    config.probe.interval = Duration::from_millis(20);
    config.probe.interval_max = Duration::from_millis(20);
    config.probe.budget_per_minute = 60_000;
    config
}

fn addresses(client: &GeoClient) -> Vec<String> {
    client.snapshot().ranking.into_iter().map(|server| server.address).collect()
}

async fn measured(client: &GeoClient, address: &str) {
    wait_for("a probe's answer", async || {
        let ranking = client.snapshot().ranking;
        ranking.iter().any(|server| server.address == address && server.base_rtt.is_some()).then_some(())
    })
    .await;
}

/// Two servers of cluster lon; the first one advertises this address.
async fn lon(advertise: &str) -> [Server; 2] {
    let cluster = "cluster { name: lon, listen: \"127.0.0.1:-1\"";
    let first = format!("server_name: lon-1\n{cluster} }}\n{advertise}");
    let first = Server::with(&first).await;
    let route = first.monitor("varz").await["cluster"]["cluster_port"].as_u64().unwrap();
    let routes = format!("routes: [\"nats-route://127.0.0.1:{route}\"]");
    let second = Server::with(&format!("server_name: lon-2\n{cluster}, {routes} }}")).await;
    for server in [&first, &second] {
        wait_for("the route", async || {
            (server.monitor("routez").await["num_routes"].as_u64()? > 0).then_some(())
        })
        .await;
    }
    [first, second]
}

#[tokio::test]
async fn an_advertised_address_where_another_cluster_answers_is_never_used() {
    let evil = Server::with("server_name: evil-1\ncluster { name: evil, listen: \"127.0.0.1:-1\" }").await;
    let address = format!("127.0.0.1:{}", evil.port);
    let [_first, mut second] = lon(&format!("client_advertise: \"{address}\"")).await;
    // To hear the first notice as well.
    let options = options().config(curious()).retry_on_initial_connect();
    let client = options.user_and_password("derek", "s3cr3t").connect(second.url()).await.unwrap();
    let mut notices = client.notices();
    next_matching(&mut notices, |kind| match kind {
        NoticeKind::OtherCluster { address: at, found, .. } => *at == address && found.contains("evil"),
        _ => false,
    })
    .await;
    wait_for("lon-2", async || client.snapshot().active).await;
    assert!(!addresses(&client).contains(&address), "{}", client.snapshot());

    second.kill();
    next_matching(&mut notices, |kind| {
        assert!(!matches!(kind, NoticeKind::OtherCluster { .. }), "it is said once");
        *kind == NoticeKind::Offline
    })
    .await;
    assert!(client.snapshot().active.is_none());
    saw_no_connect(&evil).await;
}

/// Forwards to the server that is named last; returns its port and where to name it.
async fn switch(upstream: u16) -> (u16, tokio::sync::watch::Sender<u16>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (named, upstream) = tokio::sync::watch::channel(upstream);
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let upstream = *upstream.borrow();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", upstream)).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    (port, named)
}

/// Where containers come and go, a server of another cluster soon has the address of one that is gone.
#[tokio::test]
async fn an_address_that_changed_hands_since_the_last_probe_is_shown_no_credentials() {
    let evil = Server::with("server_name: evil-1\ncluster { name: evil, listen: \"127.0.0.1:-1\" }").await;
    let (port, named) = switch(0).await;
    let address = format!("127.0.0.1:{port}");
    let [first, mut second] = lon(&format!("client_advertise: \"{address}\"")).await;
    named.send_replace(first.port);
    let mut config = Config::interactive();
    config.probe.interval = Duration::from_secs(4);
    config.probe.interval_max = config.probe.interval;
    let options = options().config(config).user_and_password("derek", "s3cr3t");
    let connecting = options.connect(second.url());
    let client = within("connecting", connecting).await.unwrap();
    measured(&client, &address).await;
    // A probe that is not a second old still counts. The time itself is what is waited for.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    named.send_replace(evil.port);
    let mut notices = client.notices();
    second.kill();
    next_matching(&mut notices, |kind| matches!(kind, NoticeKind::OtherCluster { .. })).await;
    saw_no_connect(&evil).await;

    // The right server is back: it is taken, and messages pass.
    named.send_replace(first.port);
    wait_for("lon-1", async || client.snapshot().active).await;
    within("a round trip", client.flush()).await.unwrap();
}

/// Nobody has sent this server a CONNECT.
async fn saw_no_connect(server: &Server) {
    for state in ["open", "closed"] {
        let connections = server.monitor(&format!("connz?state={state}&auth=1")).await["connections"].clone();
        for connection in connections.as_array().unwrap() {
            assert!(connection.get("lang").is_none(), "a CONNECT was sent: {connection}");
        }
    }
}

#[tokio::test]
async fn discovered_servers_can_be_ignored() {
    let [first, second] = lon("").await;
    let advertised = format!("127.0.0.1:{}", second.port);
    let open = client(&first.url()).await;
    measured(&open, &advertised).await;
    let closed = options().config(curious()).ignore_discovered_servers().connect(first.url());
    let closed = within("connecting", closed).await.unwrap();
    let before = closed.stats().probes;
    wait_for("more probes", async || (closed.stats().probes > before + 10).then_some(())).await;
    assert_eq!(addresses(&closed), [format!("127.0.0.1:{}", first.port)]);
}

#[tokio::test]
async fn servers_can_be_replaced_while_messages_flow() {
    let [old, new] = ["old", "new"].map(|name| format!("server_name: {name}-1\ncluster {{ name: {name} }}"));
    let (old, mut new) = (Server::with(&old).await, Server::with(&new).await);
    let client = client(&old.url()).await;
    let mut orders = client.subscribe("orders").await.unwrap();
    assert!(matches!(client.set_servers("").await, Err(SetServersError::Servers(_))));
    assert!(matches!(client.set_servers("nats://h:0").await, Err(SetServersError::Servers(_))));

    // Nobody answers there yet: the link stays.
    new.kill();
    client.set_servers(new.url()).await.unwrap();
    let mut notices = client.notices();
    wait_for("the new list", async || {
        (addresses(&client) == [format!("127.0.0.1:{}", new.port)]).then_some(())
    })
    .await;
    within("a round trip", client.flush()).await.unwrap();
    assert_eq!(client.stats().moves, 0);

    let new = new.restarted().await;
    next_matching(&mut notices, |kind| matches!(kind, NoticeKind::Moved { cause: MoveCause::Requested, .. }))
        .await;
    client.publish("orders", "after the move".into()).await.unwrap();
    assert_eq!(within("an order", orders.next()).await.unwrap().payload, "after the move");
    wait_for("the end of the old link", async || (old.connections().await == 0).then_some(())).await;
    assert_eq!(new.connections().await, 1);
    client.close().await;
    assert_eq!(client.set_servers(old.url()).await, Err(SetServersError::Closed));
}

/// Hands connections to these servers in turns, as a load balancer does; returns its port.
async fn balancer(upstream: [u16; 2]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for upstream in upstream.into_iter().cycle() {
            let Ok((mut client, _)) = listener.accept().await else { return };
            tokio::spawn(async move {
                let mut server = TcpStream::connect(("127.0.0.1", upstream)).await?;
                tokio::io::copy_bidirectional(&mut client, &mut server).await
            });
        }
    });
    port
}

#[tokio::test]
async fn behind_a_load_balancer_a_link_keeps_the_identity_of_its_own_info() {
    let of = |name: &str| {
        format!(
            "server_name: {name}-1\ncluster {{ name: {name}, listen: \"127.0.0.1:-1\", no_advertise: true }}"
        )
    };
    let (lon, ams) = (Server::with(&of("lon")).await, Server::with(&of("ams")).await);
    let port = balancer([lon.port, ams.port]).await;
    let connecting = options().config(curious()).connect(format!("nats://127.0.0.1:{port}"));
    let client = within("connecting", connecting).await.unwrap();
    let server = client.nats().unwrap().server_info().server_name;
    let before = client.stats().probes;
    wait_for("40 probes", async || {
        let snapshot = client.snapshot();
        let place = snapshot.active.as_ref().unwrap();
        assert_eq!(place.server.as_deref(), Some(server.as_str()), "{snapshot}");
        assert!(server.starts_with(place.region.as_str()), "{snapshot}");
        let ranked = &snapshot.ranking[0];
        (client.stats().probes > before + 40 && ranked.shared && ranked.server == place.server).then_some(())
    })
    .await;
    assert_eq!(client.stats().moves, 0);
}

#[tokio::test]
async fn a_client_may_start_before_its_servers() {
    let mut server = Server::start().await;
    server.kill();
    let elapsed = stopwatch();
    let options = options().retry_on_initial_connect().publish_wait(Duration::from_secs(30));
    let client = within("connecting", options.connect(server.url())).await.unwrap();
    assert!(elapsed() < Duration::from_secs(1), "it returns at once");
    let mut notices = client.notices();
    let mut orders = client.subscribe("orders").await.unwrap();
    let publishing = tokio::spawn({
        let client = client.clone();
        async move { client.publish("orders", "early".into()).await }
    });
    next_matching(&mut notices, |kind| *kind == NoticeKind::Offline).await;
    assert!(!client.is_connected());

    let _server = server.restarted().await;
    next_matching(&mut notices, |kind| matches!(kind, NoticeKind::Connected(_))).await;
    // A link that lives is evidence about its server, whatever probes said before; and it is measured at once.
    wait_for("a probe's answer", async || {
        let server = &client.snapshot().ranking[0];
        let fits = matches!(server.reason, Reason::Connected | Reason::Nearest);
        assert!(fits, "connected, and yet: {}", server.reason);
        server.base_rtt.map(drop)
    })
    .await;
    within("the publish", publishing).await.unwrap().unwrap();
    assert_eq!(within("the order", orders.next()).await.unwrap().payload, "early");
    assert!(client.is_connected());
    within("closing", client.close()).await;
    assert!(!client.is_connected());
}

#[tokio::test]
async fn the_region_that_was_down_at_the_start_is_failed_back_to() {
    let mut lon = Server::with("server_name: lon-1\ncluster { name: lon }").await;
    let ams = Server::with("server_name: ams-1\ncluster { name: ams }").await;
    let far = Relay::far_from(ams.port, Duration::from_millis(40)).await;
    lon.kill();
    let mut config = impatient();
    config.fail_back.gain_for = Duration::from_secs(3_600);
    let connecting = options().config(config).connect(format!("{},{}", lon.url(), far.url()));
    let client = within("connecting", connecting).await.unwrap();
    assert_eq!(region(&client).unwrap(), "ams");
    let mut notices = client.notices();
    let _lon = lon.restarted().await;
    next_matching(&mut notices, |kind| {
        matches!(kind, NoticeKind::Moved { to, cause: MoveCause::FailBack, .. } if to.region.as_str() == "lon")
    })
    .await;
}
