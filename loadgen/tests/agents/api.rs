//! Tests that the published description of the back channel agrees with the types, and with the messages of a real run.

use std::collections::BTreeMap;
use std::path::Path;

use async_nats::{ConnectOptions, Message};
use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::place::{Ops, PASSWORD, Play};
use crate::together::strs;
use crate::{SCENARIO, TURN};

#[test]
fn the_published_api_is_that_of_the_types() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("ops.asyncapi.json");
    let api = loadgen::agent_command::ops_api();
    if std::env::var_os("SCHEMAS").is_some_and(|value| value == "write") {
        std::fs::write(&path, &api).unwrap();
    }
    let published = std::fs::read_to_string(&path).unwrap();
    assert!(published == api, "ops.asyncapi.json is stale: run this test with SCHEMAS=write");
}

#[tokio::test]
async fn messages_of_a_run_fit_the_published_api() {
    let _turn = TURN.lock().await;
    let ops = Ops::start().await;
    let options = ConnectOptions::new().user_and_password("loadgen".into(), PASSWORD.into());
    let address = ops.url.replace(&format!("loadgen:{PASSWORD}@"), "");
    let tap = options.connect(&address).await.unwrap();
    let heard = [tap.subscribe("loadgen.>").await.unwrap(), tap.subscribe("_INBOX.>").await.unwrap()];
    let mut heard = futures_util::stream::select_all(heard);
    tap.flush().await.unwrap();
    let _agents = ops.agents().await;
    let play = Play::of(SCENARIO);
    let mut process = ops.loadgen(&strs(&play.args(&["--agents"])));
    let mut messages = Vec::new();
    let code = loop {
        tokio::select! {
            Some(message) = heard.next() => messages.push(message),
            code = process.end() => break code,
        }
    };
    assert!(code == 0 || code == 98, "{}", process.printed());
    let api: Value = serde_json::from_str(&loadgen::agent_command::ops_api()).unwrap();
    let counts = check(&api, &messages);
    let seen: Vec<_> = counts.keys().map(String::as_str).collect();
    assert_eq!(seen, ["clock", "orders", "pulses", "replies", "results", "state", "times"], "{counts:?}");
}

/// How many messages each channel had, all of which fit its schema.
fn check(api: &Value, messages: &[Message]) -> BTreeMap<String, usize> {
    let mut replies: BTreeMap<&str, &str> = BTreeMap::new();
    let mut counts = BTreeMap::new();
    for message in messages {
        let name = match message.subject.split('.').collect::<Vec<_>>()[..] {
            ["loadgen", "agent", _, "orders"] => "orders",
            ["loadgen", "pulse", _] => "pulses",
            ["loadgen", "state"] => "state",
            ["loadgen", "run", _, "clock"] => "clock",
            ["loadgen", "parts", _, _] => "results",
            ["_INBOX", ..] => match replies.get(message.subject.as_str()) {
                Some(name) => name,
                // Of JetStream or the Services API.
                None => continue,
            },
            _ => panic!("{} is not described", message.subject),
        };
        if let Some(reply) = &message.reply {
            let to = [("orders", "replies"), ("clock", "times")].into_iter().find(|(of, _)| *of == name);
            replies.extend(to.map(|(_, answer)| (reply.as_str(), answer)));
        }
        let described = api["channels"][name]["messages"].as_object().unwrap().values().next().unwrap();
        fits(api, &described["payload"], &payload(described, message), name);
        if described["headers"].is_object() {
            fits(api, &described["headers"], &headers(message), name);
        }
        *counts.entry(name.to_owned()).or_default() += 1;
    }
    counts
}

fn payload(described: &Value, message: &Message) -> Value {
    match described["contentType"].as_str() {
        None => serde_json::from_slice(&message.payload).unwrap(),
        Some("text/plain") => String::from_utf8(message.payload.to_vec()).unwrap().into(),
        // Bytes have no JSON form; that they are there is all that the schema says.
        _ => "bytes".into(),
    }
}

fn headers(message: &Message) -> Value {
    let headers = message.headers.iter().flat_map(|headers| headers.iter());
    headers
        .map(|(name, values)| (name.to_string(), json!(values[0].as_str())))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

fn fits(api: &Value, schema: &Value, value: &Value, name: &str) {
    let schema = json!({ "allOf": [schema], "components": api["components"] });
    let validator = jsonschema::draft7::new(&schema).unwrap();
    // Orders are long.
    let complaint = validator.iter_errors(value).next().map(|error| format!("{:.400}", error.to_string()));
    assert_eq!(complaint, None, "{name}");
}
