//! Tests of the measurements of a run, of the files that it leaves, and of its errors.

use std::collections::BTreeSet;
use std::time::Duration;

use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::time::timeout;

use crate::place::{Done, LIMIT, Place, TURN};

/// Two regions of two servers, one client of each kind per region.
const SMALL: [&str; 8] = [
    "--regions=lon,ams",
    "--servers-per-region=2",
    "--clients=1",
    "--rounds=1",
    "--rate=20",
    "--seed=1",
    "--out=out",
    "--preset=interactive",
];

fn report(place: &Place) -> Value {
    serde_json::from_slice(&std::fs::read(place.path("out/report.json")).unwrap()).unwrap()
}

#[tokio::test]
async fn a_small_run_reports_what_it_saw_and_leaves_nothing_else() {
    let _turn = TURN.lock().await;
    let place = Place::new();
    let done = place.run(&[&SMALL[..], &["--faults=server-kill,region-kill"]].concat()).await;
    println!("{}{}", done.stderr, done.stdout);
    place.assert_nothing_is_left().await;
    let report = report(&place);
    assert_verdict(&done, &report);
    for part in
        ["one server of lon killed", "lon killed", "thresholds hold", report["verdict"].as_str().unwrap()]
    {
        assert!(done.stdout.contains(part), "`{part}` is missing in {}", done.stdout);
    }
    assert!(done.stdout.lines().all(|line| line.chars().count() <= 100), "{}", done.stdout);
    assert_valid(&report);
    broken_reports_are_refused(&report);

    let requests = report["runs"][0]["requests"].as_array().unwrap();
    for population in ["nats-geo", "async-nats"] {
        let of: Vec<_> = requests.iter().filter(|row| row["population"] == population).collect();
        // Two regions in four phases: before and during each fault.
        assert_eq!(of.len(), 8, "{of:?}");
        assert!(of.iter().all(|row| row["sent"].as_u64().unwrap() > 10), "{of:?}");
        assert_intervals(&place.path("out").join(format!("requests-{population}.hlog")));
    }
    let failovers = report["runs"][0]["failovers"].as_array().unwrap();
    for (fault, landed) in [(0, "lon-"), (1, "ams-")] {
        let hit: Vec<_> = failovers.iter().filter(|row| row["fault"] == fault).collect();
        assert!(hit.iter().all(|row| row["total_ms"].as_f64().unwrap() > 0.0), "{hit:?}");
        let of_geo: Vec<_> = hit.iter().filter(|row| row["population"] == "nats-geo").collect();
        assert!(!of_geo.is_empty(), "the server without a client of nats-geo died: {hit:?}");
        assert!(of_geo.iter().all(|row| row["to"].as_str().unwrap().starts_with(landed)), "{of_geo:?}");
    }
    let scenario = std::fs::read_to_string(place.path("out/scenario.toml")).unwrap();
    let again = place.run(&["run", "out/scenario.toml", "--dry-run", "--out=again"]).await;
    assert_eq!(again.code, Some(0), "{scenario}: {}", again.stderr);
}

#[tokio::test]
async fn regions_are_named_as_in_the_field() {
    let _turn = TURN.lock().await;
    let place = Place::new();
    let named = ["--regions=us-east-1,EU_west.é", "--rtt=us-east-1-EU_west.é=9", "--servers-per-region=1"];
    let done = place.run(&[&SMALL[2..], &named[..], &["--faults=region-kill"]].concat()).await;
    println!("{}{}", done.stderr, done.stdout);
    place.assert_nothing_is_left().await;
    let report = report(&place);
    assert_verdict(&done, &report);
    assert_valid(&report);
    let row = failover(&report, 0);
    assert_eq!(
        (row["from"].as_str(), row["to"].as_str()),
        (Some("us-east-1-1"), Some("EU_west.é-1")),
        "{row}"
    );
}

