//! Tests of services: a stock client finds them, calls them and reads their counters.

use std::collections::BTreeMap;
use std::time::Duration;

use async_nats::service::{self as stock, NATS_SERVICE_ERROR, NATS_SERVICE_ERROR_CODE, PingResponse};
use futures_util::StreamExt as _;
use nats_geo::RespondError;
use nats_geo::core::Config;
use nats_geo::service::{Endpoint, EndpointError, Error, Service, StartError};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::basics::{client, options};
use crate::failover::{home, urls};
use crate::support::{Server, super_cluster, wait_for, within};

/// Answers what is asked, until the endpoint ends; returns how often.
pub(crate) fn echo(mut endpoint: Endpoint) -> JoinHandle<usize> {
    tokio::spawn(async move {
        let mut answered = 0;
        while let Some(request) = endpoint.next().await {
            request.respond(Ok(request.message.payload.clone())).await.unwrap();
            answered += 1;
        }
        answered
    })
}

/// The answer to a question about services.
async fn ask(asker: &async_nats::Client, subject: &str) -> Value {
    let answer = within(subject, asker.request(subject.to_owned(), "".into())).await.unwrap();
    serde_json::from_slice(&answer.payload).unwrap()
}

#[tokio::test]
async fn a_stock_client_finds_it_by_all_names_and_every_field_is_there() {
    let server = Server::start().await;
    let client = client(&server.url()).await;
    let builder =
        client.service("orders", "1.2.0-rc.1").description("Takes orders.").metadata([("team", "lamps")]);
    let service = builder.start().await.unwrap();
    let _new = service.endpoint("orders.new").await.unwrap();
    let v1 = service.group("v1").queue_group("old");
    let _list =
        v1.endpoint_builder().name("list").metadata([("schema", "l1")]).add("orders.*").await.unwrap();
    let _all = v1.group("deep").endpoint_builder().without_queue_group().add("all").await.unwrap();
    client.flush().await.unwrap();
    let asker = async_nats::connect(server.url()).await.unwrap();
    let id = service.id();

    for (verb, about) in [
        ("PING", json!({ "type": "io.nats.micro.v1.ping_response" })),
        (
            "INFO",
            json!({
                "type": "io.nats.micro.v1.info_response", "description": "Takes orders.",
                "endpoints": [
                    { "name": "orders-new", "subject": "orders.new", "queue_group": "q", "metadata": {} },
                    { "name": "list", "subject": "v1.orders.*", "queue_group": "old", "metadata": { "schema": "l1" } },
                    { "name": "all", "subject": "v1.deep.all", "queue_group": "", "metadata": {} },
                ],
            }),
        ),
    ] {
        let mut expected = json!({
            "name": "orders", "id": id, "version": "1.2.0-rc.1", "metadata": { "team": "lamps" },
        });
        expected.as_object_mut().unwrap().extend(about.as_object().unwrap().clone());
        for subject in
            [format!("$SRV.{verb}"), format!("$SRV.{verb}.orders"), format!("$SRV.{verb}.orders.{id}")]
        {
            assert_eq!(ask(&asker, &subject).await, expected, "{subject}");
        }
    }
    let ping: PingResponse = serde_json::from_value(ask(&asker, "$SRV.PING").await).unwrap();
    assert_eq!((ping.name.as_str(), ping.id.as_str()), ("orders", id));
    let info: stock::Info = serde_json::from_value(ask(&asker, "$SRV.INFO").await).unwrap();
    assert_eq!(info.endpoints, service.info().endpoints);
}

