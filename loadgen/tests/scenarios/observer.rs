//! Tests that loadgen measures the same failovers as a separate program: `observer.py` has its own sockets and its own
//! clock.

use std::net::TcpListener;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::TURN;

const CLIENTS: usize = 4;

const ATTEMPTS: usize = 3;

/// From lon to ams and back, as in the table of cities.
const RTT_MS: f64 = 9.0;

#[tokio::test(flavor = "multi_thread")]
async fn failovers_from_a_killed_region_are_those_that_an_independent_observer_sees() {
    agree("kill").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn failovers_from_a_silent_region_are_those_that_an_independent_observer_sees() {
    agree("silence").await;
}

/// A busy machine delays one of the two programs at times, and then they differ. If loadgen measures wrong, they always differ.
async fn agree(fault: &str) {
    let _turn = TURN.lock().await;
    let mut differences = Vec::new();
    while differences.len() < ATTEMPTS {
        let (measured, observed) = measure(fault).await;
        println!("measured {measured:?}, observed {observed:?}");
        assert_eq!((measured.len(), observed.len()), (CLIENTS, CLIENTS), "{measured:?}, {observed:?}");
        let differs = |(measured, observed): &(&f64, &f64)| {
            (**measured - **observed).abs() > (**observed * 0.1).max(5.0)
        };
        match measured.iter().zip(&observed).find(differs) {
            None => return,
            Some((measured, observed)) => {
                differences.push(format!("{measured:.1} ms, but observed {observed:.1} ms"));
            }
        }
    }
    panic!("{differences:?}");
}

/// Plays the scenario once. Returns what loadgen measured and what the observer saw, each sorted.
async fn measure(fault: &str) -> (Vec<f64>, Vec<f64>) {
    let folder = tempfile::tempdir().unwrap();
    let [watched, answers] = free_ports();
    let scenario = folder.path().join("observed.toml");
    std::fs::write(&scenario, text(fault, watched, answers)).unwrap();

    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios/observer.py");
    let observer = Command::new("python3")
        .arg(program)
        .args([watched, answers].map(|port| port.to_string()))
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("this test needs Python 3 as `python3` on PATH");
    let loadgen = Command::new(env!("CARGO_BIN_EXE_loadgen"))
        .arg("run")
        .args([scenario.as_path(), Path::new("--out"), folder.path()])
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let observed = observer.wait_with_output().await.unwrap();
    let text = String::from_utf8_lossy(&loadgen.stderr).into_owned();
    assert!(matches!(loadgen.status.code(), Some(0 | 98)), "{text}");

    // The observer learns of the fault half a round trip late, and sees an answer half a round trip before the client does.
    let observed: Vec<f64> = serde_json::from_slice(&observed.stdout).unwrap();
    let observed: Vec<f64> = observed.into_iter().map(|ms| ms + RTT_MS).collect();
    let report = std::fs::read(folder.path().join("report.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    let rows = report["runs"][0]["failovers"].as_array().unwrap().iter();
    let mut measured: Vec<f64> = rows.map(|row| row["total_ms"].as_f64().unwrap()).collect();
    measured.sort_by(f64::total_cmp);
    (measured, observed)
}

/// The region lon breaks. All its clients move to ams, whose only server the observer listens to.
fn text(fault: &str, watched: u16, answers: u16) -> String {
    let server = |port: u16| format!("[[topology.cluster.server]]\nports = {{ client = {port} }}\n");
    format!(
        "title = \"A region breaks, and somebody watches\"\n\
         [[topology.cluster]]\nname = \"lon\"\n{}\
         [[topology.cluster]]\nname = \"ams\"\n{}\
         [[clients]]\nkind = \"nats-geo\"\nregions = {{ lon = {CLIENTS} }}\n\
         [[workload]]\nkind = \"request\"\nrate = 100\n\
         [[phase]]\nname = \"calm\"\nfor = \"2s\"\n\
         [[phase]]\nname = \"outage\"\nfor = \"3s\"\n\
         [[fault]]\ninject = \"{fault}\"\ntarget = \"lon\"\nphase = \"outage\"\n",
        server(watched),
        server(answers)
    )
}

fn free_ports() -> [u16; 2] {
    let listeners = [0, 0].map(|port| TcpListener::bind(("127.0.0.1", port)).unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}
