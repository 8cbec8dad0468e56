//! Changes of accounts in operator mode: servers refuse the JWTs that users had before.

use async_nats::ConnectOptions;
use futures_util::StreamExt as _;
use loadgen::cluster::{StartOptions, SuperCluster};
use loadgen::topology::credentials::Login;
use loadgen::topology::spec::{AccountSpec, AuthKind, ClusterSpec, Resolver, Spec, UserSpec};
use loadgen::topology::{RttTable, Topology};
use tokio::time::timeout;

use super::raw::monitoring;
use super::{LIMIT, TURN, until};

const SERVERS: [&str; 2] = ["lon-1", "ams-1"];

#[tokio::test(flavor = "multi_thread")]
async fn lost_access_ends_on_every_server() {
    let _turn = TURN.lock().await;
    for resolver in [Resolver::Memory, Resolver::Full] {
        let all = [("A", &["anna", "bert"][..]), ("B", &["carl"][..])];
        let mut cluster =
            SuperCluster::start(StartOptions::new(topology(resolver, &all, None))).await.unwrap();
        let old = ["anna", "bert", "carl"].map(|user| (user, creds(&cluster, user)));
        let mut open = Vec::new();
        for (user, creds) in &old {
            open.push(connect(&cluster, "lon-1", user, creds).await.unwrap());
        }
        assert_eq!(users(&cluster, "lon-1").await, ["anna", "bert", "carl"]);

        // anna has fewer rights, bert and account B are gone.
        change(&mut cluster, topology(resolver, &[("A", &["anna"])], Some("orders.>"))).await;
        until("the servers close all three", async || users(&cluster, "lon-1").await.is_empty()).await;
        let new = creds(&cluster, "anna");
        for restarted in [false, true] {
            if restarted {
                cluster.kill_server("lon-1").unwrap();
                cluster.restart_server("lon-1").await.unwrap();
            }
            for server in SERVERS {
                for (user, creds) in &old {
                    assert!(
                        connect(&cluster, server, user, creds).await.is_err(),
                        "{resolver:?} {server} {user}"
                    );
                }
                assert_publishes_orders_only(&connect(&cluster, server, "anna", &new).await.unwrap()).await;
            }
        }

        // With all of them back, their old JWTs stay revoked.
        change(&mut cluster, topology(resolver, &all, None)).await;
        for (user, old) in &old {
            let new = creds(&cluster, user);
            for server in SERVERS {
                assert!(connect(&cluster, server, user, &new).await.is_ok(), "{resolver:?} {server} {user}");
                assert!(connect(&cluster, server, user, old).await.is_err(), "{resolver:?} {server} {user}");
            }
        }
        cluster.shutdown().await;
    }
}

fn topology(resolver: Resolver, accounts: &[(&str, &[&str])], anna_publishes: Option<&str>) -> Topology {
    let cluster =
        |name: &str| ClusterSpec { name: name.to_owned(), servers: Some(1), ..ClusterSpec::default() };
    let user = |name: &&str| UserSpec {
        name: (*name).to_owned(),
        publish: anna_publishes.filter(|_| *name == "anna").map(|subject| vec![subject.to_owned()]),
        ..UserSpec::default()
    };
    let account = |(name, users): &(&str, &[&str])| AccountSpec {
        name: (*name).to_owned(),
        users: users.iter().map(user).collect(),
        ..AccountSpec::default()
    };
    let mut spec = Spec { clusters: ["lon", "ams"].map(cluster).into(), ..Spec::default() };
    spec.accounts = accounts.iter().map(account).collect();
    (spec.auth.kind, spec.auth.resolver) = (AuthKind::Operator, resolver);
    spec.jetstream.enabled = false;
    Topology::from_spec(spec, RttTable::default()).unwrap()
}

async fn change(cluster: &mut SuperCluster, topology: Topology) {
    let (topology, changes) = topology.after(cluster.topology()).unwrap();
    assert_eq!(changes.len(), 3, "{changes:?}");
    cluster.reload(topology).await.unwrap();
}

fn creds(cluster: &SuperCluster, user: &str) -> String {
    let (account, user) = cluster.topology().application_user(user).unwrap();
    match cluster.credentials().login(cluster.topology(), account, user).unwrap() {
        Login::Creds(text) => text.expose().to_owned(),
        other => panic!("{other:?}"),
    }
}

async fn connect(
    cluster: &SuperCluster,
    server: &str,
    user: &str,
    creds: &str,
) -> Result<async_nats::Client, async_nats::ConnectError> {
    let endpoints = cluster.endpoints("lon").unwrap();
    let endpoint = endpoints.into_iter().find(|endpoint| endpoint.server.as_str() == server).unwrap();
    // A client that is refused later does not come back.
    let options = ConnectOptions::with_credentials(creds).unwrap().name(user).max_reconnects(1);
    options.connect(endpoint.tcp_url).await
}

/// Names of the clients that a server has.
async fn users(cluster: &SuperCluster, server: &str) -> Vec<String> {
    let connz = monitoring(cluster.monitor(server).unwrap().addr(), "/connz").await;
    let connections = connz["connections"].as_array().unwrap().iter();
    let mut names: Vec<_> = connections.filter_map(|it| it["name"].as_str()).map(str::to_owned).collect();
    names.retain(|name| ["anna", "bert", "carl"].contains(&name.as_str()));
    names.sort();
    names
}

/// Messages of one client to one server come in order: the refused one would be the first.
async fn assert_publishes_orders_only(client: &async_nats::Client) {
    let mut all = client.subscribe(">").await.unwrap();
    client.publish("bills.1", "".into()).await.unwrap();
    client.publish("orders.1", "".into()).await.unwrap();
    let first = timeout(LIMIT, all.next()).await.expect("no message").unwrap();
    assert_eq!(first.subject.as_str(), "orders.1");
}