#[tokio::test]
async fn statistics_are_counted_extended_and_reset() {
    let server = Server::start().await;
    let client = client(&server.url()).await;
    let builder = client.service("prices", "1.0.0").metadata([("team", "lamps")]);
    let service = builder.stats_handler(|stats| json!({ "of": stats.name })).start().await.unwrap();
    let mut prices = service.endpoint("prices").await.unwrap();
    let serving = tokio::spawn(async move {
        while let Some(request) = prices.next().await {
            let answer = match request.message.payload.as_ref() {
                b"lamp" => Ok("12.50".into()),
                _ => Err(Error { code: 404, status: "we sell\nlamps only".into() }),
            };
            request.respond(answer).await.unwrap();
        }
    });
    client.flush().await.unwrap();
    let asker = async_nats::connect(server.url()).await.unwrap();
    for _ in 0..2 {
        let price = within("a price", asker.request("prices", "lamp".into())).await.unwrap();
        assert_eq!((price.payload.as_ref(), price.headers), (b"12.50".as_ref(), None));
    }
    let refused = within("a refusal", asker.request("prices", "sofa".into())).await.unwrap();
    let header = |name: &str| refused.headers.as_ref().unwrap().get(name).unwrap().as_str();
    assert_eq!((header(NATS_SERVICE_ERROR), header(NATS_SERVICE_ERROR_CODE)), ("we sell lamps only", "404"));
    assert!(refused.payload.is_empty());

    let answer = ask(&asker, &format!("$SRV.STATS.prices.{}", service.id())).await;
    let endpoint = answer["endpoints"][0].as_object().unwrap();
    let counted: BTreeMap<_, _> =
        endpoint.iter().filter(|(field, _)| !field.ends_with("processing_time")).collect();
    let expected = json!({
        "name": "prices", "subject": "prices", "queue_group": "q", "num_requests": 3, "num_errors": 1,
        "last_error": "404:we sell\nlamps only", "data": { "of": "prices" },
    });
    assert_eq!(json!(counted), expected);
    let nanos = |field: &str| endpoint[field].as_u64().unwrap();
    assert!(nanos("processing_time") > 0, "{answer}");
    assert_eq!(nanos("average_processing_time"), nanos("processing_time") / 3);
    assert_eq!(
        (&answer["type"], &answer["metadata"]),
        (&json!("io.nats.micro.v1.stats_response"), &json!({ "team": "lamps" }))
    );
    let stats: stock::Stats = serde_json::from_value(answer).unwrap();
    assert_eq!(
        (stats.name.as_str(), stats.id.as_str(), stats.version.as_str()),
        ("prices", service.id(), "1.0.0")
    );
    assert_eq!(stats.started, service.started());
    assert_eq!(service.stats()[0].last_error.as_ref().unwrap().code, 404);

    service.reset();
    let answer = ask(&asker, "$SRV.STATS").await;
    let stats: stock::Stats = serde_json::from_value(answer.clone()).unwrap();
    assert_eq!((stats.endpoints[0].requests, stats.endpoints[0].errors), (0, 0));
    assert_eq!((stats.started, &answer["endpoints"][0]["last_error"]), (service.started(), &json!("")));
    drop(service);
    within("the end of the endpoint", serving).await.unwrap();
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_a_reason() {
    let server = Server::start().await;
    let client = client(&server.url()).await;
    let start = async |name: &str, version: &str| client.service(name, version).start().await.map(drop);
    assert_eq!(start("or.ders", "1.0.0").await, Err(StartError::BadName { name: "or.ders".into() }));
    assert_eq!(start("orders", "1.0").await, Err(StartError::BadVersion { version: "1.0".into() }));
    let queue_group = client.service("orders", "1.0.0").queue_group("a b").start().await.map(drop);
    assert_eq!(queue_group, Err(StartError::BadQueueGroup { queue_group: "a b".into() }));

    let service = client.service("orders", "1.0.0").start().await.unwrap();
    let bad_subject = |subject: &str| EndpointError::BadSubject { subject: subject.into() };
    assert_eq!(service.endpoint("$SRV.PING").await.map(drop), Err(bad_subject("$SRV.PING")));
    assert_eq!(service.group("a >").endpoint("b").await.map(drop), Err(bad_subject("a >.b")));
    assert_eq!(service.group(">").group("").endpoint("b").await.map(drop), Err(bad_subject(">.b")));
    let named = service.endpoint_builder().name("").add("orders").await.map(drop);
    assert_eq!(named, Err(EndpointError::BadName { name: String::new() }));
    let queued = service.endpoint_builder().queue_group("").add("orders").await.map(drop);
    assert_eq!(queued, Err(EndpointError::BadQueueGroup { queue_group: String::new() }));
    assert!(service.info().endpoints.is_empty());

    let late = service.group("late");
    drop(service);
    assert_eq!(late.endpoint("x").await.map(drop), Err(EndpointError::Stopped));
    client.close().await;
    assert_eq!(start("orders", "1.0.0").await, Err(StartError::Closed));
}

#[tokio::test]
async fn an_answer_that_cannot_be_sent_is_an_error_that_is_counted() {
    let server = Server::with("max_payload: 1000").await;
    let client = client(&server.url()).await;
    let service = client.service("large", "1.0.0").start().await.unwrap();
    let mut large = service.endpoint("large").await.unwrap();
    client.flush().await.unwrap();
    let asker = async_nats::connect(server.url()).await.unwrap();
    let asking = tokio::spawn(async move { asker.request("large", "".into()).await });
    let request = within("the request", large.next()).await.unwrap();
    let refused = request.respond(Ok(vec![0; 2_000].into())).await.unwrap_err();
    assert!(matches!(refused, RespondError::Publish(_)), "{refused}");
    let stats = service.stats().remove(0);
    assert_eq!((stats.errors, stats.last_error.unwrap().status), (1, refused.to_string()));
    request.respond(Err(Error { code: 413, status: "too large".into() })).await.unwrap();
    within("the refusal", asking).await.unwrap().unwrap();

    client.publish("large", "nobody waits".into()).await.unwrap();
    let request = within("the message", large.next()).await.unwrap();
    assert_eq!(request.respond(Ok("".into())).await, Err(RespondError::NoReply));
    assert_eq!((service.stats()[0].requests, service.stats()[0].errors), (2, 2));
}

pub(crate) async fn serve(client: &nats_geo::GeoClient) -> (Service, JoinHandle<usize>) {
    let service = client.service("echo", "1.0.0").start().await.unwrap();
    let serving = echo(service.endpoint("echo").await.unwrap());
    client.flush().await.unwrap();
    (service, serving)
}

#[tokio::test]
async fn a_handler_of_statistics_that_panics_stops_nothing() {
    let server = Server::start().await;
    let client = client(&server.url()).await;
    let builder = client.service("fragile", "1.0.0").stats_handler(|_| panic!("on purpose"));
    let service = builder.start().await.unwrap();
    let _endpoint = service.endpoint("fragile").await.unwrap();
    client.flush().await.unwrap();
    let asker = async_nats::connect(server.url()).await.unwrap();
    for _ in 0..2 {
        let answer = ask(&asker, "$SRV.STATS").await;
        assert_eq!(answer["endpoints"][0].get("data"), None, "{answer}");
    }
}

#[tokio::test]
async fn without_a_queue_group_every_instance_is_asked() {
    let server = Server::start().await;
    let client = client(&server.url()).await;
    let mut serving = Vec::new();
    let mut services = Vec::new();
    for _ in 0..2 {
        let service = client.service("all", "1.0.0").without_queue_group().start().await.unwrap();
        serving.push(echo(service.endpoint("all").await.unwrap()));
        serving.push(echo(service.endpoint_builder().queue_group("one").add("one").await.unwrap()));
        services.push(service);
    }
    client.flush().await.unwrap();
    let asker = async_nats::connect(server.url()).await.unwrap();
    let count = async |subject: &'static str| {
        let inbox = asker.new_inbox();
        let mut answers = asker.subscribe(inbox.clone()).await.unwrap();
        asker.publish_with_reply(subject, inbox, "x".into()).await.unwrap();
        asker.flush().await.unwrap();
        within("an answer", answers.next()).await.unwrap();
        let mut count = 1;
        while tokio::time::timeout(SILENCE, answers.next()).await.is_ok() {
            count += 1;
        }
        count
    };
    assert_eq!((count("all").await, count("one").await), (2, 1));
    drop(services);
    for serving in serving {
        within("the end of an endpoint", serving).await.unwrap();
    }
}

