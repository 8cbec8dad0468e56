//! Fuzz targets: each makes operations of arbitrary bytes, carries them out, and panics when a rule is broken.
//!
//! `make fuzz` lets libFuzzer choose the bytes, guided by the code that they reach. The test `fuzz` plays what it has
//! found so far (`corpus/`) and bytes of a seeded generator, which needs no special build.

use std::sync::atomic::{AtomicU64, Ordering};

mod decode;
mod hostile;
pub use hostile::server_bytes;
mod ledger;
mod scenario;
mod selector;

/// Something that is fed arbitrary bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Also the name of its folder in `corpus/`, and of its program behind `fuzz-`.
    pub name: &'static str,
    /// Carries out what the bytes say and returns how many operations that was.
    ///
    /// # Panics
    /// A rule was broken.
    pub play: fn(&[u8]) -> u64,
}

/// A selector whose driver may lie about anything.
pub const SELECTOR: Target = Target { name: "selector", play: selector::play };

/// A simulated world in which anything may happen, under all rules of the simulator.
pub const SCENARIO: Target = Target { name: "scenario", play: scenario::play };

/// The decoder of what servers send, in pieces of any size.
pub const DECODE: Target = Target { name: "decode", play: decode::play };

/// All of them.
pub const TARGETS: [Target; 3] = [SELECTOR, SCENARIO, DECODE];

impl Target {
    /// Plays the bytes, and says now and then how many operations were carried out so far: libFuzzer only counts
    /// inputs, and ends the process its own way.
    ///
    /// # Panics
    /// A rule was broken.
    pub fn play_and_count(&self, data: &[u8]) {
        static OPERATIONS: AtomicU64 = AtomicU64::new(0);
        let more = (self.play)(data);
        let before = OPERATIONS.fetch_add(more, Ordering::Relaxed);
        if before / REPORT_EVERY != (before + more) / REPORT_EVERY {
            eprintln!("{}: {} operations", self.name, before + more);
        }
    }
}

/// A line every second or so.
const REPORT_EVERY: u64 = 1 << 16;
