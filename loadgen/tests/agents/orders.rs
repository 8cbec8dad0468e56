//! Tests of the controllers that may give orders, and of the orders that agents accept.

use async_nats::HeaderMap;
use async_nats::service::Info;

use crate::place::{Ops, PASSWORD, Play};
use crate::together::strs;
use crate::{SCENARIO, TURN};

#[tokio::test]
async fn a_second_controller_is_refused_and_the_first_goes_on() {
    let _turn = TURN.lock().await;
    let ops = Ops::start().await;
    let _agents = ops.agents().await;
    let (first, second) = (Play::of(SCENARIO), Play::of(SCENARIO));
    let mut one = ops.loadgen(&strs(&first.args(&["--agents"])));
    one.wait_for("phase quiet").await;
    let mut other = ops.loadgen(&strs(&second.args(&["--agents"])));
    assert_eq!(other.end().await, 1);
    let printed = other.printed();
    assert!(
        printed.contains("another controller gives orders over this back channel: process "),
        "{printed}"
    );
    assert!(!printed.contains(PASSWORD), "{printed}");
    one.end().await;
    let thresholds = first.report()["thresholds"].clone();
    assert!(thresholds.as_array().unwrap().iter().all(|row| row["holds"] == true), "{thresholds}");
}

#[tokio::test]
async fn strangers_give_no_orders_and_wrong_ones_are_refused() {
    let ops = Ops::start().await;
    let agent = ops.agent("lon", "agent-lon").await;
    let address = ops.url.replace(&format!("loadgen:{PASSWORD}@"), "");
    let refused = async_nats::connect(&address).await.unwrap_err().to_string();
    assert!(refused.contains("authorization violation"), "{refused}");

    let options = async_nats::ConnectOptions::new().user_and_password("loadgen".into(), PASSWORD.into());
    let client = options.connect(&address).await.unwrap();
    let info = client.request("$SRV.INFO.loadgen-agent", "".into()).await.unwrap();
    let info: Info = serde_json::from_slice(&info.payload).unwrap();
    let orders = info.endpoints.iter().find(|endpoint| endpoint.name == "orders").unwrap();
    let subject = orders.subject.clone();
    let headers = |run: &str, version: &str| {
        let mut headers = HeaderMap::new();
        headers.insert("Loadgen-Version", version);
        headers.insert("Loadgen-Run", run);
        headers.insert("Loadgen-Number", "1");
        headers
    };
    let version = concat!("1/", env!("CARGO_PKG_VERSION"));
    let of_service = async |headers: HeaderMap| {
        let answer = client.request_with_headers(subject.clone(), headers, "{}".into()).await.unwrap();
        answer.headers.unwrap().get("Nats-Service-Error").unwrap().to_string()
    };
    assert!(of_service(HeaderMap::new()).await.contains("orders of version ``"));
    assert!(of_service(headers("r", "0/0")).await.contains("start both with the same version of loadgen"));
    assert!(of_service(headers("../r", version)).await.contains("Loadgen-Run"));
    let failed = async |content: &'static str| {
        let content = content.as_bytes().into();
        let answer =
            client.request_with_headers(subject.clone(), headers("r", version), content).await.unwrap();
        String::from_utf8(answer.payload.to_vec()).unwrap()
    };
    assert!(failed("no order").await.contains("the agent cannot read the order"));
    assert!(
        failed(r#"{"play":"report"}"#).await.contains("the agent cannot read the order"),
        "its own business"
    );
    assert!(failed(r#"{"play":"finish"}"#).await.contains("the agent does not know this run"));
    assert!(!agent.printed().contains(PASSWORD), "{}", agent.printed());
}
