//! Clients that a fault replaces, reconnects, or whose user it revokes, as `/connz` and `/varz` show them.

use std::collections::{BTreeMap, BTreeSet};

use super::{Watchers, ports, topology};
use crate::monitor::monitor;
use crate::own::play;

/// The last fault gives each population a user of its own, by which `/connz` tells its connections from all others.
const SCENARIO: &str = r#"
title = "Clients come and go"
faults = [
  "churn:churned,per_s=4@1s/2s",
  "replace:old,with=new@1s/2s",
  "mass-reconnect:again@2s",
  "revoke:churned+again+old+new+still@4s",
]
clients = [
  { name = "churned", kind = "async-nats", per_region = 2 },
  { name = "old", kind = "async-nats", per_region = 3 },
  { name = "new", kind = "nats-geo" },
  { name = "again", kind = "async-nats", per_region = 3 },
  { name = "still", kind = "async-nats", per_region = 2 },
]
[[workload]]
kind = "request"
[[phase]]
name = "all"
for = "5s"
"#;

/// The connections of a server.
struct Look {
    /// By population: number of the connection, and how many messages came from it.
    clients: BTreeMap<String, BTreeMap<u64, u64>>,
    /// Connections since the start of the server.
    total: u64,
}

impl Look {
    fn of(port: u16) -> Option<Self> {
        let connz = monitor(port, "/connz?auth=1")?;
        let mut clients = BTreeMap::<_, BTreeMap<_, _>>::new();
        for connection in connz["connections"].as_array()? {
            let user = connection["authorized_user"].as_str().unwrap_or_default();
            let Some(population) = user.strip_prefix("loadgen-") else { continue };
            let (cid, messages) = (connection["cid"].as_u64()?, connection["in_msgs"].as_u64()?);
            clients.entry(population.to_owned()).or_default().insert(cid, messages);
        }
        Some(Self { clients, total: monitor(port, "/varz")?["total_connections"].as_u64()? })
    }

    fn cids(&self, population: &str) -> BTreeSet<u64> {
        self.clients.get(population).into_iter().flat_map(|clients| clients.keys().copied()).collect()
    }

    /// The number of connections of each population.
    fn counts<const N: usize>(&self, populations: [&str; N]) -> [usize; N] {
        populations.map(|population| self.cids(population).len())
    }
}

const ALL: [&str; 5] = ["churned", "old", "new", "again", "still"];

#[tokio::test(flavor = "multi_thread")]
async fn connz_shows_clients_that_are_exchanged_renewed_replaced_and_revoked() {
    let [lon] = ports();
    let mut watchers = Watchers::default();
    let looks = watchers.look(move || Look::of(lon.1));
    play(&format!("{SCENARIO}{}", topology(&[("lon", &[lon])])), &[]).await;
    drop(watchers);
    let looks: Vec<Look> = looks.lock().unwrap().drain(..).map(|(_, look)| look).collect();
    let counts: Vec<_> = looks.iter().map(|look| look.counts(ALL)).collect();
    let before = counts.iter().position(|found| *found == [2, 3, 0, 3, 2]);
    let before = before.unwrap_or_else(|| panic!("nobody looked before the faults: {counts:?}"));
    let after = counts.iter().rposition(|found| *found == [2, 0, 3, 3, 2]);
    let after = after.unwrap_or_else(|| panic!("nobody looked after the faults: {counts:?}"));
    assert!(before < after, "{counts:?}");
    // Once their users are back, clients connect anew.
    let ever =
        |population| looks[..=after].iter().flat_map(|look| look.cids(population)).collect::<BTreeSet<_>>();

    // 4 per second, for 2 s.
    let churned = ever("churned");
    assert!((2 + 6..=2 + 12).contains(&churned.len()), "{churned:?}");
    assert!(looks[before].cids("churned").is_disjoint(&looks[after].cids("churned")));
    assert!(counts.iter().all(|[churned, ..]| *churned <= 5), "an end for each begin: {counts:?}");

    assert!(looks[before].cids("again").is_disjoint(&looks[after].cids("again")));
    assert_eq!(ever("again").len(), 2 * 3, "each client connected again, once");

    assert_eq!(ever("old").len(), 3);
    assert!(counts.iter().any(|[_, old, new, ..]| *old > 0 && *new > 0), "one after the other: {counts:?}");
    let messages = looks[after].clients["new"].values().min();
    assert!(messages > Some(&10), "the clients that came do the work: {messages:?}");

    assert_eq!(ever("still").len(), 2, "no fault meets the others");
    let accepted = looks[after].total - looks[before].total;
    assert!(accepted >= 6 + 3 + 3, "{accepted} connections");
    assert!(counts[after..].contains(&[0; 5]), "the server closes all of a revoked user: {counts:?}");
}
