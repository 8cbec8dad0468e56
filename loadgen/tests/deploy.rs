//! `deploy/`: every folder with a scenario, and the script of the action.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn deploy() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy")
}

fn folders() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(deploy().join("scenarios")).unwrap();
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(folders.len() >= 4, "{folders:?}");
    folders
}

/// Runs a target in a folder; reports go to `out`.
fn make(folder: &Path, target: &str, out: &Path, more: &[&str]) -> Output {
    let loadgen = format!("LOADGEN={}", env!("CARGO_BIN_EXE_loadgen"));
    let out = format!("OUT={}", out.display());
    let args = ["--silent", "-C", folder.to_str().unwrap(), target, &loadgen, &out];
    Command::new("make").args(args).args(more).output().expect("this test needs make on PATH")
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn every_folder_has_a_timeline_and_says_its_steps() {
    for folder in folders() {
        let out = tempfile::tempdir().unwrap();
        let plan = make(&folder, "1-plan", out.path(), &[]);
        assert!(plan.status.success(), "{folder:?}: {}", text(&plan));
        assert!(text(&plan).contains("    must  "), "{folder:?}: {}", text(&plan));
        let help = text(&make(&folder, "help", out.path(), &[]));
        for step in ["1-plan", "2-run", "3-report", "4-compare", "5-history", "6-clean"] {
            assert!(help.contains(&format!("make {step}")), "{folder:?}: {help}");
        }
    }
}

/// An env file names every variable of its scenario, so that an operator sees what can be changed.
#[test]
fn env_files_name_every_variable_with_its_default() {
    for folder in folders() {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let scenario: toml::Table = read("scenario.toml").parse().unwrap();
        let mut variables: Vec<(String, String)> = scenario["variables"]
            .as_table()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.clone(), value.to_string().trim_matches('"').to_owned()))
            .collect();
        variables.sort();
        let mut given = loadgen::scenario::parse_env(&read("env.mk")).unwrap();
        given.sort();
        assert_eq!(given, variables, "{folder:?}");
    }
}

#[test]
fn a_folder_is_played_reported_compared_kept_and_cleaned() {
    let place = tempfile::tempdir().unwrap();
    let (out, store) = (place.path().join("out"), place.path().join("runs"));
    let folder = deploy().join("scenarios/region-outage");
    let store = format!("STORE={}", store.display());
    // On a busy machine times may be missed, which is no matter of these steps.
    let short = "OPTIONS=--set phase.outage.for=3s --set clients.nats-geo.per_region=1";
    let run = make(&folder, "2-run", &out, &[&store, short]);
    let verdict = text(&run);
    assert!(["PASS", "FAIL", "INCONCLUSIVE"].iter().any(|word| verdict.contains(word)), "{verdict}");
    std::fs::remove_file(out.join("report.html")).unwrap();
    let report = make(&folder, "3-report", &out, &[]);
    assert!(report.status.success() && out.join("report.html").is_file(), "{}", text(&report));
    let compared = make(&folder, "4-compare", &out, &[&format!("BEFORE={}", out.display())]);
    assert!(text(&compared).contains("+0.0"), "{}", text(&compared));
    let nothing = make(&folder, "4-compare", &out, &[]);
    assert!(!nothing.status.success() && text(&nothing).contains("BEFORE=FOLDER"), "{}", text(&nothing));
    let history = text(&make(&folder, "5-history", &out, &[&store]));
    assert!(history.contains("| scenario"), "{history}");
    assert!(make(&folder, "6-clean", &out, &[]).status.success());
    assert!(!out.exists());
}

/// One server, and thresholds that no machine is too busy for.
fn scenario(threshold: &str) -> String {
    format!(
        "title = \"Action\"\nthresholds = [\"{threshold}\"]\n\
         topology = {{ cluster = [{{ name = \"lon\", servers = 1 }}] }}\n\
         [[clients]]\nkind = \"nats-geo\"\nper_region = 1\n\
         [[workload]]\nkind = \"request\"\n[[phase]]\nname = \"all\"\nfor = \"1s\"\n"
    )
}

/// Runs the action's script with a scenario. Returns its exit code, output, step summary and the action's outputs.
fn act(text: &str, inconclusive: &str) -> (Option<i32>, String, String, String) {
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name);
    std::fs::write(path("scenario.toml"), text).unwrap();
    let output = Command::new(deploy().join("action/run"))
        .env("LOADGEN", env!("CARGO_BIN_EXE_loadgen"))
        .env("SCENARIO", path("scenario.toml"))
        .env("OPTIONS", "--seed 7")
        .env("INCONCLUSIVE", inconclusive)
        .env("OUT", path("out"))
        .env("GITHUB_STEP_SUMMARY", path("summary"))
        .env("GITHUB_OUTPUT", path("outputs"))
        .output()
        .unwrap();
    let read = |name: &str| std::fs::read_to_string(path(name)).unwrap_or_default();
    (output.status.code(), self::text(&output), read("summary"), read("outputs"))
}

#[test]
fn the_action_ends_as_the_verdict_asks() {
    let (code, _, summary, outputs) = act(&scenario("requests.sent > 1000000"), "warn");
    assert_eq!(code, Some(99));
    assert!(summary.contains("FAIL") && summary.contains("requests.sent > 1000000"), "{summary}");
    assert!(outputs.contains("verdict=FAIL"), "{outputs}");
    // No fault, so no failover is measured.
    let unmeasured = scenario("failover.p90 < 1s");
    let (code, text, _, outputs) = act(&unmeasured, "warn");
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("::warning::") && outputs.contains("verdict=INCONCLUSIVE"), "{text} {outputs}");
    assert_eq!(act(&unmeasured, "fail").0, Some(98));
    let (code, text, ..) = act(&unmeasured, "ignore");
    assert!(code == Some(2) && text.contains("choose warn or fail"), "{text}");
    let (code, text, ..) = act("title = 3", "warn");
    assert!(code == Some(2) && text.contains("title"), "{code:?} {text}");
}
