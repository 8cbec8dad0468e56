//! A super-cluster of 2 x 3 servers: the tables show the numbers of each server's own monitoring endpoint.

use loadgen::cluster::{StartOptions, SuperCluster};
use loadgen::look::clusters::ClustersReport;
use loadgen::look::connect::Login;
use loadgen::look::gather::System;
use loadgen::look::graph::Graph;
use loadgen::look::opts::ConnectOpts;
use loadgen::look::servers::{ServerRow, ServersReport};
use loadgen::secret::Secret;
use loadgen::topology::credentials::Login as Credentials;
use loadgen::topology::{RttTable, Topology};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::command::{LIMIT, TURN, json, refused, shown, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn tables_show_the_numbers_of_each_server() {
    let _turn = TURN.lock().await;
    let topology = Topology::new(["lon", "us-east-1"], 3).unwrap();
    let mut options = StartOptions::new(topology);
    options.rtt =
        RttTable::new(vec!["lon us-east-1=76".parse().unwrap()], &["lon".to_owned(), "us-east-1".to_owned()])
            .unwrap();
    let mut cluster = SuperCluster::start(options).await.unwrap();
    let url = cluster.server_urls()["lon-2"].clone();

    rows_are_those_of_varz(&cluster, &url).await;
    the_commands_print_both_tables(&cluster, &url);
    other_accounts_are_told_apart(&url);
    the_drawing_has_the_distance(&cluster, &url).await;
    a_dead_server_is_missed(&mut cluster, &url).await;
    cluster.shutdown().await;
}

fn system_login(cluster: &SuperCluster) -> (String, Secret) {
    match cluster.system_login().unwrap() {
        Credentials::Password { user, password } => (user, password),
        other => panic!("{other:?}"),
    }
}

async fn system(cluster: &SuperCluster, url: &str) -> System {
    let (user, password) = system_login(cluster);
    let opts = ConnectOpts {
        server: vec![url.parse().unwrap()],
        user: Some(user.parse().unwrap()),
        password: Some(password),
        ..ConnectOpts::default()
    };
    let connection = Login::new(&opts, &|_| None).unwrap().open().await.unwrap();
    System::new(connection, LIMIT).await.unwrap()
}

/// The clients and subscriptions of a look count themselves, so both sides are read while the connection stays open.
async fn rows_are_those_of_varz(cluster: &SuperCluster, url: &str) {
    let mut system = system(cluster, url).await;
    let mut report = None;
    wait_until(async || {
        let look = ServersReport::look(&mut system).await.unwrap();
        let mut checked = Ok(());
        for row in &look.servers {
            checked = checked.and(same_as_monitor(cluster, row).await);
        }
        report = Some(look);
        checked
    })
    .await;
    let report = report.unwrap();
    let names: Vec<_> = report.servers.iter().map(|row| (row.cluster.as_str(), row.name.as_str())).collect();
    let lon = ["lon-1", "lon-2", "lon-3"].map(|name| ("lon", name));
    let east = ["us-east-1-1", "us-east-1-2", "us-east-1-3"].map(|name| ("us-east-1", name));
    assert_eq!(names, [lon, east].concat());
    assert_eq!((report.totals.clusters, report.totals.servers, report.silent), (2, 6, 0));
    assert!(report.totals.connections >= 1, "this client");

    let clusters = ClustersReport::new(&report);
    let links: Vec<_> =
        clusters.clusters.iter().map(|row| (row.nodes, row.gateways_out, row.gateways_in)).collect();
    assert_eq!(links, [(3, 3, 3), (3, 3, 3)], "as in the tables of `nats server list`");
    // The answer of the far region crosses the emulated distance; that of the dialled server does not.
    let rtt = |name: &str| report.servers.iter().find(|row| row.name == name).unwrap().rtt_ms;
    assert!(rtt("us-east-1-1") >= 76.0 && rtt("lon-2") < 76.0, "{report:?}");
}

async fn same_as_monitor(cluster: &SuperCluster, row: &ServerRow) -> Result<(), String> {
    let varz = monitor(cluster, &row.name, "/varz").await;
    let gatewayz = monitor(cluster, &row.name, "/gatewayz").await;
    let routez = monitor(cluster, &row.name, "/routez").await;
    let number = |field: &str| varz[field].as_u64().unwrap();
    let inbound = gatewayz["inbound_gateways"].as_object().unwrap().values();
    let inbound: usize = inbound.map(|connections| connections.as_array().unwrap().len()).sum();
    let outbound = gatewayz["outbound_gateways"].as_object().unwrap().len();
    let shown = [
        ("connections", row.connections, number("connections")),
        ("subscriptions", row.subscriptions, number("subscriptions")),
        ("peers", row.peers as u64, number("remotes")),
        ("routes of varz", row.routes as u64, number("routes")),
        ("routes of routez", row.routes as u64, routez["num_routes"].as_u64().unwrap()),
        ("gateways in", row.gateways_in, inbound as u64),
        ("gateways out", row.gateways_out as u64, outbound as u64),
        ("leaf nodes", row.leaf_nodes.unwrap(), number("leafnodes")),
        ("slow consumers", row.slow_consumers, number("slow_consumers")),
    ];
    for (what, shown, expected) in shown {
        if shown != expected {
            return Err(format!("{} of {}: {shown}, the server says {expected}", what, row.name));
        }
    }
    let text = |field: &str| varz[field].as_str().unwrap();
    assert_eq!([&row.version, &row.host, &row.id], [text("version"), text("host"), text("server_id")]);
    assert_eq!(row.cluster, varz["cluster"]["name"]);
    let memory = number("mem") as f64;
    assert!((row.memory_bytes as f64 / memory - 1.0).abs() < 0.5, "{row:?}: {memory}");
    // Of two moments, so it is no number of /varz.
    assert!((0.0..=100.0 * number("cores") as f64).contains(&row.cpu_percent), "{row:?}");
    assert!(row.uptime_s.is_some_and(|uptime| uptime < LIMIT.as_secs_f64() * 4.0), "{row:?}");
    Ok(())
}

async fn monitor(cluster: &SuperCluster, server: &str, path: &str) -> Value {
    let addr = cluster.monitor(server).unwrap().addr();
    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.0\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn the_commands_print_both_tables(cluster: &SuperCluster, url: &str) {
    let (user, password) = system_login(cluster);
    // As `nats` reads them, and as `ps` does not show them.
    let env = [("NATS_URL", url), ("NATS_USER", user.as_str()), ("NATS_PASSWORD", password.expose())];
    let servers = shown(&["servers"], &env);
    assert_eq!(servers.lines().count(), 1 + 2 + 6 + 1, "{servers}");
    assert!(servers.contains("| 2 clusters | 6 servers "), "{servers}");
    let clusters = shown(&["clusters"], &env);
    let row = clusters.lines().find(|line| line.starts_with("| us-east-1 ")).unwrap();
    let cells: Vec<_> = row.split('|').map(str::trim).collect();
    assert_eq!(cells[1..5], ["us-east-1", "3", "3", "3"], "{clusters}");
    assert_eq!(json(&["clusters"], &env)["totals"]["nodes"], 6);
    let rows = json(&["servers"], &env);
    assert_eq!(rows["servers"].as_array().unwrap().len(), 6);
    for output in [servers, clusters, rows.to_string()] {
        assert!(!output.contains(password.expose()), "{output}");
    }
}

fn other_accounts_are_told_apart(url: &str) {
    // Without credentials, a client of this super-cluster is the user `app` of the account APP.
    for command in ["servers", "clusters", "graph"] {
        let error = refused(1, &[command, "--server", url], &[]);
        assert!(error.contains("account `APP`") && error.contains("--creds"), "{error}");
    }
    let error = refused(1, &["servers", "--server", url, "--user", "system", "--password", "hunter2"], &[]);
    assert!(error.contains("authorization violation") && !error.contains("hunter2"), "{error}");
    let error = refused(2, &["servers", "--server", "http://u:hunter2@h"], &[]);
    assert!(error.contains("is no NATS address") && !error.contains("hunter2"), "{error}");
    let error = refused(2, &["streams", "--server", url, "--all-domains"], &[]);
    assert!(error.contains("--system-creds"), "{error}");
}

async fn the_drawing_has_the_distance(cluster: &SuperCluster, url: &str) {
    let mut system = system(cluster, url).await;
    // Servers measure a gateway some time after they opened it.
    wait_until(async || {
        let graph = Graph::look(&mut system).await.unwrap();
        assert_eq!((graph.regions.len(), graph.gateways.len(), graph.leafs.len()), (2, 1, 0));
        let link = &graph.gateways[0];
        assert_eq!((link.a.as_str(), link.b.as_str()), ("lon", "us-east-1"));
        let is_measured = link.rtt_ms.is_some_and(|rtt| (76.0..150.0).contains(&rtt));
        let is_drawn = link.complete && (link.from_a, link.from_b) == (3, 3);
        if is_measured && is_drawn { Ok(()) } else { Err(format!("{link:?}")) }
    })
    .await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("graph.svg");
    let (user, password) = system_login(cluster);
    let args = ["graph", "--server", url, "--user", &user, "--password", password.expose(), "--svg"];
    let printed = shown(&[&args[..], &[file.to_str().unwrap()]].concat(), &[]);
    assert!(printed.starts_with("2 regions with 6 servers, 1 gateway, 0 leaf node links"), "{printed}");
    let svg = std::fs::read_to_string(&file).unwrap();
    assert!(svg.starts_with("<svg ") && svg.contains("Gateway between lon and us-east-1, "), "{svg}");
    assert_eq!(shown(&args[..7], &[]).lines().next(), svg.lines().next(), "the same on the standard output");
    let error = refused(1, &[&args[..], &["/nowhere/graph.svg"]].concat(), &[]);
    assert!(error.contains("cannot write `/nowhere/graph.svg`"), "{error}");
}

async fn a_dead_server_is_missed(cluster: &mut SuperCluster, url: &str) {
    let (user, password) = system_login(cluster);
    let env = [("NATS_URL", url), ("NATS_USER", user.as_str()), ("NATS_PASSWORD", password.expose())];
    cluster.kill_server("us-east-1-3").unwrap();
    // Its region is out of reach while the dialled server's gateway leads to it.
    wait_until(async || {
        let report = json(&["servers", "--timeout", "1000"], &env);
        let rows = report["servers"].as_array().unwrap();
        let is_missed = rows.len() == 5 && rows.iter().all(|row| row["name"] != "us-east-1-3");
        if is_missed && report["silent"] == 1 { Ok(()) } else { Err(report.to_string()) }
    })
    .await;
    let text = shown(&["servers", "--timeout", "1000"], &env);
    assert!(text.contains("1 more server that the others know did not answer"), "{text}");
}
