//! Tests of `loadgen wait` and the health report: they name each missing server until none is missing.

use nats_geo::GeoClient;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::place::{LIMIT, Place, TURN};

const TOPOLOGY: &str = "[[cluster]]\nname = \"lon\"\nservers = 1\n[[cluster]]\nname = \"ams\"\nservers = 2\nminimum = 1\n\
     [services]\ndevice-server = 2\n";

async fn serve(client: &GeoClient) -> nats_geo::service::Service {
    client.service("device-server", "1.0.0").start().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_stable_when_servers_and_services_are_there() {
    let _turn = TURN.lock().await;
    let place = Place::new();
    std::fs::write(place.path("small.toml"), TOPOLOGY).unwrap();
    let args = ["up", "--topology=small.toml", "--health-report=1"];
    let mut running = place.command(&args).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    let first = timeout(LIMIT, lines.next_line()).await.expect("no address").unwrap().unwrap();
    let servers = first.strip_prefix("lon tcp ").unwrap();

    let early = place.run(&["wait", "--stabilise-timeout=1"]).await;
    assert_eq!(early.code, Some(1));
    assert!(early.stderr.contains("service device-server: 0 of 2 instances answer"), "{}", early.stderr);
    let clients = [nats_geo::connect(servers).await.unwrap(), nats_geo::connect(servers).await.unwrap()];
    let _services = [serve(&clients[0]).await, serve(&clients[1]).await];
    let stable = place.run(&["wait", "--deployment=small"]).await;
    assert_eq!(stable.code, Some(0), "{}", stable.stderr);
    assert!(stable.stdout.starts_with("stable after"), "{}", stable.stdout);

    assert_eq!(place.run(&["ctl", "kill", "ams-2"]).await.code, Some(0));
    let fewer = place.run(&["wait", "--stabilise-timeout=20"]).await;
    assert_eq!(fewer.code, Some(0), "one of two servers is enough for ams: {}", fewer.stderr);
    assert_eq!(place.run(&["ctl", "kill", "lon"]).await.code, Some(0));
    let broken = place.run(&["wait", "--stabilise-timeout=1"]).await;
    assert!(broken.stderr.contains("lon-1 is dead"), "{}", broken.stderr);
    assert!(!broken.stderr.contains("ams-2 is dead"), "{}", broken.stderr);
    let dead = async {
        loop {
            let line = lines.next_line().await.unwrap().unwrap();
            if let Ok(member) = serde_json::from_str::<Value>(&line)
                && member["MEMBER_ID"] == "ams-2"
                && member["STATUS"] == "DEAD"
            {
                return member;
            }
        }
    };
    let dead = timeout(LIMIT, dead).await.expect("no report of the dead server");
    assert_eq!((&dead["TOTAL_CLUSTER_MEMBERS"], &dead["TOTAL_CLUSTER_PEERS"]), (&2.into(), &0.into()));
    assert_eq!(dead["UNHEALTHY_MEMBERS"].as_array().unwrap().len(), 2);
    let endpoint: std::net::SocketAddr = dead["MEMBER_ENDPOINT"].as_str().unwrap().parse().unwrap();
    assert!(endpoint.ip().is_loopback() && endpoint.port() > 0, "{endpoint}");

    kill(Pid::from_raw(running.id().unwrap().cast_signed()), Signal::SIGINT).unwrap();
    let ended = timeout(LIMIT, running.wait_with_output()).await.expect("it does not end").unwrap();
    assert_eq!(ended.status.code(), Some(0));
    let printed = String::from_utf8(ended.stderr).unwrap();
    assert!(printed.contains("service device-server: 0 of 2 instances answer"), "{printed}");
}
