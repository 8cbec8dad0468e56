//! Tests with clients of nats-geo after two of three servers of their region have restarted: all clients are connected
//! to the third server.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use async_nats::{ConnectOptions, Event};
use futures_util::StreamExt;
use futures_util::future::join_all;
use loadgen::clock;
use loadgen::cluster::{StartOptions, SuperCluster};
use loadgen::topology::Topology;
use nats_geo::core::{Config, NoticeKind};
use nats_geo::{GeoClient, GeoOptions};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use crate::command::{TURN, command, rebalance, wait_until};

/// Between two requests of a client.
const PACE: Duration = Duration::from_millis(20);
/// Clients of nats-geo; async-nats has one more.
const CLIENTS: usize = 30;
const SERVERS: [&str; 3] = ["lon-1", "lon-2", "lon-3"];

#[tokio::test(flavor = "multi_thread")]
async fn clients_of_a_full_server_spread_without_losing_a_request() {
    let _turn = TURN.lock().await;
    let topology = Topology::new(["lon", "ams"], 3).unwrap();
    let mut cluster = SuperCluster::start(StartOptions::new(topology)).await.unwrap();
    let stock = Stock::connect(&cluster).await;
    let mut clients = join_all((0..CLIENTS).map(|number| connect(&cluster, number))).await;
    all_sit_on_one_server(&mut cluster, &mut clients).await;

    let crowd = Crowd::start(&clients);
    wait_until(async || crowd.every_client_was_answered()).await;
    errors_name_the_remedy(&cluster).await;
    a_dry_run_moves_nobody(&cluster).await;
    at_most_is_obeyed(&cluster).await;
    the_rest_spreads(&cluster).await;
    an_even_cluster_is_left_alone(&cluster).await;

    crowd.stop().await;
    assert_eq!(stock.disconnects.load(Ordering::Relaxed), 0, "the stock client was disconnected");
    cluster.shutdown().await;
}

/// A client of async-nats, which stays where it is, and answers the requests of the others.
struct Stock {
    disconnects: Arc<AtomicUsize>,
}

