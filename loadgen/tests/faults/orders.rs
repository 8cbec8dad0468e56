//! Tests of faults that servers carry out on order, while all servers stay up.

use loadgen::cluster::{Auth, StartOptions, SuperCluster};
use loadgen::secret::Secret;
use loadgen::topology::spec::{ClusterSpec, Spec};
use loadgen::topology::{RttTable, Topology};
use serde_json::{Value, json};

use super::raw::{RawClient, Seen, monitoring};
use super::{LIMIT, TURN, World, until};

pub(crate) async fn check(world: &mut World) {
    one_client_is_a_lame_duck(world).await;
    one_client_is_kicked(world).await;
    a_stream_gets_another_leader(world).await;
    orders_that_cannot_be_are_named(world).await;
}

async fn one_client_is_a_lame_duck(world: &World) {
    let mut client = world.connect("ams", "lon-1").await;
    let mut other = world.connect("ams", "lon-1").await;
    assert!(client.pong().await && other.pong().await);
    world.cluster.lame_duck_client("lon-1", client.cid()).await.unwrap();
    until("the client is told", async || match client.hears("INFO", LIMIT).await {
        // The server answers CONNECT with an INFO too.
        Seen::Line(info) => info.contains("\"ldm\":true"),
        other => panic!("{other:?}"),
    })
    .await;
    assert!(client.pong().await, "the server closes nothing");
    assert!(other.pong().await && RawClient::works(&world.tcp("ams", "lon-1")).await);
}

async fn one_client_is_kicked(world: &World) {
    let mut client = world.connect("ams", "lon-1").await;
    let mut other = world.connect("ams", "lon-1").await;
    assert!(client.pong().await && other.pong().await);
    world.cluster.kick_client("lon-1", client.cid()).await.unwrap();
    let end = client.ends().await;
    assert!([Seen::End, Seen::Reset].contains(&end), "{end:?}");
    assert!(other.pong().await);
    let addr = world.cluster.monitor("lon-1").unwrap().addr();
    until("the server has forgotten it", async || {
        let connz = monitoring(addr, "/connz").await;
        let listed = connz["connections"].as_array().unwrap();
        !listed.iter().any(|connection| connection["cid"] == client.cid())
    })
    .await;
}

async fn a_stream_gets_another_leader(world: &World) {
    let client = async_nats::connect(world.endpoint("lon", "lon-1").tcp_url).await.unwrap();
    for (name, replicas) in [("PAIR", 2), ("LONE", 1)] {
        let config = json!({
            "name": name, "subjects": [name], "num_replicas": replicas, "placement": { "cluster": "lon" },
        });
        let created = api(&client, &format!("STREAM.CREATE.{name}"), &config).await;
        assert!(created.get("error").is_none(), "{created}");
    }
    let moved = world.cluster.step_down_stream_leader("PAIR").await.unwrap();
    assert_ne!(moved.from, moved.to);
    let info = api(&client, "STREAM.INFO.PAIR", &json!({})).await;
    assert_eq!(info["cluster"]["leader"], moved.to.as_str(), "{info}");

    let error = world.cluster.step_down_stream_leader("LONE").await.unwrap_err().to_string();
    assert!(error.contains("`LONE`") && error.contains("one replica"), "{error}");
    let error = world.cluster.step_down_stream_leader("NONE").await.unwrap_err().to_string();
    assert!(error.contains("`NONE`") && error.contains("stream not found"), "{error}");
}

async fn api(client: &async_nats::Client, subject: &str, request: &Value) -> Value {
    let answer = client.request(format!("$JS.API.{subject}"), request.to_string().into()).await.unwrap();
    serde_json::from_slice(&answer.payload).unwrap()
}

async fn orders_that_cannot_be_are_named(world: &mut World) {
    for (order, error) in [
        ("LDM", world.cluster.lame_duck_client("lon-1", 999_999).await.unwrap_err().to_string()),
        ("KICK", world.cluster.kick_client("lon-1", 999_999).await.unwrap_err().to_string()),
    ] {
        assert!(error.contains("lon-1") && error.contains("999999"), "{order}: {error}");
    }
    let error = world.cluster.kick_client("lon-9", 1).await.unwrap_err().to_string();
    assert!(error.contains("`lon-9`"), "{error}");
    world.cluster.pause_server("ams-2").unwrap();
    let error = world.cluster.kick_client("ams-2", 1).await.unwrap_err().to_string();
    assert!(error.contains("cannot order ams-2") && error.contains("the server is paused"), "{error}");
    world.cluster.resume_server("ams-2").await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_system_account_nobody_may_give_orders() {
    let _turn = TURN.lock().await;
    let cluster = ClusterSpec { name: "lon".to_owned(), servers: Some(1), ..ClusterSpec::default() };
    let mut spec = Spec { clusters: vec![cluster], ..Spec::default() };
    spec.jetstream.enabled = false;
    let mut options = StartOptions::new(Topology::from_spec(spec, RttTable::default()).unwrap());
    options.settings.auth = Auth::Custom(Secret::new("authorization { token: \"t0k3n\" }"));
    let cluster = SuperCluster::start(options).await.unwrap();
    let error = cluster.lame_duck_client("lon-1", 1).await.unwrap_err().to_string();
    assert!(error.contains("cannot order lon-1") && error.contains("system account"), "{error}");
}
