//! A store with many runs: the list, one run of it, and the removal of old ones.

use std::time::{Duration, Instant};

use loadgen::store::{Store, StoreUrl};
use tempfile::tempdir;

use crate::bundles::{bundle, files_in, fill};
use crate::fates::Fates;
use crate::s3::S3;

const RUNS: usize = 1_000;

#[expect(clippy::disallowed_methods, reason = "a test measures how long a list takes")]
fn now() -> Instant {
    Instant::now()
}

/// The goals are 200 ms for the list and 1 s for a run. A busy machine gets ten times as long here; the line shows the figure.
async fn lists_a_thousand_runs(store: &Store, whole: &loadgen::store::Manifest) {
    let before = now();
    let entries = store.entries().await.unwrap();
    let listed = before.elapsed();
    assert_eq!(entries.len(), RUNS + 1);
    assert!(entries.is_sorted_by_key(|entry| entry.run.clone()));
    let before = now();
    assert_eq!(store.manifest(&whole.run).await.unwrap(), *whole);
    let opened = before.elapsed();
    println!("{store:?}: the list of {RUNS} runs took {listed:.1?}, the manifest of one {opened:.1?}");
    assert!(listed < Duration::from_secs(2) && opened < Duration::from_secs(10), "{listed:?}, {opened:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_runs_in_s3_are_listed_with_two_requests() {
    let from = tempdir().unwrap();
    let made = bundle(from.path(), 0, &[("report.json", 1000)]);
    let s3 = S3::start(Fates::kind()).await;
    s3.store().push(from.path()).await.unwrap();
    fill(&s3.objects(), RUNS);
    let before = s3.fates.seen();
    lists_a_thousand_runs(&s3.store(), &made).await;
    // A request lists up to 1000 objects, and the manifest is one more.
    assert!(s3.fates.seen() - before <= 3, "{} requests", s3.fates.seen() - before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_runs_in_a_folder_are_listed() {
    let (from, folder) = (tempdir().unwrap(), tempdir().unwrap());
    let made = bundle(from.path(), 0, &[("report.json", 1000)]);
    let store = Store::open(&StoreUrl::Folder(folder.path().to_owned())).unwrap();
    store.push(from.path()).await.unwrap();
    fill(folder.path(), RUNS);
    lists_a_thousand_runs(&store, &made).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_runs_are_removed_and_nothing_else() {
    let s3 = S3::start(Fates::kind()).await;
    let mut runs = Vec::new();
    for second in 0..4 {
        let from = tempdir().unwrap();
        runs.push(bundle(from.path(), second, &[("report.json", 1000)]).run.to_string());
        s3.store().push(from.path()).await.unwrap();
    }
    let others = [
        "notes.txt",
        "runs/notes.txt",
        "runs/other/manifest.json",
        "index/notes.json",
        "index/a_pass_1_2_b.json",
    ];
    for other in others {
        let path = s3.objects().join(other);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "not a run").unwrap();
    }
    let url = s3.url().to_string();
    let prune = async |more: &[&str]| {
        let args = [&["runs", "prune", "--store", &url, "--keep", "2"], more].concat();
        let output = s3.loadgen(&args).output().await.unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let all = files_in(&s3.objects());
    let shown = prune(&[]).await;
    assert!(shown.contains(&runs[0]) && shown.contains(&runs[1]) && !shown.contains(&runs[2]), "{shown}");
    assert!(shown.contains("--yes would remove 2 runs"), "{shown}");
    assert!(files_in(&s3.objects()) == all, "a dry run removed something");

    let shown = prune(&["--yes"]).await;
    assert!(shown.contains("removed 2 runs"), "{shown}");
    let left = files_in(&s3.objects());
    let is_old = |name: &str| runs[..2].iter().any(|run| name.contains(run));
    let expected: Vec<_> = all.keys().filter(|name| !is_old(name)).collect();
    assert_eq!(left.keys().collect::<Vec<_>>(), expected);
    assert!(prune(&["--yes"]).await.contains("no run beyond the newest 2"));
}
