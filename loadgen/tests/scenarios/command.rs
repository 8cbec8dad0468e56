//! Tests of `loadgen scenarios`, and of the checks of `loadgen run` before anything starts: files beside a scenario,
//! and strategies.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use loadgen::scenario::{ClientKind, Inputs, PRESETS, from_toml};
use loadgen::topology;
use nats_geo::core::Config;

use crate::own::play;

/// Calls the built command in a folder.
fn loadgen(folder: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command.args(args).current_dir(folder).env_remove("RUST_LOG").output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// The standard output of a call that succeeds.
fn succeeds(folder: &Path, args: &[&str]) -> String {
    let output = loadgen(folder, args);
    assert!(output.status.success() && output.stderr.is_empty(), "{args:?}: {output:?}");
    text(&output.stdout)
}

/// The standard error of a call that ends with this code.
fn fails(folder: &Path, args: &[&str], code: i32) -> String {
    let output = loadgen(folder, args);
    assert_eq!(output.status.code(), Some(code), "{args:?}: {output:?}");
    assert!(output.stdout.is_empty(), "{args:?}: {output:?}");
    text(&output.stderr)
}

#[test]
fn scenarios_are_listed_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let listed = succeeds(folder.path(), &["scenarios"]);
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("scenarios");
    let mut names: Vec<_> = std::fs::read_dir(&files).unwrap().map(|it| it.unwrap().path()).collect();
    names.sort();
    assert!(names.len() >= 19, "{names:?}");
    assert_eq!(listed.lines().count(), names.len(), "{listed}");
    for file in &names {
        let (name, content) =
            (file.file_stem().unwrap().to_str().unwrap(), std::fs::read_to_string(file).unwrap());
        let line = listed.lines().find(|line| line.split_whitespace().next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("{name} is not listed: {listed}"));
        let says = content.lines().next().unwrap().trim_start_matches("# ");
        assert!(line.ends_with(&format!("  {says}")), "{line}");
        assert_eq!(succeeds(folder.path(), &["scenarios", name]).trim_end(), content.trim_end(), "{name}");
    }
}

/// As with `loadgen scenarios NAME | head -1`.
#[test]
fn a_reader_that_goes_away_is_no_error() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_loadgen"));
    command
        .args(["scenarios", "video-through-failover"])
        .current_dir(&folder)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut running = command.spawn().unwrap();
    drop(running.stdout.take());
    let output = running.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).output().unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(text(&output.stderr).contains("cannot write to standard output"), "{output:?}");
}

#[test]
fn an_unknown_scenario_is_named_with_the_known_ones() {
    let folder = tempfile::tempdir().unwrap();
    for (args, code) in [(["scenarios", "region-outrage"], 1), (["run", "region-outrage"], 2)] {
        let error = fails(folder.path(), &args, code);
        assert!(error.starts_with("loadgen: ") && error.contains("`region-outrage`"), "{error}");
        assert!(PRESETS.iter().all(|preset| error.contains(preset.name)), "{error}");
    }
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 0, "nothing is written");
}

const MINE: &str = "distances = { rtt_ms = { \"oslo-bergen\" = 7 } }\n\
    [[cluster]]\nname = \"oslo\"\nservers = 2\n[[cluster]]\nname = \"bergen\"\nservers = 1\n";

const SCENARIO: &str = r#"
title = "On my topology"
topology = "mine.toml"
clients = [{ name = "geo", kind = "nats-geo", per_region = 2 }]
[[phase]]
name = "all"
for = "5s"
"#;

/// The regions that a dry run names in the lines of its clients.
fn regions(timeline: &str) -> Vec<&str> {
    timeline.lines().filter_map(|line| line.split_once("  2 geo in ").map(|(_, region)| region)).collect()
}

