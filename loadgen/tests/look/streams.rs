//! Streams of a hub and a leaf node, each with a JetStream domain of its own.

use async_nats::jetstream::Context;
use async_nats::jetstream::stream::{Config, External, Source, StorageType};
use loadgen::cluster::{NatsServer, StartOptions, SuperCluster};
use loadgen::topology::Topology;
use serde_json::Value;

use crate::command::{Servers, TURN, free_ports, json, refused, shown, wait_until};
use crate::old_servers::{OLD, OLDEST};

/// Above what one page of STREAM.LIST has.
const MANY: usize = 260;

#[tokio::test(flavor = "multi_thread")]
async fn streams_of_all_domains_stand_in_one_report() {
    let _turn = TURN.lock().await;
    let [newest, old, oldest] = tokio::task::spawn_blocking(|| {
        let of_version = |version: &str| NatsServer::of_version(version).unwrap();
        [NatsServer::find(None).unwrap(), of_version(OLD), of_version(OLDEST)]
    })
    .await
    .unwrap();
    for (hub, spoke) in [(&newest, &newest), (&old, &oldest)] {
        streams_of_all_domains(hub, spoke).await;
    }
}

async fn streams_of_all_domains(hub_server: &NatsServer, spoke_server: &NatsServer) {
    let [port, leaf_port, leafs] = free_ports();
    let mut servers = Servers::new();
    let hub = format!(
        "jetstream {{ store_dir: \"STORE\", domain: hub }}\nleafnodes {{ listen: \"127.0.0.1:{leafs}\" }}"
    );
    let spoke = format!(
        "jetstream {{ store_dir: \"STORE\", domain: spoke }}\nleafnodes {{ remotes: [\n\
         {{ url: \"nats://acc:hunter3@127.0.0.1:{leafs}\", account: ACC }}\n\
         {{ url: \"nats://system:hunter2@127.0.0.1:{leafs}\", account: SYS }} ] }}"
    );
    servers.start(hub_server, "hub-1", port, &hub).await;
    servers.start(spoke_server, "spoke-1", leaf_port, &spoke).await;
    let url = format!("nats://127.0.0.1:{port}");
    let env = [("NATS_URL", url.as_str()), ("NATS_USER", "acc"), ("NATS_PASSWORD", "hunter3")];
    assert_eq!(shown(&["streams"], &env).trim(), "This account has no streams here");
    create_streams(&url).await;

    let named = ["streams", "--js-domain", "hub", "--js-domain", "spoke"];
    wait_until(async || copies_are_complete(&json(&named, &env))).await;
    pages_follow_each_other(&json(&named, &env));
    tables_name_domains_and_origins(&shown(&named, &env));
    let found = ["streams", "--all-domains", "--system-user", "system"];
    let found_env = [&env[..], &[("NATS_SYSTEM_PASSWORD", "hunter2")]].concat();
    wait_until(async || copies_are_complete(&json(&found, &found_env))).await;
    let here = json(&["streams"], &env);
    assert!(here["streams"].as_array().unwrap().iter().all(|row| row["domain"] == "hub"), "{here}");

    let error = refused(1, &["streams", "--js-domain", "nowhere"], &env);
    assert!(error.contains("domain `nowhere`: no server answers `$JS.nowhere.API.STREAM.LIST`"), "{error}");
    let beside = json(&["streams", "--js-domain", "spoke", "--js-domain", "nowhere"], &env);
    assert_eq!(beside["failed"][0]["domain"], "nowhere", "{beside}");
    assert_eq!(beside["streams"].as_array().unwrap().len(), 2, "{beside}");
}

