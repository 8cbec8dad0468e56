//! Tests of presets without their own test file: regions of any size, operator mode, TLS. Each has a nats-geo client.

use std::time::Duration;

use async_nats::jetstream::{self, stream};
use loadgen::cluster::MadeFiles;
use loadgen::topology::ServerName;
use loadgen::topology::credentials::Login;
use loadgen::topology::render::auth_files;
use nats_geo::core::Config;
use nats_geo::{Auth, GeoClient, GeoOptions, Tls};

use crate::{LIMIT, Up, until};

fn options() -> GeoOptions {
    GeoOptions::new().config(Config::interactive())
}

/// A client that is at home.
async fn settled(up: &Up, region: &str, options: GeoOptions) -> GeoClient {
    let client = options.connect(up.urls(region)).await.unwrap();
    stands_in(&client, region).await;
    client
}

async fn stands_in(client: &GeoClient, region: &str) {
    until(&format!("a client in {region}"), async || {
        client.snapshot().active.is_some_and(|server| server.region.as_str() == region)
    })
    .await;
}

/// Requests that a client in one region answers, from a client in another one, also after the first has lost its region.
async fn fails_over(up: &mut Up, from: &str, to: &str, options: impl Fn() -> GeoOptions) {
    let client = settled(up, from, options()).await;
    let other = settled(up, to, options()).await;
    let mut asked = other.subscribe("orders.check").await.unwrap();
    other.flush().await.unwrap();
    let answering = tokio::spawn(async move {
        use futures_util::StreamExt as _;
        while let Some(message) = asked.next().await {
            let reply = message.reply.clone().unwrap();
            other.publish(reply, "here".into()).await.unwrap();
        }
    });
    until("an answer", async || client.request("orders.check", "".into()).await.is_ok()).await;
    up.cluster.kill_region(from).unwrap();
    stands_in(&client, to).await;
    until("an answer elsewhere", async || client.request("orders.check", "".into()).await.is_ok()).await;
    answering.abort();
}

/// JetStream of a lone server elects no leader, with and without leaf nodes; two servers need a route.
const LONE: &str = r#"
[[cluster]]
name = "hub"
servers = 2
domain = "hub"
[[cluster]]
name = "spoke"
servers = 1
domain = "spoke"
leaf_of = "hub"
[distances]
rtt_ms = { "hub-spoke" = 9 }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn regions_of_one_or_two_servers_store_messages_and_are_told_apart() {
    let topology = loadgen::topology::from_toml(LONE, "lone", |_| Err("none".into())).unwrap();
    let up = Up::of("lone", topology).await;
    for region in ["hub", "spoke"] {
        settled(&up, region, options()).await;
        let client = async_nats::connect(up.home_urls(region)).await.unwrap();
        let context = jetstream::new(client);
        let config = stream::Config { name: "KEPT".into(), ..stream::Config::default() };
        context.create_stream(config).await.unwrap();
        // Each has a domain of its own, so each stores its first message.
        let stored = context.publish("KEPT", region.into()).await.unwrap().await.unwrap();
        assert_eq!((stored.domain.as_str(), stored.sequence), (region, 1));
    }
}

