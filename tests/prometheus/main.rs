//! The alerts and the dashboard of `deploy/`, on a real Prometheus that scrapes a client through a failover. A program of its own,
//! because the exporter is for all of it.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]
#![allow(dead_code, reason = "it uses a part of what the tests of the native client use")]

mod server;
#[path = "../native/world.rs"]
mod world;

use std::path::{Path, PathBuf};

use metrics_exporter_prometheus::{Matcher, PrometheusBuilder};
use nats_geo::GeoOptions;
use nats_geo::core::Config;
use serde_json::Value;

use server::{Prometheus, free_port, program};
use world::{Ears, World, wait_for, within};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

#[test]
fn alerts_fire_when_they_should_and_only_then() {
    let test = deploy().join("prometheus/alerts.test.yml");
    let output = std::process::Command::new(program("promtool")).args(["test", "rules"]).arg(test).output();
    let output = output.unwrap();
    let text =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn prometheus_evaluates_every_alert_and_every_panel() {
    let exporter = free_port();
    let phases = Matcher::Full("nats_geo_move_seconds".to_owned());
    PrometheusBuilder::new()
        .with_http_listener(([127, 0, 0, 1], exporter))
        .set_buckets_for_metric(phases, &[0.02, 0.1, 0.5, 1.0, 2.0, 5.0])
        .unwrap()
        .install()
        .unwrap();
    let mut world = World::start().await;
    let options = GeoOptions::new().config(Config::interactive()).name("shop");
    let client = within("connecting", options.connect(world.urls("lon"))).await.unwrap();
    let mut ears = Ears::of(&client, "orders").await;
    let prometheus = Prometheus::start(&[exporter], &deploy().join("prometheus/alerts.yml"));
    ears.hear(&client, "orders", "before").await;
    // Counters begin at 0, or an increase would not see the first count.
    for counter in ["nats_geo_discarded_total", "nats_geo_moves_total{cause=\"region_lost\"}"] {
        let at_zero = format!("{counter} == 0");
        wait_for(&at_zero, async || prometheus.query(&at_zero).await.pop()).await;
    }
    // Two scrapes with the client at home, so that rates have something to begin with.
    let at_home = r#"count_over_time(nats_geo_live_links{client="shop", region="lon"}[1m]) >= 2"#;
    wait_for("two scrapes", async || prometheus.query(at_home).await.pop()).await;

    world.cluster.kill_region("lon").unwrap();
    wait_for("the move", async || (client.stats().moves == 1).then_some(())).await;
    ears.hear(&client, "orders", "after").await;
    let moved = r#"nats_geo_moves_total{client="shop", cause="region_lost"} == 1"#;
    wait_for("the move in Prometheus", async || prometheus.query(moved).await.pop()).await;

    let rules = wait_for("a look at every alert", async || prometheus.rules_if_evaluated().await).await;
    assert!(rules.len() >= 6 && rules.iter().all(|(_, health)| health == "ok"), "{rules:?}");
    for (title, expression) in panels() {
        wait_for(&format!("data of the panel `{title}`: {expression}"), async || {
            prometheus.query(&expression).await.pop()
        })
        .await;
    }
}

/// Every expression of the dashboard, as it is for all clients and the last minute.
fn panels() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(deploy().join("grafana/nats-geo.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut all = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let expression = text(&target["expr"]).replace("$client", ".*");
            let expression = expression.replace("$__rate_interval", "1m").replace("$__range", "1m");
            assert!(!expression.contains('$'), "an unknown variable: {expression}");
            all.push((text(&panel["title"]), expression));
        }
    }
    assert!(all.len() >= 8);
    all
}