#[test]
fn a_topology_is_a_file_beside_the_scenario_or_an_option() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("scenarios")).unwrap();
    std::fs::write(path("scenarios/mine.toml"), MINE).unwrap();
    std::fs::write(path("scenarios/scenario.toml"), SCENARIO).unwrap();
    let dry_run = ["run", "scenarios/scenario.toml", "--dry-run", "--out", "out"];
    let of_option = |topology: &'static str| [&dry_run[..], &["--topology", topology]].concat();

    let shown = succeeds(folder.path(), &dry_run);
    assert_eq!(regions(&shown), ["bergen", "oslo"], "{shown}");
    let shown = succeeds(folder.path(), &of_option("two-regions"));
    assert_eq!(regions(&shown), ["ams", "lon"], "a preset: {shown}");
    std::fs::write(path("other.toml"), MINE.replace("oslo", "turku")).unwrap();
    let shown = succeeds(folder.path(), &of_option("other.toml"));
    assert_eq!(regions(&shown), ["bergen", "turku"], "a file: {shown}");

    let error = fails(folder.path(), &of_option("mine.toml"), 2);
    assert!(
        error.contains("`mine.toml`") && error.contains("super-cluster"),
        "an option is no file beside: {error}"
    );
    std::fs::write(path("scenarios/mine.toml"), MINE.replace("name", "nome")).unwrap();
    let error = fails(folder.path(), &dry_run, 2);
    assert!(error.contains("mine.toml") && error.contains("`nome`"), "{error}");
    std::fs::remove_file(path("scenarios/mine.toml")).unwrap();
    let error = fails(folder.path(), &dry_run, 2);
    assert!(error.contains("scenario.toml:3: topology") && error.contains("`mine.toml`"), "{error}");
}

/// Nobody has anything to send, so only its own PINGs tell a client that its region is silent.
const STRATEGIES: &str = r#"
title = "A silent region, by preset and by library"
topology = { cluster = [{ name = "lon", servers = 1 }, { name = "ams", servers = 1 }], jetstream = { enabled = false } }
thresholds = ["moves.total{population=geo, phase=silent} >= 2"]
fault = [{ inject = "silence", target = "lon", links = "clients", phase = "silent" }]
[[clients]]
name = "geo"
kind = "nats-geo"
preset = "fleet"
regions = { lon = 2 }
[[phase]]
name = "quiet"
for = "500ms"
[[phase]]
name = "silent"
for = "2s"
[[strategy]]
name = "quick"
set = { "clients.geo.preset" = "interactive" }
[[strategy]]
name = "stock"
set = { "clients.geo.kind" = "async-nats", "clients.geo.preset" = "interactive" }
"#;

#[test]
fn strategies_choose_a_preset_or_the_stock_client() {
    let same = "[[strategy]]\nname = \"as-it-is\"\n";
    let inline = |source: loadgen::scenario::TopologySource<'_>| {
        let loadgen::scenario::TopologySource::Inline(text) = source else { panic!("{source:?}") };
        topology::from_toml(text, "topology", |_| Err("none".to_owned())).map_err(|error| error.to_string())
    };
    let strategies = from_toml(&format!("{STRATEGIES}{same}"), "s.toml", &Inputs::default(), inline);
    let strategies = strategies.unwrap_or_else(|error| panic!("{error}"));
    let found = strategies.iter().map(|strategy| {
        let population = &strategy.scenario.populations[0];
        (strategy.name.as_str(), population.kind, population.policy == Config::interactive())
    });
    let expected = [
        ("quick", ClientKind::NatsGeo, true),
        ("stock", ClientKind::AsyncNats, true),
        ("as-it-is", ClientKind::NatsGeo, false),
    ];
    assert_eq!(found.collect::<Vec<_>>(), expected);
    assert_eq!(strategies[2].scenario.populations[0].policy, Config::fleet());
    let faults = |index: usize| &strategies[index].scenario.faults;
    assert!(faults(0) == faults(1) && faults(1) == faults(2), "all meet the same faults");
}

/// In such a short time async-nats sends no PING, so it stays; nats-geo does, and moves.
#[tokio::test(flavor = "multi_thread")]
async fn a_strategy_with_the_stock_client_plays_async_nats() {
    let played = play(STRATEGIES, &["--seed", "7"]).await;
    let thresholds = played.report["thresholds"].as_array().unwrap().iter();
    let found: Vec<_> =
        thresholds.map(|row| (row["text"].as_str().unwrap(), row["holds"].as_bool())).collect();
    let moves = "moves.total{population=geo, phase=silent} >= 2";
    let (quick, stock) = (format!("quick: {moves}"), format!("stock: {moves}"));
    assert_eq!(found, [(quick.as_str(), Some(true)), (stock.as_str(), Some(false))], "{}", played.text);
    let runs = played.report["runs"].as_array().unwrap();
    let names: Vec<_> = runs.iter().map(|run| run["strategy"].as_str().unwrap()).collect();
    assert_eq!(names, ["quick", "stock"]);
}