/// Debian's nats-server is older than those that loadgen starts by itself.
#[cfg(target_os = "linux")]
const DEBIAN: &str = r#"
[[cluster]]
name = "lon"
[[cluster.server]]
[[cluster.server]]
version = "debian"
[[cluster]]
name = "ams"
servers = 1
version = "debian"
"#;

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn servers_of_debians_package_join_newer_ones() {
    let topology = loadgen::topology::from_toml(DEBIAN, "debian", |_| Err("none".into())).unwrap();
    let mut up = Up::of("debian", topology).await;
    let version = |server: &ServerName| up.cluster.nats_server_of(server).version;
    let versions: Vec<_> = up.cluster.topology().servers().map(|server| version(&server)).collect();
    let [new, old, abroad] = versions[..] else { panic!("{versions:?}") };
    assert!(old < new && old == abroad, "{versions:?}");
    assert_eq!(up.cluster.versions(), [(old, 2), (new, 1)]);
    fails_over(&mut up, "lon", "ams", options).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_region_has_no_gateways_and_keeps_its_clients() {
    let mut up = Up::start("single-region").await;
    let client = settled(&up, "lon", options()).await;
    let first = client.snapshot().active.unwrap().server;
    up.cluster.kill_server(&first.clone().unwrap()).unwrap();
    until("a sibling", async || {
        client.is_connected() && client.snapshot().active.is_some_and(|server| server.server != first)
    })
    .await;
    up.ends_without_a_trace().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_regions_lose_jetstream_when_one_goes_as_the_warning_says() {
    let mut up = Up::start("two-regions").await;
    assert!(up.cluster.topology().warnings()[0].to_string().contains("JetStream stops"));
    fails_over(&mut up, "lon", "ams", options).await;
    until("no meta leader", async || up.cluster.meta_leader().await.is_none()).await;
    up.cluster.restart_region("lon").await.unwrap();
    assert!(up.cluster.meta_leader().await.is_some());
    up.ends_without_a_trace().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn regions_of_one_three_and_five_servers_are_joined() {
    let mut up = Up::start("uneven").await;
    let count = |region: &str| up.cluster.topology().servers_of(region).count();
    assert_eq!([count("lon"), count("ams"), count("dal")], [1, 3, 5]);
    fails_over(&mut up, "lon", "ams", options).await;
    up.ends_without_a_trace().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operator_mode_knows_users_by_their_creds() {
    let mut up = Up::start("operator").await;
    let files = auth_files(up.cluster.topology(), up.cluster.credentials()).unwrap();
    let creds = |name: &str| {
        let (_, text) = files.iter().find(|(file, _)| file == name).unwrap();
        Auth::creds(text.expose()).unwrap()
    };
    let stranger = options().connect_timeout(Duration::from_secs(5)).connect(up.urls("lon")).await;
    assert!(stranger.is_err(), "nobody comes in without creds");

    // An export of one account to another one, which shows a token.
    let shop = settled(&up, "lon", options().auth(creds("shop.creds"))).await;
    let billing = settled(&up, "ams", options().auth(creds("billing.creds"))).await;
    let mut orders = billing.subscribe("orders.>").await.unwrap();
    billing.flush().await.unwrap();
    until("an order in the other account", async || {
        use futures_util::StreamExt as _;
        shop.publish("orders.new", "one lamp".into()).await.unwrap();
        tokio::time::timeout(Duration::from_millis(200), orders.next()).await.is_ok()
    })
    .await;
    let auth = creds("shop.creds");
    fails_over(&mut up, "lon", "ams", || options().auth(auth.clone())).await;
    up.ends_without_a_trace().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mutual_tls_wants_a_certificate() {
    let mut up = Up::start("tls").await;
    let MadeFiles { ca, client, .. } = up.cluster.tls().unwrap().clone();
    let trusting = || Tls::new().ca_file(&ca);
    let without = options().tls(trusting()).connect_timeout(Duration::from_secs(5));
    assert!(without.connect(up.urls("lon")).await.is_err(), "nobody comes in without a certificate");
    let with = || options().tls(trusting().client_cert_files(&client.cert, &client.key));
    fails_over(&mut up, "lon", "ams", with).await;
    up.ends_without_a_trace().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_super_cluster_keeps_passwords_out_of_its_debug_output() {
    let up = Up::start("super-cluster").await;
    let Login::Password { password, .. } = up.cluster.system_login().unwrap() else { panic!("no password") };
    assert_eq!(password.expose(), crate::PASSWORD);
    let printed = format!("{:?} {:?}", up.cluster, up.cluster.system_login().unwrap());
    assert!(!printed.contains(crate::PASSWORD), "a password is shown");
    tokio::time::timeout(LIMIT, up.cluster.wait_ready()).await.unwrap().unwrap();
    up.ends_without_a_trace().await;
}