async fn create_streams(url: &str) {
    let options = async_nats::ConnectOptions::with_user_and_password("acc".into(), "hunter3".into());
    let client = options.connect(url).await.unwrap();
    let domain = |name: &str| async_nats::jetstream::with_domain(client.clone(), name);
    let (hub, spoke) = (domain("hub"), domain("spoke"));
    // The leaf node connects some time after its port opened.
    wait_until(async || {
        let answer = client.request("$JS.spoke.API.STREAM.NAMES", "".into()).await;
        let answer = answer.map_err(|error| error.to_string())?;
        if answer.status.is_none() { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await;
    create(&spoke, "tickets", Config { subjects: vec!["tickets.>".into()], ..Config::default() }).await;
    create(&hub, "films", Config { subjects: vec!["films.>".into()], ..Config::default() }).await;
    let from = |stream: &str, domain: &str| Source {
        name: stream.to_owned(),
        external: Some(External { api_prefix: format!("$JS.{domain}.API"), delivery_prefix: None }),
        ..Source::default()
    };
    create(&hub, "sales", Config { sources: Some(vec![from("tickets", "spoke")]), ..Config::default() })
        .await;
    create(&spoke, "films-mirror", Config { mirror: Some(from("films", "hub")), ..Config::default() }).await;
    for number in 0..MANY {
        let config = Config { storage: StorageType::Memory, ..Config::default() };
        create(&hub, &format!("many-{number:03}"), config).await;
    }
    for number in 0..3 {
        spoke.publish(format!("tickets.{number}"), "a seat".into()).await.unwrap().await.unwrap();
        hub.publish(format!("films.{number}"), "a film".into()).await.unwrap().await.unwrap();
    }
}

async fn create(context: &Context, name: &str, config: Config) {
    context.create_stream(Config { name: name.to_owned(), ..config }).await.unwrap();
}

fn row<'a>(rows: &'a Value, name: &str) -> &'a Value {
    rows.as_array().unwrap().iter().find(|row| row["stream"] == name).unwrap()
}

fn copies_are_complete(report: &Value) -> Result<(), String> {
    for (copy, domain, kind, api, source) in [
        ("sales", "hub", "source", "$JS.spoke.API", "tickets"),
        ("films-mirror", "spoke", "mirror", "$JS.hub.API", "films"),
    ] {
        let (stream, link) = (row(&report["streams"], copy), row(&report["replication"], copy));
        let named = ["domain", "kind", "api_prefix", "source"].map(|field| link[field].as_str().unwrap());
        assert_eq!(named, [domain, kind, api, source], "{link}");
        assert_eq!((stream["domain"].as_str(), stream["storage"].as_str()), (Some(domain), Some("file")));
        let is_copied = stream["messages"] == 3 && link["lag"] == 0 && link["active_s"].is_f64();
        if !is_copied {
            return Err(format!("{stream} {link}"));
        }
    }
    Ok(())
}

fn pages_follow_each_other(report: &Value) {
    let rows = report["streams"].as_array().unwrap();
    assert_eq!(rows.len(), MANY + 4);
    let names: Vec<_> = rows.iter().map(|row| (row["domain"].as_str(), row["stream"].as_str())).collect();
    assert!(names.is_sorted() && report["failed"].as_array().unwrap().is_empty(), "{names:?}");
}

fn tables_name_domains_and_origins(text: &str) {
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let line =
        |start: &str| text.lines().rfind(|line| line.starts_with(start)).unwrap_or_else(|| panic!("{text}"));
    let sales = cells(line("| hub    | sales "));
    assert_eq!(sales[1..6], ["hub", "sales", "source", "$JS.spoke.API", "tickets"], "{text}");
    let tickets = cells(line("| spoke  | tickets "));
    assert_eq!(tickets[3..8], ["file", "", "0", "3", "135 B"], "{text}");
}

/// A stream of three servers in one of two regions.
#[tokio::test(flavor = "multi_thread")]
async fn replicas_are_named_and_the_leader_is_marked() {
    let _turn = TURN.lock().await;
    let topology = Topology::new(["lon", "ams"], 3).unwrap();
    let cluster = SuperCluster::start(StartOptions::new(topology)).await.unwrap();
    let urls = cluster.server_urls();
    let client = async_nats::connect(&urls["ams-1"]).await.unwrap();
    let context = async_nats::jetstream::new(client);
    let placement = async_nats::jetstream::stream::Placement { cluster: Some("ams".into()), tags: vec![] };
    let config = Config { num_replicas: 3, placement: Some(placement), ..Config::default() };
    create(&context, "orders", config).await;
    context.publish("orders", "one lamp".into()).await.unwrap().await.unwrap();
    wait_until(async || {
        let report = json(&["streams", "--server", &urls["lon-1"]], &[]);
        let orders = row(&report["streams"], "orders");
        let replicas = orders["replicas"].as_array().unwrap();
        let servers: Vec<_> = replicas.iter().map(|replica| replica["server"].as_str().unwrap()).collect();
        let leaders = replicas.iter().filter(|replica| replica["leader"] == true).count();
        let are_current = replicas.iter().all(|replica| replica["current"] == true);
        let is_whole = servers == ["ams-1", "ams-2", "ams-3"] && leaders == 1 && are_current;
        let is_described = orders["placement"] == "cluster: ams" && orders["messages"] == 1;
        if is_whole && is_described { Ok(()) } else { Err(orders.to_string()) }
    })
    .await;
    let text = shown(&["streams", "--server", &urls["lon-1"]], &[]);
    let orders = text.lines().find(|line| line.contains("| orders ")).unwrap();
    assert_eq!(orders.matches('*').count(), 1, "{text}");
    cluster.shutdown().await;
}
