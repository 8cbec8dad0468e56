//! A region that dies, and a guard that loses its own connection.

use loadgen::cluster::SuperCluster;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::command::{Guard, Place, TURN, login, login_at, start, wait_until};

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_region_runs_the_hook_once_and_heals() {
    let _turn = TURN.lock().await;
    let mut cluster = start(&["lon", "ams", "dal"], 1).await;
    let place = Place::new();
    let hook = place.script("hook", "echo run >> runs; env | grep ^GUARD_ | sort > facts; echo \"args: $*\"");
    let rules = format!(
        "every = \"1s\"\n\
         [[rule]]\nname = \"region lost\"\nwhen = \"region-silent\"\nfor = \"2s\"\ndo = \"run\"\n\
         program = \"{hook}\"\nargs = [\"--region\", \"$HOME\"]\nat_most = \"1 per 1h\"\n\
         [[rule]]\nname = \"say it\"\nwhen = \"region-silent\"\nfor = \"2s\"\ndo = \"warn\"\nat_most = \"9 per 1h\"\n"
    );
    let login = [login(&cluster), vec!["--act".to_owned()]].concat();
    let guard = place.guard(&rules, &login, &[]).await;
    let started = &guard.events("started")[0];
    assert_eq!(started["seen_from"], serde_json::json!(["ams", "dal", "lon"]), "{started}");

    cluster.kill_region("dal").unwrap();
    let ended = guard.wait_for("ended", |line| line["rule"] == "region lost").await;
    assert_eq!((&ended["outcome"], &ended["subject"]), (&"done".into(), &"dal".into()), "{ended}");
    the_hook_has_the_facts(&place);
    assert!(guard.output().contains("args: --region $HOME"), "no shell reads arguments: {}", guard.output());

    cluster.restart_region("dal").await.unwrap();
    guard.wait_for("healed", |line| line["rule"] == "region lost").await;
    cluster.kill_region("dal").unwrap();
    let held = guard.wait_for("held-back", |line| line["rule"] == "region lost").await;
    assert!(held["reason"].as_str().unwrap().contains("at_most"), "{held}");
    wait_until(async || {
        let warned = guard.events("acts").into_iter().filter(|line| line["rule"] == "say it").count();
        if warned == 2 { Ok(()) } else { Err(format!("{warned} warnings: {}", guard.output())) }
    })
    .await;
    assert_eq!(std::fs::read_to_string(place.path("runs")).unwrap(), "run\n", "{}", guard.output());

    // A guard that is started again keeps to the rate limit of the earlier one.
    assert_eq!(guard.interrupt().await, Some(0));
    let again = place
        .guard(
            &rules.replace(
                "[[rule]]\nname = \"region lost\"",
                "[[rule]]\nname = \"region lost\"\nregions = [\"dal\"]",
            ),
            &login,
            &[],
        )
        .await;
    wait_until(async || {
        let held = again.events("held-back").len();
        if held == 2 { Ok(()) } else { Err(again.output()) }
    })
    .await;
    assert_eq!(std::fs::read_to_string(place.path("runs")).unwrap(), "run\n", "{}", again.output());
    again.stop().await;
    cluster.shutdown().await;
}

fn the_hook_has_the_facts(place: &Place) {
    let facts = std::fs::read_to_string(place.path("facts")).unwrap();
    for fact in [
        "GUARD_RULE=region lost\n",
        "GUARD_CONDITION=region-silent\n",
        "GUARD_REGION=dal\n",
        "GUARD_SUBJECT=dal\n",
        "\"seen_from\":[\"ams\",\"lon\"]",
        "GUARD_TEXT=region lost: dal is silent: none of its known servers (1) answers through ams, lon",
    ] {
        assert!(facts.contains(fact), "{fact}: {facts}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_region_without_gateways_is_told_apart_from_a_dead_one() {
    let _turn = TURN.lock().await;
    let mut cluster = start(&["lon", "ams", "dal"], 1).await;
    let place = Place::new();
    let login = [login(&cluster), vec!["--act".to_owned()]].concat();
    let guard = place.guard(SILENCE, &login, &[]).await;
    cluster.isolate_region("dal").unwrap();
    let acts = guard.wait_for("acts", |line| line["rule"] == "region").await;
    assert_eq!(
        (&acts["subject"], &acts["evidence"]["answers_guard"]),
        (&"dal".into(), &true.into()),
        "{acts}"
    );
    assert!(guard.output().contains("dal has lost its gateways: it answers guard"), "{}", guard.output());
    cluster.heal_region("dal").await.unwrap();
    guard.wait_for("healed", |line| line["rule"] == "region" && line["subject"] == "dal").await;
    let servers: Vec<_> = guard.events("acts").into_iter().filter(|line| line["rule"] == "server").collect();
    assert!(servers.is_empty(), "its own region hears the server: {servers:?}");
    guard.stop().await;
    cluster.shutdown().await;
}

/// Forwards connections to a server until it is dropped: the only way from guard to the super-cluster.
struct Way(JoinHandle<()>);

impl Way {
    /// Listens at this port; 0 takes a free one. Returns the port, too.
    async fn open(to: String, port: u16) -> (Self, u16) {
        let listener = TcpListener::bind(("127.0.0.1", port)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let accepting = async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let to = to.clone();
                connections.spawn(async move {
                    let mut far = TcpStream::connect(to).await.unwrap();
                    // Either side may close it.
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                });
            }
        };
        (Self(tokio::spawn(accepting)), port)
    }
}

impl Drop for Way {
    fn drop(&mut self) {
        self.0.abort();
    }
}

const SILENCE: &str = "every = \"1s\"\n\
    [[rule]]\nname = \"region\"\nwhen = \"region-silent\"\nfor = \"1s\"\ndo = \"warn\"\n\
    [[rule]]\nname = \"server\"\nwhen = \"server-silent\"\nfor = \"1s\"\ndo = \"warn\"\n";

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_connection_of_guard_is_no_silent_region() {
    let _turn = TURN.lock().await;
    let mut cluster = start(&["lon", "ams"], 1).await;
    let place = Place::new();
    let lon = cluster.server_urls()["lon-1"].trim_start_matches("nats://").to_owned();
    let (way, port) = Way::open(lon.clone(), 0).await;
    let login = [login_at(&cluster, &format!("127.0.0.1:{port}")), vec!["--act".to_owned()]].concat();
    let guard = place.guard(SILENCE, &login, &[]).await;

    drop(way);
    let blind = guard.wait_for("cannot-see", |_| true).await;
    assert_eq!(blind["what"], "the servers", "{blind}");
    // Several times as long as both rules need to act: the length of the outage, not a wait for its result.
    tokio::time::sleep(std::time::Duration::from_secs(4)).await;
    let (_way, _) = Way::open(lon, port).await;
    guard.wait_for("sees-again", |_| true).await;
    assert_eq!(guard.events("acts"), Vec::<serde_json::Value>::new(), "{}", guard.output());

    a_real_failure_is_seen(&mut cluster, &guard).await;
    guard.stop().await;
    cluster.shutdown().await;
}

async fn a_real_failure_is_seen(cluster: &mut SuperCluster, guard: &Guard<'_>) {
    cluster.kill_region("ams").unwrap();
    guard.wait_for("acts", |line| line["rule"] == "region" && line["subject"] == "ams").await;
    let server = guard.wait_for("acts", |line| line["rule"] == "server").await;
    assert_eq!((&server["subject"], &server["region"]), (&"ams-1".into(), &"ams".into()), "{server}");
}
