//! Tests of the WAN of network namespaces: real TCP between regions, real losses, and no namespace that remains.
//!
//! These tests need Linux and root. A machine that does not allow namespaces fails them, unless `NATS_GEO_WITHOUT_NETNS=1` is set.
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test's helpers fail the test")]

mod agreement;
#[path = "../support/dns_packet.rs"]
mod dns_packet;
mod ends;
mod faults;
mod machines;
mod packets;
mod permission;
#[path = "../support/process.rs"]
mod process;
mod resolvers;
mod world;

use std::time::Duration;

use loadgen::clock;
use loadgen::wan::netns::Network;

/// One network at a time: two would compete for the machine.
static TURN: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
/// Longer than anything that is expected to happen takes.
const LIMIT: Duration = Duration::from_secs(30);

/// Whether the tests of namespaces run here. Panics where the machine does not allow them and nobody said so.
fn allowed() -> bool {
    let Err(error) = Network::start(&[1]) else { return true };
    let spared = std::env::var("NATS_GEO_WITHOUT_NETNS").is_ok_and(|value| value == "1");
    assert!(
        spared,
        "{error}\nThese tests need network namespaces. Run them as root with /dev/net/tun, or set NATS_GEO_WITHOUT_NETNS=1 to do \
         without them."
    );
    println!("NATS_GEO_WITHOUT_NETNS=1: not tested, because {error}");
    false
}

/// Waits until `is_so`. Panics with `what` when that takes too long.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let deadline = clock::now() + LIMIT;
    while !is_so().await {
        assert!(clock::now() < deadline, "not within {LIMIT:?}: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
