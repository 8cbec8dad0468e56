//! Bundles that tests make, and comparisons of folders.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, SystemTime};

use loadgen::outcome::{Report, Verdict};
use loadgen::store::{Entry, Host, Manifest, Origin, RunId, State, write_bundle};
use serde_json::json;

/// A report of one play.
pub(crate) fn report() -> Report {
    let run = json!({
        "strategy": "", "repetition": 0, "duration_s": 4.0,
        "phases": [{ "name": "calm", "from_s": 0.0, "to_s": 2.0 }, { "name": "outage", "from_s": 2.0, "to_s": 4.0 }],
        "faults": [{ "id": 0, "text": "kill:lon@2s/1s", "from_s": 2.1, "to_s": 3.2 }],
        "step_s": 1.0, "series": [], "clients": [], "failovers": [], "requests": [], "matrix": [], "ledger": [],
        "schedule_lag_p99_ms": null,
    });
    let report = json!({
        "version": 3, "scenario": "region-outage", "title": "A region dies", "description": null,
        "verdict": "FAIL", "reasons": ["a threshold does not hold"], "seed": 7,
        "started_at": "2026-11-30T05:03:05Z", "wall_s": 9.5,
        "environment": {
            "loadgen": "0.1.0", "nats_servers": [{ "version": "2.15.1", "servers": 2 }], "os": "linux x86_64",
            "cores": 2, "wan": "proxy", "wan_limits": [],
        },
        "regions": ["lon"], "servers": [], "rtt_ms": [], "sentences": [], "thresholds": [], "notes": [],
        "runs": [run],
    });
    serde_json::from_value(report).unwrap()
}

/// Writes a bundle with files of these sizes, all with other bytes. It started `second` seconds after a fixed time.
pub(crate) fn bundle(folder: &Path, second: u64, files: &[(&str, usize)]) -> Manifest {
    let scenario = "title = \"A region dies\"\n";
    std::fs::write(folder.join("scenario.toml"), scenario).unwrap();
    let mut names = vec!["scenario.toml".to_owned()];
    let mut seed = second + 1;
    for (name, size) in files {
        std::fs::write(folder.join(name), noise(&mut seed, *size)).unwrap();
        names.push((*name).to_owned());
    }
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_796_014_985 + second);
    let origin = Origin {
        run: RunId::new(start, 0x1a2b_3c4d),
        scenario: scenario.to_owned(),
        changes: vec!["--set clients.geo.per_region=12".to_owned()],
        host: Host::this(2),
    };
    write_bundle(folder, &report(), &origin, &names, &[Duration::from_secs(5)]).unwrap()
}

/// Puts the index of so many runs on the disk of a store, all older than those of [`bundle`].
pub(crate) fn fill(store: &Path, runs: usize) {
    let index = store.join("index");
    std::fs::create_dir_all(&index).unwrap();
    for number in 0..runs {
        let run =
            format!("20251130T{:02}{:02}{:02}Z-{number:08x}", number / 3600, number / 60 % 60, number % 60);
        let verdict = if number % 3 == 0 { Verdict::Fail } else { Verdict::Pass };
        let entry = Entry {
            run: run.parse().unwrap(),
            state: State::Judged(verdict),
            duration_ms: 48_213,
            bytes: 1_200_000,
            scenario: "region-outage".to_owned(),
        };
        std::fs::write(index.join(entry.object()), serde_json::to_vec(&entry).unwrap()).unwrap();
    }
}

fn noise(seed: &mut u64, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size + 8);
    while bytes.len() < size {
        *seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&(*seed >> 3).to_le_bytes());
    }
    bytes.truncate(size);
    bytes
}

/// All files below a folder, by their paths from there.
pub(crate) fn files_in(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().to_str().unwrap().to_owned();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Fails the test if the two folders differ in a file that the manifest names, or in the manifest.
pub(crate) fn same(a: &Path, b: &Path, manifest: &Manifest) {
    let names = manifest.files.iter().map(|file| file.path.as_str()).chain(["manifest.json"]);
    for name in names {
        let [a, b] = [a, b].map(|folder| std::fs::read(folder.join(name)).unwrap());
        assert!(a == b, "{name} differs: {} and {} bytes", a.len(), b.len());
    }
}
