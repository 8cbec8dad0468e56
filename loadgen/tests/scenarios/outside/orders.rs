//! A new meta leader in `/jsz`, and two sides of a split that get no messages from each other.

use std::collections::BTreeSet;
use std::time::Instant;

use super::{LOOK, Notes, Watchers, ports, topology};
use crate::monitor::monitor;
use crate::own::play;

const SCENARIO: &str = r#"
title = "A new leader, and a split"
faults = ["step-down:meta@0s", "split:dal@500ms/1s"]
clients = [{ name = "geo", kind = "nats-geo", regions = { lon = 1 } }]
[[phase]]
name = "all"
for = "1800ms"
"#;

/// Numbers that a subscriber heard of a subject, and when.
fn numbers(heard: &Notes<String>, subject: &str) -> Vec<(Instant, u64)> {
    let heard = heard.lock().unwrap();
    let head = format!("MSG {subject} ");
    let messages = heard.windows(2).filter(|pair| pair[0].1.starts_with(&head));
    messages.map(|pair| (pair[1].0, pair[1].1.parse().unwrap())).collect()
}

/// The most messages in a row that a subscriber did not hear, and when it heard the last one before.
fn gap(heard: &[(Instant, u64)]) -> (u64, Instant) {
    assert!(heard.len() > 20, "{heard:?}");
    let gaps = heard.windows(2).map(|pair| (pair[1].1 - pair[0].1 - 1, pair[0].0));
    gaps.max_by_key(|(missing, _)| *missing).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_split_and_a_new_leader_are_seen_by_sockets_and_jsz() {
    let [lon, ams, dal] = ports();
    let mut watchers = Watchers::default();
    let leaders = watchers.look(move || {
        let leader = monitor(lon.1, "/jsz")?["meta_cluster"]["leader"].as_str()?.to_owned();
        (!leader.is_empty()).then_some(leader)
    });
    let in_lon = watchers.converse(lon.0, "from.*", Some("from.lon"));
    let in_ams = watchers.converse(ams.0, "from.*", Some("from.ams"));
    let in_dal = watchers.converse(dal.0, "from.*", Some("from.dal"));
    let regions = topology(&[("lon", &[lon]), ("ams", &[ams]), ("dal", &[dal])]);
    play(&format!("{SCENARIO}{regions}"), &[]).await;
    drop(watchers);

    let silent = (1_000 / LOOK.as_millis() * 3 / 4) as u64;
    let mut since = Vec::new();
    for (side, other, heard) in [
        ("dal", "from.lon", &in_dal),
        ("dal", "from.ams", &in_dal),
        ("lon", "from.dal", &in_lon),
        ("ams", "from.dal", &in_ams),
    ] {
        let (missing, last) = gap(&numbers(heard, other));
        assert!(
            missing > silent,
            "{side} missed {missing} messages {other}, at least {silent} during the split"
        );
        since.push(last);
    }
    for (region, other, heard) in [("lon", "from.ams", &in_lon), ("ams", "from.lon", &in_ams)] {
        let (missing, _) = gap(&numbers(heard, other));
        assert_eq!(missing, 0, "{region} and the region of {other} are on one side");
    }

    let split = since.into_iter().min().unwrap();
    let leaders = leaders.lock().unwrap();
    let before: BTreeSet<_> =
        leaders.iter().filter(|(at, _)| *at < split).map(|(_, leader)| leader).collect();
    assert_eq!(before.len(), 2, "one leader, then another one: {before:?}");
}