impl Stock {
    async fn connect(cluster: &SuperCluster) -> Self {
        let disconnects = Arc::new(AtomicUsize::new(0));
        let counted = disconnects.clone();
        let options = ConnectOptions::new().name("stock").event_callback(move |event| {
            if matches!(event, Event::Disconnected | Event::Closed) {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            std::future::ready(())
        });
        let client = options.connect(url(cluster, "lon-1")).await.unwrap();
        let mut requests = client.subscribe("question").await.unwrap();
        client.flush().await.unwrap();
        tokio::spawn(async move {
            while let Some(request) = requests.next().await {
                client.publish(request.reply.unwrap(), "answer".into()).await.unwrap();
            }
        });
        Self { disconnects }
    }
}

fn url(cluster: &SuperCluster, server: &str) -> String {
    let endpoints = cluster.endpoints("lon").unwrap().into_iter();
    endpoints.into_iter().find(|endpoint| endpoint.server.to_string() == server).unwrap().tcp_url
}

/// A client of nats-geo in `lon` that knows the servers of both regions.
async fn connect(cluster: &SuperCluster, number: usize) -> GeoClient {
    let urls: Vec<_> =
        cluster.endpoints("lon").unwrap().into_iter().map(|endpoint| endpoint.tcp_url).collect();
    let options = GeoOptions::new().config(Config::fleet()).seed(number as u64);
    options.name(format!("geo-{number}")).connect(urls.join(",")).await.unwrap()
}

/// A rolling restart that went wrong: nothing moves the clients back afterwards.
async fn all_sit_on_one_server(cluster: &mut SuperCluster, clients: &mut [GeoClient]) {
    cluster.kill_server("lon-2").unwrap();
    cluster.kill_server("lon-3").unwrap();
    wait_until(async || {
        for (number, client) in clients.iter_mut().enumerate() {
            // On a busy machine, a lost server can send a client to the other region. It fails back minutes later.
            if server_of(client).is_some_and(|server| server.starts_with("ams-")) {
                client.close().await;
                *client = connect(cluster, number).await;
            }
        }
        let places: Vec<_> = clients.iter().map(server_of).collect();
        let is_there = places.iter().all(|place| place.as_deref() == Some("lon-1"));
        if is_there { Ok(()) } else { Err(format!("{places:?}")) }
    })
    .await;
    cluster.restart_servers(&["lon-2".to_owned(), "lon-3".to_owned()]).await.unwrap();
    cluster.wait_recovered().await.unwrap();
    wait_until(async || {
        let counts = counts(cluster).await;
        if counts == [CLIENTS + 1, 0, 0] { Ok(()) } else { Err(format!("{counts:?}")) }
    })
    .await;
}

fn server_of(client: &GeoClient) -> Option<String> {
    client.snapshot().active?.server
}

/// Clients of applications per server of `lon`, as its own monitoring counts them.
async fn counts(cluster: &SuperCluster) -> [usize; 3] {
    let mut counts = [0; 3];
    for (count, server) in counts.iter_mut().zip(SERVERS) {
        let connections = connections(cluster, server).await;
        let is_counted = |name: &&String| name.starts_with("geo-") || *name == "stock";
        *count = connections.iter().filter(is_counted).count();
    }
    counts
}

/// The names of the connections of a server.
async fn connections(cluster: &SuperCluster, server: &str) -> Vec<String> {
    let addr = cluster.monitor(server).unwrap().addr();
    let mut stream = tokio::net::TcpStream::connect(addr).await.unwrap();
    stream.write_all(b"GET /connz HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let connz: Value = serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap();
    let connections = connz["connections"].as_array().unwrap().iter();
    connections.map(|connection| connection["name"].as_str().unwrap_or_default().to_owned()).collect()
}

/// Clients that send requests all the time. Their moves are recorded.
struct Crowd {
    tasks: Vec<JoinHandle<(Vec<String>, Vec<String>)>>,
    answered: Arc<Vec<AtomicUsize>>,
    is_over: Arc<AtomicBool>,
}

impl Crowd {
    fn start(clients: &[GeoClient]) -> Self {
        let answered: Arc<Vec<_>> = Arc::new(clients.iter().map(|_| AtomicUsize::new(0)).collect());
        let is_over = Arc::new(AtomicBool::new(false));
        let tasks = clients.iter().enumerate().map(|(number, client)| {
            let member = member(number, client.clone(), answered.clone(), is_over.clone());
            tokio::spawn(member)
        });
        Self { tasks: tasks.collect(), answered, is_over }
    }

    fn every_client_was_answered(&self) -> Result<(), String> {
        let silent = self.answered.iter().filter(|answers| answers.load(Ordering::Relaxed) == 0).count();
        if silent == 0 { Ok(()) } else { Err(format!("{silent} clients have no answer yet")) }
    }

    /// Ends the requests: none failed, and no client has left the region or lost its link.
    async fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        for task in self.tasks {
            let (failed, notices) = task.await.unwrap();
            assert_eq!(failed, Vec::<String>::new(), "requests failed; {notices:?}");
            let moved = notices.iter().filter(|notice| notice.starts_with("moved ")).count();
            assert_eq!(notices.len(), moved, "{notices:?}");
        }
        let answers: usize = self.answered.iter().map(|answers| answers.load(Ordering::Relaxed)).sum();
        println!("{answers} requests were answered, 0 failed");
    }
}

/// Returns the errors of one client, and its notices that tell of trouble or of a move.
async fn member(
    number: usize,
    client: GeoClient,
    answered: Arc<Vec<AtomicUsize>>,
    is_over: Arc<AtomicBool>,
) -> (Vec<String>, Vec<String>) {
    let mut notices = client.notices();
    let mut failed = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        match client.request("question", "?".into()).await {
            Ok(_) => _ = answered[number].fetch_add(1, Ordering::Relaxed),
            Err(error) => failed.push(format!("geo-{number}: {error}")),
        }
        tokio::time::sleep(PACE).await;
    }
    let mut told = Vec::new();
    while let Ok(Some(notice)) = tokio::time::timeout(Duration::ZERO, notices.next()).await {
        match notice.unwrap().kind {
            NoticeKind::Moved { from, to, .. } if from.region == to.region && from.server != to.server => {
                told.push(format!("moved to {:?}", to.server));
            }
            kind @ (NoticeKind::Moved { .. } | NoticeKind::Lost { .. } | NoticeKind::Offline) => {
                told.push(format!("geo-{number}: {kind}"));
            }
            _ => {}
        }
    }
    (failed, told)
}

async fn errors_name_the_remedy(cluster: &SuperCluster) {
    let (code, _, errors) = rebalance(cluster, &["--cluster", "mars"]).await;
    assert!(code == 1 && errors.contains("`mars`") && errors.contains("ams, lon"), "{errors}");
    let (code, _, errors) = rebalance(cluster, &["--pause", "1"]).await;
    assert!(code == 2 && errors.contains("--pause") && errors.contains("500ms"), "{errors}");
    // The user `app`: clients without credentials are that one.
    let url = cluster.server_urls()["lon-1"].clone();
    let output = command(&["rebalance", "--server", &url]).await;
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.code() == Some(1) && errors.contains("account `APP`"), "{errors}");
}

