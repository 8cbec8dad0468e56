//! A function that plays the scenarios that tests write.

use clap::Parser as _;
use loadgen::cli::{Command, Opts};
use loadgen::scenario_command::{Plan, run};
use serde_json::Value;
use tempfile::TempDir;

use crate::TURN;

/// A scenario that was played.
pub(crate) struct Played {
    /// With the scenario, `scenario.toml`, and the report.
    pub folder: TempDir,
    /// For the terminal.
    pub text: String,
    /// `report.json`.
    pub report: Value,
}

/// The plan of `loadgen run` with these arguments.
pub(crate) fn plan(args: &[&str]) -> Plan {
    let args = ["loadgen", "run"].into_iter().chain(args.iter().copied());
    let Some(Command::Run(opts)) = Opts::try_parse_from(args).unwrap().command else { panic!("not `run`") };
    Plan::new(*opts).unwrap()
}

/// Plays the scenario with more options.
pub(crate) async fn play(scenario: &str, more: &[&str]) -> Played {
    let _turn = TURN.lock().await;
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("scenario.toml"), scenario).unwrap();
    let (file, out) = (path("scenario.toml"), path("out"));
    let args: Vec<_> = [&file, "--out", &out].into_iter().chain(more.iter().copied()).collect();
    let (text, _) = run(plan(&args)).await.unwrap_or_else(|error| panic!("{error}"));
    println!("{text}");
    let report = std::fs::read_to_string(path("out/report.json")).unwrap();
    Played { folder, text, report: serde_json::from_str(&report).unwrap() }
}

impl Played {
    /// The content of a file of the report.
    pub(crate) fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join("out").join(name)).unwrap()
    }

    /// Fails the test if a threshold does not hold.
    pub(crate) fn holds(&self) {
        let thresholds = self.report["thresholds"].as_array().unwrap();
        assert!(!thresholds.is_empty());
        for row in thresholds {
            assert_eq!(row["holds"], true, "{row} of {}", self.text);
        }
    }
}
