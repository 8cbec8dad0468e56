//! `deploy/`: every folder with a scenario, and the script of the action.
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

#[allow(dead_code, reason = "only its programs are needed")]
#[path = "../../tests/prometheus/server.rs"]
mod prometheus;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

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

/// The services of the laptop, as docker-compose reads them.
fn laptop() -> Value {
    let file = deploy().join("laptop/compose.yaml");
    let compose = |password: &str| {
        let mut command = Command::new("docker-compose");
        command.args(["--profile", "run", "--file"]).arg(&file).arg("config").env("OPS_PASSWORD", password);
        command.output().expect("this test needs docker-compose: run .ci/compose")
    };
    let refused = compose("");
    assert!(!refused.status.success() && text(&refused).contains("OPS_PASSWORD"), "{}", text(&refused));
    let output = compose("hunter2");
    assert!(output.status.success(), "{}", text(&output));
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin), sys.stdout)";
    let mut python = Command::new("/usr/bin/python3");
    python.args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = python.spawn().unwrap();
    std::io::Write::write_all(&mut python.stdin.take().unwrap(), &output.stdout).unwrap();
    serde_json::from_slice(&python.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn loadgen_takes_the_commands_of_the_laptop() {
    let config = laptop();
    let services = config["services"].as_object().unwrap();
    let own: Vec<_> = services.iter().filter(|(_, it)| it["image"] == "loadgen").collect();
    assert_eq!(own.len(), 5, "{services:?}");
    let place = tempfile::tempdir().unwrap();
    for (name, service) in own {
        let args: Vec<_> =
            service["command"].as_array().unwrap().iter().map(|arg| arg.as_str().unwrap()).collect();
        let mut command = if name == "run" {
            // Its shell finds this program in place of the image's.
            let program = place.path().join("loadgen");
            let loadgen = env!("CARGO_BIN_EXE_loadgen");
            std::fs::write(&program, format!("#!/bin/sh\nexec {loadgen} \"$@\" --dry-run\n")).unwrap();
            std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
            let path = format!("{}:{}", place.path().display(), std::env::var("PATH").unwrap());
            let mut command = Command::new("sh");
            // Compose writes `$` as `$$`.
            command.args(["-c", &args[0].replace("$$", "$")]).env("PATH", path).current_dir(place.path());
            command
        } else {
            let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
            command.args(args).arg("--help");
            command
        };
        for (key, value) in service["environment"].as_object().unwrap() {
            command.env(key, value.as_str().unwrap());
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {}", text(&output));
    }
}

#[test]
fn prometheus_reads_the_configuration_of_the_laptop() {
    let place = tempfile::tempdir().unwrap();
    for file in ["laptop/prometheus.yml", "prometheus/alerts.yml"] {
        let name = Path::new(file).file_name().unwrap();
        std::fs::copy(deploy().join(file), place.path().join(name)).unwrap();
    }
    let mut promtool = Command::new(prometheus::program("promtool"));
    let output =
        promtool.args(["check", "config"]).arg(place.path().join("prometheus.yml")).output().unwrap();
    assert!(output.status.success(), "{}", text(&output));
    let config = laptop();
    let targets = std::fs::read_to_string(deploy().join("laptop/prometheus.yml")).unwrap();
    for (name, service) in config["services"].as_object().unwrap() {
        let serves = service["command"].to_string().contains("--metrics");
        assert_eq!(targets.contains(&format!("\"{name}:9464\"")), serves, "{name}: {targets}");
    }
}