/// Nothing to wait for: that no further answer comes can only be watched.
const SILENCE: Duration = Duration::from_millis(300);

#[tokio::test]
async fn during_an_orderly_move_each_question_about_it_is_answered_once() {
    let lame_duck = "lame_duck_duration: \"30s\"\nlame_duck_grace_period: \"10s\"";
    let servers = super_cluster(&["lon", "ams"], lame_duck).await;
    let mut config = Config::interactive();
    config.spread.lame_duck = Duration::from_millis(50);
    let client = within("connecting", options().config(config).connect(urls(&servers))).await.unwrap();
    let (service, serving) = serve(&client).await;
    let home = home(&client, &servers);
    let asker = async_nats::connect(servers[1 - home].url()).await.unwrap();
    wait_for("interest to cross the gateway", async || asker.request("$SRV.PING", "".into()).await.ok())
        .await;

    let inbox = asker.new_inbox();
    let mut answers = asker.subscribe(format!("{inbox}.*")).await.unwrap();
    servers[home].lame_duck();
    let mut asked: usize = 0;
    within("the move", async {
        let mut ticks = tokio::time::interval(Duration::from_millis(1));
        while asked < 50 || client.stats().moves == 0 || servers[home].connections().await > 0 {
            ticks.tick().await;
            asker.publish_with_reply("$SRV.PING.echo", format!("{inbox}.{asked}"), "".into()).await.unwrap();
            asked += 1;
        }
    })
    .await;
    asker.flush().await.unwrap();
    let mut counts = BTreeMap::new();
    let mut count = |answer: async_nats::Message| {
        let ping: PingResponse = serde_json::from_slice(&answer.payload).unwrap();
        assert_eq!(ping.id, service.id());
        *counts.entry(answer.subject.to_string()).or_insert(0) += 1;
        counts.len()
    };
    within("all answers", async { while count(answers.next().await.unwrap()) < asked {} }).await;
    // A question behind which all other answers are.
    asker.publish_with_reply("$SRV.PING.echo", format!("{inbox}.last"), "".into()).await.unwrap();
    within("the last answer", async { while count(answers.next().await.unwrap()) <= asked {} }).await;
    assert!(counts.values().all(|count| *count == 1), "{counts:?}");
    drop(service);
    within("the end of the endpoint", serving).await.unwrap();
}
