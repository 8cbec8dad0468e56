//! Uploads to an S3 that answers 503, is slow, and breaks connections.

use loadgen::store::{State, Store, StoreUrl};
use tempfile::tempdir;

use crate::bundles::{bundle, files_in, same};
use crate::fates::{Fate, Fates};
use crate::s3::{KEY_ID, S3, SECRET_KEY};

const MIB: usize = 1024 * 1024;

/// With a file of several parts, one of a single request, and an empty one.
const FILES: [(&str, usize); 4] =
    [("report.json", 90_000), ("requests-geo.hlog", 12 * MIB + 17), ("empty.csv", 0), ("a b+é.txt", 5)];

async fn arrives(fates: Fates) -> S3 {
    let (from, to) = (tempdir().unwrap(), tempdir().unwrap());
    let made = bundle(from.path(), 0, &FILES);
    let s3 = S3::start(fates).await;
    let (manifest, pushed) = s3.store().push(from.path()).await.unwrap();
    assert_eq!((&manifest, pushed.uploaded), (&made, FILES.len() + 2));
    println!("{} requests, {} of them with a fault", s3.fates.seen(), s3.fates.failed());
    same(from.path(), &s3.objects().join(format!("runs/{}", made.run)), &made);
    assert_eq!(s3.store().fetch(&made.run, to.path()).await.unwrap(), made);
    same(from.path(), to.path(), &made);
    let entries = s3.store().entries().await.unwrap();
    assert_eq!((entries.len(), entries[0].bytes), (1, made.size()));
    s3
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_arrives_in_s3() {
    arrives(Fates::kind()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_arrives_although_a_quarter_of_all_requests_is_answered_with_503() {
    let s3 = arrives(Fates::new(&[Fate::Unavailable], 25)).await;
    assert!(s3.fates.failed() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_arrives_over_connections_that_break() {
    let breaks = [Fate::BreakRequest, Fate::BreakAnswer, Fate::TruncateAnswer];
    let s3 = arrives(Fates::new(&breaks, 25)).await;
    assert!(s3.fates.failed() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_arrives_in_an_s3_that_is_slow() {
    let s3 = arrives(Fates::new(&[Fate::Slow], 50)).await;
    assert!(s3.fates.failed() > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_arrives_in_a_folder() {
    let (from, store) = (tempdir().unwrap(), tempdir().unwrap());
    let made = bundle(from.path(), 0, &FILES);
    let opened = Store::open(&StoreUrl::Folder(store.path().join("new"))).unwrap();
    opened.push(from.path()).await.unwrap();
    same(from.path(), &store.path().join(format!("new/runs/{}", made.run)), &made);
}

/// The store refuses everything after 20 requests, in the middle of the upload.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_push_skips_all_that_the_first_one_uploaded() {
    let from = tempdir().unwrap();
    let many: Vec<(String, usize)> =
        (0..12).map(|number| (format!("{number:02}.csv"), 1000 + number)).collect();
    let many: Vec<_> = many.iter().map(|(name, size)| (name.as_str(), *size)).collect();
    let made = bundle(from.path(), 0, &many);
    let before = files_in(from.path());
    let s3 = S3::start(Fates::after(20, Fate::Deny)).await;
    s3.store().announce(made.run.clone(), &made.scenario).await.unwrap();
    let error = s3.store().push(from.path()).await.unwrap_err().to_string();
    assert!(error.contains("refuses to") && error.contains("check the credentials"), "{error}");
    assert!(!error.contains(KEY_ID) && !error.contains(SECRET_KEY), "{error}");
    assert_eq!(files_in(from.path()), before);

    let s3 = s3.restart(Fates::kind()).await;
    let there = files_in(&s3.objects()).keys().filter(|name| name.starts_with("runs/")).count();
    assert!(there > 0 && there < made.files.len(), "{there}");
    let entries = s3.store().entries().await.unwrap();
    assert_eq!((entries.len(), entries[0].state), (1, State::Unfinished));
    let unfinished = s3.store().manifest(&made.run).await.unwrap_err().to_string();
    assert!(unfinished.contains("is not whole"), "{unfinished}");
    let (_, pushed) = s3.store().push(from.path()).await.unwrap();
    assert_eq!((pushed.skipped, pushed.uploaded), (there, made.files.len() - there));
    let (_, pushed) = s3.store().push(from.path()).await.unwrap();
    assert_eq!((pushed.skipped, pushed.uploaded), (made.files.len(), 0));
    let entries = s3.store().entries().await.unwrap();
    assert_eq!((entries.len(), entries[0].state), (1, State::Judged(made.verdict)));
    assert_eq!(files_in(&s3.objects()).keys().filter(|name| name.starts_with("index/")).count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_object_with_another_digest_is_replaced_by_a_push_and_refused_by_a_download() {
    let (from, to) = (tempdir().unwrap(), tempdir().unwrap());
    let made = bundle(from.path(), 0, &FILES);
    let s3 = S3::start(Fates::kind()).await;
    s3.store().push(from.path()).await.unwrap();
    let stored = s3.objects().join(format!("runs/{}/report.json", made.run));
    let mut bytes = std::fs::read(&stored).unwrap();
    bytes[70_000] ^= 1;
    std::fs::write(&stored, bytes).unwrap();
    let error = s3.store().fetch(&made.run, to.path()).await.unwrap_err().to_string();
    assert!(error.contains("report.json` in the store") && error.contains("push the run again"), "{error}");
    assert!(!to.path().join("report.json").exists());
    let (_, pushed) = s3.store().push(from.path()).await.unwrap();
    assert_eq!(pushed.uploaded, 1);
    same(from.path(), stored.parent().unwrap(), &made);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_changed_since_the_run_is_named_and_nothing_is_uploaded() {
    let from = tempdir().unwrap();
    bundle(from.path(), 0, &FILES);
    std::fs::write(from.path().join("empty.csv"), "changed").unwrap();
    let s3 = S3::start(Fates::kind()).await;
    let error = s3.store().push(from.path()).await.unwrap_err().to_string();
    assert!(error.contains("empty.csv changed since the run"), "{error}");
    std::fs::remove_file(from.path().join("manifest.json")).unwrap();
    let error = s3.store().push(from.path()).await.unwrap_err().to_string();
    assert!(error.contains("manifest.json") && error.contains("`loadgen run --out`"), "{error}");
    assert_eq!(s3.fates.seen(), 0);
}
