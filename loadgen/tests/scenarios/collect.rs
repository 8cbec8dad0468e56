//! `loadgen run --collect`: figures of another system stand in the report, beside those of the play.

use std::net::TcpListener;

use loadgen::collect::{collect_schema, from_toml};
use serde_json::Value;

use crate::own::play;

/// The server has no client until the second phase.
const SCENARIO: &str = r#"
title = "Figures of another system"
clients = [{ name = "geo", kind = "nats-geo", regions = { lon = 3 } }]
[[phase]]
name = "all"
for = "2500ms"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn figures_of_an_api_stand_in_the_report() {
    let held = [0_u16; 3].map(|any| TcpListener::bind(("127.0.0.1", any)).unwrap());
    let [client, monitor, nobody] = held.map(|listener| listener.local_addr().unwrap().port());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("collect.toml").display().to_string();
    let source = |name: &str, port: u16| {
        let metric = "{ name = \"connections\", value = \"/connections\" }";
        format!(
            "[[source]]\nname = \"{name}\"\nevery = \"1s\"\nurl = \"http://127.0.0.1:{port}/varz\"\nmetric = [{metric}]\n"
        )
    };
    std::fs::write(&file, source("lon-1", monitor) + &source("nobody", nobody)).unwrap();
    let topology = format!(
        "[[topology.cluster]]\nname = \"lon\"\n[[topology.cluster.server]]\nports = {{ client = {client}, monitor = {monitor} }}\n"
    );
    let played = play(&format!("{SCENARIO}{topology}"), &["--collect", &file]).await;

    let rows = played.report["runs"][0]["collected"].as_array().unwrap();
    let values: Vec<_> =
        rows[0]["values"].as_array().unwrap().iter().map(|it| (it[0].as_f64(), it[1].as_f64())).collect();
    assert_eq!(
        (&rows[0]["source"], &rows[0]["figure"], rows.len()),
        (&"lon-1".into(), &"connections".into(), 1)
    );
    assert!((2..=4).contains(&values.len()), "one value per second: {values:?}");
    assert!(values.iter().all(|(at, _)| at.is_some_and(|at| (0.0..=4.0).contains(&at))), "{values:?}");
    // The clients, and connections of loadgen's own.
    assert!(values.iter().all(|(_, value)| value.is_some_and(|value| value >= 3.0)), "{values:?}");
    let notes = played.report["notes"].to_string();
    assert!(notes.contains("queries of `nobody` failed. The last reason: http://127.0.0.1:"), "{notes}");

    let lines = played.file("series.ndjson");
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(lines.iter().filter(|line| line["source"] == "lon-1").count(), values.len());
    assert!(played.file("report.html").contains("\"figure\":\"connections\""));
    crate::schemas::is_a_report(&played.report);
}

#[test]
fn the_files_that_ship_are_read_and_their_schema_knows_them() {
    let files = concat!(env!("CARGO_MANIFEST_DIR"), "/../deploy/collect");
    let schema = jsonschema::draft202012::new(&serde_json::from_str(&collect_schema()).unwrap()).unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(files).unwrap() {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(!from_toml(&text, &path.display().to_string()).unwrap().is_empty());
        let table: toml::Table = toml::from_str(&text).unwrap();
        let complaints: Vec<_> =
            schema.iter_errors(&serde_json::to_value(&table).unwrap()).map(|it| it.to_string()).collect();
        assert!(complaints.is_empty(), "{}: {complaints:?}", path.display());
        names.push(path.file_name().unwrap().to_owned());
    }
    names.sort();
    assert_eq!(names, ["dns.toml", "fly.toml", "nats-server.toml", "vultr.toml"]);
}