async fn a_dry_run_moves_nobody(cluster: &SuperCluster) {
    let (code, text, errors) = rebalance(cluster, &["--dry-run"]).await;
    assert_eq!(code, 1, "{text}{errors}");
    assert!(text.contains("lon: would ask 20 of 31 clients of lon-1 to move; the mean is 10.3"), "{text}");
    assert!(text.contains("ams: even within 10 % or one client; no client was asked"), "{text}");
    assert!(errors.contains("the servers of lon are not even") && errors.contains("--dry-run"), "{errors}");
    assert_eq!(counts(cluster).await, [CLIENTS + 1, 0, 0]);
}

async fn at_most_is_obeyed(cluster: &SuperCluster) {
    let (code, text, errors) = rebalance(cluster, &["--at-most", "3"]).await;
    assert!(code == 1 && errors.contains("--at-most allows"), "{errors}{text}");
    let line = "lon: asked 3 of 31 clients of lon-1 to move; the mean is 10.3; asked so far 3, moved 0\n";
    assert!(text.contains(line), "{text}");
    // The stock client was the first to connect, so it is asked first.
    assert!(
        text.contains("lon: loadgen asked 3 clients to move, and 2 did; loadgen asked as many"),
        "{text}"
    );
    assert!(text.contains("* lon-1 stayed: client ") && text.contains(" (stock; rust "), "{text}");
    assert!(text.contains("ams: even within 10 % or one client; no client was asked"), "{text}");
    assert_eq!(counts(cluster).await[0], CLIENTS + 1 - 2);
}

async fn the_rest_spreads(cluster: &SuperCluster) {
    let started = clock::now();
    let (code, json, errors) = rebalance(cluster, &["--json"]).await;
    let report: Value = serde_json::from_str(&json).unwrap();
    assert!(code == 0 && errors.is_empty(), "{errors}{report}");
    let lon = result(&report, "lon");
    let number = |field: &str| lon[field].as_u64().unwrap();
    println!("{} asked, {} moved in {:?}", number("asked"), number("moved"), started.elapsed());
    assert_eq!((report["even"].as_bool(), &lon["ended"]), (Some(true), &"even".into()), "{report}");
    let batches = report["batches"].as_array().unwrap();
    assert!(batches.iter().all(|batch| (1..=5).contains(&batch["asked"].as_u64().unwrap())), "{report}");
    let stayed = report["stayed"].as_array().unwrap();
    assert_eq!((stayed.len(), number("moved")), (1, number("asked") - 1), "{report}");
    assert_eq!([&stayed[0]["name"], &stayed[0]["server"]], ["stock", "lon-1"], "{report}");

    let counts = counts(cluster).await;
    println!("{counts:?}");
    assert_eq!(counts.iter().sum::<usize>(), CLIENTS + 1, "{counts:?}");
    assert!(counts.iter().all(|count| (9..=12).contains(count)), "{counts:?}");
    assert!(connections(cluster, "lon-1").await.contains(&"stock".to_owned()));
    // The command counts as the monitoring does.
    let servers = report["after"].as_array().unwrap().iter().find(|row| row["cluster"] == "lon").unwrap();
    let shown: BTreeMap<_, _> = servers["servers"].as_array().unwrap().iter().map(name_and_clients).collect();
    assert_eq!(shown.into_values().collect::<Vec<_>>(), counts, "{report}");
}

fn name_and_clients(row: &Value) -> (String, usize) {
    (row["name"].as_str().unwrap().to_owned(), usize::try_from(row["clients"].as_u64().unwrap()).unwrap())
}

fn result<'a>(report: &'a Value, cluster: &str) -> &'a Value {
    report["results"].as_array().unwrap().iter().find(|result| result["cluster"] == cluster).unwrap()
}

async fn an_even_cluster_is_left_alone(cluster: &SuperCluster) {
    let before = counts(cluster).await;
    let (code, text, errors) = rebalance(cluster, &["--cluster", "lon"]).await;
    assert!(code == 0 && errors.is_empty(), "{text}{errors}");
    assert!(text.contains("lon: even within 10 % or one client; no client was asked"), "{text}");
    assert!(!text.contains("ams"), "{text}");
    assert_eq!(counts(cluster).await, before);
}
