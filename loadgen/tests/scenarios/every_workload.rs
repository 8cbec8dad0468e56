//! Every kind of workload through the death of a region, on real servers.

use crate::own::play;

/// Without lon, three of four servers are left: a majority for the meta group, and all replicas of every stream.
const EVERY_WORKLOAD: &str = r#"
title = "Every workload"
thresholds = [
  "js.lost == 0",
  "js.duplicated == 0",
  "messages.duplicated{workload=queue} == 0",
  "messages.lost{workload=queue, population=geo} <= 60",
  "messages.delivered_share{workload=publish, population=geo} > 80%",
  "messages.published{population=stock} > 0",
  "messages.lost{workload=consume} == 0",
  "messages.duplicated{workload=consume} == 0",
  "messages.redelivered{workload=consume} <= 60",
  "requests.sent{workload=service} > 500",
  "requests.failed{workload=service, population=geo} <= 40",
  "requests.failed{workload=service, population=geo, phase=after} == 0",
  "latency.p50{workload=service, phase=before} < 500ms",
  "requests.sent{workload=closed, phase=before} > 50",
  "requests.sent{workload=growing, phase=before} > 290",
  "requests.sent{workload=growing, phase=before} < 330",
  "requests.sent{workload=growing, phase=after} == 0",
  "kv.lost == 0",
  "kv.duplicated{population=geo} == 0",
  "kv.gets > 50",
  "kv.failed{phase=after, population=geo} == 0",
  "kv.stale <= 20",
  "kv.put_p50{phase=before} < 500ms",
  "object.lost == 0",
  "object.corrupt == 0",
  "object.stale == 0",
  "object.failed{phase=after, population=geo} == 0",
  "object.get_p50{phase=after} < 2s",
  "messages.p50{workload=publish, phase=before} < 500ms",
  "messages.p50{workload=queue, region=ams, phase=after} < 500ms",
]
topology = { cluster = [{ name = "lon", servers = 1 }, { name = "ams", servers = 3 }], distances = { rtt_ms = { "lon-ams" = 9 } } }
faults = ["kill:lon@4s/6s"]
[[clients]]
name = "geo"
kind = "nats-geo"
config = { watch = { ping_interval = "900ms" }, spread = { region_lost = "0ms" } }
per_region = 2
[[clients]]
name = "stock"
kind = "async-nats"
per_region = 1
[[workload]]
kind = "request"
arrival = "poisson"
payload = "mix"
[[workload]]
kind = "jetstream"
rate = 5
[[workload]]
kind = "publish"
[[workload]]
kind = "queue"
rate = 10
[[workload]]
kind = "consume"
rate = 5
[[workload]]
kind = "kv"
gets = 0.6
rate = 10
[[workload]]
kind = "object"
payload = "300KB"
[[workload]]
kind = "service"
[[workload]]
name = "closed"
kind = "request"
concurrency = 1
clients = ["geo"]
# Four clients with 80 requests each.
[[workload]]
name = "growing"
kind = "request"
rates = ["0..40 over 4s", "40..0 over 2s at 4s"]
clients = ["geo"]
[[phase]]
name = "before"
for = "4s"
[[phase]]
name = "killed"
for = "6s"
[[phase]]
name = "after"
for = "4s"
"#;

#[tokio::test(flavor = "multi_thread")]
async fn every_workload_survives_the_death_of_a_region() {
    let played = play(EVERY_WORKLOAD, &["--seed", "3"]).await;
    let details = played.file("report.txt");
    println!("{details}");
    assert!(details.lines().all(|line| line.chars().count() <= 100), "{details}");
    crate::schemas::is_a_report(&played.report);
    played.holds();
    let ledger = played.report["runs"][0]["ledger"].as_array().unwrap();
    for (workload, places) in OBSERVERS {
        for population in ["geo", "stock"] {
            for place in *places {
                let row = ledger.iter().find(|row| {
                    row["workload"] == *workload && row["population"] == population && row["stream"] == *place
                });
                let row =
                    row.unwrap_or_else(|| panic!("no row of {workload}, {population}, {place}: {ledger:?}"));
                assert!(row["delivered"].as_u64().unwrap() > 0, "{row}");
            }
        }
    }
}

/// Who must have the messages of each workload.
const OBSERVERS: &[(&str, &[&str])] = &[
    ("jetstream", &["LOADGEN_1"]),
    ("publish", &["subscriber lon", "subscriber ams"]),
    ("queue", &["queue group"]),
    ("consume", &["LOADGEN_4", "consumer"]),
    ("kv", &["KV_LOADGEN_5"]),
    ("object", &["LOADGEN_6"]),
];
