//! Tests of keys of a topology file that no preset has, with real servers.

use async_nats::jetstream;
use futures_util::StreamExt as _;
use loadgen::cluster::NatsServer;
use loadgen::topology::from_toml;

use crate::{LIMIT, Up, until};

/// Passwords as bcrypt hashes, a service and a stream of messages for another account, limits, a bucket, a given port.
const TOPOLOGY: &str = r#"
[[cluster]]
name = "lon"
[[cluster.server]]
ports = { client = PORT }
[[cluster]]
name = "ams"
servers = 1
version = "PATH"
[auth]
kind = "password"
bcrypt = true
[[account]]
name = "SYS"
system = true
user = [{ name = "system" }]
[[account]]
name = "SHOP"
jetstream = true
limits = { max_streams = 2 }
user = [{ name = "shop" }]
export = [{ stream = "orders.>" }, { service = "prices.*", accounts = ["BILLING"] }]
[[account]]
name = "BILLING"
user = [{ name = "billing" }]
import = [{ from = "SHOP", stream = "orders.>", to = "shop.orders.>" }, { from = "SHOP", service = "prices.*" }]
[[bucket]]
name = "settings"
account = "SHOP"
history = 3
[distances]
rtt_ms = { "lon-ams" = 9 }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn accounts_share_by_name_within_their_limits() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let copy = tempfile::tempdir().unwrap();
    let path = copy.path().join("my-nats-server");
    let found = tokio::task::spawn_blocking(|| NatsServer::find(None).unwrap()).await.unwrap();
    std::os::unix::fs::symlink(&found.path, &path).unwrap();
    let text = TOPOLOGY.replace("PORT", &port.to_string()).replace("PATH", path.to_str().unwrap());
    let up = Up::of("keys", from_toml(&text, "keys", |_| Err("none".into())).unwrap()).await;
    let options = async_nats::ConnectOptions::with_user_and_password("shop".into(), crate::PASSWORD.into());
    let other = up.cluster.topology().servers_of("ams").next().unwrap();
    assert_eq!(up.cluster.nats_server_of(&other).path, path);
    // The given port is that of the server, behind the emulated network.
    let shop = options.connect(format!("nats://127.0.0.1:{port}")).await.unwrap();
    let wrong = async_nats::ConnectOptions::with_user_and_password("shop".into(), "guess".into());
    assert!(wrong.connect(format!("nats://127.0.0.1:{port}")).await.is_err());
    let billing = up.client("ams", "billing").await;

    let mut orders = billing.subscribe("shop.orders.>").await.unwrap();
    billing.flush().await.unwrap();
    until("an order in the other account", async || {
        shop.publish("orders.new", "one lamp".into()).await.unwrap();
        tokio::time::timeout(std::time::Duration::from_millis(200), orders.next()).await.is_ok()
    })
    .await;
    let mut asked = shop.subscribe("prices.*").await.unwrap();
    shop.flush().await.unwrap();
    let answering = {
        let shop = shop.clone();
        tokio::spawn(async move {
            while let Some(message) = asked.next().await {
                shop.publish(message.reply.unwrap(), "9".into()).await.unwrap();
            }
        })
    };
    until("a price for the other account", async || billing.request("prices.lamp", "".into()).await.is_ok())
        .await;
    answering.abort();

    let context = jetstream::new(shop);
    let bucket = context.get_key_value("settings").await.unwrap();
    assert_eq!(bucket.status().await.unwrap().history(), 3);
    // The bucket is the first of two streams.
    let stream = |name: &str| jetstream::stream::Config { name: name.into(), ..Default::default() };
    context.create_stream(stream("SECOND")).await.unwrap();
    let refused = context.create_stream(stream("THIRD")).await.unwrap_err().to_string();
    assert!(refused.contains("maximum number of streams"), "{refused}");
    tokio::time::timeout(LIMIT, up.ends_without_a_trace()).await.unwrap();
}

/// A leaf node for one of two accounts, over TLS.
const LEAF: &str = r#"
[[cluster]]
name = "hub"
servers = 1
domain = "hub"
[[cluster]]
name = "spoke"
servers = 1
domain = "spoke"
leaf_of = "hub"
leaf_accounts = ["A"]
[tls]
[auth]
kind = "AUTH"
[[account]]
name = "SYS"
system = true
user = [{ name = "sys" }]
[[account]]
name = "A"
user = [{ name = "a" }]
[[account]]
name = "B"
user = [{ name = "b" }]
[distances]
rtt_ms = { "hub-spoke" = 9 }
"#;

#[tokio::test(flavor = "multi_thread")]
async fn leaf_nodes_connect_with_every_login_for_the_accounts_that_are_named() {
    for auth in ["password", "nkey", "operator"] {
        let text = LEAF.replace("AUTH", auth);
        // It is up when the connections of the leaf node are there.
        let up = Up::of(auth, from_toml(&text, auth, |_| Err("none".into())).unwrap()).await;
        let leafs = up.cluster.monitor("spoke-1").unwrap().leafz().await.unwrap().leafs;
        assert_eq!(leafs.len(), 1, "{auth}: {leafs:?}");
        up.ends_without_a_trace().await;
    }
}
