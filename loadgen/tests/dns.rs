//! `loadgen dns` between a real DNS server and a real super-cluster.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]
#![allow(dead_code, reason = "it uses a part of the DNS server")]

#[path = "../../nats-geo/tests/native/dns_server.rs"]
mod dns_server;
#[path = "support/monitor.rs"]
mod monitor;

/// What the DNS server takes from its other home.
mod support {
    use std::time::Duration;

    /// Longer than anything here takes on a loaded machine.
    pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
}

use std::time::Duration;

use dns_server::Dns;
use hickory_server::proto::op::ResponseCode;
use loadgen::cluster::{StartOptions, SuperCluster};
use loadgen::collect::{Collected, Collection, from_toml};
use loadgen::dns::{DnsPlan, compare};
use loadgen::topology::Topology;
use monitor::monitor;
use nats_geo::dns::{Dns as Discovery, Transport};
use tokio::net::TcpListener;
use tokio::process::Command;

/// SRV records for all servers, as they are reached from lon.
async fn world() -> (SuperCluster, Dns) {
    let cluster =
        SuperCluster::start(StartOptions::new(Topology::new(["lon", "ams"], 1).unwrap())).await.unwrap();
    let dns = Dns::start().await;
    dns.change(|zone| {
        let endpoints = cluster.endpoints("lon").unwrap();
        let named: Vec<_> = endpoints
            .iter()
            .map(|endpoint| {
                let port: u16 = endpoint.tcp_url.rsplit(':').next().unwrap().parse().unwrap();
                let priority = if endpoint.server.region() == "lon" { 20 } else { 10 };
                (priority, 7, port, format!("{}.test.", endpoint.server))
            })
            .collect();
        let records: Vec<_> = named.iter().map(|(a, b, c, name)| (*a, *b, *c, name.as_str())).collect();
        zone.srv("_nats._tcp.nats.test", &records);
        for (_, _, _, name) in &named {
            zone.addresses(name.trim_end_matches('.'), &["127.0.0.1"]);
        }
    });
    (cluster, dns)
}

