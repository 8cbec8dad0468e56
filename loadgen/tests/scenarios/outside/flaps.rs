//! A region in lame duck mode, and a server that flaps: sockets that dial again and again, and sockets that stay.

use std::time::Duration;

use super::{Notes, Watchers, ports, topology};
use crate::own::play;

/// Without JetStream no server waits for an election.
const SCENARIO: &str = r#"
title = "A lame region, and a server that flaps"
faults = ["lame-duck:lon@300ms/700ms", "kill:lon-1,down=400ms,up=1500ms@2s/2300ms"]
clients = [{ name = "geo", kind = "nats-geo", per_region = 1 }]
[[phase]]
name = "all"
for = "4600ms"
[topology.jetstream]
enabled = false
"#;

/// How long each refusal lasted, and the time from the begin of each to the begin of the next one. The end of the play is none.
fn refusals(edges: &Notes<bool>) -> (Vec<Duration>, Vec<Duration>) {
    let edges = edges.lock().unwrap();
    let ended = edges.windows(2).filter(|pair| !pair[0].1);
    let lasted = ended.map(|pair| pair[1].0 - pair[0].0).collect::<Vec<_>>();
    let begins: Vec<_> = edges.iter().filter(|(_, accepts)| !accepts).map(|(at, _)| *at).collect();
    let between = begins.windows(2).take(lasted.len().saturating_sub(1)).map(|pair| pair[1] - pair[0]);
    (lasted, between.collect())
}

/// Whether the server told a connection that it is about to end.
fn is_told(heard: &Notes<String>) -> bool {
    let heard = heard.lock().unwrap();
    assert!(heard.first().is_some_and(|(_, line)| line.starts_with("INFO ")), "{heard:?}");
    heard.iter().any(|(_, line)| line.starts_with("INFO ") && line.contains("\"ldm\":true"))
}

#[tokio::test(flavor = "multi_thread")]
async fn sockets_see_a_lame_region_and_a_server_that_flaps() {
    let [lon_1, lon_2, ams] = ports();
    let mut watchers = Watchers::default();
    let edges = [lon_1, lon_2, ams].map(|(client, _)| watchers.dial(client));
    let heard = [lon_1, lon_2, ams].map(|(client, _)| watchers.converse(client, "nothing", None));
    let regions = topology(&[("lon", &[lon_1, lon_2]), ("ams", &[ams])]);
    play(&format!("{SCENARIO}{regions}"), &[]).await;
    drop(watchers);

    assert_eq!(heard.each_ref().map(is_told), [true, true, false], "both servers of lon tell their clients");
    let [lon_1, lon_2, ams] = edges.each_ref().map(refusals);
    let ms = Duration::from_millis;
    assert!(ams.0.is_empty(), "{ams:?}");
    assert!(lon_2.0.len() == 1 && lon_2.0[0] >= ms(650), "the lame duck alone: {lon_2:?}");
    let (lasted, between) = &lon_1;
    assert_eq!(lasted.len(), 3, "the lame duck, and twice down: {lon_1:?}");
    assert!(lasted[0] >= ms(650) && lasted[1..].iter().all(|down| *down >= ms(350)), "{lon_1:?}");
    assert!(between[1] >= ms(400 + 1_500 - 200), "down and up make the period: {lon_1:?}");
}
