//! Orders of operators to a super-cluster that `loadgen up` keeps running.

use std::path::Path;
use std::process::Stdio;

use loadgen::clock;
use serde_json::{Value, json};
use tempfile::tempdir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::process::Child;
use tokio::time::timeout;

use crate::page::{Page, expect};
use crate::served::{Dashboard, LIMIT, loadgen};

/// Starts two servers. They end when this is dropped.
async fn up(folder: &Path) -> Child {
    let mut running =
        loadgen(folder, &["up", "--regions=lon,ams", "--servers-per-region=1"], &[]).spawn().unwrap();
    let mut lines = BufReader::new(running.stdout.take().unwrap()).lines();
    timeout(LIMIT, lines.next_line())
        .await
        .expect("no address")
        .unwrap()
        .expect("it ended without an address");
    running
}

/// The state of `lon-1` in an event.
fn state(data: &Value) -> &Value {
    &data["regions"][0]["servers"][0]["state"]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_breaks_and_mends_and_every_reader_sees_it() {
    let place = tempdir().unwrap();
    let dashboard = Dashboard::start(place.path(), &["--operate"], &[]).await;
    assert!(dashboard.operator.len() == 32 && dashboard.operator != dashboard.token);
    let order = async |order: Value| dashboard.order(&dashboard.operator, &order.to_string()).await;

    let nothing_up = order(json!({ "do": "kill", "target": "lon-1" })).await;
    assert_eq!(nothing_up.status, 409);
    assert!(nothing_up.text().contains("start one with `loadgen up"), "{}", nothing_up.text());
    let _running = up(place.path()).await;

    let mut page = Page::open(&dashboard, "up").await;
    page.shows(|data| expect(state(data) == "up" && data["rtt_ms"]["lon-ams"] == 9.0, "whole", data)).await;
    assert_eq!(order(json!({ "do": "kill", "target": "lon-1" })).await.status, 204);
    page.shows(|data| {
        expect(state(data) == "dead", "dead", data)?;
        let last = &data["orders"][0];
        expect(last["order"] == "kill lon-1" && last["error"].is_null(), "orders", data)
    })
    .await;
    let twice = order(json!({ "do": "pause", "target": "lon-1" })).await;
    assert_eq!(twice.status, 409, "{}", twice.text());
    assert_eq!(order(json!({ "do": "heal", "target": "lon-1" })).await.status, 204);
    page.shows(|data| expect(state(data) == "up", "healed", data)).await;

    a_fault_has_an_end(&dashboard, &mut page).await;
    let refused = order(json!({ "do": "inject", "fault": "meteor:lon", "lasts_ms": null })).await;
    assert_eq!((refused.status, refused.text().contains("`meteor:lon` is not a fault")), (409, true));
    page.shows(|data| {
        let failed = &data["orders"][0];
        expect(failed["order"] == "inject meteor:lon" && failed["error"].is_string(), "a refusal", data)
    })
    .await;

    let printed = dashboard.end().await;
    for line in
        ["an operator ordered `kill lon-1`: done", "an operator ordered `inject meteor:lon`: `meteor:lon`"]
    {
        assert!(printed.contains(line), "{printed}");
    }
}

/// A plain socket to the server sees the distance, which ends by itself.
async fn a_fault_has_an_end(dashboard: &Dashboard, page: &mut Page) {
    let mut address = String::new();
    page.shows(|data| {
        let url = data["regions"][0]["tcp_urls"].as_array().unwrap().iter().find_map(Value::as_str);
        address = url.and_then(|url| url.strip_prefix("lon=nats://")).unwrap_or_default().to_owned();
        expect(!address.is_empty(), "an address", data)
    })
    .await;
    let is_greeted = async || {
        // On a busy machine, the RST is there before this end has noticed the handshake.
        let Ok(stream) = TcpStream::connect(&address).await else { return false };
        let mut line = String::new();
        let greeting = BufReader::new(stream).read_line(&mut line).await;
        greeting.is_ok() && line.starts_with("INFO ")
    };
    let inject = json!({ "do": "inject", "fault": "reset:lon", "lasts_ms": 1_500 });
    assert_eq!(dashboard.order(&dashboard.operator, &inject.to_string()).await.status, 204);
    assert!(!is_greeted().await, "connections are reset");
    page.shows(|data| expect(data["faults"][0]["fault"] == "reset:lon", "the fault", data)).await;
    page.shows(|data| expect(data["faults"] == json!([]), "the end of the fault", data)).await;
    let deadline = clock::now() + LIMIT;
    while !is_greeted().await {
        assert!(clock::now() < deadline, "connections are still reset");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_gets_no_passwords_starts_no_program_and_sends_no_page() {
    let place = tempdir().unwrap();
    let _running = up(place.path()).await;
    let dashboard = Dashboard::start(place.path(), &["--operate"], &[]).await;
    let operator = dashboard.operator.clone();
    for (order, status, reason) in [
        (r#"{"do":"access"}"#, 400, "no orders here"),
        (
            r#"{"do":"inject","fault":"restart:lon-1,version=/bin/sh","lasts_ms":null}"#,
            400,
            "`version` is a path",
        ),
        (r#"{"do":"explode","target":"lon"}"#, 422, "unknown variant `explode`"),
        (r#"{"do":"kill","target":"lon","also":1}"#, 422, "unknown field `also`"),
        (r#"{"do":"kill""#, 400, "Failed to parse"),
        (r#"{"do":"kill","target":"mars"}"#, 409, "there is no `mars`"),
    ] {
        let answer = dashboard.order(&operator, order).await;
        assert_eq!(answer.status, status, "{order}: {}", answer.text());
        assert!(answer.text().contains(reason), "{order}: {}", answer.text());
    }
    let long = format!(r#"{{"do":"kill","target":"{}"}}"#, "x".repeat(5_000));
    assert_eq!(dashboard.order(&operator, &long).await.status, 413);
    // A form of another site can send text, but no JSON.
    let lines = [format!("authorization: Bearer {operator}"), "content-type: text/plain".to_owned()];
    assert_eq!(dashboard.ask("POST", "/api/orders", &lines).await.status, 415);

    let session = dashboard.ask("GET", "/api/session", &lines[..1]).await.json();
    assert_eq!((&session["role"], &session["operable"]), (&json!("operate"), &json!(true)));
    let viewer = dashboard.get("/api/session").await.json();
    assert_eq!((&viewer["role"], &viewer["operable"]), (&json!("view"), &json!(true)));
    let login = dashboard.ask("POST", "/api/session", &[dashboard.bearer()]).await;
    let cookie = login.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let viewer = dashboard.ask("GET", "/api/session", &[format!("cookie: {cookie}")]).await.json();
    assert_eq!(viewer["role"], "view", "the cookie has the role of its token");
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_have_a_token_of_their_own() {
    let place = tempdir().unwrap();
    let file = |name: &str, token: &str| {
        let path = place.path().join(name);
        std::fs::write(&path, token).unwrap();
        path.display().to_string()
    };
    let (view, operate) = (file("view", "0123456789abcdef"), file("operate", "fedcba9876543210"));
    let start = async |args: &[&str]| {
        let mut command =
            loadgen(place.path(), &[&["dashboard", "--listen=127.0.0.1:0"], args].concat(), &[]);
        let done = timeout(LIMIT, command.stdout(Stdio::null()).output()).await.unwrap().unwrap();
        assert!(!done.status.success(), "{args:?}");
        String::from_utf8(done.stderr).unwrap()
    };
    let same = start(&["--operate", "--token-file", &view, "--operator-token-file", &view]).await;
    assert!(same.contains("have the same token") && !same.contains("0123456789abcdef"), "{same}");
    let without = start(&["--operator-token-file", &operate]).await;
    assert!(without.contains("--operate"), "{without}");
    let short = start(&["--operate", "--operator-token-file", &file("short", "hunter2")]).await;
    assert!(short.contains("--operator-token-file") && !short.contains("hunter2"), "{short}");

    let files = ["--operate", "--token-file", &view, "--operator-token-file", &operate];
    let dashboard = Dashboard::start(place.path(), &files, &[]).await;
    assert_eq!((&*dashboard.token, &*dashboard.operator), ("", ""), "no address holds a token of a file");
    let status = dashboard.order("fedcba9876543210", r#"{"do":"kill","target":"lon"}"#).await.status;
    assert_eq!(status, 409, "nothing is up");
    assert_eq!(dashboard.order("0123456789abcdef", r#"{"do":"kill","target":"lon"}"#).await.status, 403);
}
