//! Tests the upload of a large bundle while a tenth of all requests fails: the bundle arrives, and loadgen needs little
//! memory.
//!
//! `STORE_SOAK_MIB=2048` makes the bundle that large; `make store-soak` does.

use std::time::Duration;

use tempfile::tempdir;
use tokio::process::Child;

use crate::bundles::{bundle, same};
use crate::fates::{Fate, Fates};
use crate::s3::S3;

const MIB: usize = 1024 * 1024;

/// The bound for the process that uploads, of any bundle.
const PEAK_MAX_KIB: u64 = 64 * 1024;

#[tokio::test(flavor = "multi_thread")]
async fn a_large_bundle_arrives_in_little_memory_although_a_tenth_of_all_requests_fails() {
    let size = std::env::var("STORE_SOAK_MIB").ok().map_or(64, |text| text.parse::<usize>().unwrap());
    let from = tempdir().unwrap();
    let files =
        [("servers.log", size * MIB * 3 / 4), ("series.ndjson", size * MIB / 4), ("report.json", 300_000)];
    let made = bundle(from.path(), 0, &files);
    let s3 = S3::start(Fates::new(&[Fate::Unavailable, Fate::BreakRequest, Fate::BreakAnswer], 10)).await;
    let url = s3.url().to_string();
    let folder = from.path().to_str().unwrap();
    let mut child = s3.loadgen(&["runs", "push", folder, "--store", &url]).spawn().unwrap();
    let (peak, succeeded) = peak_until_its_end(&mut child).await;
    println!(
        "{size} MiB: peak {:.1} MiB, {} requests, {} of them with a fault",
        peak as f64 / 1024.0,
        s3.fates.seen(),
        s3.fates.failed()
    );
    assert!(succeeded, "the upload failed");
    assert!(s3.fates.failed() > 0);
    same(from.path(), &s3.objects().join(format!("runs/{}", made.run)), &made);
    assert!(peak > 0 && peak <= PEAK_MAX_KIB, "the peak is {peak} KiB");
}

/// The largest memory of a process in KiB, as Linux counts it, and whether it succeeded.
async fn peak_until_its_end(child: &mut Child) -> (u64, bool) {
    let status = format!("/proc/{}/status", child.id().unwrap());
    let mut peak = 0;
    loop {
        // Linux remembers the peak, so that looking often is only needed near the end.
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let now = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
        peak = now.unwrap_or(0).max(peak);
        let ended = tokio::time::timeout(Duration::from_millis(20), child.wait()).await;
        if let Ok(ended) = ended {
            return (peak, ended.unwrap().success());
        }
    }
}