#[tokio::test(flavor = "multi_thread")]
async fn resolvers_are_compared_and_every_answer_followed_to_its_region() {
    let (cluster, dns) = world().await;
    let transports = [Transport::Udp, Transport::Tcp, Transport::Tls, Transport::Https];
    let questions = transports.map(|transport| {
        let resolver = dns.resolver(transport);
        (resolver.clone(), Discovery::new("nats.test").unwrap().resolver(resolver))
    });
    let plan = DnsPlan { questions: questions.into(), times: 2, probe_limit: Duration::from_secs(5) };
    let comparison = compare(&plan).await;
    let text = comparison.render();
    println!("{text}");
    for said in &comparison.said {
        let hosts: Vec<_> =
            said.answer.as_ref().unwrap().servers.iter().map(|server| server.host.as_str()).collect();
        assert_eq!(hosts, ["ams-1.test", "lon-1.test"], "by priority");
        assert_eq!(said.latencies.len(), 2);
    }
    let (lines, rows): (Vec<_>, _) = (text.lines().collect(), transports.len());
    for (server, region) in [("lon-1.test", " lon "), ("ams-1.test", " ams ")] {
        let of_server = lines.iter().filter(|line| line.contains(server) && line.contains(region)).count();
        assert_eq!(of_server, rows, "{text}");
    }
    cluster.shutdown().await;

    dns.change(|zone| zone.failure = Some(ResponseCode::ServFail));
    let comparison = compare(&plan).await;
    assert!(comparison.said.iter().all(|said| said.answer.is_err()));
    assert!(
        comparison.render().contains("the resolver answered `Server Failure`"),
        "{}",
        comparison.render()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_goes_on_with_others_when_a_resolver_fails() {
    let (_cluster, dns) = world().await;
    let right = dns.resolver(Transport::Tcp).to_string();
    let run = async |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
        let done = command.arg("dns").args(args).kill_on_drop(true).output();
        let done = tokio::time::timeout(3 * support::PATIENCE, done).await.unwrap().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (done.status.code(), text(done.stdout), text(done.stderr))
    };
    let (code, said, complaint) =
        run(&["nats.test", "--resolver", &right, "--resolver", "tcp://127.0.0.1:1"]).await;
    assert_eq!(code, Some(0), "{said}{complaint}");
    assert!(said.contains(" lon ") && said.contains("the resolver did not answer"), "{said}");
    let (code, said, complaint) = run(&["nats.test", "--resolver", "tcp://127.0.0.1:1"]).await;
    let reason = "loadgen: no resolver returned a server: the column `what it says` has the reasons";
    assert_eq!((code, complaint.trim()), (Some(1), reason), "{said}");
    for args in [["nats.test", "--resolver", "ftp://google"], ["http://nats.test", "--resolver", "google"]] {
        let (code, said, complaint) = run(&args).await;
        assert_eq!(code, Some(2), "{said}{complaint}");
    }
}

/// Sources of `loadgen run --collect`: a resolver, and the monitoring of a nats-server as an HTTP API.
#[tokio::test(flavor = "multi_thread")]
async fn figures_of_a_resolver_and_of_an_http_api_are_collected() {
    let (cluster, dns) = world().await;
    let (resolver, monitoring) = (dns.resolver(Transport::Tcp), cluster.monitor("lon-1").unwrap().addr());
    let closing = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let closed = closing.local_addr().unwrap();
    let file = format!(
        r#"
        [[source]]
        name = "resolver"
        every = "1s"
        look_up = "nats.test"
        resolver = "{resolver}"
        [[source]]
        name = "lon-1"
        every = "1s"
        url_from = "LON_1"
        headers = {{ Authorization = "TOKEN" }}
        metric = [
          {{ name = "connections", value = "/connections" }},
          {{ name = "nothing", value = "/nothing" }},
        ]
        [[source]]
        name = "closed"
        every = "1s"
        url_from = "CLOSED"
        metric = [{{ name = "connections", value = "/connections" }}]
        "#
    );
    let sources = from_toml(&file, "collect.toml").unwrap();
    let unset = Collection::start(&sources, &|_| None).unwrap_err().to_string();
    assert!(unset.contains("`lon-1` of --collect: the environment variable `LON_1` is not set"), "{unset}");

    let env = |name: &str| match name {
        "LON_1" => Some(format!("http://{monitoring}/varz?hunter2")),
        "CLOSED" => Some(format!("http://{closed}/hunter2")),
        _ => Some("Bearer hunter2".to_owned()),
    };
    assert!(!format!("{sources:?}").contains("hunter2"));
    let _clients = [client(&cluster).await, client(&cluster).await];
    let collection = Collection::start(&sources, &env).unwrap();
    assert!(!format!("{collection:?}").contains("hunter2"));
    // The third query of a source begins after the second one has ended.
    for _ in 0..3 {
        drop(tokio::time::timeout(support::PATIENCE, closing.accept()).await.expect("no query").unwrap());
    }
    let deadline = loadgen::clock::now() + support::PATIENCE;
    for looks in 1.. {
        let varz = monitor(monitoring.port(), "/varz").unwrap();
        if varz["http_req_stats"]["/varz"].as_u64().unwrap() >= looks + 3 {
            break;
        }
        assert!(loadgen::clock::now() < deadline, "{varz}");
        tokio::task::yield_now().await;
    }
    let [resolver, server, closing] = collection.finish().await.try_into().unwrap();

    let figure = |of: &Collected, name: &str| {
        of.figures.iter().find(|figure| figure.name == name).map(|figure| figure.values[0].1)
    };
    assert_eq!((figure(&resolver, "servers"), resolver.failed), (Some(2.0), 0), "{resolver:?}");
    assert!(
        resolver.queries >= 2 && figure(&resolver, "lookup_ms").is_some_and(|ms| ms > 0.0),
        "{resolver:?}"
    );
    assert_eq!(resolver.note(), None);
    assert_eq!(figure(&server, "connections"), Some(2.0), "{server:?}");
    assert_eq!(figure(&server, "nothing"), None);
    assert!(server.failed == server.queries && server.queries >= 2, "a figure is missing in each answer");
    assert!(server.note().unwrap().contains("the answer has nothing at `/nothing`"), "{server:?}");
    let note = closing.note().unwrap();
    assert!(note.contains(&format!("The last reason: http://{closed} did not answer")), "{note}");
    assert!(!note.contains("hunter2"), "{note}");
}

async fn client(cluster: &SuperCluster) -> async_nats::Client {
    async_nats::connect(cluster.server_urls()["lon-1"].clone()).await.unwrap()
}