/// The verdict is that of the exit code, and has reasons unless it is PASS. Which one it is depends on the machine.
fn assert_verdict(done: &Done, report: &Value) {
    let expected = match report["verdict"].as_str().unwrap() {
        "PASS" => 0,
        "FAIL" => 99,
        "INCONCLUSIVE" => 98,
        other => panic!("verdict {other}"),
    };
    assert_eq!(done.code, Some(expected), "{}", done.stderr);
    assert_eq!(report["reasons"].as_array().unwrap().is_empty(), expected == 0, "{}", report["reasons"]);
}

/// The nats-geo client that a fault hit.
fn failover(report: &Value, fault: u64) -> &Value {
    let mut rows = report["runs"][0]["failovers"].as_array().unwrap().iter();
    let found = rows.find(|row| row["population"] == "nats-geo" && row["fault"] == fault);
    found.unwrap_or_else(|| panic!("no nats-geo client was hit in {}", report["runs"][0]["failovers"]))
}

fn validator() -> jsonschema::Validator {
    let schema = serde_json::from_str(include_str!("../../scenario-report.schema.json")).unwrap();
    jsonschema::draft202012::new(&schema).unwrap()
}

fn assert_valid(report: &Value) {
    let complaints: Vec<_> = validator().iter_errors(report).map(|error| error.to_string()).collect();
    assert!(complaints.is_empty(), "{complaints:?}");
}

/// A schema that accepts everything would prove nothing.
fn broken_reports_are_refused(report: &Value) {
    let validator = validator();
    let refused = |what: &str, change: &dyn Fn(&mut Value)| {
        let mut broken = report.clone();
        change(&mut broken);
        assert_ne!(&broken, report, "{what} changes nothing");
        assert!(!validator.is_valid(&broken), "accepted without complaint: {what}");
    };
    // A field that may be absent has a type all the same.
    for field in report.as_object().unwrap().keys() {
        refused(field, &|report| report[field] = serde_json::json!({ "wrong": true }));
    }
    for rows in ["failovers", "requests", "phases", "series", "clients", "matrix"] {
        for field in report["runs"][0][rows][0].as_object().unwrap().keys() {
            refused(field, &|report| {
                report["runs"][0][rows][0][field] = serde_json::json!({ "wrong": true })
            });
        }
    }
    refused("a report without a verdict", &|report| drop(report.as_object_mut().unwrap().remove("verdict")));
    refused("an unknown verdict", &|report| report["verdict"] = "MAYBE".into());
    refused("a time in words", &|report| report["runs"][0]["failovers"][0]["total_ms"] = "fast".into());
}

/// One interval per phase and region, each with requests in it.
fn assert_intervals(path: &std::path::Path) {
    let log = std::fs::read(path).unwrap();
    let mut tags = BTreeSet::new();
    for entry in IntervalLogIterator::new(&log) {
        if let LogEntry::Interval(interval) = entry.unwrap() {
            assert!(interval.max() > 0.0 && interval.duration() > Duration::ZERO, "{interval:?}");
            assert!(!interval.encoded_histogram().is_empty(), "{interval:?}");
            tags.insert(interval.tag().unwrap().as_str().to_owned());
        }
    }
    let phases = ["before-server-kill", "server-kill", "before-region-kill", "region-kill"];
    let of = |phase| ["lon", "ams"].map(|region| format!("1-{phase}-from-{region}"));
    let expected: BTreeSet<_> = phases.into_iter().flat_map(of).collect();
    assert_eq!(tags, expected, "{}", path.display());
}

#[tokio::test]
async fn with_json_the_report_is_all_that_is_printed() {
    let _turn = TURN.lock().await;
    let place = Place::new();
    let done = place.run(&[&SMALL[..], &["--faults=server-kill", "--json"]].concat()).await;
    place.assert_nothing_is_left().await;
    let printed: Value =
        serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{error}: {}", done.stdout));
    assert_valid(&printed);
    assert_eq!(printed, report(&place));
    assert_verdict(&done, &printed);
}

