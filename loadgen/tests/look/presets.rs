//! The presets with leaf nodes and with an operator: domains, copies between them, and credentials files.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;

use async_nats::jetstream::with_domain;
use loadgen::cluster::{StartOptions, SuperCluster};
use loadgen::topology::Preset;
use loadgen::topology::credentials::Login as Credentials;
use serde_json::Value;

use crate::command::{TURN, command, json, refused, shown, wait_until};

async fn start(preset: &str) -> SuperCluster {
    let mut options = StartOptions::new(Preset::named(preset).unwrap().topology().unwrap());
    options.ready_limit = IN_SYNC;
    SuperCluster::start(options).await.unwrap()
}

/// A mirror that has lost its origin tries again after longer and longer pauses, of up to two minutes (nats-server's `retryMaximum`).
const IN_SYNC: Duration = Duration::from_secs(180);

fn password(login: Credentials) -> (String, String) {
    match login {
        Credentials::Password { user, password } => (user, password.expose().to_owned()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hub_and_its_spokes() {
    let _turn = TURN.lock().await;
    let mut cluster = start("hub-spoke").await;
    let url = cluster.server_urls()["headquarter-1"].clone();
    let (user, user_password) =
        password(cluster.credentials().application_login(cluster.topology()).unwrap());
    let (system, system_password) = password(cluster.system_login().unwrap());
    let env = [("NATS_URL", url.as_str()), ("NATS_USER", &user), ("NATS_PASSWORD", &user_password)];
    let env = [&env[..], &[("NATS_SYSTEM_PASSWORD", &system_password)]].concat();
    let system_env =
        [("NATS_URL", url.as_str()), ("NATS_USER", &system), ("NATS_PASSWORD", &system_password)];

    wait_until(async || is_drawn(&json(&["graph"], &system_env))).await;
    let svg = shown(&["graph"], &system_env);
    assert!(svg.contains("Leaf node spoke-2 of headquarter, "), "{svg}");

    let options = async_nats::ConnectOptions::with_user_and_password(user.clone(), user_password.clone());
    let client = options.connect(&url).await.unwrap();
    let spoke = with_domain(client.clone(), "spoke-1");
    spoke.publish("tickets-1.42", "a seat".into()).await.unwrap().await.unwrap();
    let hub = with_domain(client, "hub");
    hub.publish("cinema-a.new.films", "a film".into()).await.unwrap().await.unwrap();
    let all = ["streams", "--all-domains", "--system-user", &system];
    wait_until(async || is_copied(&json(&all, &env))).await;

    let folder = tempfile::tempdir().unwrap();
    let drawn = folder.path().join("graph.svg").display().to_string();
    let watched = [
        (vec!["clusters"], &system_env[..]),
        (vec!["graph", "--svg", &drawn], &system_env[..]),
        (all.to_vec(), &env[..]),
    ];
    for (args, env) in watched {
        watching_shows_it_again(&args, env);
    }

    // For ten seconds nothing crosses: the report says for how long the hub has not heard the spoke.
    cluster.cut_off_region("spoke-1").unwrap();
    let hub_only = ["streams", "--js-domain", "hub", "--js-domain", "spoke-1"];
    wait_until(async || is_cut_off(&json(&hub_only, &env))).await;
    assert!(shown(&hub_only, &env).contains("* domain `spoke-1`: "));
    cluster.heal_region("spoke-1").await.unwrap();
    wait_until(async || is_copied(&json(&all, &env))).await;
    cluster.shutdown().await;
}

/// With `--watch`, a command looks until it is ended.
fn watching_shows_it_again(args: &[&str], env: &[(&str, &str)]) {
    let mut command = command(&[args, &["--json", "--watch", "1"]].concat(), env);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let looks: Vec<Value> = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .take(2)
        .map(|line| serde_json::from_str(&line.unwrap()).unwrap())
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(looks.len(), 2, "{args:?}");
    let keys = |look: &Value| look.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&looks[0]), keys(&looks[1]), "{args:?}");
}

fn is_drawn(graph: &Value) -> Result<(), String> {
    let names = |list: &str, field: &str| {
        let rows = graph[list].as_array().unwrap().iter();
        rows.map(|row| row[field].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let leafs: Vec<_> = names("leafs", "hub").into_iter().zip(names("leafs", "leaf")).collect();
    let servers: usize = graph["regions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|region| region["servers"].as_array().unwrap().len())
        .sum();
    let expected = ["spoke-1", "spoke-2"].map(|spoke| ("headquarter".to_owned(), spoke.to_owned()));
    // lon to ams takes 9 ms, and lon to dal 113 ms.
    let rtt = |index: usize| graph["leafs"][index]["rtt_ms"].as_f64();
    let are_measured = rtt(0).is_some_and(|ms| ms >= 9.0) && rtt(1).is_some_and(|ms| ms >= 113.0);
    let is_whole = leafs == expected && servers == 9 && names("regions", "name").len() == 3;
    if is_whole && are_measured { Ok(()) } else { Err(graph.to_string()) }
}

fn find<'a>(rows: &'a Value, field: &str, value: &str) -> &'a Value {
    rows.as_array().unwrap().iter().find(|row| row[field] == value).unwrap_or(&Value::Null)
}

fn is_copied(report: &Value) -> Result<(), String> {
    let sales = find(&report["streams"], "stream", "sales");
    let mirror = find(&report["streams"], "stream", "cinema-a-mirror");
    let tickets = find(&report["replication"], "source", "tickets-1");
    let films = find(&report["replication"], "source", "cinema-a");
    let domains: Vec<_> = report["streams"].as_array().unwrap().iter().map(|row| &row["domain"]).collect();
    let is_all = domains == ["hub", "hub", "spoke-1", "spoke-1", "spoke-2"];
    let has_three = sales["replicas"].as_array().is_some_and(|replicas| replicas.len() == 3);
    let is_linked = tickets["api_prefix"] == "$JS.spoke-1.API" && films["api_prefix"] == "$JS.hub.API";
    let are_heard = [tickets, films].iter().all(|row| row["active_s"].as_f64().is_some_and(|s| s < 10.0));
    let is_complete =
        are_heard && sales["messages"] == 1 && mirror["messages"] == 1 && films["kind"] == "mirror";
    let lags = [tickets, films].map(|row| &row["lag"]);
    if is_all && has_three && is_linked && is_complete && lags == [0, 0] {
        Ok(())
    } else {
        Err(report.to_string())
    }
}

/// The hub goes on and shows since when it has not heard the spoke.
fn is_cut_off(report: &Value) -> Result<(), String> {
    let tickets = find(&report["replication"], "source", "tickets-1");
    let failed = find(&report["failed"], "domain", "spoke-1");
    let is_silent = tickets["active_s"].as_f64().is_some_and(|seconds| seconds >= 10.0);
    let is_there = find(&report["streams"], "stream", "sales")["messages"] == 1;
    let is_named = failed["stream"].is_null() && failed["reason"].is_string();
    if !tickets.is_null() && is_silent && is_there && is_named { Ok(()) } else { Err(report.to_string()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credentials_file_logs_in_where_an_operator_rules() {
    let _turn = TURN.lock().await;
    let cluster = start("operator").await;
    let url = cluster.server_urls()["ams-2"].clone();
    let folder = tempfile::tempdir().unwrap();
    let creds = |name: &str, login: Credentials| {
        let Credentials::Creds(text) = login else { panic!("{login:?}") };
        let path = folder.path().join(name);
        std::fs::write(&path, text.expose()).unwrap();
        path.display().to_string()
    };
    let system = creds("system.creds", cluster.system_login().unwrap());
    let user = creds("user.creds", cluster.credentials().application_login(cluster.topology()).unwrap());
    let report = json(&["servers", "--server", &url, "--creds", &system], &[]);
    assert_eq!((&report["totals"]["servers"], &report["silent"]), (&6.into(), &0.into()), "{report}");
    let error = refused(1, &["servers", "--server", &url, "--creds", &user], &[]);
    assert!(error.contains("belongs to the account `"), "{error}");
    let streams = ["streams", "--server", &url, "--creds", &user, "--all-domains", "--system-creds", &system];
    assert_eq!(shown(&streams, &[]).trim(), "This account has no streams here");
    let error = refused(1, &["servers", "--server", &url], &[]);
    assert!(error.contains("--creds"), "{error}");
    cluster.shutdown().await;
}
