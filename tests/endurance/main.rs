//! What takes minutes: many messages through many faults, and an outage that lasts. Not part of `make test`.
//!
//! ```text
//! make endurance                                                        # everything, a quarter of an hour
//! cargo run --release -p nats-geo-tests --example endurance -- queue    # one of: jetstream, queue, outage
//! ```
#![allow(clippy::unwrap_used, reason = "what fails here fails the run")]

mod jetstream;
mod outage;
mod queue;
#[path = "../native/world.rs"]
#[allow(dead_code, reason = "the tests use the rest of it")]
mod world;

use std::process::ExitCode;
use std::time::Duration;

use nats_geo::core::Config;

#[tokio::main]
async fn main() -> ExitCode {
    // RUST_LOG=loadgen=debug shows which messages were lost.
    tracing_subscriber::fmt().with_env_filter(tracing_subscriber::EnvFilter::from_default_env()).init();
    let wanted: Vec<_> = std::env::args().skip(1).collect();
    if let Some(unknown) = wanted.iter().find(|name| !NAMES.contains(&name.as_str())) {
        eprintln!("`{unknown}` is no scenario: choose from {}", NAMES.join(", "));
        return ExitCode::from(USAGE);
    }
    for name in NAMES {
        if wanted.is_empty() || wanted.iter().any(|it| it == name) {
            println!("== {name}");
            match name {
                "jetstream" => jetstream::run(Duration::from_secs(120)).await,
                "queue" => queue::run().await,
                _ => outage::run(Duration::from_secs(600)).await,
            }
        }
    }
    ExitCode::SUCCESS
}

/// The policy of the presets, with minutes made seconds. One region is broken again and again here, so clients that kept away
/// from what flaps would stay away.
fn config() -> Config {
    let mut config = world::hurried();
    config.damping.suppress = 1e6;
    config.fail_back.gain_for = Duration::from_secs(2);
    config
}

const NAMES: [&str; 3] = ["jetstream", "queue", "outage"];

/// As clap has it.
const USAGE: u8 = 2;