#[tokio::test]
async fn an_interrupt_ends_everything_at_any_stage() {
    let _turn = TURN.lock().await;
    for (stage, servers) in [("starting the super-cluster", 0), ("inject kill:lon", 3)] {
        let place = Place::new();
        let mut running = place.command(&[&SMALL[..], &["--faults=server-kill"]].concat()).spawn().unwrap();
        let mut lines = BufReader::new(running.stderr.take().unwrap()).lines();
        let reached = async {
            while let Some(line) = lines.next_line().await.unwrap() {
                if line.contains(stage) {
                    return;
                }
            }
            panic!("it ended before `{stage}`");
        };
        timeout(LIMIT, reached).await.expect(stage);
        let alive = place.processes().await;
        let alive =
            alive.iter().filter(|line| line.contains("nats-server") && line.contains("--config")).count();
        assert!(alive >= servers, "{alive} servers at `{stage}`");

        kill(Pid::from_raw(running.id().unwrap().cast_signed()), Signal::SIGINT).unwrap();
        let status = timeout(LIMIT, running.wait()).await.expect("it does not end").unwrap();
        assert_eq!(status.code(), Some(130), "at `{stage}`");
        place.assert_nothing_is_left().await;
        assert!(!place.path("out/report.json").exists(), "half a run makes no report");
        let last = timeout(LIMIT, async {
            let mut last = String::new();
            while let Some(line) = lines.next_line().await.unwrap() {
                last = line;
            }
            last
        });
        assert_eq!(last.await.expect("its stderr stays open"), "loadgen: interrupted");
    }
}

#[tokio::test]
async fn bad_input_is_named_and_starts_nothing() {
    let _turn = TURN.lock().await;
    let place = Place::new();
    std::fs::write(place.path("file"), "not JSON").unwrap();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().port().to_string();
    let (usage, error) = (2, 1);
    let cases: [(i32, &[&str], &str); 18] = [
        (usage, &[], "--regions"),
        (usage, &["--regions=lon"], "one region: name 2 to 16"),
        (usage, &["--regions=lon,lon"], "loadgen: cluster `lon` exists already"),
        (usage, &["--regions=lon,a ms"], "`a ms`"),
        (
            usage,
            &["--regions=lon,ams", "--rtt=lon-dal=9"],
            "`--rtt lon-dal=MS` does not name two of the regions",
        ),
        (usage, &["--regions=lon,moon"], "--rtt lon-moon=MS"),
        (usage, &["--regions=lon,ams", "--rtt=lon-ams=far"], "lon-ams=far"),
        (usage, &["--regions=lon,ams", "--servers-per-region=0"], "loadgen: 0 servers: give 1 to 9"),
        (
            usage,
            &["--regions=lon,ams", "--servers-per-region=1", "--faults=server-kill"],
            "--servers-per-region",
        ),
        (usage, &["--regions=lon,ams", "--clients=0"], "'0' for '--clients"),
        (usage, &["--regions=lon,ams", "--faults=earthquake"], "'earthquake' for '--faults"),
        (usage, &["--regions=lon,ams", "--fault-regions=dal"], "`dal`"),
        (usage, &["--config=absent.json"], "absent.json"),
        (usage, &["--config=tmp"], "--config tmp"),
        (usage, &["--config=file"], "--config file is not a JSON object"),
        (error, &["--regions=lon,ams", "--base-port", &taken], &taken),
        (
            error,
            &["--regions=lon,ams", "--nats-server", env!("CARGO_BIN_EXE_loadgen")],
            env!("CARGO_BIN_EXE_loadgen"),
        ),
        (error, &["--regions=lon,ams", "--out=file"], "--out file"),
    ];
    for (code, args, part) in cases {
        let done = place.run(args).await;
        assert_eq!(done.code, Some(code), "{args:?}: {}", done.stderr);
        assert!(done.stderr.contains(part), "{args:?}: `{part}` is missing in {}", done.stderr);
        assert_eq!(done.stdout, "", "{args:?}: errors do not belong on stdout");
        place.assert_nothing_is_left().await;
    }
}
